/* Masking (RFC 6455, section 5.3), which is also unmasking. */
#ifndef FA_WEBSOCKET_MASK_H
#define FA_WEBSOCKET_MASK_H

#include <stdint.h>

#include <fasterapi/slice.h>

/* XORs the `n` bytes at `p` with the key over and over, beginning with the key's byte
   `offset` & 3: the position of `p` within its frame's payload. */
void fa__ws_mask(char *p, size_t n, const unsigned char key[4], uint64_t offset);

/* One way of doing it; `key8` is the key twice, turned so that it begins at `p`. */
typedef struct fa__ws_masker {
    const char *name;
    void (*run)(char *p, size_t n, uint64_t key8);
} fa__ws_masker;

/* All that this processor can run, fastest first, ended by NULL; returns how many.
   For tests. */
size_t fa__ws_maskers(const fa__ws_masker *out[3]);

#endif
