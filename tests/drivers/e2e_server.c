/* Options, the routes that need the server itself, and the run; see e2e_app.h.

   e2e_server [--catch-all] [--host ADDRESS] [--port N] [--unix PATH] [--threads N]
              [--access-log] [--json-log] [--no-date] [--server NAME]
              [--limit NAME=N]...

   Prints "port N" when it listens (0 with a unix socket only), serves until SIGTERM, and
   prints "end N": what fa_server_run() returned. */
#include "e2e_app.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void event(const char *format, ...)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    va_list args;

    va_start(args, format);
    pthread_mutex_lock(&mutex);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&mutex);
    va_end(args);
}

static void check(int rv, const char *what)
{
    if (rv == 0)
        return;
    fprintf(stderr, "e2e_server: %s: %s%s%s\n", what, fa_strerror(rv),
            rv == FA_ERR_SYSTEM ? ": " : "", rv == FA_ERR_SYSTEM ? strerror(errno) : "");
    exit(1);
}

fa_app *new_app(void)
{
    fa_app *app = fa_app_new(NULL);

    check(app != NULL ? 0 : FA_ERR_NOMEM, "fa_app_new");
    return app;
}

void add(fa_app *app, fa_method method, const char *pattern, fa_handler *handler)
{
    check(fa_app_route(app, method, pattern, handler, NULL), pattern);
}

void add_route(fa_app *app, const fa_route *route)
{
    check(fa_app_add_route(app, route), route->pattern);
}

int64_t query_int(fa_request *req, fa_slice name, int64_t missing)
{
    fa_slice v;
    char text[24];

    if (fa_request_query_value(req, name, &v) != 1 || v.len == 0 || v.len >= sizeof(text))
        return missing;
    memcpy(text, v.p, v.len);
    text[v.len] = '\0';
    return strtoll(text, NULL, 10);
}

/* ---- routes about the server ---- */

static fa_server *server;
static bool upgrades; /* the fallback takes up every upgrade that is offered */

static int counters(fa_request *req, void *user_data)
{
    fa_counters c;

    (void)user_data;
    fa_server_counters(server, &c);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"connections", c.connections},
        {"connections_open", c.connections_open},
        {"connections_shed", c.connections_shed},
        {"requests", c.requests},
        {"active", c.active},
        {"responses_1xx", c.responses_1xx},
        {"responses_2xx", c.responses_2xx},
        {"responses_3xx", c.responses_3xx},
        {"responses_4xx", c.responses_4xx},
        {"responses_5xx", c.responses_5xx},
        {"malformed", c.malformed},
        {"timeouts", c.timeouts},
        {"bytes_in", c.bytes_in},
        {"bytes_out", c.bytes_out},
        {"websockets", c.websockets},
        {"websockets_open", c.websockets_open},
        {"messages_in", c.messages_in},
        {"messages_out", c.messages_out},
    };
    fa_json_writer_options options = {.arena = fa_request_arena(req)};
    fa_json_writer w;

    fa_json_writer_init(&w, &options);
    fa_json_begin_object(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
        fa_json_write_key(&w, fa_slice_of(rows[i].name));
        fa_json_write_uint64(&w, rows[i].value);
    }
    fa_json_end_object(&w);
    return fa_respond_writer(req, 200, &w);
}

static int stop(fa_request *req, void *user_data)
{
    (void)user_data;
    fa_server_stop(server);
    return fa_respond(req, 202, FA_SLICE("text/plain"), FA_SLICE("stopping"));
}

/* ---- what each request did in the end ---- */

/* The client asks for it with a field `watch: NAME`. */
static void on_finish(fa_request *req, int error, void *user_data)
{
    fa_slice name = fa_request_header(req, FA_SLICE("watch"));

    (void)user_data;
    if (name.p != NULL)
        event("finish %.*s %d", (int)name.len, name.p, error);
}

static int on_start(fa_app *app, void *user_data)
{
    (void)app;
    (void)user_data;
    event("start");
    return 0;
}

static void on_drain(fa_app *app, void *user_data)
{
    (void)app;
    (void)user_data;
    event("drain");
}

static void on_stop(fa_app *app, void *user_data)
{
    (void)app;
    (void)user_data;
    event("stop");
}

/* What no route matches; with --catch-all that is whatever the parser lets through. */
static int catch_all(fa_request *req, void *user_data)
{
    int rv = FA_ERR_STATE;

    if (upgrades || fa_request_method(req) == FA_CONNECT)
        rv = upgrade(req, user_data);
    return rv == FA_ERR_STATE ? echo(req, user_data) : rv;
}

