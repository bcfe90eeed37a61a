#include "route/tree.h"

#include "check.h"
#include "failing_alloc.h"

enum {
    MAX_ROUTES = 300,
};

static fa__route routes[MAX_ROUTES];
static const fa__route *list[MAX_ROUTES];

static uint32_t set_routes(const char *const *patterns, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        routes[i] = (fa__route){.ordinal = i, .method_bits = UINT32_MAX};
        CHECK_INT(fa__pattern_parse(&routes[i].pattern, fa_slice_of(patterns[i]), false),
                  ==, 0);
        list[i] = &routes[i];
    }
    return count;
}

static const fa__tree_node *child(const fa__tree *tree, const fa__tree_node *node, char c)
{
    for (uint32_t i = 0; i < node->key_count; ++i) {
        const fa__tree_node *n = &tree->nodes[node->children + i];

        if (n->text[0] == c)
            return n;
    }
    fail_msg("no child %c", c);
    return NULL;
}

static void test_shape(void **state)
{
    static const char *const patterns[] = {
        "/ab/{x}", "/ac", "/ab/{y:int}/z", "/ac", "/ab/{z}/q", "/a{p}", "/a{q:path}",
    };
    uint32_t count = set_routes(patterns, ARRAY_LEN(patterns));
    const fa__tree_node *a, *b, *c, *str;
    fa__tree *tree;

    (void)state;
    CHECK_INT(sizeof(fa__tree_node), ==, 64);
    CHECK_INT(fa__tree_build(&tree, &fa__malloc, list, count), ==, 0);
    CHECK_INT(tree->nodes[0].key_count, ==, 1);
    a = child(tree, &tree->nodes[0], '/');
    CHECK_SLICE(((fa_slice){a->text, a->text_len}), "/a");
    CHECK_INT(a->min_ordinal, ==, 0);
    CHECK_INT(a->side_ordinal, ==, 5);
    CHECK_INT(a->tails, ==, 5);
    CHECK_INT(tree->entries[5].next, ==, 6);
    CHECK_U64(tree->entries[6].next, ==, FA__TREE_NONE);
    CHECK_U64(a->leaves, ==, FA__TREE_NONE);
    c = child(tree, a, 'c');
    CHECK_INT(c->leaves, ==, 1);
    CHECK_INT(tree->entries[1].next, ==, 3);
    b = child(tree, a, 'b');
    CHECK_SLICE(((fa_slice){b->text, b->text_len}), "b/");
    CHECK_INT(b->side_ordinal, ==, 0);
    str = &tree->nodes[b->params[FA__CONVERTOR_STR]];
    CHECK_INT(str->leaves, ==, 0);
    CHECK_INT(str->min_ordinal, ==, 0);
    CHECK_INT(child(tree, str, '/')->min_ordinal, ==, 4);
    CHECK_INT(tree->nodes[b->params[FA__CONVERTOR_INT]].min_ordinal, ==, 2);
    CHECK_INT(b->params[FA__CONVERTOR_UUID], ==, 0);
    fa__tree_del(tree, &fa__malloc);
}

/* Few children are told apart by keys, more by a table; both name the right ones. */
static void test_children(void **state)
{
    static char texts[MAX_ROUTES][3];
    const char *patterns[MAX_ROUTES];

    (void)state;
    for (uint32_t n = 1; n <= 100; ++n) {
        const fa__tree_node *slash;
        fa__tree *tree;

        for (uint32_t i = 0; i < n; ++i) {
            texts[i][0] = '/';
            texts[i][1] = (char)(i + 1);
            if (texts[i][1] >= '/')
                ++texts[i][1];
            patterns[i] = texts[i];
        }
        set_routes(patterns, n);
        CHECK_INT(fa__tree_build(&tree, &fa__malloc, list, n), ==, 0);
        slash = &tree->nodes[tree->nodes[0].children];
        if (n == 1) {
            CHECK_INT(slash->text_len, ==, 2);
        } else {
            CHECK_INT(slash->key_count, ==, n);
            CHECK_INT(slash->table != NULL, ==, n > FA__TREE_FEW);
        }
        for (uint32_t i = 0; i < n && slash->table != NULL; ++i) {
            uint8_t byte = (uint8_t)texts[i][1];

            CHECK(slash->table[byte] != 0);
            CHECK_INT(tree->nodes[slash->children + slash->table[byte] - 1u].leaves, ==,
                      i);
        }
        for (uint32_t i = 0; i < n && n > 1 && slash->table == NULL; ++i)
            CHECK_INT(tree->nodes[slash->children + i].text[0], ==, slash->keys[i]);
        fa__tree_del(tree, &fa__malloc);
    }
}

static void test_no_memory(void **state)
{
    static const char *const patterns[] = {"/a", "/ab", "/{x}", "/{x}/b", "/c{d}", "/b",
                                           "/c", "/d",  "/e",   "/f",     "/g",    "/h"};
    uint32_t count = set_routes(patterns, ARRAY_LEN(patterns));
    uint64_t n = 0;
    int rv;

    (void)state;
    do {
        failing_alloc f;
        fa__tree *tree = NULL;

        failing_alloc_init(&f, ++n);
        rv = fa__tree_build(&tree, &f.alloc, list, count);
        CHECK_INT(rv, ==, tree != NULL ? 0 : FA_ERR_NOMEM);
        fa__tree_del(tree, &f.alloc);
        CHECK_INT(f.held, ==, 0);
    } while (rv != 0);
    CHECK_U64(n, >, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_children),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
