/* Requests that no handler sees, answered by the hook or by the server. */
#include "serving.h"

/* What the hook is to do, and what it saw. */
static enum deed { NEXT, ANSWERS, ONLY_SAYS, STARTS, UPGRADES, DEFERS } does;
static unsigned calls, handled, warned, finished;
static int seen_error, seen_version, seen_rv;
static size_t seen_path_len, seen_fields;

static void count_warning(void *ctx, const fa_log_record *record)
{
    (void)ctx;
    warned += record->level == FA_LOG_WARNING;
}

static void on_finish(fa_request *req, int error, void *user_data)
{
    (void)error;
    (void)user_data;
    ++finished;
    if (fa_request_data(req) != NULL)
        fa_deferred_release(fa_request_data(req));
}

static int on_refusal(fa_request *req, int error, void *user_data)
{
    static const fa_stream_handler none;
    uint16_t port;
    fa_stream *stream;

    CHECK(user_data == &calls);
    ++calls;
    seen_error = error;
    seen_version = fa_request_version(req);
    seen_path_len = fa_request_path(req).len + fa_request_target(req).len +
                    fa_request_method_name(req).len + fa_request_host(req).len;
    seen_fields = fa_request_header_count(req);
    (void)fa_request_client_address(req, &port);
    fa_request_on_finish(req, on_finish, NULL);
    switch (does) {
    case NEXT: (void)fa_response_header(req, FA_SLICE("x-hook"), FA_SLICE("1")); break;
    case ANSWERS:
        seen_rv = fa_respond(req, 400, FA_SLICE("text/plain"), FA_SLICE("bad"));
        return FA_ANSWERED;
    case ONLY_SAYS: return FA_ANSWERED;
    case STARTS: seen_rv = fa_response_start(req, 400, 10); return FA_ANSWERED;
    case UPGRADES:
        seen_rv = fa_request_upgrade(req, FA_SLICE("x"), &none, NULL, &stream);
        break;
    case DEFERS: fa_request_set_data(req, fa_request_defer(req)); return FA_ANSWERED;
    }
    return FA_NEXT;
}

static int handler(fa_request *req, void *user_data)
{
    (void)user_data;
    ++handled;
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("ok"));
}

static fa_app *app;
static fa_worker *worker;
static fa_logger *logger;
static client c;

static int setup(void **state)
{
    const fa_route limited = {.pattern = "/limited",
                              .methods = FA_METHOD_BIT(FA_POST),
                              .handler = handler,
                              .max_body_bytes = 5};
    fa_server_options options = quiet_options();
    fa_log_options log = {.fn = count_warning};

    (void)state;
    calls = handled = warned = finished = 0;
    seen_error = seen_rv = 0;
    options.on_refusal = on_refusal;
    options.refusal_user_data = &calls;
    options.limits.header_timeout_ms = 60;
    app = fa_app_new(NULL);
    if (app == NULL || fa_logger_new(&logger, &log) != 0 ||
        fa_app_route(app, FA_GET, "/", handler, NULL) != 0 ||
        fa_app_add_route(app, &limited) != 0)
        return -1;
    options.logger = logger;
    return fa_worker_new(&worker, app, &options);
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    fa_worker_del(worker);
    fa_logger_del(logger);
    fa_app_del(app);
    return 0;
}

/* What the client gets for `text`, to the end of the connection. */
static void ask(const char *text)
{
    CHECK_INT(client_connect(&c, worker), ==, 0);
    (void)client_say(&c, worker, text);
    (void)shutdown(c.fd, SHUT_WR);
    CHECK(work_until(worker, &c, NULL, 1000));
    client_close(&c);
    CHECK_INT(finished, ==, calls);
}

#define DEFAULT_400 "HTTP/1.1 400 Bad Request\r\nserver: fasterapi\r\ncontent-length: "