static fa_app *build(bool only_catch_all)
{
    static const fa_lifecycle lifecycle = {on_start, on_drain, on_stop, NULL};
    static const fa_middleware watch = {.on_finish = on_finish};
    fa_app *app = new_app();

    fa_app_set_lifecycle(app, &lifecycle);
    check(fa_app_use(app, &watch), "fa_app_use");
    (void)fa_app_fallback(app, &(fa_route){.handler = catch_all});
    upgrades = only_catch_all;
    if (only_catch_all)
        return app;
    add(app, FA_GET, "/counters", counters);
    add(app, FA_POST, "/stop", stop);
    add_answers(app);
    add_bodies(app);
    add_downloads(app);
    add_files(app);
    add_gateway(app);
    add_later(app);
    add_mounts(app);
    add_websockets(app);
    return app;
}

/* ---- options ---- */

static void set_limit(fa_limits *l, char *assignment)
{
    const struct {
        const char *name;
        uint32_t *field;
    } names[] = {
        {"max_request_line_bytes", &l->max_request_line_bytes},
        {"max_header_bytes", &l->max_header_bytes},
        {"max_headers", &l->max_headers},
        {"max_chunk_extension_bytes", &l->max_chunk_extension_bytes},
        {"max_chunk_extensions_bytes", &l->max_chunk_extensions_bytes},
        {"max_trailer_bytes", &l->max_trailer_bytes},
        {"min_rate_bytes_per_s", &l->min_rate_bytes_per_s},
        {"header_timeout_ms", &l->header_timeout_ms},
        {"body_timeout_ms", &l->body_timeout_ms},
        {"write_timeout_ms", &l->write_timeout_ms},
        {"idle_timeout_ms", &l->idle_timeout_ms},
        {"drain_timeout_ms", &l->drain_timeout_ms},
        {"drain_grace_ms", &l->drain_grace_ms},
        {"max_connections", &l->max_connections},
        {"max_connections_per_address", &l->max_connections_per_address},
        {"max_requests_per_connection", &l->max_requests_per_connection},
        {"max_pipelined", &l->max_pipelined},
        {"max_pending_bytes", &l->max_pending_bytes},
    };
    char *equals = strchr(assignment, '=');

    check(equals != NULL ? 0 : FA_ERR_INVALID, assignment);
    *equals = '\0';
    if (strcmp(assignment, "max_body_bytes") == 0) {
        l->max_body_bytes = strtoull(equals + 1, NULL, 10);
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        if (strcmp(assignment, names[i].name) == 0) {
            *names[i].field = (uint32_t)strtoul(equals + 1, NULL, 10);
            return;
        }
    }
    check(FA_ERR_INVALID, assignment);
}

typedef struct settings {
    fa_server_options server;
    fa_log_options log;
    const char *host, *path;
    uint16_t port;
    bool only_catch_all;
} settings;

static void parse(settings *s, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"catch-all", no_argument, NULL, 'c'},
        {"host", required_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'},
        {"unix", required_argument, NULL, 'u'},
        {"threads", required_argument, NULL, 't'},
        {"access-log", no_argument, NULL, 'a'},
        {"json-log", no_argument, NULL, 'j'},
        {"no-date", no_argument, NULL, 'd'},
        {"no-keep-alive-1.0", no_argument, NULL, 'k'},
        {"server", required_argument, NULL, 's'},
        {"limit", required_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (c) {
        case 'c': s->only_catch_all = true; break;
        case 'h': s->host = optarg; break;
        case 'p': s->port = (uint16_t)strtoul(optarg, NULL, 10); break;
        case 'u': s->path = optarg; break;
        case 't': s->server.threads = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'a': s->server.access_log = true; break;
        case 'j': s->log.json = true; break;
        case 'd': s->server.date_header = false; break;
        case 'k': s->server.keep_alive_1_0 = false; break;
        case 's': s->server.server_header = fa_slice_of(optarg); break;
        case 'l': set_limit(&s->server.limits, optarg); break;
        default: exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    settings s = {.host = NULL};
    fa_logger *logger;
    fa_app *app;
    int rv;

    fa_server_options_init(&s.server);
    parse(&s, argc, argv);
    check(fa_logger_new(&logger, &s.log), "fa_logger_new");
    s.server.logger = logger;
    app = build(s.only_catch_all);
    check(fa_server_new(&server, app, &s.server), "fa_server_new");
    if (s.path != NULL)
        check(fa_server_listen_unix(server, s.path, 0600), s.path);
    if (s.host != NULL || s.path == NULL)
        check(fa_server_listen(server, s.host != NULL ? s.host : "127.0.0.1", s.port),
              "fa_server_listen");
    event("port %u", (unsigned)fa_server_port(server));
    rv = fa_server_run(server);
    event("end %d", rv);
    join_later();
    fa_server_del(server);
    fa_app_del(app);
    del_mounts();
    fa_logger_del(logger);
    return 0;
}
