/* The scanners in NEON (every AArch64). */
#include "http1/scan.h"

#if defined(__aarch64__)

#include <arm_neon.h>

typedef enum { TOKEN, PATH, QUERY, VALUE } what;

static const unsigned class_of[] = {FA__CLASS_TOKEN, FA__CLASS_PATH, FA__CLASS_QUERY,
                                    FA__CLASS_VALUE};

/* tchar as in scan_x86.c: high halves that are allowed with each low one. */
static const uint8_t tchar_low[16] = {0xe8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc,
                                      0xf8, 0xf8, 0xf4, 0x54, 0xd0, 0x54, 0xf4, 0x70};
static const uint8_t tchar_high[16] = {1, 2, 4, 8, 16, 32, 64, 128};

static inline uint8x16_t good(what k, uint8x16_t x)
{
    uint8x16_t visible, no;

    if (k == TOKEN)
        return vtstq_u8(vqtbl1q_u8(vld1q_u8(tchar_low), vandq_u8(x, vdupq_n_u8(0x0f))),
                        vqtbl1q_u8(vld1q_u8(tchar_high), vshrq_n_u8(x, 4)));
    no = vceqq_u8(x, vdupq_n_u8(0x7f));
    if (k == VALUE)
        return vbicq_u8(
            vorrq_u8(vcgeq_u8(x, vdupq_n_u8(0x20)), vceqq_u8(x, vdupq_n_u8('\t'))), no);
    visible = vcleq_u8(vsubq_u8(x, vdupq_n_u8('!')), vdupq_n_u8('~' - '!'));
    no = vorrq_u8(no, vceqq_u8(x, vdupq_n_u8('#')));
    if (k == PATH)
        no = vorrq_u8(no, vceqq_u8(x, vdupq_n_u8('?')));
    return vbicq_u8(visible, no);
}

static inline size_t run16(what k, const char *p, size_t len)
{
    size_t i;

    for (i = 0; len - i >= 16; i += 16) {
        uint8x16_t no = vmvnq_u8(good(k, vld1q_u8((const uint8_t *)p + i)));
        /* Four bits a byte: the nearest that NEON has to PMOVMSKB. */
        uint64_t mask = vget_lane_u64(
            vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(no), 4)), 0);

        if (mask != 0)
            return i + (size_t)__builtin_ctzll(mask) / 4;
    }
    while (i < len && fa__http1_is((unsigned char)p[i], class_of[k]))
        ++i;
    return i;
}

static size_t neon_request(const char *p, size_t len, size_t *method_len)
{
    size_t n = run16(TOKEN, p, len);

    *method_len = n;
    if (n < len)
        ++n;
    return n + run16(PATH, p + n, len - n);
}

static size_t neon_query(const char *p, size_t len)
{
    return run16(QUERY, p, len);
}

static size_t neon_field(const char *p, size_t len, size_t *name_len)
{
    size_t n = run16(TOKEN, p, len);

    *name_len = n;
    return n + run16(VALUE, p + n, len - n);
}

static bool neon_authority(const char *p, size_t len, size_t *host_len)
{
    return fa__http1_authority_rest(p, len, 0, host_len);
}

const fa__http1_scan *fa__http1_scan_neon(void)
{
    static const fa__http1_scan scan = {
        "neon", neon_request, neon_query, neon_field, neon_authority,
    };

    return &scan;
}

#endif
