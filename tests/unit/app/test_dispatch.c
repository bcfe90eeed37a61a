/* The way of a request through an application, without a server. */
#include "fake.h"

static int respond_name(fa_request *req, void *user_data)
{
    return fa_respond(req, 200, FA_SLICE("text/plain"), fa_slice_of(user_data));
}

static int fail_to_answer(fa_request *req, void *user_data)
{
    (void)user_data;
    (void)fa_response_header(req, FA_SLICE("x-mine"), FA_SLICE("1"));
    return FA_ERR_CLOSED;
}

static int nothing(fa_request *req, void *user_data)
{
    (void)req;
    (void)user_data;
    return 0;
}

static int begin_and_fail(fa_request *req, void *user_data)
{
    (void)user_data;
    (void)fa_response_start(req, 200, 5);
    return FA_ERR_INVALID;
}

static int begin(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_response_start(req, 200, 5);
}

static void on_body(fa_request *req, fa_slice data, int error, void *user_data)
{
    (void)req;
    (void)data;
    (void)error;
    (void)user_data;
}

static int read_body(fa_request *req, void *user_data)
{
    (void)user_data;
    CHECK_INT(fa_request_body(req).len, ==, 0);
    return fa_request_read(req, on_body, NULL);
}

static char name_get[] = "get", name_sub[] = "sub", name_fallback[] = "fallback";

static fa_app *new_app(void)
{
    const fa_route limited = {.pattern = "/limited",
                              .methods = FA_METHOD_BIT(FA_POST),
                              .handler = respond_name,
                              .user_data = name_get,
                              .max_body_bytes = 5};
    const fa_route stream = {.pattern = "/stream",
                             .methods = FA_METHOD_BIT(FA_POST),
                             .handler = read_body,
                             .stream_body = true};
    fa_app *app = fa_app_new(NULL);

    CHECK(app != NULL);
    CHECK_INT(fa_app_route(app, FA_GET, "/get", respond_name, name_get), ==, 0);
    CHECK_INT(fa_app_route(app, FA_GET, "/slash/", respond_name, name_get), ==, 0);
    CHECK_INT(fa_app_route(app, FA_GET, "/fail", fail_to_answer, NULL), ==, 0);
    CHECK_INT(fa_app_route(app, FA_GET, "/nothing", nothing, NULL), ==, 0);
    CHECK_INT(fa_app_route(app, FA_GET, "/begin", begin, NULL), ==, 0);
    CHECK_INT(fa_app_route(app, FA_GET, "/begin-fail", begin_and_fail, NULL), ==, 0);
    CHECK_INT(fa_app_add_route(app, &limited), ==, 0);
    CHECK_INT(fa_app_add_route(app, &stream), ==, 0);
    return app;
}

static void test_what_is_answered(void **state)
{
    static const struct {
        const char *lines;
        fa__dispatched what;
        int status; /* 0: none yet */
        const char *body, *fields;
    } cases[] = {
        {"GET /get HTTP/1.1", FA__DISPATCH_ANSWERED, 200, "get", ""},
        {"GET /g%65t HTTP/1.1", FA__DISPATCH_ANSWERED, 200, "get", ""},
        {"HEAD /get HTTP/1.1", FA__DISPATCH_ANSWERED, 200, "get", ""},
        {"GET /none HTTP/1.1", FA__DISPATCH_ANSWERED, 404, "{\"detail\":\"Not Found\"}",
         ""},
        {"POST /get HTTP/1.1", FA__DISPATCH_ANSWERED, 405,
         "{\"detail\":\"Method Not Allowed\"}", "allow=GET, HEAD;"},
        {"GET /slash?q HTTP/1.1", FA__DISPATCH_ANSWERED, 307, "",
         "location=http://h.example/slash/?q;"},
        {"GET /get/ HTTP/1.0", FA__DISPATCH_ANSWERED, 307, "",
         "location=http://h.example/get;"},
        {"GET /fail HTTP/1.1", FA__DISPATCH_ANSWERED, 500,
         "{\"detail\":\"Internal Server Error\"}", ""},
        {"GET /nothing HTTP/1.1", FA__DISPATCH_ANSWERED, 500,
         "{\"detail\":\"Internal Server Error\"}", ""},
        {"POST /limited HTTP/1.1\r\nContent-Length: 5", FA__DISPATCH_BODY, 0, "", ""},
        {"POST /limited HTTP/1.1\r\nContent-Length: 6", FA__DISPATCH_TOO_LARGE, 0, "",
         ""},
        {"POST /limited HTTP/1.1\r\nTransfer-Encoding: chunked", FA__DISPATCH_BODY, 0, "",
         ""},
        {"POST /none HTTP/1.1\r\nContent-Length: 5", FA__DISPATCH_ANSWERED, 404,
         "{\"detail\":\"Not Found\"}", ""},
        {"OPTIONS * HTTP/1.1", FA__DISPATCH_ANSWERED, 404, "{\"detail\":\"Not Found\"}",
         ""},
        {"CONNECT a:1 HTTP/1.1", FA__DISPATCH_ANSWERED, 404, "{\"detail\":\"Not Found\"}",
         ""},
    };
    fa_app *app = new_app();

    (void)state;
    CHECK_INT(fa__app_serve(app), ==, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fake f;

        fake_begin(&f, app, cases[i].lines, NULL);
        CHECK_INT(fa__dispatch(f.req), ==, cases[i].what);
        CHECK_INT(f.status, ==, cases[i].status);
        CHECK_TEXT(f.body, cases[i].body);
        CHECK_TEXT(f.fields, cases[i].fields);
        CHECK_INT(f.calls, ==, cases[i].status != 0);
        fake_end_request(&f);
    }
    fa_app_del(app);
}

