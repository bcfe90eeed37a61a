/* A WebSocket that sends back what it gets, on port 8000: echo [PORT [--no-deflate]] */
#include <fasterapi.h>
#include <stdlib.h>

static fa_websocket_options options;

static void echo(fa_websocket *ws, fa_websocket_kind kind, fa_slice data, void *user_data)
{
    (void)user_data;
    /* FA_ERR_FULL needs no care here: whoever does not take the echo is not read from
       until it does. */
    (void)fa_websocket_send(ws, kind, data);
}

static int open_websocket(fa_request *req, void *user_data)
{
    static const fa_websocket_handler handler = {.on_message = echo};
    int status = fa_websocket_judge(req);
    fa_websocket *ws;

    (void)user_data;
    if (status != 0)
        return fa_websocket_refuse(req, status);
    return fa_websocket_accept(req, (fa_slice){NULL, 0}, NULL, 0, &options, &handler,
                               NULL, &ws);
}

static int open_page(fa_request *req, void *user_data)
{
    (void)user_data;
    if (fa_request_is_websocket(req))
        return open_websocket(req, user_data);
    return fa_respond(req, 200, FA_SLICE("text/plain"),
                      FA_SLICE("Connect with WebSocket.\n"));
}

int main(int argc, char **argv)
{
    fa_app *app = fa_app_new(NULL);
    int rv;

    fa_websocket_options_init(&options);
    options.deflate = argc < 3;
    if (app == NULL || fa_app_route(app, FA_GET, "/", open_page, NULL) != 0)
        return 1;
    rv = fa_serve(app, "127.0.0.1", argc > 1 ? (uint16_t)atoi(argv[1]) : 8000);
    fa_app_del(app);
    return rv == 0 ? 0 : 1;
}
