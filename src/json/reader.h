/* What the files of the reader share. */
#ifndef FA_JSON_READER_H
#define FA_JSON_READER_H

#include <fasterapi/json.h>

#include "json/scan.h"

enum {
    FA__JSON_VALUE, /* a value is due */
    FA__JSON_FIRST, /* a container was just entered */
    FA__JSON_AFTER, /* a value has just ended */
    FA__JSON_FAILED,
};

/* Records the first error, at the byte `at`, and returns the one recorded. */
int fa__json_fail(fa_json_reader *r, int error, const char *at);

/* What a value that starts with `c` is. */
fa_json_type fa__json_type_of(const fa_json_reader *r, char c);

/* Fails with FA_ERR_JSON_TYPE if another value starts at r->at, else _SYNTAX. */
int fa__json_refuse_type(fa_json_reader *r);

/* To the first byte of the value that is due. */
static inline int fa__json_start_value(fa_json_reader *r)
{
    if (r->state != FA__JSON_VALUE)
        return fa__json_fail(r, FA_ERR_STATE, r->at);
    r->at = fa__json_skip_space(r->at, r->end);
    return r->at < r->end ? 0 : fa__json_fail(r, FA_ERR_JSON_END, r->end);
}

/* `n` bytes of the arena or the scratch, aligned for any type; NULL: no memory. */
void *fa__json_take(fa_json_reader *r, size_t n);

/* The string whose opening quote is at r->at, when it is not plain ASCII without
   escapes. `stop` is how far that has been found to be so. Moves r->at behind the
   closing quote. `out` may be NULL: then it is only checked. */
int fa__json_string(fa_slice *out, fa_json_reader *r, const char *stop);

/* Reads the code unit of a \u escape whose four digits are known to be hex. */
unsigned fa__json_hex4(const char *p);

/* Sets of keys, for report_duplicates: one for each open object. */
typedef struct fa__json_keys fa__json_keys;

/* Opens the set of the object just entered. Returns 0 or FA_ERR_NOMEM. */
int fa__json_keys_open(fa_json_reader *r);
void fa__json_keys_close(fa_json_reader *r);

/* Returns 0, FA_ERR_JSON_DUPLICATE or FA_ERR_NOMEM; `key` lives as long as the text. */
int fa__json_keys_add(fa_json_reader *r, fa_slice key);

#endif