static void test_answers_under_way(void **state)
{
    fa_app *app = new_app();
    fake f;

    (void)state;
    CHECK_INT(fa__app_serve(app), ==, 0);
    fake_begin(&f, app, "GET /begin HTTP/1.1", NULL);
    (void)fa__dispatch(f.req); /* somebody will go on with it */
    CHECK_INT(f.req->answer, ==, FA__ANSWER_STARTED);
    CHECK_INT(f.aborts, ==, 0);
    fake_end_request(&f);

    fake_begin(&f, app, "GET /begin-fail HTTP/1.1", NULL);
    (void)fa__dispatch(f.req); /* it cannot become a 500 any more */
    CHECK_INT(f.aborts, ==, 1);
    CHECK_INT(f.calls, ==, 1);
    fake_end_request(&f);
    fa_app_del(app);
}

/* A streamed body counts as not handed over, though all of it may be there. */
static void test_streamed_bodies(void **state)
{
    fa_app *app = new_app();
    fake f;

    (void)state;
    CHECK_INT(fa__app_serve(app), ==, 0);
    fake_begin(&f, app, "POST /stream HTTP/1.1\r\nContent-Length: 4", NULL);
    f.req->body_whole = true;
    f.req->body = FA_SLICE("body");
    CHECK_INT(fa__dispatch(f.req), ==, FA__DISPATCH_ANSWERED);
    CHECK_INT(f.calls, ==, 0);
    CHECK_INT(f.reads, ==, 1);
    CHECK(!f.req->body_whole);
    CHECK_INT(fa_request_read(f.req, on_body, NULL), ==, FA_ERR_STATE);
    fake_end_request(&f);
    fa_app_del(app);
}

