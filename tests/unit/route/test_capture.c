#include "route/pattern.h"

#include "check.h"

#define UUID "01234567-89ab-CDEF-0123-456789abcdef"

/* Matches the whole of `path`, of which no byte more can be read. False for no match;
   else `captured` has the captures, each followed by "|". */
static bool capture(char *captured, size_t room, const char *pattern, fa_slice path)
{
    fa_slice values[FA__ROUTE_MAX_PARAMS + 1];
    fa__pattern p;

    CHECK_INT(fa__pattern_parse(&p, fa_slice_of(pattern), false), ==, 0);
    CHECK(path.len >= p.literals[0].len);
    CHECK(memcmp(path.p, p.literals[0].p, p.literals[0].len) == 0);
    captured[0] = '\0';
    if (!fa__pattern_match(&p, 0, path, path.p + p.literals[0].len, values))
        return false;
    for (uint32_t k = 0; k < p.param_count; ++k) {
        CHECK(values[k].p >= path.p && values[k].p + values[k].len <= path.p + path.len);
        CHECK(strlen(captured) + values[k].len + 2 <= room);
        strncat(captured, values[k].p, values[k].len);
        strcat(captured, "|");
    }
    return true;
}

/* The right-hand sides are what Python's `re` captures. */
static void test_captures(void **state)
{
    static const struct {
        const char *pattern, *path, *captured; /* NULL: no match */
    } cases[] = {
        {"/{a}", "/x", "x|"},
        {"/{a}", "/", NULL},
        {"/{a}", "/x/", NULL},
        {"/{a}", "/x\n", "x\n|"},
        {"/{a}", "/\n", "\n|"},
        {"/{a}", "/x\ny\n", "x\ny\n|"},
        {"/{a}/", "/x/\n", "x|"},
        {"/{a}/", "/x/\n\n", NULL},
        {"/{a}{b}", "/x", NULL},
        {"/{a}{b}", "/xyz", "xy|z|"},
        {"/{a}{b}{c}", "/xyz", "x|y|z|"},
        {"/{a}{b}", "/x\n", "x|\n|"},
        {"/{a}-{b}", "/1-2-3", "1-2|3|"},
        {"/{a}-{b}", "/-2-", NULL},
        {"/{a}-{b}", "/1-", NULL},
        {"/{a}--{b}", "/1----2", "1--|2|"},
        {"/{a}.json", "/x.json.json", "x.json|"},
        {"/{a}.json", "/x.json\n", "x|"},
        {"/{a}.json", "/x.jsonn", NULL},
        {"/{a}.json", "/.json", NULL},
        {"/{a:int}", "/0123", "0123|"},
        {"/{a:int}", "/12\n", "12|"},
        {"/{a:int}", "/12\n\n", NULL},
        {"/{a:int}", "/-1", NULL},
        {"/{a:int}", "/1x", NULL},
        {"/{a:int}", "/\xD9\xA3", NULL}, /* a digit, but not of ASCII */
        {"/{a:int}{b:int}", "/123", "12|3|"},
        {"/{a}{b:int}", "/a12", "a1|2|"},
        {"/{a}{b:int}x", "/1212x", "121|2|"},
        {"/{a:int}{b}", "/12", "1|2|"},
        {"/{a:int}{b}", "/12c", "12|c|"},
        {"/{a:float}", "/1", "1|"},
        {"/{a:float}", "/1.5", "1.5|"},
        {"/{a:float}", "/1.5\n", "1.5|"},
        {"/{a:float}", "/1.", NULL},
        {"/{a:float}", "/.5", NULL},
        {"/{a:float}", "/1.2.3", NULL},
        {"/{a:float}{b:float}", "/1.5", NULL},
        {"/{a:float}{b:float}", "/1.55", "1.5|5|"},
        {"/{a:float}.{b:float}", "/1.2.3", "1.2|3|"},
        {"/{a:float}.{b:float}", "/1.2.3.4", "1.2|3.4|"},
        {"/{a:float}.", "/1.", "1|"},
        {"/{a:float}{b}", "/1.x", "1|.x|"},
        {"/{a:float}{b}", "/1.25", "1.2|5|"},
        {"/{a}{b:float}", "/x1.5", "x1.|5|"},
        {"/{a:uuid}", "/" UUID, UUID "|"},
        {"/{a:uuid}", "/0123456789abCDEF0123456789abcdef",
         "0123456789abCDEF0123456789abcdef|"},
        {"/{a:uuid}", "/01234567-89abCDEF-0123456789abcdef",
         "01234567-89abCDEF-0123456789abcdef|"},
        {"/{a:uuid}", "/0123-456789abCDEF0123456789abcdef", NULL},
        {"/{a:uuid}", "/" UUID "0", NULL},
        {"/{a:uuid}", "/0123456", NULL},
        {"/{a:uuid}{b}", "/" UUID "0", UUID "|0|"},
        {"/{a}{b:uuid}", "/a" UUID, "a|" UUID "|"},
        {"/{p:path}", "/", "|"},
        {"/{p:path}", "/a//b/", "a//b/|"},
        {"/{p:path}", "/a\n", "a|"},
        {"/{p:path}", "/a\nb", NULL},
        {"/{p:path}", "/\n", "|"},
        {"/{p:path}/edit", "/a/edit/edit", "a/edit|"},
        {"/{p:path}/edit", "//edit", "|"},
        {"/{p:path}/edit", "/edit", NULL},
        {"/{p:path}/{a}", "/x/y/z", "x/y|z|"},
        {"/{p:path}/{a}", "/x/y/", NULL},
        {"/{p:path}{q:path}", "/x/y", "x/y||"},
        {"/{p:path}/{q:path}", "/x/y/z", "x/y|z|"},
        {"/{p:path}x{a:int}y{q:path}", "/x1yx2y/z", "x1y|2|/z|"},
        {"/{p:path}x{a:int}y{q:path}", "/x1yx2z", "|1|x2z|"},
        {"/{p:path}/{a}/{b}.txt", "/1/2/3/4.txt/5", NULL},
        {"/{p:path}/{a}/{b}.txt", "/1/2/3/4.txt", "1/2|3|4|"},
        {"/{p:path}{a:float}z", "/1.23.45z", "1.23.4|5|"},
        {"/{p:path}.{a:float}z", "/1.23.45z", "1.23|45|"},
        /* characters are not parted */
        {"/{a}{b}", "/\xC3\xA9", NULL},
        {"/{a}{b}", "/\xC3\xA9\xE6\x97\xA5", "\xC3\xA9|\xE6\x97\xA5|"},
        {"/{p:path}{b}", "/\xE6\x97\xA5", "|\xE6\x97\xA5|"},
        {"/{a}\xC3\xA9{b}", "/x\xC3\xA9y", "x|y|"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice path = exact_copy(cases[i].path);
        char captured[128];
        bool matched = capture(captured, sizeof(captured), cases[i].pattern, path);

        if (matched != (cases[i].captured != NULL) ||
            (matched && strcmp(captured, cases[i].captured) != 0))
            fail_msg("%s on %s: %s", cases[i].pattern, cases[i].path, captured);
        exact_free(path);
    }
}

/* Bytes that are no UTF-8: each continuation byte belongs to what is before it. */
static void test_invalid_utf8(void **state)
{
    char captured[32];

    (void)state;
    CHECK(capture(captured, sizeof(captured), "/{a}", FA_SLICE("/\x80\xFF")));
    assert_string_equal(captured, "\x80\xFF|");
    CHECK(!capture(captured, sizeof(captured), "/{a}{b}", FA_SLICE("/x\x80\x80")));
    CHECK(capture(captured, sizeof(captured), "/{a}{b}", FA_SLICE("/x\x80\xFF")));
    assert_string_equal(captured, "x\x80|\xFF|");
}

/* Sixteen parameters, and a text on which a search that backtracks without memory would
   take longer than the universe lasts. */
static void test_hostile_text(void **state)
{
    static const char *const patterns[] = {
        "/{a:path}{b:path}{c:path}{d:path}{e:path}{f:path}{g:path}{h:path}"
        "{i:path}{j:path}{k:path}{l:path}{m:path}{n:path}{o:path}{p:path}!",
        "/{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m}{n}{o}{p}!",
        "/{a:int}{b:int}{c:int}{d:int}{e:int}{f:int}{g:int}{h:int}"
        "{i:int}{j:int}{k:int}{l:int}{m:int}{n:int}{o:int}{p:int}!",
        "/{a:path}{b:float}{c:path}{d:float}{e:path}{f:float}{g:path}{h:float}"
        "{i:path}{j:float}{k:path}{l:float}{m:path}{n:float}{o:path}{p:float}!",
        "/{a:path}1{b}1{c:int}1{d:path}1{e}1{f:int}1{g:path}1{h}1{i:int}1{j:path}!",
        "/{a:path}{b:uuid}{c:path}{d:uuid}{e:path}{f:uuid}{g:path}{h:uuid}!",
    };
    enum { LENGTH = 65536 };
    static char text[LENGTH], captured[LENGTH];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(patterns); ++i) {
        memset(text, '1', LENGTH);
        text[0] = '/';
        CHECK(!capture(captured, LENGTH, patterns[i], (fa_slice){text, LENGTH}));
        for (size_t at = 5; at < LENGTH; at += 5)
            text[at] = '.';
        CHECK(!capture(captured, LENGTH, patterns[i], (fa_slice){text, LENGTH}));
    }
}

