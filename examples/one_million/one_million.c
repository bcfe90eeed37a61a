/* The One Million Request Challenge: POST /event a million times, then GET /stats must
   be exact. Written against the public headers alone. */
#include <fasterapi.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tally.h"

static int root(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond_json(req, 200, FA_SLICE("{\"message\":\"Hello, World!\"}"));
}

/* {"userId": string, "value": number}, in any order, other keys ignored, each of the
   two exactly once. */
static bool parse_event(fa_request *req, fa_slice *user, double *value)
{
    fa_json_reader_options options = {.arena = fa_request_arena(req)};
    fa_json_reader r;
    fa_slice key;
    int users = 0, values = 0;

    fa_json_reader_init(&r, fa_request_body(req), &options);
    fa_json_enter_object(&r);
    while (fa_json_next_key(&key, &r)) {
        if (fa_slice_equal(key, FA_SLICE("userId"))) {
            fa_json_read_string(user, &r);
            ++users;
        } else if (fa_slice_equal(key, FA_SLICE("value"))) {
            fa_json_read_double(value, &r);
            ++values;
        } else {
            fa_json_skip(&r);
        }
    }
    return fa_json_end(&r) == 0 && users == 1 && values == 1;
}

static int event(fa_request *req, void *user_data)
{
    fa_slice user;
    double value;

    if (!parse_event(req, &user, &value))
        return fa_respond_error(
            req, 422, FA_SLICE("an event is {\"userId\": string, \"value\": number}"));
    if (tally_add(user_data, user, value) != 0)
        return fa_respond_error(req, 503, FA_SLICE("out of memory; not counted"));
    return fa_respond_json(req, 200, FA_SLICE("{\"status\":\"ok\"}"));
}

static int stats(fa_request *req, void *user_data)
{
    totals t = tally_totals(user_data);
    fa_json_writer_options options = {.arena = fa_request_arena(req)};
    fa_json_writer w;

    fa_json_writer_init(&w, &options);
    fa_json_begin_object(&w);
    fa_json_write_key(&w, FA_SLICE("totalRequests"));
    fa_json_write_uint64(&w, t.requests);
    fa_json_write_key(&w, FA_SLICE("uniqueUsers"));
    fa_json_write_uint64(&w, t.users);
    fa_json_write_key(&w, FA_SLICE("sum"));
    fa_json_write_double(&w, t.sum);
    fa_json_write_key(&w, FA_SLICE("avg"));
    fa_json_write_double(&w, t.requests != 0 ? t.sum / (double)t.requests : 0.0);
    fa_json_end_object(&w);
    return fa_respond_writer(req, 200, &w);
}

static int serve(fa_app *app, const char *host, unsigned port, unsigned threads,
                 bool access_log)
{
    fa_server_options options;
    fa_server *server;
    int rv;

    fa_server_options_init(&options);
    options.threads = threads;
    options.access_log = access_log;
    rv = fa_server_new(&server, app, &options);
    if (rv != 0)
        return rv;
    rv = fa_server_listen(server, host, (uint16_t)port);
    if (rv == FA_ERR_SYSTEM)
        perror("one_million: cannot listen");
    if (rv == 0)
        rv = fa_server_run(server);
    fa_server_del(server);
    return rv;
}

static const char usage[] =
    "usage: one_million [--host ADDRESS] [--port N] [--threads N] [--access-log]\n"
    "Serves POST /event and GET /stats on 127.0.0.1:8000 with one thread, unless told\n"
    "otherwise, until SIGTERM or SIGINT.\n";

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"host", required_argument, NULL, 'h'},    {"port", required_argument, NULL, 'p'},
        {"threads", required_argument, NULL, 't'}, {"access-log", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, '?'},          {NULL, 0, NULL, 0},
    };
    const char *host = "127.0.0.1";
    unsigned port = 8000, threads = 1;
    bool access_log = false;
    fa_app *app;
    tally *t;
    int c, rv;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (c) {
        case 'h': host = optarg; break;
        case 'p': port = (unsigned)strtoul(optarg, NULL, 10); break;
        case 't': threads = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'a': access_log = true; break;
        default: fputs(usage, stderr); return 2;
        }
    }
    app = fa_app_new(NULL);
    t = tally_new();
    rv = app == NULL || t == NULL ? FA_ERR_NOMEM : 0;
    if (rv == 0)
        rv = fa_app_route(app, FA_GET, "/", root, NULL);
    if (rv == 0)
        rv = fa_app_route(app, FA_POST, "/event", event, t);
    if (rv == 0)
        rv = fa_app_route(app, FA_GET, "/stats", stats, t);
    if (rv == 0)
        rv = serve(app, host, port, threads, access_log);
    if (rv != 0)
        fprintf(stderr, "one_million: %s\n", fa_strerror(rv));
    fa_app_del(app);
    tally_del(t);
    return rv == 0 ? 0 : 1;
}
