#include "format.h"

#include <stdio.h>
#include <string.h>

const char *fa__ch_count_text(char text[FA__CH_TEXT], uint64_t n)
{
    char back[FA__CH_TEXT];
    size_t at = sizeof(back);
    unsigned digits = 0;

    back[--at] = '\0';
    do {
        if (digits > 0 && digits % 3 == 0)
            back[--at] = ',';
        back[--at] = (char)('0' + n % 10);
        n /= 10;
        ++digits;
    } while (n != 0);
    memcpy(text, back + at, sizeof(back) - at);
    return text;
}

const char *fa__ch_time_text(char text[FA__CH_TEXT], uint64_t ns)
{
    static const struct {
        uint64_t below;
        double unit;
        int decimals;
        const char *name;
    } scales[] = {
        {1000, 1, 0, "ns"},       {10000, 1e3, 1, "us"},      {1000000, 1e3, 0, "us"},
        {10000000, 1e6, 2, "ms"}, {1000000000, 1e6, 1, "ms"}, {UINT64_MAX, 1e9, 2, "s"},
    };
    size_t i = 0;

    while (ns >= scales[i].below && i + 1 < sizeof(scales) / sizeof(scales[0]))
        ++i;
    (void)snprintf(text, FA__CH_TEXT, "%.*f %s", scales[i].decimals,
                   (double)ns / scales[i].unit, scales[i].name);
    return text;
}

uint64_t fa__ch_per_second(uint64_t count, uint64_t ns)
{
    return ns != 0 ? (uint64_t)((double)count * 1e9 / (double)ns) : 0;
}
