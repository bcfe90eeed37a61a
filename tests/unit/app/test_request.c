/* What a request tells: parameters, query, and heads that move. */
#include "fake.h"

static int tell(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, (fa_slice){NULL, 0}, (fa_slice){NULL, 0});
}

static void test_numbers_of_parameters(void **state)
{
    static const struct {
        const char *value;
        int rv;
        int64_t n;
    } cases[] = {
        {"0", 0, 0},
        {"42", 0, 42},
        {"007", 0, 7},
        {"9223372036854775807", 0, INT64_MAX},
        {"9223372036854775808", FA_ERR_LIMIT, -1},
        {"99999999999999999999", FA_ERR_LIMIT, -1},
        {"", FA_ERR_INVALID, -1},
        {"-1", FA_ERR_INVALID, -1},
        {"+1", FA_ERR_INVALID, -1},
        {"1a", FA_ERR_INVALID, -1},
        {" 1", FA_ERR_INVALID, -1},
    };
    fake f;

    (void)state;
    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    f.req->param_count = 1;
    f.req->params[0].name = FA_SLICE("id");
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice value = exact_copy(cases[i].value);
        int64_t n = -1;

        f.req->params[0].value = value;
        CHECK_INT(fa_request_param_int(f.req, FA_SLICE("id"), &n), ==, cases[i].rv);
        CHECK_INT(n, ==, cases[i].n);
        exact_free(value);
    }
    CHECK_INT(fa_request_param_int(f.req, FA_SLICE("other"), &(int64_t){0}), ==,
              FA_ERR_INVALID);
    CHECK(fa_request_param(f.req, FA_SLICE("other")).p == NULL);
    fake_end_request(&f);
}

/* A route's own parameter hides that of the mount it is in. */
static void test_parameters_of_mounts(void **state)
{
    fa_app *app = fa_app_new(NULL), *sub = fa_app_new(NULL);
    fa_slice name, value;
    fake f;

    (void)state;
    CHECK_INT(fa_app_route(sub, FA_GET, "/{id}", tell, NULL), ==, 0);
    CHECK_INT(fa_app_mount(app, "/{id}/in", sub), ==, 0);
    CHECK_INT(fa__app_serve(app), ==, 0);
    fake_begin(&f, app, "GET /o%75ter/in/inner HTTP/1.1", NULL);
    CHECK_INT(fa__dispatch(f.req), ==, FA__DISPATCH_ANSWERED);
    CHECK_INT(fa_request_param_count(f.req), ==, 2);
    fa_request_param_at(f.req, 0, &name, &value);
    CHECK_SLICE(value, "outer");
    CHECK_SLICE(fa_request_param(f.req, FA_SLICE("id")), "inner");
    CHECK_SLICE(fa_request_root_path(f.req), "/outer/in");
    CHECK_SLICE(fa_request_path(f.req), "/outer/in/inner");
    CHECK_SLICE(fa_request_raw_path(f.req), "/o%75ter/in/inner");
    fake_end_request(&f);
    fa_app_del(app);
    fa_app_del(sub);
}

static void test_query(void **state)
{
    fa_slice name, value = FA_SLICE("untouched");
    fake f;

    (void)state;
    fake_begin(&f, NULL, "GET /?a=1&b=%41+&a=2&&=x&c HTTP/1.1", NULL);
    CHECK_INT(fa_request_query_value(f.req, FA_SLICE("none"), &value), ==, 0);
    CHECK_SLICE(value, "untouched");
    CHECK_INT(fa_request_query_value(f.req, FA_SLICE("a"), &value), ==, 1);
    CHECK_SLICE(value, "2"); /* the last */
    CHECK_INT(fa_request_query_value(f.req, FA_SLICE("c"), &value), ==, 1);
    CHECK_SLICE(value, "");
    CHECK_INT(fa_request_query_count(f.req), ==, 5);
    fa_request_query_at(f.req, 1, &name, &value);
    CHECK_SLICE(name, "b");
    CHECK_SLICE(value, "A ");
    CHECK_SLICE(fa_request_query(f.req), "a=1&b=%41+&a=2&&=x&c");
    fake_end_request(&f);

    for (int n = 1; n < 12; ++n) {
        char line[128] = "GET /?", pair[16];

        for (int i = 0; i < n; ++i) {
            (void)snprintf(pair, sizeof(pair), "&k%d=%%61%d", i, i);
            strcat(line, pair);
        }
        fake_begin(&f, NULL, strcat(line, "& HTTP/1.1"), NULL);
        CHECK_INT(fa_request_query_count(f.req), ==, n);
        for (int i = 0; i < n; ++i) {
            fa_request_query_at(f.req, (size_t)i, &name, &value);
            (void)snprintf(pair, sizeof(pair), "k%d=a%d", i, i);
            CHECK_U64(name.len + 1 + value.len, ==, strlen(pair));
            CHECK(memcmp(pair, name.p, name.len) == 0);
            CHECK(memcmp(pair + name.len + 1, value.p, value.len) == 0);
        }
        fake_end_request(&f);
    }

    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    CHECK_INT(fa_request_query_count(f.req), ==, 0);
    CHECK_INT(fa_request_query_value(f.req, FA_SLICE("a"), &value), ==, 0);
    fake_end_request(&f);
}

/* An answer that comes later finds all of the head, though its buffer is long used for
   other bytes. */
