/* Defaults as documented, and what is refused as out of range. */
#include "serving.h"

static void test_defaults(void **state)
{
    fa_limits l;

    (void)state;
    memset(&l, 0xff, sizeof(l)); /* every field must be set */
    fa_limits_init(&l);
    CHECK_U64(l.max_request_line_bytes, ==, 8192);
    CHECK_U64(l.max_header_bytes, ==, 32768);
    CHECK_U64(l.max_headers, ==, 100);
    CHECK_U64(l.max_body_bytes, ==, 16u << 20);
    CHECK_U64(l.max_chunk_extension_bytes, ==, 256);
    CHECK_U64(l.max_chunk_extensions_bytes, ==, 4096);
    CHECK_U64(l.max_trailer_bytes, ==, 8192);
    CHECK_U64(l.min_rate_bytes_per_s, ==, 240);
    CHECK_U64(l.header_timeout_ms, ==, 10000);
    CHECK_U64(l.body_timeout_ms, ==, 30000);
    CHECK_U64(l.write_timeout_ms, ==, 30000);
    CHECK_U64(l.idle_timeout_ms, ==, 75000);
    CHECK_U64(l.drain_timeout_ms, ==, 30000);
    CHECK_U64(l.drain_grace_ms, ==, 500);
    CHECK_U64(l.max_connections, ==, 65536);
    CHECK_U64(l.max_connections_per_address, ==, 0);
    CHECK_U64(l.max_requests_per_connection, ==, 0);
    CHECK_U64(l.max_pipelined, ==, 64);
    CHECK_U64(l.max_pending_bytes, ==, 262144);
}

static void test_option_defaults(void **state)
{
    fa_server_options o;

    (void)state;
    memset(&o, 0xff, sizeof(o));
    fa_server_options_init(&o);
    CHECK_U64(o.threads, ==, 1);
    CHECK(o.handle_signals && o.date_header && !o.access_log);
    CHECK_SLICE(o.server_header, "fasterapi");
    CHECK_INT(o.backlog, ==, 2048);
    CHECK(o.logger == NULL && o.alloc == NULL);
    CHECK_U64(o.limits.max_headers, ==, 100);
}

static int try_worker(const fa_server_options *o)
{
    fa_app *app = fa_app_new(NULL);
    fa_worker *w = NULL;
    int rv;

    CHECK(app != NULL);
    rv = fa_worker_new(&w, app, o);
    CHECK((rv == 0) == (w != NULL));
    fa_worker_del(w);
    fa_app_del(app);
    return rv;
}

static void set_headers(fa_server_options *o, uint64_t v)
{
    o->limits.max_headers = (uint32_t)v;
}

static void set_pipelined(fa_server_options *o, uint64_t v)
{
    o->limits.max_pipelined = (uint32_t)v;
}

static void set_line(fa_server_options *o, uint64_t v)
{
    o->limits.max_request_line_bytes = (uint32_t)v;
}

static void set_head(fa_server_options *o, uint64_t v)
{
    o->limits.max_header_bytes = (uint32_t)v;
}

static void set_body(fa_server_options *o, uint64_t v)
{
    o->limits.max_body_bytes = v;
}

static void set_threads(fa_server_options *o, uint64_t v)
{
    o->threads = (unsigned)v;
}

static void test_ranges(void **state)
{
    static const struct {
        void (*set)(fa_server_options *o, uint64_t v);
        uint64_t least, most;
        bool to_zero; /* `least` may not be undercut because it is 0 */
    } cases[] = {
        {set_headers, 1, 1000, false},   {set_pipelined, 1, UINT32_MAX, false},
        {set_line, 16, 1u << 20, false}, {set_head, 16, 1u << 24, false},
        {set_body, 0, INT64_MAX, true},  {set_threads, 0, 256, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_server_options o = quiet_options();

        cases[i].set(&o, cases[i].least);
        CHECK_INT(try_worker(&o), ==, 0);
        cases[i].set(&o, cases[i].most);
        CHECK_INT(try_worker(&o), ==, 0);
        if (!cases[i].to_zero) {
            cases[i].set(&o, cases[i].least - 1);
            CHECK_INT(try_worker(&o), ==, FA_ERR_INVALID);
        }
        if (cases[i].most != UINT32_MAX) {
            cases[i].set(&o, cases[i].most + 1);
            CHECK_INT(try_worker(&o), ==, FA_ERR_INVALID);
        }
    }
}

/* Every timeout at its largest: sums of times must not wrap around. */
static void test_largest_times(void **state)
{
    fa_server_options o = quiet_options();
    fa_app *app = fa_app_new(NULL);
    static client c;
    fa_worker *w;

    (void)state;
    CHECK(app != NULL);
    o.limits.header_timeout_ms = o.limits.idle_timeout_ms = UINT32_MAX;
    o.limits.body_timeout_ms = o.limits.write_timeout_ms = UINT32_MAX;
    o.limits.min_rate_bytes_per_s = UINT32_MAX;
    o.limits.drain_grace_ms = UINT32_MAX;
    CHECK_INT(fa_worker_new(&w, app, &o), ==, 0);
    CHECK_INT(client_connect(&c, w), ==, 0);
    CHECK(client_say(&c, w, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
    CHECK(find_text(c.got, c.len, "HTTP/1.1 404 ") == c.got);
    fa_worker_drain(w);
    settle(w, &c);
    CHECK(!c.ended);
    client_close(&c);
    fa_worker_del(w);
    fa_app_del(app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_option_defaults),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_largest_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