static void test_fallbacks(void **state)
{
    fa_app *app = new_app(), *sub = fa_app_new(NULL);
    fake f;

    (void)state;
    CHECK_INT(fa_app_route(sub, FA_GET, "/x", respond_name, name_sub), ==, 0);
    CHECK_INT(fa_app_mount(app, "/sub", sub), ==, 0);
    CHECK_INT(fa_app_fallback(
                  app, &(fa_route){.handler = respond_name, .user_data = name_fallback}),
              ==, 0);
    fa_app_redirect_slashes(sub, false);
    CHECK_INT(fa__app_serve(app), ==, 0);
    static const struct {
        const char *lines;
        int status;
        const char *body;
    } cases[] = {
        {"GET /none HTTP/1.1", 200, "fallback"},
        {"OPTIONS * HTTP/1.1", 200, "fallback"},
        {"CONNECT a:1 HTTP/1.1", 200, "fallback"},
        {"POST /get HTTP/1.1", 405, "{\"detail\":\"Method Not Allowed\"}"},
        {"GET /sub/x HTTP/1.1", 200, "sub"},
        {"GET /sub/none HTTP/1.1", 404, "{\"detail\":\"Not Found\"}"},
        {"GET /sub/x/ HTTP/1.1", 404, "{\"detail\":\"Not Found\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fake_begin(&f, app, cases[i].lines, NULL);
        CHECK_INT(fa__dispatch(f.req), ==, FA__DISPATCH_ANSWERED);
        CHECK_INT(f.status, ==, cases[i].status);
        CHECK_TEXT(f.body, cases[i].body);
        fake_end_request(&f);
    }
    fa_app_del(app);
    fa_app_del(sub);
}

/* ---- middleware ---- */

static char heard[256];

static int on_request(fa_request *req, void *user_data)
{
    const fa_slice who = fa_request_header(req, FA_SLICE("stop-at"));

    strcat(heard, user_data);
    if (!fa_slice_equal(who, fa_slice_of(user_data)))
        return FA_NEXT;
    return fa_request_header(req, FA_SLICE("fail")).p != NULL
               ? FA_ERR_INVALID
               : (fa_respond(req, 204, (fa_slice){NULL, 0}, (fa_slice){NULL, 0}),
                  FA_ANSWERED);
}

static void on_response(fa_request *req, int status, void *user_data)
{
    (void)status;
    strcat(heard, "<");
    strcat(heard, user_data);
    CHECK_INT(fa_response_header(req, FA_SLICE("by"), fa_slice_of(user_data)), ==, 0);
}

static void on_finish(fa_request *req, int error, void *user_data)
{
    (void)req;
    CHECK_INT(error, ==, FA_ERR_CLOSED);
    strcat(heard, ".");
    strcat(heard, user_data);
}

static void test_middleware(void **state)
{
    static const struct {
        const char *lines;
        int status;
        const char *heard, *fields;
    } cases[] = {
        {"GET /sub/x HTTP/1.1", 200, "ABC<C<B<A.C.B.A", "by=C;by=B;by=A;"},
        {"GET /none HTTP/1.1", 404, "AB<B<A.B.A", "by=B;by=A;"},
        {"GET /sub/x HTTP/1.1\r\nstop-at: A", 204, "A<A.A", "by=A;"},
        {"GET /sub/x HTTP/1.1\r\nstop-at: B", 204, "AB<B<A.B.A", "by=B;by=A;"},
        {"GET /sub/x HTTP/1.1\r\nstop-at: C", 204, "ABC<C<B<A.C.B.A", "by=C;by=B;by=A;"},
        {"GET /sub/x HTTP/1.1\r\nstop-at: B\r\nfail: 1", 500, "AB<B<A.B.A", "by=B;by=A;"},
    };
    static char a[] = "A", b[] = "B", c[] = "C";
    const fa_middleware ma = {on_request, on_response, on_finish, a};
    const fa_middleware mb = {on_request, on_response, on_finish, b};
    const fa_middleware mc = {on_request, on_response, on_finish, c};
    const fa_middleware none = {NULL, NULL, NULL, NULL};
    fa_app *app = fa_app_new(NULL), *sub = fa_app_new(NULL);

    (void)state;
    CHECK_INT(fa_app_use(app, &ma), ==, 0);
    CHECK_INT(fa_app_use(app, &none), ==, 0);
    CHECK_INT(fa_app_use(app, &mb), ==, 0);
    CHECK_INT(fa_app_use(sub, &mc), ==, 0);
    CHECK_INT(fa_app_route(sub, FA_GET, "/x", respond_name, name_sub), ==, 0);
    CHECK_INT(fa_app_mount(app, "/sub", sub), ==, 0);
    CHECK_INT(fa__app_serve(app), ==, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fake f;

        heard[0] = '\0';
        fake_begin(&f, app, cases[i].lines, NULL);
        CHECK_INT(fa__dispatch(f.req), ==, FA__DISPATCH_ANSWERED);
        CHECK_INT(f.status, ==, cases[i].status);
        CHECK_TEXT(f.fields, cases[i].fields);
        fa__request_finish(f.req, FA_ERR_CLOSED);
        fa__request_finish(f.req, FA_ERR_CLOSED); /* once only */
        CHECK_TEXT(heard, cases[i].heard);
        fake_end_request(&f);
    }
    fa_app_del(app);
    fa_app_del(sub);
}

/* With no memory the answer is 500 if there is any for that, and never a crash. */
static void test_every_failing_allocation(void **state)
{
    fa_app *app = new_app();
    uint64_t n = 2; /* the request itself is the first */

    (void)state;
    CHECK_INT(fa__app_serve(app), ==, 0);
    for (;; ++n) {
        failing_alloc a;
        fake f;

        failing_alloc_init(&a, n);
        fake_begin(&f, app, "GET /sl%61sh?q=1 HTTP/1.1", &a.alloc);
        CHECK_INT(fa__dispatch(f.req), ==, FA__DISPATCH_ANSWERED);
        CHECK(f.status == 0 || f.status == 500 || f.status == 307);
        fake_end_request(&f);
        CHECK_INT(a.held, ==, 0);
        if (a.calls < n) {
            CHECK_INT(f.status, ==, 307);
            break;
        }
    }
    CHECK_INT(n, >, 2);
    fa_app_del(app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_answered),
        cmocka_unit_test(test_answers_under_way),
        cmocka_unit_test(test_streamed_bodies),
        cmocka_unit_test(test_fallbacks),
        cmocka_unit_test(test_middleware),
        cmocka_unit_test(test_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
