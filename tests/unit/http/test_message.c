#include "check.h"

#include "http/message.h"

static fa_slice part(const char *buffer, const char *text)
{
    const char *at = strstr(buffer, text);

    CHECK(at != NULL);
    return (fa_slice){at, strlen(text)};
}

static void test_find(void **state)
{
    fa__field fields[] = {
        {FA_SLICE("Host"), FA_SLICE("a"), FA__FIELD_HOST},
        {FA_SLICE("X-Trace-Identifier"), FA_SLICE("b"), FA__FIELD_OTHER},
        {FA_SLICE("x-trace-identifier"), FA_SLICE("c"), FA__FIELD_OTHER},
    };
    fa__request_head head = {.fields = fields, .field_count = 3, .field_cap = 3};

    (void)state;
    CHECK(fa__head_find(&head, FA_SLICE("host")) == &fields[0]);
    CHECK(fa__head_find(&head, FA_SLICE("X-TRACE-IDENTIFIER")) == &fields[1]);
    CHECK(fa__head_find(&head, FA_SLICE("hos")) == NULL);
    CHECK(fa__head_find(&head, FA_SLICE("")) == NULL);
    head.field_count = 0;
    CHECK(fa__head_find(&head, FA_SLICE("host")) == NULL);
}

/* The old bytes are gone before the rebase, as after a realloc(). */
static void test_rebase(void **state)
{
    static const char text[] =
        "GET http://a.b/p?q HTTP/1.1\r\nHost: c.d\r\nEmpty:\r\n\r\n";
    static const char slash[] = "/";
    char *old = malloc(sizeof(text)), *new = malloc(sizeof(text));
    fa__field fields[2];
    fa__request_head head = {.fields = fields, .field_count = 2, .field_cap = 2};

    (void)state;
    CHECK(old != NULL && new != NULL);
    memcpy(old, text, sizeof(text));
    memcpy(new, text, sizeof(text));
    head.method_name = part(old, "GET");
    head.target = part(old, "http://a.b/p?q");
    head.path = (fa_slice){slash, 1}; /* static: stays */
    head.query = part(old, "q");
    head.host = part(old, "a.b");
    fields[0] = (fa__field){part(old, "Host"), part(old, "c.d"), FA__FIELD_HOST};
    fields[1] = (fa__field){part(old, "Empty"), {NULL, 0}, FA__FIELD_OTHER};
    memset(old, '#', sizeof(text));
    fa__head_rebase(&head, old, new);
    free(old);
    CHECK(head.method_name.p == new);
    CHECK_SLICE(head.target, "http://a.b/p?q");
    CHECK(head.path.p == slash);
    CHECK_SLICE(head.query, "q");
    CHECK_SLICE(head.host, "a.b");
    CHECK(head.host.p == new + 11);
    CHECK_SLICE(fields[0].name, "Host");
    CHECK_SLICE(fields[0].value, "c.d");
    CHECK_SLICE(fields[1].name, "Empty");
    CHECK(fields[1].value.p == NULL);
    free(new);
}

/* Without fields, and with a path and a query that end where the target does. */
static void test_rebase_target_only(void **state)
{
    static const char text[] = "GET /p? HTTP/1.0\r\n\r\n";
    char to[sizeof(text)];
    fa__request_head head = {.method_name = {text, 3}, .target = {text + 4, 3}};

    (void)state;
    memcpy(to, text, sizeof(text));
    head.path = (fa_slice){text + 4, 2};
    head.query = (fa_slice){text + 7, 0};
    fa__head_rebase(&head, text, to);
    CHECK(head.path.p == to + 4);
    CHECK(head.query.p == to + 7);
    CHECK(head.host.p == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_rebase),
        cmocka_unit_test(test_rebase_target_only),
    };

    return cmocka_run_group_tests_name("http/message", tests, NULL, NULL);
}
