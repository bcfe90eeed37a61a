/* Commands in hexadecimal, one a line: what the drivers of the property tests read. */
#ifndef FA_TESTS_DRIVERS_HEX_H
#define FA_TESTS_DRIVERS_HEX_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A fault of the test that drives us, not of what is tested. */
static inline void die(const char *why)
{
    fprintf(stderr, "driver: %s\n", why);
    exit(2);
}

static inline unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    die("bad hexadecimal");
    return 0;
}

/* On the heap, exactly as long as the text, so that ASan sees one byte too far; "-" is
   the empty one. */
static inline char *unhex(const char *hex, size_t *n)
{
    char *p;

    *n = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    p = malloc(*n != 0 ? *n : 1);
    if (p == NULL)
        die("no memory");
    for (size_t i = 0; i < *n; ++i)
        p[i] = (char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    return p;
}

#endif
