/* Numbers between text and machine: exact both ways, without locale. */
#ifndef FA_JSON_NUMBER_H
#define FA_JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include <fasterapi/error.h>

/* A number of RFC 8259, section 6, taken apart. */
typedef struct fa__number {
    const char *begin;
    const char *end;
    uint64_t digits;  /* the first 19 significant digits, zeros in front left out */
    int64_t exponent; /* value = digits * 10^exponent, and more if truncated */
    bool negative;
    bool integral;  /* no fraction and no exponent */
    bool truncated; /* digits other than 0 follow the first 19 */
} fa__number;

/* The longest number that starts at `p` (before `end`). Returns 0, or
   FA_ERR_JSON_NUMBER or FA_ERR_JSON_END with `*at` the byte that cannot be there. */
int fa__number_scan(fa__number *out, const char **at, const char *p, const char *end);

/* FA_ERR_JSON_RANGE when it does not fit; the number is integral. */
int fa__number_int64(int64_t *out, const fa__number *n);
int fa__number_uint64(uint64_t *out, const fa__number *n);

/* Correctly rounded, ties to even; infinity above the range. */
double fa__number_double(const fa__number *n);

/* The slow, exact part of fa__number_double(). The value of `n`, its sign left out,
   is known to round to the double of pattern `below` or to the next one, and its
   exponent is in the range of pow10.h. Returns the pattern it rounds to. */
uint64_t fa__number_round_exactly(const fa__number *n, uint64_t below);

/* The longest texts of the functions below. */
enum {
    FA__INTEGER_TEXT_MAX = 20, /* -9223372036854775808 */
    FA__DOUBLE_TEXT_MAX = 24,  /* -2.2250738585072014e-308 */
};

/* Decimal text at `p`; returns the byte after it. */
char *fa__uint64_format(char *p, uint64_t v);
char *fa__int64_format(char *p, int64_t v);

/* The shortest digits that read back as `v` (the nearest of them to it), laid out
   as Python's repr(). `v` is finite. */
char *fa__double_format(char *p, double v);

#endif
