/* Why a WebSocket ends: status codes (RFC 6455, section 7.4). */
#ifndef FA_WEBSOCKET_CLOSE_H
#define FA_WEBSOCKET_CLOSE_H

#include <stdint.h>

#include <fasterapi/slice.h>

enum {
    FA__WS_NORMAL = 1000,
    FA__WS_GOING_AWAY = 1001,
    FA__WS_PROTOCOL_ERROR = 1002,
    FA__WS_UNSUPPORTED_DATA = 1003,
    FA__WS_NO_STATUS = 1005, /* never on the wire: the Close frame had no code */
    FA__WS_ABNORMAL = 1006,  /* never on the wire: there was no Close frame */
    FA__WS_INVALID_DATA = 1007,
    FA__WS_POLICY_VIOLATION = 1008,
    FA__WS_TOO_BIG = 1009,
    FA__WS_MANDATORY_EXTENSION = 1010,
    FA__WS_INTERNAL_ERROR = 1011,
};

enum { FA__WS_REASON_MAX = 123 }; /* a control frame less the code */

/* What the peer did wrong: the code of the Close frame that tells it, and a short
   English sentence, static. `code` is 0 when nothing is wrong. */
typedef struct fa__ws_fault {
    uint16_t code;
    const char *why;
} fa__ws_fault;

/* May it be in a Close frame (RFC 6455, 7.4.1 and 7.4.2; IANA for 1012 to 1014)? */
bool fa__ws_close_code_valid(unsigned code);

/* Reads the payload of a Close frame, 0 to 125 bytes. Without one the code is
   FA__WS_NO_STATUS. `*reason` is borrowed from `payload`. Outputs are written only
   when the result's code is 0. */
fa__ws_fault fa__ws_close_parse(uint16_t *code, fa_slice *reason, fa_slice payload);

#endif
