/* The opening handshake (RFC 6455, section 4) over HTTP/1.1. */
#ifndef FA_WEBSOCKET_HANDSHAKE_H
#define FA_WEBSOCKET_HANDSHAKE_H

#include "http/message.h"
#include "websocket/extension.h"

enum {
    FA__WS_KEY_LENGTH = 24,    /* Sec-WebSocket-Key: 16 bytes in base64 */
    FA__WS_ACCEPT_LENGTH = 28, /* Sec-WebSocket-Accept: a SHA-1 in base64 */
    FA__WS_UPGRADE_REQUIRED = 426,
    FA__WS_BAD_REQUEST = 400,
};

/* What the 101 says, beside `upgrade: websocket` and `connection: Upgrade`. */
typedef struct fa__ws_answer {
    char accept[FA__WS_ACCEPT_LENGTH];     /* sec-websocket-accept */
    char extensions[FA__WS_EXTENSION_MAX]; /* sec-websocket-extensions */
    size_t extensions_len;                 /* 0: no such field */
    fa__ws_deflate deflate;                /* the same, to start the connection with */
} fa__ws_answer;

/* Does the request ask for a WebSocket: Connection: upgrade, and websocket among what
   Upgrade names? If not, it is an ordinary request. */
bool fa__ws_asked(const fa__request_head *head);

/* Judges a request that asks for a WebSocket. `wish` is as for fa__ws_deflate_choose().

   `*status` becomes 0 when it can be accepted, and then `*answer` is written. Otherwise
   it is the status of the answer that refuses: 400, or 426 when the version is not 13;
   the 426 carries `sec-websocket-version: 13` (4.4).

   Returns 0, or FA_ERR_SYSTEM when SHA-1 cannot be had; then nothing is written. */
int fa__ws_judge(int *status, fa__ws_answer *answer, const fa__request_head *head,
                 const fa__ws_deflate *wish);

/* Goes through the subprotocols that the client names, in its order (4.1, item 10).
   Begin with *it all zeros. They are tokens if fa__ws_judge() accepts the request. */
typedef struct fa__ws_protocol_iter {
    fa_slice rest;
    uint32_t field; /* the next one to look at */
} fa__ws_protocol_iter;

bool fa__ws_protocol_next(fa__ws_protocol_iter *it, fa_slice *protocol,
                          const fa__request_head *head);

/* Sec-WebSocket-Accept for a key (4.2.2, item 5.4). `key` has FA__WS_KEY_LENGTH bytes.
   Returns 0 or FA_ERR_SYSTEM. */
int fa__ws_accept(char out[FA__WS_ACCEPT_LENGTH], fa_slice key);

#endif
