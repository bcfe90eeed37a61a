#include "websocket/close.h"

#include "base/utf8.h"

bool fa__ws_close_code_valid(unsigned code)
{
    if (code >= 3000)
        return code <= 4999;
    return code >= 1000 && code <= 1014 && code != 1004 && code != FA__WS_NO_STATUS &&
           code != FA__WS_ABNORMAL;
}

fa__ws_fault fa__ws_close_parse(uint16_t *code, fa_slice *reason, fa_slice payload)
{
    unsigned got;

    if (payload.len == 0) {
        *code = FA__WS_NO_STATUS;
        *reason = payload;
        return (fa__ws_fault){0, NULL};
    }
    /* RFC 6455, 5.5.1: if there is a body, its first two bytes are the code. */
    if (payload.len == 1)
        return (fa__ws_fault){FA__WS_PROTOCOL_ERROR, "close frame of one byte"};
    got = (unsigned)(unsigned char)payload.p[0] << 8 | (unsigned char)payload.p[1];
    if (!fa__ws_close_code_valid(got))
        return (fa__ws_fault){FA__WS_PROTOCOL_ERROR, "invalid close code"};
    payload.p += 2;
    payload.len -= 2;
    if (fa__utf8_valid_prefix(payload.p, payload.len) != payload.len)
        return (fa__ws_fault){FA__WS_INVALID_DATA, "invalid UTF-8 in close reason"};
    *code = (uint16_t)got;
    *reason = payload;
    return (fa__ws_fault){0, NULL};
}
