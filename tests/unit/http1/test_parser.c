/* The parser's contract beyond the rules of the wire fixtures: resuming, moving buffers,
   limits, errors that stay, and identities of fields. */
#include <stdio.h>

#include "check.h"
#include "http1/parser.h"
#include "http1/parser_rules.h"

typedef struct fixture {
    fa__field fields[8];
    fa__request_head head;
    fa__http1_parser parser;
} fixture;

static void init(fixture *f)
{
    f->head.fields = f->fields;
    f->head.field_cap = ARRAY_LEN(f->fields);
    fa__http1_parser_init(&f->parser, &f->head, NULL);
}

static ptrdiff_t parse(fixture *f, const char *text)
{
    init(f);
    return fa__http1_parse_head(&f->parser, text, strlen(text));
}

static void test_fills_the_head(void **state)
{
    const char text[] = "POST /a/b?c=d HTTP/1.1\r\nHost: h:1\r\nContent-Length:  12\r\n"
                        "Expect: 100-continue\r\nX: \t y \t\r\n\r\nthe body....";
    fixture f;

    (void)state;
    CHECK_INT(parse(&f, text), ==, strlen(text) - 12);
    CHECK_SLICE(f.head.method_name, "POST");
    CHECK_INT(f.head.method, ==, FA_POST);
    CHECK_SLICE(f.head.target, "/a/b?c=d");
    CHECK_SLICE(f.head.path, "/a/b");
    CHECK_SLICE(f.head.query, "c=d");
    CHECK(f.head.has_query && f.head.keep_alive && f.head.expect_continue);
    CHECK(!f.head.upgrade && !f.head.te_trailers);
    CHECK_INT(f.head.target_form, ==, FA__TARGET_ORIGIN);
    CHECK_SLICE(f.head.host, "h:1");
    CHECK_INT(f.head.version_major, ==, 1);
    CHECK_INT(f.head.version_minor, ==, 1);
    CHECK_INT(f.head.body_kind, ==, FA__BODY_LENGTH);
    CHECK_U64(f.head.content_length, ==, 12);
    CHECK_INT(f.head.field_count, ==, 4);
    CHECK_SLICE(f.head.fields[3].name, "X");
    CHECK_SLICE(f.head.fields[3].value, "y");
    CHECK_INT(f.head.fields[3].id, ==, FA__FIELD_OTHER);
}

/* Path and query end before a fragment, the target does not. */
static void test_fragments(void **state)
{
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        {"/a#b", "/a", NULL},       {"/a#b?c#d", "/a", NULL},
        {"/a?#", "/a", ""},         {"/a?b?c#d", "/a", "b?c"},
        {"http://h#f", "/", NULL},  {"http://h/p?q#f", "/p", "q"},
        {"http://h?q#f", "/", "q"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        char text[64];
        fixture f;

        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n",
                 cases[i].target);
        CHECK_INT(parse(&f, text), ==, strlen(text));
        CHECK_SLICE(f.head.target, cases[i].target);
        CHECK_SLICE(f.head.path, cases[i].path);
        CHECK_INT(f.head.has_query, ==, cases[i].query != NULL);
        CHECK_SLICE(f.head.query, cases[i].query != NULL ? cases[i].query : "");
        CHECK_SLICE(f.head.host, "h");
    }
}

