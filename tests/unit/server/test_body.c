/* Bodies that a route takes piece by piece: a piece for each read. */
#include "serving.h"

static fa_app *app;
static fa_worker *worker;
static fa_server_options options;
static client c;
static char noted[4096]; /* pieces as (data), a last one as (data], the end as . or ! */
static fa_request *paused;
static bool pauses;

static void note(const char *begin, fa_slice data, const char *end)
{
    size_t n = strlen(noted);

    snprintf(noted + n, sizeof(noted) - n, "%s%.*s%s", begin, (int)data.len,
             data.len > 0 ? data.p : "", end);
}

static void on_piece(fa_request *req, fa_slice data, int error, void *user_data)
{
    (void)user_data;
    if (error != 0) {
        note("!", (fa_slice){NULL, 0}, "");
    } else if (data.len == 0) {
        note(".", (fa_slice){NULL, 0}, "");
        (void)fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("read"));
    } else {
        note("(", data, fa_request_body_ends(req) ? "]" : ")");
        if (pauses) {
            fa_request_pause(req);
            paused = req;
        }
    }
}

static int stream(fa_request *req, void *user_data)
{
    return fa_request_read(req, on_piece, user_data);
}

static int setup(void **state)
{
    const fa_route route = {.pattern = "/",
                            .methods = FA_METHOD_BIT(FA_POST),
                            .handler = stream,
                            .stream_body = true};

    (void)state;
    app = fa_app_new(NULL);
    if (app == NULL || fa_app_add_route(app, &route) != 0)
        return -1;
    options = quiet_options();
    noted[0] = '\0';
    pauses = false;
    paused = NULL;
    return fa_worker_new(&worker, app, &options);
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    fa_worker_del(worker);
    fa_app_del(app);
    return 0;
}

static void begin(const char *framing)
{
    CHECK_INT(client_connect(&c, worker), ==, 0);
    CHECK(client_say(&c, worker, "POST / HTTP/1.1\r\nhost: x\r\n"));
    CHECK(client_say(&c, worker, framing));
    CHECK(client_say(&c, worker, "\r\n\r\n"));
}

static void test_known_length(void **state)
{
    (void)state;
    begin("content-length: 7");
    CHECK(client_say(&c, worker, "one"));
    CHECK(client_say(&c, worker, "last"));
    CHECK_SLICE(fa_slice_of(noted), "(one)(last].");
    CHECK(find_text(c.got, c.len, "\r\n\r\nread") != NULL);
}

static void test_chunks_of_one_read(void **state)
{
    (void)state;
    begin("transfer-encoding: chunked");
    CHECK(client_say(&c, worker, "3\r\none\r\n4;a=b\r\n and\r\n1\r\n \r\n3\r\nt"));
    CHECK(client_say(&c, worker, "wo\r\n5\r\nthree\r\n"));
    CHECK(client_say(&c, worker, "2\r"));
    CHECK(client_say(&c, worker, "\n4"));
    CHECK(client_say(&c, worker, "2\r\n0\r\na: b\r\n\r\n"));
    CHECK_SLICE(fa_slice_of(noted), "(one and t)(wothree)(4)(2].");
    CHECK(find_text(c.got, c.len, "\r\n\r\nread") != NULL);
}

/* The end comes by itself; what follows it is the next request, untouched. */
static void test_end_of_its_own(void **state)
{
    (void)state;
    begin("transfer-encoding: chunked");
    CHECK(client_say(&c, worker, "1\r\na\r\n1\r\nb\r\n"));
    CHECK(client_say(&c, worker,
                     "0\r\n\r\nPOST / HTTP/1.1\r\nhost: x\r\n"
                     "content-length: 1\r\n\r\nZ"));
    CHECK_SLICE(fa_slice_of(noted), "(ab).(Z].");
}

/* What was right comes before the error, also to one that makes it wait. */
static void test_fault_behind_chunks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; ++i) {
        noted[0] = '\0';
        pauses = i == 1;
        begin("transfer-encoding: chunked");
        CHECK(client_say(&c, worker, "3\r\none\r\n3\r\ntwo\r\nnonsense\r\n"));
        if (pauses) {
            CHECK_SLICE(fa_slice_of(noted), "(onetwo)");
            fa_request_resume(paused);
            settle(worker, &c);
        }
        CHECK_SLICE(fa_slice_of(noted), "(onetwo)!");
        CHECK(find_text(c.got, c.len, "HTTP/1.1 400 ") != NULL);
        if (i == 0)
            client_close(&c);
    }
}

static void test_paused_before_the_end(void **state)
{
    (void)state;
    pauses = true;
    begin("transfer-encoding: chunked");
    CHECK(client_say(&c, worker, "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
    CHECK_SLICE(fa_slice_of(noted), "(onetwo]");
    fa_request_resume(paused);
    settle(worker, &c);
    CHECK_SLICE(fa_slice_of(noted), "(onetwo].");
    CHECK(find_text(c.got, c.len, "\r\n\r\nread") != NULL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_known_length),          TEST(test_chunks_of_one_read),
        TEST(test_end_of_its_own),        TEST(test_fault_behind_chunks),
        TEST(test_paused_before_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
