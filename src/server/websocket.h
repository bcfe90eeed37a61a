/* WebSockets on connections: the protocol of websocket/ws.h between a connection's
   bytes and the application's callbacks. */
#ifndef FA_SERVER_WEBSOCKET_H
#define FA_SERVER_WEBSOCKET_H

#include <fasterapi/websocket.h>

#include "server/connection.h"
#include "websocket/handshake.h"
#include "websocket/ws.h"

struct fa_websocket {
    fa__ws protocol;
    fa__conn *conn;
    fa_websocket_handler handler;
    void *user_data;
    uint32_t ping_interval_ms, ping_timeout_ms, close_timeout_ms;
    fa__msec heard; /* when something came, or the application let it come again */
    fa__msec asked; /* when the ping or Close was sent that is not answered */
    bool pinged;    /* a ping is not answered */
    bool paused;    /* by the application */
    bool choked;    /* too much output waits: nothing more is read */
    bool told_full; /* on_drain is owed */
    bool ended;     /* on_close has been called */
};

/* Makes a WebSocket of the connection, whose 101 is written. Returns 0, FA_ERR_NOMEM or
   FA_ERR_INVALID (options); then nothing has changed. `deflate` is what was agreed. */
int fa__websocket_new(fa_websocket **out, fa__conn *conn,
                      const fa_websocket_options *options, const fa__ws_deflate *deflate,
                      const fa_websocket_handler *handler, void *user_data);
/* Before anything was told to the application. */
void fa__websocket_del(fa_websocket *ws);

/* From here on what comes is its. */
void fa__websocket_start(fa_websocket *ws);

#endif