static void test_query_of_no_request(void **state)
{
    fa_arena *arena = fa_arena_new(NULL);
    fa_slice query = FA_SLICE("a=1&&b+%41=%C3%A9&c"), name, value;

    (void)state;
    CHECK_INT(fa_query_next(&query, &name, &value, arena), ==, 1);
    CHECK_SLICE(name, "a");
    CHECK_SLICE(value, "1");
    CHECK_INT(fa_query_next(&query, &name, &value, arena), ==, 1);
    CHECK_SLICE(name, "b A");
    CHECK_SLICE(value, "\xC3\xA9");
    CHECK_INT(fa_query_next(&query, &name, &value, arena), ==, 1);
    CHECK_SLICE(name, "c");
    CHECK_INT(value.len, ==, 0);
    CHECK_INT(fa_query_next(&query, &name, &value, arena), ==, 0);
    fa_arena_del(arena);
}

static void test_kept_heads(void **state)
{
    fa_app *app = fa_app_new(NULL);
    fa_slice name, value;
    fake f;

    (void)state;
    CHECK_INT(fa_app_route(app, FA_GET, "/{one}/{two:path}", tell, NULL), ==, 0);
    CHECK_INT(fa__app_serve(app), ==, 0);
    fake_begin(&f, app, "GET /a/b/c?q=1 HTTP/1.1\r\nX-One: 1", NULL);
    (void)fa__dispatch(f.req);
    CHECK_INT(fa__request_keep_head(f.req, f.head, strlen(f.head)), ==, 0);
    memset(f.head, '!', sizeof(f.head));
    CHECK_SLICE(fa_request_path(f.req), "/a/b/c");
    CHECK_SLICE(fa_request_target(f.req), "/a/b/c?q=1");
    CHECK_SLICE(fa_request_query(f.req), "q=1");
    CHECK_SLICE(fa_request_host(f.req), "h.example");
    CHECK_SLICE(fa_request_method_name(f.req), "GET");
    CHECK_SLICE(fa_request_param(f.req, FA_SLICE("one")), "a");
    CHECK_SLICE(fa_request_param(f.req, FA_SLICE("two")), "b/c");
    CHECK_SLICE(fa_request_header(f.req, FA_SLICE("x-one")), "1");
    CHECK_INT(fa_request_header_count(f.req), ==, 2);
    fa_request_header_at(f.req, 1, &name, &value);
    CHECK_SLICE(name, "Host");
    CHECK(fa_request_header(f.req, FA_SLICE("x-two")).p == NULL);
    fake_end_request(&f);
    fa_app_del(app);
}

static void test_numbers_and_lengths(void **state)
{
    fake f;

    (void)state;
    fake_begin(&f, NULL, "POST / HTTP/1.1\r\nContent-Length: 12", NULL);
    CHECK_INT(fa_request_content_length(f.req), ==, 12);
    CHECK_INT(fa_request_version(f.req), ==, 11);
    CHECK_INT(fa_request_method(f.req), ==, FA_POST);
    fake_end_request(&f);
    fake_begin(&f, NULL, "BREW / HTTP/1.1\r\nTransfer-Encoding: chunked", NULL);
    CHECK_INT(fa_request_content_length(f.req), ==, -1);
    CHECK_INT(fa_request_method(f.req), ==, FA_METHOD_OTHER);
    fake_end_request(&f);
    fake_begin(&f, NULL, "GET / HTTP/1.0", NULL);
    CHECK_INT(fa_request_version(f.req), ==, 10);
    fake_end_request(&f);
}

/* What one request left must not be seen by the next on the same memory. */
static void test_reset(void **state)
{
    fake f;

    (void)state;
    fake_begin(&f, NULL, "GET /?a=1 HTTP/1.1", NULL);
    CHECK_INT(fa_request_query_count(f.req), ==, 1);
    CHECK_INT(fa_response_header(f.req, FA_SLICE("date"), FA_SLICE("x")), ==, 0);
    fa_request_set_data(f.req, &f);
    fa_response_close(f.req);
    f.req->param_count = 3;
    fa__request_reset(f.req);
    CHECK(fa_request_data(f.req) == NULL);
    CHECK(!f.req->close_after && !f.req->has_date && !f.req->query_parsed);
    CHECK(f.req->fields_out.first == NULL && f.req->fields_out.bytes == 0);
    CHECK_INT(f.req->param_count, ==, 0);
    CHECK_INT(f.req->length_left, ==, -1);
    CHECK_INT(fa_response_status(f.req), ==, 0);
    fake_end_request(&f);
}

static void test_every_failing_allocation(void **state)
{
    uint64_t n = 2;

    (void)state;
    for (;; ++n) {
        fa_slice value;
        failing_alloc a;
        ptrdiff_t count;
        int rv;
        fake f;

        failing_alloc_init(&a, n);
        fake_begin(&f, NULL, "GET /?a=%41&b=%42 HTTP/1.1", &a.alloc);
        rv = fa__request_keep_head(f.req, f.head, strlen(f.head));
        CHECK(rv == 0 || rv == FA_ERR_NOMEM);
        count = fa_request_query_count(f.req);
        CHECK(count == 2 || count == FA_ERR_NOMEM);
        /* Asked again when there is memory, it is as if nothing had been. */
        a.fail_at = 0;
        CHECK_INT(fa_request_query_count(f.req), ==, 2);
        CHECK_INT(fa_request_query_value(f.req, FA_SLICE("b"), &value), ==, 1);
        CHECK_SLICE(value, "B");
        fake_end_request(&f);
        CHECK_INT(a.held, ==, 0);
        if (a.calls < n)
            break;
    }
    CHECK_INT(n, >, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_parameters),
        cmocka_unit_test(test_parameters_of_mounts),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_query_of_no_request),
        cmocka_unit_test(test_kept_heads),
        cmocka_unit_test(test_numbers_and_lengths),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
