/* Percent-decoding and queries: whatever comes in, the result is UTF-8 of bounded
   length, and agrees with what must be true by definition. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "http/target.h"

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "not so: %s\n", what);
        abort();
    }
}

/* As long as the input and no longer, so that ASan sees one byte too far. */
static char *exact(const void *p, size_t n)
{
    char *copy = malloc(n != 0 ? n : 1);

    require(copy != NULL, "memory");
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

static void check_utf8(fa_slice v)
{
    require(fa__utf8_valid_prefix(v.p, v.len) == v.len, "the result is UTF-8");
}

static void check_decode(fa_slice in, fa_arena *arena)
{
    fa_slice path, form, again;

    require(fa__percent_decode(&path, in, arena) == 0, "decoded");
    require(fa__form_decode(&form, in, arena) == 0, "decoded");
    check_utf8(path);
    check_utf8(form);
    require(path.len == form.len && path.len <= 3 * in.len, "length");
    for (size_t i = 0; i < path.len; ++i)
        require(path.p[i] == form.p[i] || (path.p[i] == '+' && form.p[i] == ' '),
                "a form differs in its spaces only");
    if (in.len == 0 || memchr(in.p, '%', in.len) == NULL) {
        require(fa__percent_decode(&again, path, arena) == 0, "decoded");
        require(again.p == path.p && again.len == path.len, "what is decoded stays");
    }
}

/* Every byte encoded: decoding gives the bytes back, made UTF-8. */
static void check_round_trip(fa_slice bytes, fa_arena *arena)
{
    char *encoded = malloc(3 * bytes.len + 1), *replaced = malloc(3 * bytes.len + 1);
    fa_slice out, expected;

    require(encoded != NULL && replaced != NULL, "memory");
    for (size_t i = 0; i < bytes.len; ++i) {
        const char *digits = i % 2 != 0 ? "0123456789abcdef" : "0123456789ABCDEF";
        unsigned char c = (unsigned char)bytes.p[i];

        encoded[3 * i] = '%';
        encoded[3 * i + 1] = digits[c >> 4];
        encoded[3 * i + 2] = digits[c & 15];
    }
    expected = (fa_slice){replaced, fa__utf8_replace(replaced, bytes.p, bytes.len)};
    require(fa__percent_decode(&out, (fa_slice){encoded, 3 * bytes.len}, arena) == 0,
            "decoded");
    require(fa_slice_equal(out, expected), "decoding undoes encoding");
    free(encoded);
    free(replaced);
}

/* The raw pairs put together again are the query, but for empty parts and for an '='
   that had no value. */
static void check_query(fa_slice query, fa_arena *arena)
{
    fa__query_iter it = fa__query_begin(query), decoded = it;
    const char *at = query.p, *end = query.p + query.len;
    fa_slice name, value, text;

    while (fa__query_next(&it, &name, &value)) {
        while (at < end && *at == '&')
            ++at;
        require(name.p == at, "a name begins a part");
        at = name.p + name.len;
        if (at < end && *at == '=')
            ++at;
        else
            require(value.len == 0, "no value without '='");
        require(value.p == at, "a value follows its '='");
        at = value.p + value.len;
        require(at == end || *at == '&', "a part ends at '&'");
        require(name.len == 0 || memchr(name.p, '=', name.len) == NULL,
                "no '=' in a name");
        require(fa__query_next_decoded(&decoded, &name, &text, arena) == 1, "as many");
        check_utf8(name);
        check_utf8(text);
    }
    while (at < end && *at == '&')
        ++at;
    require(at == end, "nothing is left over");
    require(fa__query_next_decoded(&decoded, &name, &text, arena) == 0, "as many");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = exact(data, size);
    fa_slice in = {copy, size};
    fa_arena arena;

    fa__arena_init(&arena, &fa__malloc, 4096);
    check_decode(in, &arena);
    check_round_trip(in, &arena);
    check_query(in, &arena);
    fa__arena_free(&arena);
    free(copy);
    return 0;
}
