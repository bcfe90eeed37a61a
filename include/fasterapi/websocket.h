/** WebSockets (RFC 6455), with compression of messages (RFC 7692). */
#ifndef FASTERAPI_WEBSOCKET_H
#define FASTERAPI_WEBSOCKET_H

#include <stdint.h>

#include <fasterapi/request.h>
#include <fasterapi/response.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A connection that speaks WebSocket.
 *
 * Lifetime: from fa_websocket_accept() until on_close has returned.
 * Threads: only on the thread of its worker.
 * Every function below may be called from within a callback of the same WebSocket.
 */
typedef struct fa_websocket fa_websocket;

typedef enum fa_websocket_kind {
    FA_WEBSOCKET_TEXT = 1, /* valid UTF-8, both ways */
    FA_WEBSOCKET_BINARY = 2,
} fa_websocket_kind;

/* Close codes with a meaning of their own (RFC 6455, 7.4.1); 3000 to 4999 are free. */
enum {
    FA_WEBSOCKET_NORMAL = 1000,
    FA_WEBSOCKET_GOING_AWAY = 1001,
    FA_WEBSOCKET_PROTOCOL_ERROR = 1002,
    FA_WEBSOCKET_NO_STATUS = 1005, /* never sent: a Close without a code */
    FA_WEBSOCKET_ABNORMAL = 1006,  /* never sent: the connection went without a Close */
    FA_WEBSOCKET_INVALID_DATA = 1007,
    FA_WEBSOCKET_POLICY = 1008,
    FA_WEBSOCKET_TOO_BIG = 1009,
    FA_WEBSOCKET_INTERNAL_ERROR = 1011,
    FA_WEBSOCKET_RESTART = 1012,
};

typedef struct fa_websocket_options {
    uint64_t max_message_bytes;  /* after inflating; 1009; default 16 MiB */
    uint32_t max_fragments;      /* frames of a message; 1008; default 262144: those of 64
                                    bytes      in a message of 16 MiB */
    uint64_t inflate_ratio_from; /* bytes inflated from which the ratio counts; 1 MiB */
    uint32_t inflate_ratio;      /* inflated to received; 1009; default 100 */
    uint32_t ping_interval_ms;   /* without a byte from the peer, until it is pinged; 0:
                                    never; default 20000 */
    uint32_t ping_timeout_ms;    /* then without one, until it is told 1011 and left; 0:
                                    never; default 20000 */
    uint32_t close_timeout_ms;   /* for the peer's Close after ours; default 10000 */
    bool deflate;                /* agree to permessage-deflate; default true */
    uint8_t deflate_level;       /* of zlib, 1 to 9; default 4 */
    uint8_t deflate_window_bits; /* of both sides, the client's where it lets us choose;
                                    9 to 15; default 12 */
    uint32_t min_deflate_bytes;  /* shorter messages go as they are; default 32 */
} fa_websocket_options;

/** Sets every field to its default. */
FA_API void fa_websocket_options_init(fa_websocket_options *options);

typedef struct fa_websocket_handler {
    /** A whole message; `data` is borrowed until the callback returns. May be NULL. */
    void (*on_message)(fa_websocket *ws, fa_websocket_kind kind, fa_slice data,
                       void *user_data);
    /** The output has drained after a function returned FA_ERR_FULL. May be NULL. */
    void (*on_drain)(fa_websocket *ws, void *user_data);
    /** The server is shutting down: say goodbye and fa_websocket_close(). NULL: it is
        closed with FA_WEBSOCKET_RESTART. */
    void (*on_shutdown)(fa_websocket *ws, void *user_data);
    /** The last call, once; `ws` is gone when it returns. `code` and `reason` are of the
       Close that came, or FA_WEBSOCKET_ABNORMAL when none did; when the peer broke a rule
       or a limit, what it was told. May be NULL. */
    void (*on_close)(fa_websocket *ws, uint16_t code, fa_slice reason, void *user_data);
} fa_websocket_handler;

