/* Field names and values (RFC 9110, section 5). */
#ifndef FA_HTTP_FIELD_H
#define FA_HTTP_FIELD_H

#include <stdint.h>

#include <fasterapi/slice.h>

#include "base/ascii.h"

/* token = 1*tchar (RFC 9110, 5.6.2): methods and field names. */
bool fa__token_valid(fa_slice v);

/* No control character but HTAB (RFC 9110, 5.5): no CR, LF or NUL with which a value
   could end its line. White space around it and the empty value are valid. */
bool fa__field_value_valid(fa_slice v);

/* 1*DIGIT (Content-Length, RFC 9110, 8.6), and no sign, space or anything else that
   strtoull() would take. False, and `*out` untouched, if it is not, or does not fit. */
bool fa__digits(uint64_t *out, fa_slice v);

/* It frames the message or belongs to the hop (RFC 9110, 6.6.2, 7.6.1, 7.8, 8.6; RFC
   9112, 6): the server's business. */
bool fa__field_frames(fa_slice name);

/* Without SP and HTAB at either end (RFC 9110, 5.6.3). Borrowed from `v`. */
fa_slice fa__trim(fa_slice v);

/* Takes the next element off a comma-separated list (RFC 9110, 5.6.1): `*item`
   without white space around it, `*rest` what follows. Empty elements are skipped;
   commas within a quoted-string (5.6.4) do not separate. Begin with `*rest` the
   whole value. False at the end, and then both are as before the call. */
bool fa__list_next(fa_slice *rest, fa_slice *item);

/* One element of the list is `token` but for case, as in Connection and TE. */
bool fa__list_has(fa_slice list, fa_slice token);

#endif
