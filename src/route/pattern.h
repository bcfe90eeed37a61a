/* A route's pattern, taken apart, and the search for what its parameters capture. */
#ifndef FA_ROUTE_PATTERN_H
#define FA_ROUTE_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include <fasterapi/memory.h>

enum {
    FA__ROUTE_MAX_PARAMS = 16, /* parameters of one pattern; a mount's rest not counted */
    FA__ROUTE_MAX_PATTERN_BYTES = 8192, /* length of one pattern */
};

/* What `{name:convertor}` captures. All take as much as still lets the rest of the
   pattern match, the leftmost parameter first, as Python's `re` does. */
typedef enum fa__convertor {
    FA__CONVERTOR_INT,   /* [0-9]+ */
    FA__CONVERTOR_FLOAT, /* [0-9]+(\.[0-9]+)? */
    FA__CONVERTOR_UUID,  /* 8-4-4-4-12 hexadecimal digits, each dash optional */
    FA__CONVERTOR_STR,   /* [^/]+, and a line end is like any other character */
    FA__CONVERTOR_PATH,  /* .*, which stops at a line feed */
} fa__convertor;

typedef struct fa__route_param {
    fa_slice name;
    fa__convertor convertor;
} fa__route_param;

/* literals[0] params[0] literals[1] params[1] ... literals[param_count]; the path may
   end with one "\n" more, because `$` of Python's `re` lets it. */
typedef struct fa__pattern {
    fa_slice text; /* as registered; borrowed like all slices here */
    fa_slice literals[FA__ROUTE_MAX_PARAMS + 2];
    fa__route_param params[FA__ROUTE_MAX_PARAMS + 1];
    uint32_t param_count;
} fa__pattern;

/**
 * Takes `text` apart. A brace that belongs to no parameter is FA_ERR_ROUTE_SYNTAX,
 * or with `loose_braces` plain text, as Starlette has it.
 *
 * Ownership: the slices of `*out` point into `text`.
 * Returns 0, FA_ERR_ROUTE_SYNTAX (not an absolute path, not UTF-8, too long, a stray
 * brace), FA_ERR_ROUTE_CONVERTOR or FA_ERR_ROUTE_PARAMETER.
 */
int fa__pattern_parse(fa__pattern *out, fa_slice text, bool loose_braces);

/* Whether parameter `k` fills a whole segment, so that no more than one end of it
   can match: between slashes, or after a slash at the end; never a `path`. */
bool fa__pattern_whole_segment(const fa__pattern *p, uint32_t k);

/**
 * Matches the parameters from `k` on, and the text after each, with the bytes from
 * `at` to the end of `path`. `values[k]` on get what they captured, slices of `path`.
 *
 * Each parameter tries each end at most once in a call, so the time is at most
 * (parameters) x (length of the path) comparisons of a literal; no allocation, no
 * recursion. Two parameters in a row are never parted inside a UTF-8 character: a
 * continuation byte belongs to what stands before it.
 */
bool fa__pattern_match(const fa__pattern *p, uint32_t k, fa_slice path, const char *at,
                       fa_slice *values);

/* The longest text of the convertor from `at` on, its end; NULL if there is none. An
   empty `path` ends at `at`. */
const char *fa__convertor_scan(fa__convertor convertor, const char *at, const char *end);

#endif
