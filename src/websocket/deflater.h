/* The sending half of permessage-deflate (RFC 7692, section 7.2.1), over zlib. */
#ifndef FA_WEBSOCKET_DEFLATER_H
#define FA_WEBSOCKET_DEFLATER_H

#include <stdint.h>

#include "base/memory.h"

typedef struct fa__ws_deflater fa__ws_deflater;

/* `window_bits` (8 to 15) is at most what was agreed. `level` (1 to 9) and `mem_level`
   (1 to 9) are zlib's: memory is 2^(window_bits + 2) + 2^(mem_level + 9) bytes and some
   6 KiB. `reset_each`: no context takeover. `alloc` is borrowed.
   Returns 0, FA_ERR_NOMEM or FA_ERR_INVALID. */
int fa__ws_deflater_new(fa__ws_deflater **out, uint8_t window_bits, bool reset_each,
                        int level, int mem_level, const fa_allocator *alloc);
void fa__ws_deflater_del(fa__ws_deflater *def);

/* Appends the payload of a compressed message that stands for `in`. Where that would
   not be shorter, nothing is appended, and the message is to be sent as it is.

   Returns 1 when it is compressed, 0 when not, or FA_ERR_NOMEM; then `out` is as before
   the call, and the object can still be used. */
int fa__ws_deflater_run(fa__ws_deflater *def, fa__buf *out, fa_slice in);

/* What was compressed last will not be sent: later messages do not refer to it, nor to
   anything before. */
void fa__ws_deflater_restart(fa__ws_deflater *def);

#endif
