/* Messages into bytes (RFC 6455, sections 5 and 6; RFC 7692, section 6). */
#ifndef FA_WEBSOCKET_WRITER_H
#define FA_WEBSOCKET_WRITER_H

#include "base/memory.h"
#include "websocket/deflater.h"
#include "websocket/extension.h"
#include "websocket/frame.h"

typedef struct fa__ws_writer_options {
    size_t fragment_bytes;     /* payload of a frame of a longer message; 0, the default:
                                  all messages in one frame */
    size_t min_deflate_bytes;  /* shorter messages go as they are; default 32 */
    uint8_t deflate_level;     /* of zlib, 1 to 9; default 4 */
    uint8_t deflate_mem_level; /* of zlib, 1 to 9; default 5 */
    uint8_t deflate_window_bits; /* 8 to 15; default 12; less if that was agreed */
} fa__ws_writer_options;

#define FA__WS_WRITER_DEFAULT ((fa__ws_writer_options){0, 32, 4, 5, 12})

enum { FA__WS_KEYS = 16 };

/* All fields are private, but that a test may set `random` after init. */
typedef struct fa__ws_writer {
    fa__ws_writer_options options;
    fa__ws_deflate deflate;
    fa__ws_deflater *deflater; /* NULL until the first message that is compressed */
    fa__buf packed;            /* the payload of a compressed message */
    int (*random)(unsigned char *p, size_t n); /* 0 or FA_ERR_SYSTEM */
    bool client;                               /* we are: frames are masked */
    unsigned char keys_left;
    unsigned char keys[FA__WS_KEYS][4]; /* for the next frames */
} fa__ws_writer;

/* `options` and `deflate` are copied, `alloc` is borrowed. Allocates nothing yet. */
void fa__ws_writer_init(fa__ws_writer *w, bool client, const fa__ws_deflate *deflate,
                        const fa__ws_writer_options *options, const fa_allocator *alloc);
void fa__ws_writer_free(fa__ws_writer *w);

/* Appends a message to `out`: `opcode` is FA__WS_TEXT or FA__WS_BINARY. After an error
   `out` is as before the call, and the message may be tried again.

   Returns 0, FA_ERR_NOMEM, FA_ERR_INVALID (a text that is not UTF-8, options out of
   range), or FA_ERR_SYSTEM (no random numbers for a client's masks). */
int fa__ws_write_message(fa__ws_writer *w, fa__buf *out, fa__ws_opcode opcode,
                         fa_slice bytes);

/* A server's message in one frame, for who has a better place for it than a buffer, and
   need not copy it: `*frame` is its head for fa__ws_frame_write(), `*payload` is `bytes`
   or, compressed, borrowed until fa__ws_end_message(), which is to follow a result of 0.
   Whatever was begun must be sent: later messages may refer to it. Errors likewise. */
int fa__ws_begin_message(fa__ws_writer *w, fa__ws_frame *frame, fa_slice *payload,
                         fa__ws_opcode opcode, fa_slice bytes);
void fa__ws_end_message(fa__ws_writer *w);

/* Appends a control frame, likewise; FA_ERR_INVALID when `payload` is longer than 125
   bytes. */
int fa__ws_write_control(fa__ws_writer *w, fa__buf *out, fa__ws_opcode opcode,
                         fa_slice payload);

/* Appends a Close frame. `code` is one that may be in it, or FA__WS_NO_STATUS for an
   empty one, whose reason is empty then; all others are FA_ERR_INVALID, and so is a
   reason that is not UTF-8 or longer than FA__WS_REASON_MAX. */
int fa__ws_write_close(fa__ws_writer *w, fa__buf *out, uint16_t code, fa_slice reason);

#endif
