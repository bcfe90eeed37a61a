/* The receiving half of permessage-deflate (RFC 7692, section 7.2.2), over zlib. */
#ifndef FA_WEBSOCKET_INFLATER_H
#define FA_WEBSOCKET_INFLATER_H

#include <stdint.h>

#include "base/memory.h"
#include "websocket/close.h"

typedef struct fa__ws_inflate_limits {
    uint64_t max_bytes;  /* of a message, inflated; above it 1009 */
    uint64_t ratio_from; /* from so many inflated bytes of a message on ... */
    uint32_t ratio;      /* ... more than so many for each compressed byte are 1009;
                            0: no limit */
} fa__ws_inflate_limits;

typedef struct fa__ws_inflater fa__ws_inflater;

/* `window_bits` (8 to 15) and `reset_each`, no context takeover, are as the peer has
   agreed to. Takes some 10 KiB, and the window once it is used. `alloc` is borrowed.
   Returns 0, FA_ERR_NOMEM or FA_ERR_INVALID. */
int fa__ws_inflater_new(fa__ws_inflater **out, uint8_t window_bits, bool reset_each,
                        const fa__ws_inflate_limits *limits, const fa_allocator *alloc);
void fa__ws_inflater_del(fa__ws_inflater *inf);

/* The next bytes of a message's payload, unmasked; what they inflate to is appended to
   `out`. It may be less than could be had: what is inflated together does not depend on
   how the bytes came, so that neither does the point at which a limit is seen, and
   `fa__ws_inflater_flush()` gives the rest. A limit is seen while inflating; `out` is
   never longer than max_bytes + 1 for that message.

   Returns 0, FA_ERR_NOMEM, or FA_ERR_INVALID, and then `*fault` is written. After an
   error the object is of no use. */
int fa__ws_inflater_feed(fa__ws_inflater *inf, fa__buf *out, const char *p, size_t n,
                         fa__ws_fault *fault);

/* The end of a frame: nothing is held back. Likewise. */
int fa__ws_inflater_flush(fa__ws_inflater *inf, fa__buf *out, fa__ws_fault *fault);

/* The end of the message, after the flush. Likewise. */
int fa__ws_inflater_finish(fa__ws_inflater *inf, fa__buf *out, fa__ws_fault *fault);

#endif