static void test_scan(void **state)
{
    static const struct {
        fa__convertor convertor;
        const char *text;
        int len; /* -1: none */
    } cases[] = {
        {FA__CONVERTOR_STR, "", -1},
        {FA__CONVERTOR_STR, "/a", -1},
        {FA__CONVERTOR_STR, "abc", 3},
        {FA__CONVERTOR_STR, "abc/d", 3},
        {FA__CONVERTOR_STR, "abcdefg/", 7},
        {FA__CONVERTOR_STR, "abcdefgh/", 8},
        {FA__CONVERTOR_STR, "abcdefgh", 8},
        {FA__CONVERTOR_STR, "abcdefghijklmnop/q", 16},
        {FA__CONVERTOR_STR, "abcdefg./0/1/2/3/4", 8},
        {FA__CONVERTOR_STR, "\xAF\xAF\xAF.0./\xAF/////////", 6},
        {FA__CONVERTOR_INT, "12/", 2},
        {FA__CONVERTOR_INT, "a", -1},
        {FA__CONVERTOR_FLOAT, "1.25/", 4},
        {FA__CONVERTOR_FLOAT, "1./", 1},
        {FA__CONVERTOR_FLOAT, ".5", -1},
        {FA__CONVERTOR_UUID, UUID "/", 36},
        {FA__CONVERTOR_UUID, "0123", -1},
        {FA__CONVERTOR_PATH, "", 0},
        {FA__CONVERTOR_PATH, "\na", 0},
        {FA__CONVERTOR_PATH, "a/b\nc", 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice v = exact_copy(cases[i].text);
        const char *stop = fa__convertor_scan(cases[i].convertor, v.p, v.p + v.len);

        CHECK_INT(stop != NULL ? stop - v.p : -1, ==, cases[i].len);
        exact_free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_scan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
