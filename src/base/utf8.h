/* UTF-8 (RFC 3629; Unicode, table 3-7): no surrogates, no overlong forms, nothing
   above U+10FFFF. */
#ifndef FA_BASE_UTF8_H
#define FA_BASE_UTF8_H

#include <stddef.h>

/* The bytes of U+FFFD, which stands for what could not be decoded. */
#define FA__UTF8_REPLACEMENT "\xEF\xBF\xBD"

/* The length of the longest prefix of the `n` bytes at `p` that is valid and ends
   between characters: all of them are valid if and only if it is `n`. `p` may be
   NULL when `n` is 0. */
size_t fa__utf8_valid_prefix(const char *p, size_t n);

/* The length of the first character, 1 to 4, or 0 when none starts at `p`; n > 0. */
size_t fa__utf8_character(const char *p, size_t n);

/* Where fa__utf8_valid_prefix() stopped short: how many bytes one U+FFFD replaces,
   1 to 3. It is the "maximal subpart" of Unicode, section 3.9, the count that
   CPython's "replace" and browsers use too; n > 0. */
size_t fa__utf8_invalid_length(const char *p, size_t n);

/* Copies `n` bytes to `out`, each invalid part replaced by U+FFFD, and returns how
   many bytes that made: at most 3 * n, which is the room that `out` must have. */
size_t fa__utf8_replace(char *out, const char *p, size_t n);

#endif
