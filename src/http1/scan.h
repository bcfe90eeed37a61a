/* Finding where a run of allowed bytes ends: the inner loops of the HTTP/1 parser,
   written once a kind of processor and chosen once at run time.

   No implementation reads a byte at or past `p + len`. */
#ifndef FA_HTTP1_SCAN_H
#define FA_HTTP1_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a byte may be part of; see fa__http1_class. */
enum {
    FA__CLASS_TOKEN = 1,    /* tchar (RFC 9110, 5.6.2) */
    FA__CLASS_PATH = 2,     /* a request-target up to its query */
    FA__CLASS_QUERY = 4,    /* a query: as PATH, and '?' */
    FA__CLASS_VALUE = 8,    /* HTAB, SP, VCHAR, obs-text: a field value (RFC 9110, 5.5) */
    FA__CLASS_REG_NAME = 16 /* unreserved, sub-delims (RFC 3986, 3.2.2; '%' apart) */
};

extern const uint8_t fa__http1_class[256];

static inline bool fa__http1_is(unsigned char c, unsigned classes)
{
    return (fa__http1_class[c] & classes) != 0;
}

typedef struct fa__http1_scan {
    const char *name;

    /* The begin of a request-line in one go: `*method_len` is how many bytes from `p` on
       TOKEN allows. The result is the first offset behind the byte after them that PATH
       does not allow, or `len`. */
    size_t (*request)(const char *p, size_t len, size_t *method_len);

    /* How many bytes from `p` on QUERY allows. */
    size_t (*query)(const char *p, size_t len);

    /* A field line in one go: `*name_len` is how many bytes from `p` on TOKEN allows. The
       result is the first offset from there on that VALUE does not allow, or `len`. */
    size_t (*field)(const char *p, size_t len, size_t *name_len);

    /* Is it all of REG_NAME, perhaps with ':' and perhaps digits behind it? Then
       `*host_len` is how many bytes come before the ':'. Such are nearly all authorities.
     */
    bool (*authority)(const char *p, size_t len, size_t *host_len);
} fa__http1_scan;

/* The fastest one that this processor can run. Threads: any. */
const fa__http1_scan *fa__http1_scan_best(void);

/* All that this processor can run, fastest first, ended by NULL; for tests. */
const fa__http1_scan *const *fa__http1_scan_all(void);

/* authority() byte by byte, where the first `n` bytes are known to be of REG_NAME. */
bool fa__http1_authority_rest(const char *p, size_t len, size_t n, size_t *host_len);

extern const fa__http1_scan fa__http1_scan_portable;

#if defined(__x86_64__)
const fa__http1_scan *fa__http1_scan_sse2(void);
const fa__http1_scan *fa__http1_scan_sse42(void); /* NULL: not on this processor */
const fa__http1_scan *fa__http1_scan_avx2(void);  /* NULL: not on this processor */
#elif defined(__aarch64__)
const fa__http1_scan *fa__http1_scan_neon(void);
#endif

#endif
