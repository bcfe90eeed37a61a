/* What is counted and what is logged of each request. */
#include "serving.h"

static fa_app *app;
static fa_worker *worker;
static fa_logger *logger;
static fa_server_options options;
static client c;
static char lines[16][512]; /* what was logged */
static fa_log_level levels[16];
static unsigned line_count;

static void keep_line(void *ctx, const fa_log_record *record)
{
    (void)ctx;
    if (line_count == ARRAY_LEN(lines))
        return;
    levels[line_count] = record->level;
    snprintf(lines[line_count++], sizeof(lines[0]), "[%.*s] %.*s",
             (int)record->source.len, record->source.p, (int)record->message.len,
             record->message.p);
}

static int status(fa_request *req, void *user_data)
{
    int64_t n;

    (void)user_data;
    if (fa_request_param_int(req, FA_SLICE("status"), &n) != 0)
        return FA_ERR_INVALID;
    return fa_respond(req, (int)n, FA_SLICE("text/plain"),
                      n == 304 ? (fa_slice){NULL, 0} : FA_SLICE("12345"));
}

static int hints(fa_request *req, void *user_data)
{
    int rv = fa_response_interim(req, 103);

    (void)user_data;
    return rv != 0 ? rv : fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("x"));
}

static int silent(fa_request *req, void *user_data)
{
    (void)req;
    (void)user_data;
    return 0;
}

static int failing(fa_request *req, void *user_data)
{
    (void)req;
    (void)user_data;
    return FA_ERR_LIMIT;
}

static int setup(void **state)
{
    fa_log_options log_options = {.fn = keep_line};

    (void)state;
    line_count = 0;
    app = fa_app_new(NULL);
    if (app == NULL || fa_logger_new(&logger, &log_options) != 0 ||
        fa_app_route(app, FA_GET, "/status/{status:int}", status, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/hints", hints, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/silent", silent, NULL) != 0 ||
        fa_app_route(app, FA_GET, "/failing", failing, NULL) != 0)
        return -1;
    options = quiet_options();
    options.logger = logger;
    options.access_log = true;
    options.limits.header_timeout_ms = 50;
    if (fa_worker_new(&worker, app, &options) != 0)
        return -1;
    return client_connect(&c, worker);
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    fa_worker_del(worker);
    fa_app_del(app);
    fa_logger_del(logger);
    return 0;
}

static void ask(const char *method, const char *target)
{
    char text[256];

    snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nhost: x\r\n\r\n", method, target);
    CHECK(client_say(&c, worker, text));
}

/* `line` but for the time taken at its end, which must be one. */
static void check_access(unsigned i, const char *line)
{
    double ms = -1;
    size_t n = strlen(line);

    CHECK_U64(i, <, line_count);
    CHECK_INT(levels[i], ==, FA_LOG_INFO);
    if (strncmp(lines[i], line, n) != 0)
        fail_msg("%s is not %s", lines[i], line);
    CHECK_INT(sscanf(lines[i] + n, " %lfms", &ms), ==, 1);
    CHECK(ms >= 0 && ms < 60000);
}

static void test_access_log(void **state)
{
    (void)state;
    ask("GET", "/status/200?a=%0a&b=\"");
    ask("HEAD", "/status/200");
    ask("GET", "/status/304");
    ask("GET", "/nowhere");
    check_access(0, "[Access] :0 - \"GET /status/200?a=%0a&b=%22 HTTP/1.1\" 200 5");
    check_access(1, "[Access] :0 - \"HEAD /status/200 HTTP/1.1\" 200 0");
    check_access(2, "[Access] :0 - \"GET /status/304 HTTP/1.1\" 304 0");
    check_access(3, "[Access] :0 - \"GET /nowhere HTTP/1.1\" 404 22");
    CHECK_U64(line_count, ==, 4);
}

