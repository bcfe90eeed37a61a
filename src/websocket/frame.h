/* The heads of frames (RFC 6455, section 5.2). */
#ifndef FA_WEBSOCKET_FRAME_H
#define FA_WEBSOCKET_FRAME_H

#include <stdint.h>

#include "websocket/close.h"

typedef enum fa__ws_opcode {
    FA__WS_CONTINUATION = 0,
    FA__WS_TEXT = 1,
    FA__WS_BINARY = 2,
    FA__WS_CLOSE = 8,
    FA__WS_PING = 9,
    FA__WS_PONG = 10,
} fa__ws_opcode;

enum {
    FA__WS_FRAME_HEAD_MAX = 14,
    FA__WS_CONTROL_MAX = 125, /* payload of a control frame (5.5) */
};

typedef struct fa__ws_frame {
    uint64_t length; /* of the payload */
    fa__ws_opcode opcode;
    bool fin;
    bool rsv1; /* compressed (RFC 7692, 6) */
    bool masked;
    unsigned char key[4]; /* of the mask; zeros without one */
} fa__ws_frame;

/* Reads the head of a frame. Returns its length once all of it is there, and then
   `*out` is written; 0 when more must come; negative when it is malformed, and then
   `*fault` is written. What is wrong with a byte is seen with that byte.

   Judged here is what one frame shows: reserved bits 2 and 3, opcodes, the rules for
   control frames, lengths not in their shortest form or above 2^63 - 1. */
ptrdiff_t fa__ws_frame_parse(fa__ws_frame *out, fa__ws_fault *fault, const char *p,
                             size_t n);

static inline bool fa__ws_is_control(fa__ws_opcode opcode)
{
    return opcode >= FA__WS_CLOSE;
}

/* Writes the head; `out` has room for FA__WS_FRAME_HEAD_MAX bytes. Returns its length. */
size_t fa__ws_frame_write(char *out, const fa__ws_frame *frame);

#endif