static void test_asterisk_form(void **state)
{
    static const struct {
        const char *method;
        bool good;
    } cases[] = {
        {"OPTIONS", true}, {"M-SEARCH", true}, {"options", true}, {"GET", false},
        {"HEAD", false},   {"POST", false},    {"PUT", false},    {"DELETE", false},
        {"TRACE", false},  {"PATCH", false},   {"QUERY", false},  {"CONNECT", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        char text[64];
        fixture f;

        snprintf(text, sizeof(text), "%s * HTTP/1.1\r\nHost: h\r\n\r\n", cases[i].method);
        if (!cases[i].good) {
            CHECK_INT(parse(&f, text), ==, FA_ERR_TARGET);
            continue;
        }
        CHECK_INT(parse(&f, text), ==, strlen(text));
        CHECK_INT(f.head.target_form, ==, FA__TARGET_ASTERISK);
        CHECK_SLICE(f.head.path, "*");
        CHECK_SLICE(f.head.host, "h");
    }
}

/* The buffer moves between any two calls, and moves once more afterwards. */
static void test_moving_buffer(void **state)
{
    const char text[] =
        "GET http://h?q#f HTTP/1.1\r\nHost: other\r\nA: 1\r\nB: 2\r\n\r\n";
    size_t len = sizeof(text) - 1;
    fa_slice copy = {NULL, 0}, moved;
    ptrdiff_t n = 0;
    fixture f;

    (void)state;
    init(&f);
    for (size_t i = 1; i <= len; ++i) {
        CHECK_INT(n, ==, 0);
        moved = exact_bytes(text, i);
        n = fa__http1_parse_head(&f.parser, moved.p, i);
        exact_free(copy);
        copy = moved;
    }
    CHECK_INT(n, ==, len);
    moved = exact_bytes(text, len);
    fa__head_rebase(&f.head, copy.p, moved.p);
    exact_free(copy);
    CHECK_SLICE(f.head.method_name, "GET");
    CHECK_SLICE(f.head.path, "/"); /* within "http://", so it moved along */
    CHECK_SLICE(f.head.query, "q");
    CHECK_SLICE(f.head.host, "h");
    CHECK_SLICE(f.head.fields[0].value, "other");
    CHECK_SLICE(f.head.fields[2].name, "B");
    CHECK_SLICE(f.head.fields[2].value, "2");
    exact_free(moved);
}

static void test_errors_stay(void **state)
{
    const char text[] = "GET / HTTP/1.1\r\nA : b\r\n\r\n";
    fixture f;

    (void)state;
    CHECK_INT(parse(&f, text), ==, FA_ERR_FIELD_NAME);
    CHECK_INT(fa__http1_parse_head(&f.parser, text, 10), ==, FA_ERR_FIELD_NAME);
    CHECK_INT(parse(&f, "GET / HTTP/1.0\r\n\r\n"), ==, 18);
    CHECK_INT(fa__http1_parse_head(&f.parser, text, 10), ==, FA_ERR_STATE);
}

static void test_nothing_yet(void **state)
{
    fixture f;

    (void)state;
    CHECK_INT(parse(&f, ""), ==, 0);
    CHECK_INT(fa__http1_parse_head(&f.parser, NULL, 0), ==, 0);
    CHECK_INT(fa__http1_parse_head(&f.parser, "\r", 1), ==, 0);
    CHECK_INT(fa__http1_parse_head(&f.parser, "\r\n", 2), ==, 0);
}

/* An init in between leaves nothing of the request before. */
static void test_reuse(void **state)
{
    fixture f;

    (void)state;
    CHECK_INT(parse(&f, "POST /x?y HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n"
                        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"),
              >, 0);
    CHECK_INT(f.head.body_kind, ==, FA__BODY_CHUNKED);
    CHECK(f.head.te_trailers && !f.head.keep_alive);
    CHECK_INT(parse(&f, "GET /z HTTP/1.0\r\n\r\n"), ==, 19);
    CHECK_INT(f.head.body_kind, ==, FA__BODY_NONE);
    CHECK(!f.head.te_trailers && !f.head.has_query && !f.head.keep_alive);
    CHECK_INT(f.head.field_count, ==, 0);
    CHECK_U64(f.head.host.len, ==, 0);
    CHECK_U64(f.head.query.len, ==, 0);
}

/* The wire fixtures run with fields that fit; this is the edge of the array. */
static void test_no_room_for_fields(void **state)
{
    const char text[] = "GET / HTTP/1.0\r\nA: b\r\n\r\n";
    fixture f;

    (void)state;
    f.head.fields = NULL;
    f.head.field_cap = 0;
    fa__http1_parser_init(&f.parser, &f.head, NULL);
    CHECK_INT(fa__http1_parse_head(&f.parser, text, 17), ==, FA_ERR_TOO_MANY_FIELDS);
    fa__http1_parser_init(&f.parser, &f.head, NULL);
    CHECK_INT(fa__http1_parse_head(&f.parser, "GET / HTTP/1.0\r\n\r\n", 18), ==, 18);
}

/* A feed of one byte costs at most the line it is in: a head of many lines that comes
   so is not parsed again and again. */
static void test_lines_are_parsed_once(void **state)
{
    fixture f;
    char text[] = "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nC: d";

    (void)state;
    CHECK_INT(parse(&f, text), ==, 0);
    /* Complete lines are not looked at again: wrecking them changes nothing. */
    memset(text, '\0', sizeof("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n") - 1);
    CHECK_INT(fa__http1_parse_head(&f.parser, text, sizeof(text) - 1), ==, 0);
    CHECK_INT(f.head.field_count, ==, 2);
}

static void test_field_ids(void **state)
{
    static const struct {
        const char *name;
        fa__field_id id;
    } cases[] = {
        {"host", FA__FIELD_HOST},
        {"HOST", FA__FIELD_HOST},
        {"Connection", FA__FIELD_CONNECTION},
        {"Content-Length", FA__FIELD_CONTENT_LENGTH},
        {"CONTENT-type", FA__FIELD_CONTENT_TYPE},
        {"Expect", FA__FIELD_EXPECT},
        {"te", FA__FIELD_TE},
        {"Trailer", FA__FIELD_TRAILER},
        {"Transfer-Encoding", FA__FIELD_TRANSFER_ENCODING},
        {"uPGRADE", FA__FIELD_UPGRADE},
        {"hos", FA__FIELD_OTHER},
        {"hosts", FA__FIELD_OTHER},
        {"tf", FA__FIELD_OTHER},
        {"x", FA__FIELD_OTHER},
        {"upgrad3", FA__FIELD_OTHER},
        {"content_length", FA__FIELD_OTHER},
        {"Content-Encodin", FA__FIELD_OTHER},
        {"Transfer-Encoding1", FA__FIELD_OTHER},
        {"a-name-that-is-much-longer-than-all", FA__FIELD_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice name = exact_copy(cases[i].name);

        CHECK_INT(fa__http1_field_id(name), ==, cases[i].id);
        exact_free(name);
    }
}

typedef struct authority {
    const char *in;
    int host_len; /* -1: invalid */
} authority;

static void check_authority(const fa__http1_scan *scan, const authority *a)
{
    fa_slice v = exact_copy(a->in);
    size_t host_len = 77;
    bool valid = fa__http1_authority_valid(scan, v, &host_len);

    if (valid != (a->host_len >= 0))
        fail_msg("%s: %s: %d", scan->name, a->in, valid);
    CHECK_INT(host_len, ==, valid ? a->host_len : 77);
    exact_free(v);
}

static void check_authorities(const authority *cases, size_t count)
{
    for (const fa__http1_scan *const *scan = fa__http1_scan_all(); *scan != NULL; ++scan)
        for (size_t i = 0; i < count; ++i)
            check_authority(*scan, &cases[i]);
}

static void test_reg_names(void **state)
{
    static const authority cases[] = {
        {"", 0},
        {"a", 1},
        {":", 0},
        {":80", 0},
        {"a:", 1},
        {"a:80", 1},
        {"a.b-c_d~e!$&'()*+,;=f", 21},
        {"127.0.0.1:8000", 9},
        {"127.0.0.1:800x", -1},
        {"fasterapi.example", 17},
        {"a-long-name.of.a.service.in.example.org:65536", 39},
        {"a-long-name.of.a.service.in.example.org:6553-", -1},
        {"a-long-name.of.a.service.in.ex%61mple.org:65536", 41},
        {"a_b:1", 3},
        {"%41", 3},
        {"%4", -1},
        {"%", -1},
        {"a%4g", -1},
        {"a b", -1},
        {"a@b", -1},
        {"a:8 ", -1},
        {"a:b", -1},
        {"a:80:80", -1},
        {"::1", -1},
    };

    (void)state;
    check_authorities(cases, ARRAY_LEN(cases));
}

static void test_ip_literals(void **state)
{
    static const authority cases[] = {
        {"[", -1},
        {"[]", -1},
        {"[::]", 4},
        {"[::1]", 5},
        {"[1::]", 5},
        {"[::1]:80", 5},
        {"[::1]80", -1},
        {"[1:2:3:4:5:6:7:8]", 17},
        {"[1:2:3:4:5:6:7]", -1},
        {"[1:2:3:4:5:6:7::]", 17},
        {"[1:2:3:4:5:6:7:8::]", -1},
        {"[1:2:3:4:5:6:1.2.3.4]", 21},
        {"[1:2:3:4:5:6:7:1.2.3.4]", -1},
        {"[::1.2.3.4]", 11},
        {"[::1.2.3.256]", -1},
        {"[::1.2.3]", -1},
        {"[::1.2.3.04]", -1},
        {"[::1.2.3.4.5]", -1},
        {"[12345::]", -1},
        {"[:1]", -1},
        {"[1:]", -1},
        {"[:::]", -1},
        {"[1::2::3]", -1},
        {"[g::]", -1},
        {"[v1.x]", 6},
        {"[V1f.x:y]", 9},
        {"[v.x]", -1},
        {"[v1.]", -1},
        {"[v1x]", -1},
        {"[v1.x/]", -1},
    };

    (void)state;
    check_authorities(cases, ARRAY_LEN(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fills_the_head),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_asterisk_form),
        cmocka_unit_test(test_moving_buffer),
        cmocka_unit_test(test_errors_stay),
        cmocka_unit_test(test_nothing_yet),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_no_room_for_fields),
        cmocka_unit_test(test_lines_are_parsed_once),
        cmocka_unit_test(test_field_ids),
        cmocka_unit_test(test_reg_names),
        cmocka_unit_test(test_ip_literals),
    };

    return cmocka_run_group_tests_name("http1/parser", tests, NULL, NULL);
}
