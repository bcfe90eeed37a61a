/* WebSockets on connections: the protocol of websocket/ws.h between a connection's
   bytes and the application's callbacks. They begin in websocket_open.c. */
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

/* What the protocol and the connection call. */
extern const fa__ws_events fa__websocket_events;
extern const fa__upgrade fa__websocket_upgrade;

void fa__websocket_del(fa_websocket *ws);

#endif
