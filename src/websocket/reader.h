/* Bytes into messages: frames, fragments, masks, compression, UTF-8, limits
   (RFC 6455, sections 5 to 8; RFC 7692, section 6). */
#ifndef FA_WEBSOCKET_READER_H
#define FA_WEBSOCKET_READER_H

#include "websocket/extension.h"
#include "websocket/frame.h"
#include "websocket/inflater.h"
#include "websocket/text.h"

typedef struct fa__ws_limits {
    uint64_t max_message_bytes;  /* after inflating; default 16 MiB; above it 1009 */
    uint64_t inflate_ratio_from; /* default 1 MiB; see fa__ws_inflate_limits */
    uint32_t inflate_ratio;      /* default 100 */
    uint32_t max_fragments; /* frames of a message; above it 1008; default 262144: those
                               of 64 bytes in a message of 16 MiB */
} fa__ws_limits;

#define FA__WS_LIMITS_DEFAULT ((fa__ws_limits){16 << 20, 1 << 20, 100, 1 << 18})

typedef enum fa__ws_event_kind {
    FA__WS_EVENT_NONE, /* all input is used up */
    FA__WS_EVENT_TEXT,
    FA__WS_EVENT_BINARY,
    FA__WS_EVENT_PING,
    FA__WS_EVENT_PONG,
    FA__WS_EVENT_CLOSE, /* `code` and, in `bytes`, the reason */
    FA__WS_EVENT_FAULT, /* `code` and `why`; nothing comes after it */
} fa__ws_event_kind;

typedef struct fa__ws_event {
    fa__ws_event_kind kind;
    fa_slice bytes; /* valid until the next call, and as long as the input is */
    uint16_t code;
    const char *why;
} fa__ws_event;

/* All fields are private. */
typedef struct fa__ws_reader {
    fa__buf message;           /* the begin of a message that did not come in one piece */
    fa__ws_inflater *inflater; /* NULL until the first compressed message */
    uint64_t left;             /* of the payload of the frame under way */
    uint64_t position;         /* in that payload: where the mask is */
    fa__ws_limits limits;
    fa__ws_deflate deflate;
    uint32_t fragments;     /* of the message under way */
    fa__ws_frame frame;     /* the one under way */
    fa__ws_text text;       /* of the message under way */
    fa__ws_opcode kind;     /* of the message under way; CONTINUATION: there is none */
    bool client;            /* we are: what comes is not masked */
    bool in_frame;          /* its head is there */
    bool compressed;        /* the message under way */
    bool stopped;           /* there was a fault */
    unsigned char head_len; /* bytes of a head that is not complete */
    unsigned char control_len;
    char head[FA__WS_FRAME_HEAD_MAX];
    char control[FA__WS_CONTROL_MAX];
} fa__ws_reader;

/* `deflate` and `limits` are copied, `alloc` is borrowed. `client`: which side we are.
   Allocates nothing yet. */
void fa__ws_reader_init(fa__ws_reader *r, bool client, const fa__ws_deflate *deflate,
                        const fa__ws_limits *limits, const fa_allocator *alloc);
void fa__ws_reader_free(fa__ws_reader *r);

/* Reads on until there is an event, or all `len` bytes at `data` are used up. Payloads
   are unmasked in place, so that a message that came in one piece need not be copied.
   Which events there are depends on the bytes alone, not on how many came at once.

   Returns how many bytes were used, and `*event` is written, or FA_ERR_NOMEM; after
   that and after a fault, each later call uses all bytes for nothing. */
ptrdiff_t fa__ws_read(fa__ws_reader *r, fa__ws_event *event, char *data, size_t len);

#endif
