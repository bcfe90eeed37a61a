#include <fasterapi/http.h>

static const fa_slice names[] = {
    [FA_METHOD_OTHER] = {"", 0},   [FA_GET] = {"GET", 3},
    [FA_HEAD] = {"HEAD", 4},       [FA_POST] = {"POST", 4},
    [FA_PUT] = {"PUT", 3},         [FA_DELETE] = {"DELETE", 6},
    [FA_CONNECT] = {"CONNECT", 7}, [FA_OPTIONS] = {"OPTIONS", 7},
    [FA_TRACE] = {"TRACE", 5},     [FA_PATCH] = {"PATCH", 5},
    [FA_QUERY] = {"QUERY", 5},
};

#define COUNT (sizeof(names) / sizeof(names[0]))

fa_slice fa_method_name(fa_method method)
{
    return (size_t)method < COUNT ? names[method] : names[FA_METHOD_OTHER];
}

/* The first two letters tell all known methods apart. */
static fa_method candidate(char first, char second)
{
    switch (first) {
    case 'G': return FA_GET;
    case 'H': return FA_HEAD;
    case 'P': return second == 'O' ? FA_POST : second == 'U' ? FA_PUT : FA_PATCH;
    case 'D': return FA_DELETE;
    case 'C': return FA_CONNECT;
    case 'O': return FA_OPTIONS;
    case 'T': return FA_TRACE;
    case 'Q': return FA_QUERY;
    default: return FA_METHOD_OTHER;
    }
}

fa_method fa_method_of(fa_slice name)
{
    fa_method method = name.len < 3 ? FA_METHOD_OTHER : candidate(name.p[0], name.p[1]);

    return fa_slice_equal(name, names[method]) ? method : FA_METHOD_OTHER;
}
