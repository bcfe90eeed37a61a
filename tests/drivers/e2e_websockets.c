/* WebSockets: /websocket, whose text messages are commands, and /websocket/echo. */
#include "e2e_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fa_websocket *paused; /* the last one that was */

static void on_command(fa_websocket *ws, fa_slice text)
{
    char line[128], word[16] = "", rest[100] = "";
    int number = 0;

    snprintf(line, sizeof(line), "%.*s", (int)text.len, text.p);
    if (sscanf(line, "%15s %d %99[^\n]", word, &number, rest) < 1)
        return;
    if (strcmp(word, "close") == 0) {
        event("close-command %d",
              fa_websocket_close(ws, (uint16_t)number, fa_slice_of(rest)));
    } else if (strcmp(word, "abort") == 0) {
        fa_websocket_abort(ws);
    } else if (strcmp(word, "pause") == 0) {
        fa_websocket_pause(ws);
        paused = ws;
    } else if (strcmp(word, "ping") == 0) {
        event("ping %d", fa_websocket_ping(ws, fa_slice_of(rest)));
    } else if (strcmp(word, "send") == 0) {
        size_t n = (size_t)number;
        char *data = malloc(n + 1);

        if (data == NULL)
            abort();
        memset(data, 'x', n);
        event("send %d", fa_websocket_send(ws, FA_WEBSOCKET_TEXT, (fa_slice){data, n}));
        free(data);
    }
}

static void on_message(fa_websocket *ws, fa_websocket_kind kind, fa_slice data,
                       void *user_data)
{
    (void)user_data;
    event("message %s %zu", kind == FA_WEBSOCKET_TEXT ? "text" : "binary", data.len);
    if (kind == FA_WEBSOCKET_TEXT)
        on_command(ws, data);
}

static void echo_message(fa_websocket *ws, fa_websocket_kind kind, fa_slice data,
                         void *user_data)
{
    (void)user_data;
    (void)fa_websocket_send(ws, kind, data);
}

static void on_drain(fa_websocket *ws, void *user_data)
{
    (void)user_data;
    event("drain %zu", fa_websocket_pending(ws));
}

static void on_shutdown(fa_websocket *ws, void *user_data)
{
    (void)user_data;
    (void)fa_websocket_send(ws, FA_WEBSOCKET_TEXT, FA_SLICE("goodbye"));
    (void)fa_websocket_close(ws, FA_WEBSOCKET_GOING_AWAY, (fa_slice){NULL, 0});
}

static void on_close(fa_websocket *ws, uint16_t code, fa_slice reason, void *user_data)
{
    (void)user_data;
    if (ws == paused)
        paused = NULL;
    event("closed %u %.*s", (unsigned)code, (int)reason.len, reason.p);
}

/* What the query says differs from the defaults. */
static void set_options(fa_websocket_options *o, fa_request *req)
{
    fa_websocket_options_init(o);
    o->max_message_bytes =
        (uint64_t)query_int(req, FA_SLICE("max"), (int64_t)o->max_message_bytes);
    o->max_fragments =
        (uint32_t)query_int(req, FA_SLICE("fragments"), (int64_t)o->max_fragments);
    o->ping_interval_ms =
        (uint32_t)query_int(req, FA_SLICE("interval"), o->ping_interval_ms);
    o->ping_timeout_ms =
        (uint32_t)query_int(req, FA_SLICE("timeout"), o->ping_timeout_ms);
    o->close_timeout_ms =
        (uint32_t)query_int(req, FA_SLICE("close"), o->close_timeout_ms);
    o->deflate = query_int(req, FA_SLICE("deflate"), 1) != 0;
}

static int open_websocket(fa_request *req, void *user_data)
{
    static const fa_websocket_handler commanded = {
        .on_message = on_message, .on_drain = on_drain, .on_close = on_close};
    static const fa_websocket_handler echoing = {
        .on_message = echo_message, .on_shutdown = on_shutdown, .on_close = on_close};
    const fa_field fields[] = {{FA_SLICE("x-extra"), FA_SLICE("yes")}};
    fa_slice protocol = {NULL, 0};
    int status = fa_websocket_judge(req);
    fa_websocket_options options;
    fa_websocket *ws;

    if (!fa_request_is_websocket(req))
        return fa_respond_error(req, 400, (fa_slice){NULL, 0});
    if (status != 0)
        return fa_websocket_refuse(req, status);
    if (query_int(req, FA_SLICE("deny"), 0) != 0)
        return fa_respond(req, 403, FA_SLICE("text/plain"), FA_SLICE("not you"));
    /* The last one offered. */
    if (fa_websocket_protocol_count(req) > 0)
        protocol = fa_websocket_protocol_at(req, fa_websocket_protocol_count(req) - 1);
    set_options(&options, req);
    return fa_websocket_accept(req, protocol, fields, 1, &options,
                               user_data != NULL ? &echoing : &commanded, NULL, &ws);
}

/* The last one that was paused goes on. */
static int resume(fa_request *req, void *user_data)
{
    (void)user_data;
    if (paused == NULL)
        return fa_respond_error(req, 404, (fa_slice){NULL, 0});
    fa_websocket_resume(paused);
    return fa_respond(req, 204, (fa_slice){NULL, 0}, (fa_slice){NULL, 0});
}

void add_websockets(fa_app *app)
{
    static char echoes;
    const fa_route echo_route = {.pattern = "/websocket/echo",
                                 .methods = FA_METHOD_BIT(FA_GET),
                                 .handler = open_websocket,
                                 .user_data = &echoes};

    add(app, FA_GET, "/websocket", open_websocket);
    add_route(app, &echo_route);
    add(app, FA_POST, "/websocket/resume", resume);
}