static void test_failures_are_told(void **state)
{
    (void)state;
    ask("GET", "/silent");
    CHECK(find_text(c.got, c.len, "HTTP/1.1 500 ") == c.got);
    CHECK_INT(levels[0], ==, FA_LOG_ERROR);
    CHECK(strcmp(lines[0], "[App] GET /silent: handler failed: it returned without an "
                           "answer") == 0);
    line_count = 0;
    ask("GET", "/failing");
    CHECK_INT(levels[0], ==, FA_LOG_ERROR);
    CHECK(strstr(lines[0], "[App] GET /failing: handler failed: ") == lines[0]);
    CHECK(strstr(lines[0], fa_strerror(FA_ERR_LIMIT)) != NULL);
}

static void test_counts(void **state)
{
    fa_counters n;

    (void)state;
    ask("GET", "/status/200");
    ask("GET", "/status/302");
    ask("GET", "/status/404");
    ask("GET", "/status/503");
    ask("GET", "/hints");
    fa_worker_counters(worker, &n);
    CHECK_U64(n.connections, ==, 1);
    CHECK_U64(n.connections_open, ==, 1);
    CHECK_U64(n.requests, ==, 5);
    CHECK_U64(n.active, ==, 0);
    CHECK_U64(n.responses_1xx, ==, 1);
    CHECK_U64(n.responses_2xx, ==, 2);
    CHECK_U64(n.responses_3xx, ==, 1);
    CHECK_U64(n.responses_4xx, ==, 1);
    CHECK_U64(n.responses_5xx, ==, 1);
    CHECK_U64(n.bytes_out, ==, c.len);
    CHECK_U64(n.bytes_in, ==,
              4 * strlen("GET /status/200 HTTP/1.1\r\nhost: x\r\n\r\n") +
                  strlen("GET /hints HTTP/1.1\r\nhost: x\r\n\r\n"));
}

static void test_bad_clients_are_counted(void **state)
{
    static client slow;
    fa_counters n;

    (void)state;
    CHECK(client_say(&c, worker, "GET / HTTP/1.1\r\n\r\n"));
    CHECK(find_text(c.got, c.len, "HTTP/1.1 400 ") == c.got);
    CHECK(c.ended);
    CHECK_INT(client_connect(&slow, worker), ==, 0);
    CHECK(client_say(&slow, worker, "GET / HT"));
    CHECK(work_until(worker, &slow, NULL, 3000));
    CHECK(find_text(slow.got, slow.len, "HTTP/1.1 408 ") == slow.got);
    client_close(&c);
    client_close(&slow);
    while (fa_worker_connections(worker) > 0)
        (void)fa_worker_poll(worker, 10, 1);
    fa_worker_counters(worker, &n);
    CHECK_U64(n.connections, ==, 2);
    CHECK_U64(n.connections_open, ==, 0);
    CHECK_U64(n.requests, ==, 0);
    CHECK_U64(n.active, ==, 0);
    CHECK_U64(n.malformed, ==, 1);
    CHECK_U64(n.timeouts, ==, 1);
    CHECK_U64(n.responses_4xx, ==, 2);
    CHECK_U64(line_count, ==, 2);
    CHECK_INT(levels[0], ==, FA_LOG_WARNING);
    CHECK_INT(levels[1], ==, FA_LOG_WARNING);
}

/* Rubbish must not fill the disk: some lines a second, and how many more there were. */
static void test_warnings_are_few(void **state)
{
    (void)state;
    for (int i = 0; i < 100; ++i) {
        client_close(&c);
        CHECK_INT(client_connect(&c, worker), ==, 0);
        CHECK(client_say(&c, worker, "rubbish\r\n\r\n"));
        CHECK(find_text(c.got, c.len, "HTTP/1.1 400 ") == c.got);
    }
    CHECK_U64(line_count, <=, 14); /* the second may have changed on the way */
    CHECK_U64(line_count, >=, 10);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_access_log),       TEST(test_failures_are_told),
        TEST(test_counts),           TEST(test_bad_clients_are_counted),
        TEST(test_warnings_are_few),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
