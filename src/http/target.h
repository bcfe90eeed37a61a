/* Percent-decoding and queries, with the results of Python's urllib.parse, which is
   what FastAPI applications see. */
#ifndef FA_HTTP_TARGET_H
#define FA_HTTP_TARGET_H

#include <fasterapi/memory.h>

/* `in` with its %XX decoded, as urllib.parse.unquote(in, errors="replace") does:
   other '%' stay as they are, and what is not UTF-8 then becomes U+FFFD. Bytes above
   0x7F in `in` count as if they had been percent-encoded. `*out` is always UTF-8.

   Ownership: `in` itself when there is nothing to decode, else in the arena.
   Returns 0 or FA_ERR_NOMEM. */
int fa__percent_decode(fa_slice *out, fa_slice in, fa_arena *arena);

/* The same with '+' read as a space, as in queries and urlencoded forms. */
int fa__form_decode(fa_slice *out, fa_slice in, fa_arena *arena);

/* Goes through a query or an urlencoded form as urllib.parse.parse_qsl(query,
   keep_blank_values=True) does: parts between '&', empty ones skipped, the value
   after the first '='; without one it is empty. */
typedef struct fa__query_iter {
    fa_slice rest;
} fa__query_iter;

/* `query` is borrowed as long as the iterator and the slices it gave are used. */
static inline fa__query_iter fa__query_begin(fa_slice query)
{
    return (fa__query_iter){query};
}

/* The next pair as it came; false at the end, and then outputs are untouched. */
bool fa__query_next(fa__query_iter *it, fa_slice *name, fa_slice *value);

/* The next pair, both through fa__form_decode(). Returns 1, 0 at the end, or
   FA_ERR_NOMEM; outputs are written with 1 only. */
int fa__query_next_decoded(fa__query_iter *it, fa_slice *name, fa_slice *value,
                           fa_arena *arena);

#endif
