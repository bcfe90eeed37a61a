/* A WebSocket after its handshake: bytes in, bytes and events out (RFC 6455). It sees no
   socket and no clock: what to do when nothing comes is its owner's business. */
#ifndef FA_WEBSOCKET_WS_H
#define FA_WEBSOCKET_WS_H

#include "websocket/reader.h"
#include "websocket/writer.h"

typedef enum fa__ws_state {
    FA__WS_OPEN,
    FA__WS_CLOSING, /* our Close is written, theirs has not come; messages still may */
    FA__WS_CLOSED,  /* nothing more is read or written: send the output, then end the
                       connection, the server first (RFC 6455, 7.1.1) */
} fa__ws_state;

/* What is called from within fa__ws_feed(), in the order of what came. Slices are valid
   until the call returns. All may write; none may free the object. NULL: not called. */
typedef struct fa__ws_events {
    void (*message)(void *ctx, fa__ws_opcode opcode, fa_slice bytes); /* TEXT, BINARY */
    void (*ping)(void *ctx, fa_slice payload); /* its pong is already written */
    void (*pong)(void *ctx, fa_slice payload);
    /* Their Close has come; FA__WS_NO_STATUS when it had no code. Ours is written, if
       not earlier, and the state is CLOSED. */
    void (*close)(void *ctx, uint16_t code, fa_slice reason);
    /* The peer broke a rule or a limit, or there is no memory (FA__WS_INTERNAL_ERROR).
       A Close with that code is written if none was and it can be; the state is CLOSED.
       `why` is static. */
    void (*fail)(void *ctx, uint16_t code, const char *why);
} fa__ws_events;

typedef struct fa__ws_options {
    fa__ws_limits limits;
    fa__ws_writer_options writer;
    fa__ws_deflate deflate; /* as agreed in the handshake */
    bool client;            /* which side we are */
} fa__ws_options;

/* A server's, without compression. */
#define FA__WS_OPTIONS_DEFAULT                                                           \
    ((fa__ws_options){FA__WS_LIMITS_DEFAULT, FA__WS_WRITER_DEFAULT, {.on = false}, false})

typedef struct fa__ws {
    fa__buf *out; /* where output is appended; may be set anew between calls */
    void *ctx;    /* of the events; likewise */
    const fa__ws_events *events;
    fa__ws_reader reader; /* private, like all that follows */
    fa__ws_writer writer;
    fa__ws_state state;
    bool paused;
} fa__ws;

/* Allocates nothing yet. `options` is copied; `out`, `events` and `alloc` are borrowed.
   Returns 0, or FA_ERR_INVALID when an option is out of range. */
int fa__ws_init(fa__ws *ws, const fa__ws_options *options, const fa__ws_events *events,
                void *ctx, fa__buf *out, const fa_allocator *alloc);
void fa__ws_free(fa__ws *ws);

static inline fa__ws_state fa__ws_get_state(const fa__ws *ws)
{
    return ws->state;
}

/* What came from the peer, in pieces of any size; it is changed in place.

   Returns how many bytes were used: `len`, or fewer when fa__ws_pause() was called from
   an event, and then the rest is fed again later, unchanged. FA_ERR_NOMEM, or
   FA_ERR_SYSTEM from a client's masks, as told by the event `fail`. Once CLOSED, all
   input is ignored. Pongs are appended to the output as pings come: whoever lets it grow
   must stop feeding. */
ptrdiff_t fa__ws_feed(fa__ws *ws, char *data, size_t len);

/* From within an event: no further event until the next fa__ws_feed(). */
void fa__ws_pause(fa__ws *ws);

/* Each appends to the output. `out` is as before the call after an error, which is
   FA_ERR_CLOSED when our Close has been written, or one of websocket/writer.h. */
int fa__ws_send(fa__ws *ws, fa__ws_opcode opcode, fa_slice bytes); /* TEXT or BINARY */
int fa__ws_ping(fa__ws *ws, fa_slice payload);                     /* up to 125 bytes */
int fa__ws_pong(fa__ws *ws, fa_slice payload);
/* The same as fa__ws_send(), but the bytes are the caller's to place: see
   fa__ws_begin_message(). Of a server only. */
int fa__ws_send_begin(fa__ws *ws, fa__ws_frame *frame, fa_slice *payload,
                      fa__ws_opcode opcode, fa_slice bytes);
void fa__ws_send_end(fa__ws *ws);
/* The state becomes CLOSING. `code` and `reason` are as for fa__ws_write_close(). */
int fa__ws_close(fa__ws *ws, uint16_t code, fa_slice reason);

#endif
