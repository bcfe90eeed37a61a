/* Where an error is, in words. */
#include "check.h"
#include "walk.h"

#include "base/memory.h"

static void test_paths(void **state)
{
    static const struct {
        const char *text, *path;
    } cases[] = {
        {"", ""},
        {"x", ""},
        {"{\"a\":x}", "/a"},
        {"{\"a\":01}", "/a"},
        {"{\"a\":1 x}", ""},
        {"{\"a\":[1,2,x]}", "/a/2"},
        {"{\"a\":[1,2 3]}", "/a"},
        {"{\"a\":[1,2,{\"b\":\"\\q\"}]}", "/a/2/b"},
        {"{\"a\":[{},[],[[\"\xff\"]]]}", "/a/2/0/0"},
        {"{\"a\":[{},[],[[1.x]]]}", "/a/2/0/0"},
        {"{\"a\":{\"b\":1,\"c\":2},\"d/e~f\":nul}", "/d~1e~0f"},
        {"{\"\\u00e9\":[nul]}", "/\xc3\xa9/0"},
        {"[0,1,2,3,4,5,6,7,8,9,10,-]", "/11"},
        {"{\"a\":{\"b\":[1", "/a/b"},
        {"[1]]", ""},
        {"[ x]", "/0"},
        {"[1, ", "/1"},
        {"[[1],2,]", "/2"},
        {"{\"a\":[3],\"b\" 1}", ""},
    };
    fa_arena arena;

    (void)state;
    fa__arena_init(&arena, &fa__malloc, 4096);
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice text = exact_copy(cases[i].text);
        fa_json_reader r;

        fa_json_reader_init(&r, text, NULL);
        fa_json_skip(&r);
        CHECK_INT(fa_json_end(&r), !=, 0);
        CHECK_SLICE(fa_json_path(&r, &arena), cases[i].path);
        exact_free(text);
    }
    fa__arena_free(&arena);
}

static void test_message(void **state)
{
    fa_arena arena;
    fa_json_reader_options options = {.report_duplicates = true};
    fa_json_reader r;
    fa_slice key;
    int64_t v;

    (void)state;
    fa__arena_init(&arena, &fa__malloc, 4096);
    fa_json_reader_init(&r, FA_SLICE("{\"items\":[{\"price\":\"4\"}]}"), NULL);
    fa_json_enter_object(&r);
    fa_json_next_key(&key, &r);
    fa_json_enter_array(&r);
    fa_json_next_element(&r);
    fa_json_enter_object(&r);
    fa_json_next_key(&key, &r);
    CHECK_INT(fa_json_read_int64(&v, &r), ==, FA_ERR_JSON_TYPE);
    CHECK_SLICE(fa_json_message(&r, &arena),
                "JSON value of another type at byte 19, in /items/0/price");

    fa_json_reader_init(&r, FA_SLICE("{\"a\\n\\u007fb\":tru}"), NULL);
    fa_json_skip(&r);
    CHECK_SLICE(fa_json_message(&r, &arena), "malformed JSON at byte 17, in /a??b");

    fa_json_reader_init(&r, FA_SLICE("[1] 2"), NULL);
    fa_json_skip(&r);
    fa_json_end(&r);
    CHECK_SLICE(fa_json_message(&r, &arena),
                "something follows the JSON value at byte 4");

    options.arena = &arena;
    fa_json_reader_init(&r, FA_SLICE("[{\"a\":1,\"a\":2}]"), &options);
    fa_json_skip(&r);
    CHECK_SLICE(fa_json_message(&r, &arena),
                "repeated key in a JSON object at byte 8, in /0");
    fa__arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_message),
    };

    return cmocka_run_group_tests_name("json/path", tests, NULL, NULL);
}
