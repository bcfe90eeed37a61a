/* The fields that begin every answer. */
#include "serving.h"

static int handler(fa_request *req, void *user_data)
{
    (void)user_data;
    (void)fa_response_header(req, FA_SLICE("x-own"), FA_SLICE("1"));
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("ok"));
}

static int gateway(fa_request *req, void *user_data)
{
    static const fa_field fields[] = {{{"X-Own", 5}, {"1", 1}},
                                      {{"content-length", 14}, {"0", 1}}};
    int rv = fa_response_start_fields(req, 200, fields, ARRAY_LEN(fields));

    (void)user_data;
    return rv != 0 ? rv : fa_response_end(req);
}

/* The head of the answer to `path`, or what fa_worker_new() returned. */
static int head_of(char *out, size_t size, const char *path,
                   const fa_server_options *options)
{
    static client c;
    fa_app *app = fa_app_new(NULL);
    char request[100];
    fa_worker *w;
    int rv;

    CHECK(app != NULL);
    CHECK_INT(fa_app_route(app, FA_GET, "/", handler, NULL), ==, 0);
    CHECK_INT(fa_app_route(app, FA_GET, "/gateway", gateway, NULL), ==, 0);
    rv = fa_worker_new(&w, app, options);
    if (rv == 0) {
        char *end;

        CHECK_INT(client_connect(&c, w), ==, 0);
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
        CHECK(client_say(&c, w, request));
        end = strstr(c.got, "\r\n\r\n");
        CHECK(end != NULL && (size_t)(end - c.got) < size);
        *end = '\0';
        strcpy(out, c.got);
        client_close(&c);
        fa_worker_del(w);
    }
    fa_app_del(app);
    return rv;
}

static void test_fields(void **state)
{
    fa_field fields[] = {
        {FA_SLICE("X-First"), FA_SLICE(" a b ")},
        {FA_SLICE("x-second"), FA_SLICE("")},
        {FA_SLICE("X-First"), FA_SLICE("again")},
    };
    fa_server_options options = quiet_options();
    char head[1000];

    (void)state;
    options.fields = fields;
    options.field_count = ARRAY_LEN(fields);
    CHECK_INT(head_of(head, sizeof(head), "/", &options), ==, 0);
    assert_string_equal(head, "HTTP/1.1 200 OK\r\nserver: fasterapi\r\nx-first: a b\r\n"
                              "x-second: \r\nx-first: again\r\ncontent-length: 2\r\n"
                              "content-type: text/plain\r\nx-own: 1");
    CHECK_INT(head_of(head, sizeof(head), "/gateway", &options), ==, 0);
    assert_string_equal(head, "HTTP/1.1 200 OK\r\nserver: fasterapi\r\nx-first: a b\r\n"
                              "x-second: \r\nx-first: again\r\nx-own: 1\r\n"
                              "content-length: 0");
    CHECK_INT(head_of(head, sizeof(head), "/none", &options), ==, 0);
    CHECK(strstr(head, "404 Not Found\r\nserver: fasterapi\r\nx-first: a b") != NULL);
}

/* Longer than any buffer that answers are gathered in. */
static void test_long_fields(void **state)
{
    enum { LONG = 100 * 1024 };
    static char value[LONG], head[LONG + 1000];
    fa_field field = {FA_SLICE("x"), {value, LONG}};
    fa_server_options options = quiet_options();

    (void)state;
    memset(value, 'v', LONG);
    options.fields = &field;
    options.field_count = 1;
    CHECK_INT(head_of(head, sizeof(head), "/", &options), ==, 0);
    CHECK(strstr(head, "\r\ncontent-length: 2\r\n") - strstr(head, "\r\nx: v") ==
          LONG + 5);
}

static void test_date_and_server_among_them(void **state)
{
    fa_field fields[] = {
        {FA_SLICE("Server"), FA_SLICE("mine")},
        {FA_SLICE("DATE"), FA_SLICE("today")},
    };
    fa_server_options options = quiet_options();
    char head[1000];

    (void)state;
    options.date_header = true;
    options.fields = fields;
    options.field_count = 1;
    CHECK_INT(head_of(head, sizeof(head), "/gateway", &options), ==, 0);
    CHECK(strncmp(head, "HTTP/1.1 200 OK\r\ndate: ", 23) == 0);
    CHECK(strstr(head, " GMT\r\nserver: mine\r\nx-own") != NULL);
    options.field_count = 2;
    CHECK_INT(head_of(head, sizeof(head), "/gateway", &options), ==, 0);
    assert_string_equal(head, "HTTP/1.1 200 OK\r\nserver: mine\r\ndate: today\r\n"
                              "x-own: 1\r\ncontent-length: 0");
}

static void test_what_is_no_field_is_refused(void **state)
{
    static const struct {
        fa_slice name, value;
        int rv;
    } cases[] = {
        {{"", 0}, {"v", 1}, FA_ERR_FIELD_NAME},
        {{"a b", 3}, {"v", 1}, FA_ERR_FIELD_NAME},
        {{"a:", 2}, {"v", 1}, FA_ERR_FIELD_NAME},
        {{"a", 1}, {"v\r\nb: c", 7}, FA_ERR_FIELD_VALUE},
        {{"a", 1}, {"\0", 1}, FA_ERR_FIELD_VALUE},
        {{"Content-Length", 14}, {"5", 1}, FA_ERR_INVALID},
        {{"transfer-encoding", 17}, {"chunked", 7}, FA_ERR_INVALID},
        {{"Connection", 10}, {"close", 5}, FA_ERR_INVALID},
    };
    fa_server_options options = quiet_options();
    char head[1000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_field fields[] = {{FA_SLICE("x"), FA_SLICE("y")},
                             {cases[i].name, cases[i].value}};

        options.fields = fields;
        options.field_count = 2;
        CHECK_INT(head_of(head, sizeof(head), "/", &options), ==, cases[i].rv);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_long_fields),
        cmocka_unit_test(test_date_and_server_among_them),
        cmocka_unit_test(test_what_is_no_field_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
