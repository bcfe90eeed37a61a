/* UTF-8 that comes in pieces (RFC 6455, section 8.1): a fault is seen with the first
   byte that cannot be right, and a character may begin in one piece and end in another.
 */
#ifndef FA_WEBSOCKET_TEXT_H
#define FA_WEBSOCKET_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* All zeros at the begin of a text. */
typedef struct fa__ws_text {
    char part[4]; /* a character of which some bytes are missing */
    unsigned char part_bytes;
} fa__ws_text;

/* False when `p` has a byte that no valid text could have there. */
bool fa__ws_text_feed(fa__ws_text *t, const char *p, size_t n);

/* May the text end here: is no character left unfinished? */
bool fa__ws_text_complete(const fa__ws_text *t);

#endif