static void test_the_hook_answers(void **state)
{
    (void)state;
    does = ANSWERS;
    ask("GET / HTTP/1.1\r\nHost: h\r\nbroken\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_INT(strcmp(c.got, "HTTP/1.1 400 Bad Request\r\nserver: fasterapi\r\n"
                            "content-length: 3\r\ncontent-type: text/plain\r\n"
                            "connection: close\r\n\r\nbad"),
              ==, 0);
    CHECK_INT(seen_error, ==, FA_ERR_FIELD_NAME);
    CHECK_INT(calls, ==, 1);
    CHECK_INT(handled, ==, 0);
    CHECK_INT(warned, ==, 0);
    /* Half a head is none. */
    CHECK_INT(seen_version, ==, 0);
    CHECK_U64(seen_path_len, ==, 0);
    CHECK_U64(seen_fields, ==, 0);
}

static void test_an_answer_to_head_has_no_body(void **state)
{
    (void)state;
    does = ANSWERS;
    ask("HEAD / HTTP/1.1\r\nHost: h\r\nbroken\r\n\r\n");
    CHECK(strstr(c.got, "content-length: 3\r\n") != NULL);
    CHECK(strstr(c.got, "\r\n\r\nbad") == NULL);
}

static void test_whatever_it_leaves_undone_the_server_does(void **state)
{
    static const enum deed left_undone[] = {NEXT, ONLY_SAYS, UPGRADES, DEFERS};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(left_undone); ++i) {
        does = left_undone[i];
        /* A head that breaks off where an upgrade would be possible. */
        ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n "
            "b\r\n\r\n");
        CHECK(strncmp(c.got, DEFAULT_400, sizeof(DEFAULT_400) - 1) == 0);
        CHECK(strstr(c.got, "connection: close\r\n") != NULL);
        CHECK_INT(strstr(c.got, "x-hook: 1\r\n") != NULL, ==, does == NEXT);
        CHECK_INT(warned, ==, i + 1);
        CHECK_INT(seen_rv, ==, i < 2 ? 0 : FA_ERR_STATE);
    }
}

static void test_half_an_answer_breaks_off(void **state)
{
    (void)state;
    does = STARTS;
    ask("nonsense\r\n\r\n");
    CHECK_INT(seen_rv, ==, 0);
    CHECK_INT(seen_error, ==, FA_ERR_REQUEST_LINE);
}

static void test_too_slow(void **state)
{
    (void)state;
    does = ANSWERS;
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "GET /some/path HTTP/1.1\r\nHost: h\r\nx: y\r\n"));
    CHECK(work_until(worker, &c, NULL, 2000));
    CHECK(strstr(c.got, "\r\n\r\nbad") != NULL);
    CHECK_INT(seen_error, ==, FA_ERR_TIMEOUT);
    CHECK_U64(seen_path_len + seen_fields, ==, 0);
}

/* The head is there. */
static void test_bodies(void **state)
{
    static const struct {
        const char *request;
        int error;
        bool stays;
    } cases[] = {
        {"POST /limited HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabcdef",
         FA_ERR_BODY_TOO_LARGE, true},
        {"POST /limited HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
         "6\r\nabcdef\r\n0\r\n\r\n",
         FA_ERR_BODY_TOO_LARGE, false},
        {"POST /limited HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx",
         FA_ERR_CHUNK, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        does = ANSWERS;
        ask(cases[i].request);
        CHECK_INT(seen_error, ==, cases[i].error);
        CHECK_INT(calls, ==, i + 1);
        CHECK_INT(seen_version, ==, 11);
        CHECK_U64(seen_path_len, ==, 2 * 8 + 4 + 1);
        CHECK(strstr(c.got, "\r\n\r\nbad") != NULL);
        CHECK_INT(strstr(c.got, "connection: close") == NULL, ==, cases[i].stays);
        CHECK_INT(warned, ==, 0);
    }
    CHECK_INT(handled, ==, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_hook_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_answer_to_head_has_no_body, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_whatever_it_leaves_undone_the_server_does,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_an_answer_breaks_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_slow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
