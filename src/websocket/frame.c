#include "websocket/frame.h"

enum { FIN = 0x80, RSV1 = 0x40, RSV2_RSV3 = 0x30, OPCODE = 0x0F, MASK = 0x80 };

static ptrdiff_t malformed(fa__ws_fault *fault, const char *why)
{
    *fault = (fa__ws_fault){FA__WS_PROTOCOL_ERROR, why};
    return -1;
}

/* What is wrong with the first byte, or NULL. */
static const char *first_byte_fault(unsigned b)
{
    unsigned opcode = b & OPCODE;

    if ((b & RSV2_RSV3) != 0) /* no extension that we know has a use for them */
        return "reserved bit set";
    if ((opcode > FA__WS_BINARY && opcode < FA__WS_CLOSE) || opcode > FA__WS_PONG)
        return "unknown opcode"; /* RFC 6455, 5.2 */
    if (opcode >= FA__WS_CLOSE && (b & FIN) == 0)
        return "fragmented control frame"; /* 5.5 */
    if (opcode >= FA__WS_CLOSE && (b & RSV1) != 0)
        return "compressed control frame"; /* RFC 7692, 6.1 */
    return NULL;
}

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n; ++i)
        value = value << 8 | p[i];
    return value;
}

ptrdiff_t fa__ws_frame_parse(fa__ws_frame *out, fa__ws_fault *fault, const char *p,
                             size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    const char *why;
    size_t extra, head;
    uint64_t length;

    if (n == 0)
        return 0;
    why = first_byte_fault(u[0]);
    if (why != NULL)
        return malformed(fault, why);
    if (n < 2)
        return 0;
    length = u[1] & ~(unsigned)MASK;
    if ((u[0] & OPCODE) >= FA__WS_CLOSE && length > FA__WS_CONTROL_MAX)
        return malformed(fault, "control frame too long"); /* RFC 6455, 5.5 */
    extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (extra == 8 && n > 2 && (u[2] & 0x80) != 0)
        return malformed(fault, "frame length above 2^63 - 1"); /* 5.2 */
    if (n < 2 + extra)
        return 0;
    if (extra > 0) {
        length = big_endian(u + 2, extra);
        /* 5.2: "the minimal number of bytes MUST be used to encode the length". */
        if (length < (extra == 2 ? 126u : 65536u))
            return malformed(fault, "frame length not in its shortest form");
    }
    head = 2 + extra + ((u[1] & MASK) != 0 ? 4 : 0);
    if (n < head)
        return 0;
    *out = (fa__ws_frame){
        .length = length,
        .opcode = (fa__ws_opcode)(u[0] & OPCODE),
        .fin = (u[0] & FIN) != 0,
        .rsv1 = (u[0] & RSV1) != 0,
        .masked = (u[1] & MASK) != 0,
    };
    if (out->masked)
        memcpy(out->key, u + head - 4, 4);
    return (ptrdiff_t)head;
}

size_t fa__ws_frame_write(char *out, const fa__ws_frame *f)
{
    unsigned char head[FA__WS_FRAME_HEAD_MAX];
    size_t extra = f->length < 126 ? 0 : f->length < 65536 ? 2 : 8, n = 2;
    unsigned first = extra == 0 ? (unsigned)f->length : extra == 2 ? 126 : 127;

    head[0] = (unsigned char)((f->fin ? FIN : 0) | (f->rsv1 ? RSV1 : 0) | (int)f->opcode);
    head[1] = (unsigned char)(first | (f->masked ? MASK : 0));
    for (; n < 2 + extra; ++n)
        head[n] = (unsigned char)(f->length >> (8 * (1 + extra - n)));
    if (f->masked) {
        memcpy(head + n, f->key, 4);
        n += 4;
    }
    memcpy(out, head, n);
    return n;
}
