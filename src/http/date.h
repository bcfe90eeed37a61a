/* Dates in fields (RFC 9110, section 5.6.7). */
#ifndef FA_HTTP_DATE_H
#define FA_HTTP_DATE_H

#include <stdint.h>

#include <fasterapi/slice.h>

enum { FA__HTTP_DATE_BYTES = 29 };

/* Writes IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT", without a NUL. A time outside
   the years 0 to 9999, which the format cannot hold, is moved to the nearest inside. */
void fa__http_date_write(char out[FA__HTTP_DATE_BYTES], int64_t unix_seconds);

/* Reads any of the three formats of RFC 9110. The two-digit year of the oldest one
   is taken to be at most 50 years after `now`, unix seconds. A day name that does
   not fit the date is let pass; all else is exact.
   Returns 0 or FA_ERR_INVALID. */
int fa__http_date_parse(int64_t *out, fa_slice v, int64_t now);

#endif