/** Whether the request asks for a WebSocket (RFC 6455, 4.1): Upgrade names websocket and
    Connection names upgrade. Whether it does so rightly is for
    fa_websocket_judge(). */
FA_API bool fa_request_is_websocket(const fa_request *req);

/** 0 if the request can be accepted, else the status to refuse it with (RFC 6455, 4.2.2):
    426 for another version than 13 (fa_websocket_refuse() adds the fields that say so),
    400 for all else the client did, more than 100 subprotocols included; 500 if the
   system has no SHA-1. */
FA_API int fa_websocket_judge(const fa_request *req);

/** Answers what fa_websocket_judge() found, and closes the connection; what a handler may
    return. */
FA_API int fa_websocket_refuse(fa_request *req, int status);

/** The subprotocols that the client offers, in its order (Sec-WebSocket-Protocol). Each
    call goes through them from the first. */
FA_API size_t fa_websocket_protocol_count(const fa_request *req);
FA_API fa_slice fa_websocket_protocol_at(const fa_request *req, size_t i);

/**
 * Answers 101 and hands the connection over, now or after fa_request_defer(). Any other
 * answer to the request refuses it.
 *
 * `protocol` is the subprotocol agreed to, sent as it is; empty: none. `fields` go into
 * the answer behind the handshake's own. `options` may be NULL (defaults).
 * Returns 0; FA_ERR_STATE (no WebSocket was asked for, or it is answered);
 * FA_ERR_INVALID (options out of range, a request that fa_websocket_judge() refuses, a
 * field of the handshake among `fields`); FA_ERR_FIELD_NAME, FA_ERR_FIELD_VALUE;
 * FA_ERR_CLOSED; FA_ERR_NOMEM; FA_ERR_SYSTEM. On success `req` ends and `*out` is the
 * WebSocket; no callback is called before this returns.
 * Ownership: `options`, `handler`, `protocol` and `fields` are copied, `user_data` is
 * borrowed until on_close.
 */
FA_API int fa_websocket_accept(fa_request *req, fa_slice protocol, const fa_field *fields,
                               size_t count, const fa_websocket_options *options,
                               const fa_websocket_handler *handler, void *user_data,
                               fa_websocket **out);

/** Sends a message, as soon as the callback that it is called in returns, or at once
    outside of one. Taken whole when the result is 0 or FA_ERR_FULL; the latter asks to
    wait for on_drain. FA_ERR_INVALID: a text that is not UTF-8. FA_ERR_CLOSED: a Close
    has been sent or has come. FA_ERR_NOMEM. */
FA_API int fa_websocket_send(fa_websocket *ws, fa_websocket_kind kind, fa_slice data);
/** A ping of up to 125 bytes (FA_ERR_INVALID above); its pong is not told. */
FA_API int fa_websocket_ping(fa_websocket *ws, fa_slice payload);
/** Sends a Close; messages may come until the peer's. `code` is one that may be sent, or
    FA_WEBSOCKET_NO_STATUS; `reason` up to 123 bytes of UTF-8. FA_ERR_INVALID,
    FA_ERR_CLOSED (sent before). on_close follows, not from within this call: with the
    peer's Close, or FA_WEBSOCKET_ABNORMAL when none comes in close_timeout_ms, as for one
    that stays paused. */
FA_API int fa_websocket_close(fa_websocket *ws, uint16_t code, fa_slice reason);
/** Breaks the connection off. on_close follows, not from within this call. */
FA_API void fa_websocket_abort(fa_websocket *ws);

/** No messages until fa_websocket_resume(); the peer is made to wait (flow control),
    pings and Close included, and it need not answer pings meanwhile. While more than
    fa_limits.max_pending_bytes of output wait, the server does so by itself. */
FA_API void fa_websocket_pause(fa_websocket *ws);
FA_API void fa_websocket_resume(fa_websocket *ws);

/** Bytes that the peer has not taken yet. */
FA_API size_t fa_websocket_pending(const fa_websocket *ws);

#ifdef __cplusplus
}
#endif
#endif
