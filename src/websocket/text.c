#include "websocket/text.h"

#include <string.h>

#include "base/utf8.h"

/* Could more bytes make a character of these? They are not one now. A first byte that
   can have a second is in C2 to F4; what follows is right as far as it goes if the whole
   of it is one maximal subpart. */
static bool may_go_on(const char *p, size_t n)
{
    unsigned char first = (unsigned char)p[0];

    return first >= 0xC2 && first <= 0xF4 && fa__utf8_invalid_length(p, n) == n;
}

bool fa__ws_text_feed(fa__ws_text *t, const char *p, size_t n)
{
    size_t valid;

    while (t->part_bytes > 0 && n > 0) {
        t->part[t->part_bytes++] = *p++;
        --n;
        if (fa__utf8_character(t->part, t->part_bytes) != 0)
            t->part_bytes = 0;
        else if (!may_go_on(t->part, t->part_bytes))
            return false;
    }
    if (n == 0)
        return true;
    valid = fa__utf8_valid_prefix(p, n);
    if (valid == n)
        return true;
    if (n - valid > 3 || !may_go_on(p + valid, n - valid))
        return false;
    memcpy(t->part, p + valid, n - valid);
    t->part_bytes = (unsigned char)(n - valid);
    return true;
}

bool fa__ws_text_complete(const fa__ws_text *t)
{
    return t->part_bytes == 0;
}
