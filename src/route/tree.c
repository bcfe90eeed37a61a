#include "route/tree.h"

enum {
    MAX_NODES = 1 << 24, /* 1 GiB of them; keeps numbers and sizes in range */
};

/* A node while the tree grows. Its children are a list, in no order; numbering puts
   them side by side. */
typedef struct draft {
    struct draft *next; /* sibling */
    struct draft *children;
    struct draft *params[4];
    struct draft *queued; /* next in the order of numbers */
    fa_slice text;
    uint32_t number;
    uint32_t min_ordinal;
    uint32_t side_ordinal;
    uint32_t first_leaf, last_leaf;
    uint32_t first_tail, last_tail;
} draft;

typedef struct builder {
    fa_arena scratch; /* of the drafts */
    fa__tree_entry *entries;
    draft *root;
    uint32_t draft_count;
} builder;

static draft *draft_new(builder *b, fa_slice text, uint32_t ordinal)
{
    draft *d;

    if (b->draft_count == MAX_NODES)
        return NULL;
    d = fa_arena_alloc(&b->scratch, sizeof(*d));
    if (d == NULL)
        return NULL;
    *d = (draft){
        .text = text,
        .min_ordinal = ordinal,
        .side_ordinal = FA__TREE_NONE,
        .first_leaf = FA__TREE_NONE,
        .last_leaf = FA__TREE_NONE,
        .first_tail = FA__TREE_NONE,
        .last_tail = FA__TREE_NONE,
    };
    ++b->draft_count;
    return d;
}

static size_t common_length(fa_slice a, fa_slice b)
{
    size_t n = 0;

    while (n < a.len && n < b.len && a.p[n] == b.p[n])
        ++n;
    return n;
}

/* Cuts `d` after `n` bytes of its text; the rest becomes its only child. */
static int split(builder *b, draft *d, size_t n)
{
    draft *rest = draft_new(b, (fa_slice){d->text.p + n, d->text.len - n}, 0);
    fa_slice head = {d->text.p, n};
    draft *sibling = d->next;

    if (rest == NULL)
        return FA_ERR_NOMEM;
    head.len = n;
    d->text = rest->text;
    *rest = *d;
    rest->next = NULL;
    *d = (draft){
        .next = sibling,
        .children = rest,
        .text = head,
        .min_ordinal = rest->min_ordinal,
        .side_ordinal = FA__TREE_NONE,
        .first_leaf = FA__TREE_NONE,
        .last_leaf = FA__TREE_NONE,
        .first_tail = FA__TREE_NONE,
        .last_tail = FA__TREE_NONE,
    };
    return 0;
}

/* The node that `text` leads to from `d`, made where it is missing; NULL without memory.
   Routes come in ascending order, so a node that is there has a lower ordinal. */
static draft *descend(builder *b, draft *d, fa_slice text, uint32_t ordinal)
{
    while (text.len > 0) {
        draft *child = d->children;
        size_t n;

        while (child != NULL && child->text.p[0] != text.p[0])
            child = child->next;
        if (child == NULL) {
            child = draft_new(b, text, ordinal);
            if (child == NULL)
                return NULL;
            child->next = d->children;
            d->children = child;
            return child;
        }
        n = common_length(child->text, text);
        if (n < child->text.len && split(b, child, n) != 0)
            return NULL;
        text = (fa_slice){text.p + n, text.len - n};
        d = child;
    }
    return d;
}

static draft *descend_param(builder *b, draft *d, fa__convertor convertor,
                            uint32_t ordinal)
{
    if (d->params[convertor] == NULL) {
        d->params[convertor] = draft_new(b, (fa_slice){NULL, 0}, ordinal);
        if (d->side_ordinal > ordinal)
            d->side_ordinal = ordinal;
    }
    return d->params[convertor];
}

static void append(builder *b, uint32_t *first, uint32_t *last, uint32_t ordinal)
{
    if (*first == FA__TREE_NONE)
        *first = ordinal;
    else
        b->entries[*last].next = ordinal;
    *last = ordinal;
}

static int insert(builder *b, const fa__route *route, uint32_t ordinal)
{
    const fa__pattern *p = &route->pattern;
    draft *d = descend(b, b->root, p->literals[0], ordinal);

    b->entries[ordinal] = (fa__tree_entry){
        .route = route, .method_bits = route->method_bits, .next = FA__TREE_NONE};
    for (uint32_t k = 0; d != NULL && k < p->param_count; ++k) {
        if (!fa__pattern_whole_segment(p, k)) {
            b->entries[ordinal].first_param = k;
            append(b, &d->first_tail, &d->last_tail, ordinal);
            if (d->side_ordinal > ordinal)
                d->side_ordinal = ordinal;
            return 0;
        }
        d = descend_param(b, d, p->params[k].convertor, ordinal);
        if (d != NULL)
            d = descend(b, d, p->literals[k + 1], ordinal);
    }
    if (d == NULL)
        return FA_ERR_NOMEM;
    append(b, &d->first_leaf, &d->last_leaf, ordinal);
    return 0;
}

/* Numbers the drafts so that the children of each stand side by side, and strings them
   together in that order. */
static void number(builder *b)
{
    draft *last = b->root;
    uint32_t n = 1;

    for (draft *d = b->root; d != NULL; d = d->queued) {
        for (draft *child = d->children; child != NULL; child = child->next) {
            child->number = n++;
            last = last->queued = child;
        }
        for (size_t c = 0; c < 4; ++c) {
            if (d->params[c] != NULL) {
                d->params[c]->number = n++;
                last = last->queued = d->params[c];
            }
        }
    }
}

/* How to find the child that starts with a byte. */
static int index_children(fa_arena *memory, fa__tree_node *node, const draft *d)
{
    uint32_t count = 0;
    uint8_t *table;

    for (const draft *child = d->children; child != NULL; child = child->next) {
        if (count < FA__TREE_FEW)
            node->keys[count] = (uint8_t)child->text.p[0];
        ++count;
    }
    node->children = d->children != NULL ? d->children->number : 0;
    node->key_count = (uint8_t)count;
    if (count <= FA__TREE_FEW)
        return 0;
    /* At most 255 children: no UTF-8 text has the byte 0xFF. */
    table = fa_arena_alloc(memory, 256);
    if (table == NULL)
        return FA_ERR_NOMEM;
    memset(table, 0, 256);
    count = 0;
    for (const draft *child = d->children; child != NULL; child = child->next)
        table[(uint8_t)child->text.p[0]] = (uint8_t)++count;
    node->table = table;
    return 0;
}

static int emit(fa__tree *tree, const builder *b)
{
    fa__tree_node *nodes;

    nodes = fa_arena_alloc(&tree->memory, b->draft_count * sizeof(*nodes));
    if (nodes == NULL)
        return FA_ERR_NOMEM;
    for (const draft *d = b->root; d != NULL; d = d->queued) {
        fa__tree_node *node = &nodes[d->number];

        *node = (fa__tree_node){
            .text = d->text.p,
            .text_len = (uint32_t)d->text.len,
            .min_ordinal = d->min_ordinal,
            .side_ordinal = d->side_ordinal,
            .leaves = d->first_leaf,
            .tails = d->first_tail,
        };
        for (unsigned c = 0; c < 4; ++c) {
            if (d->params[c] == NULL)
                continue;
            node->params[c] = d->params[c]->number;
            node->param_bits |= (uint8_t)(1u << c);
        }
        if (index_children(&tree->memory, node, d) != 0)
            return FA_ERR_NOMEM;
    }
    tree->nodes = nodes;
    tree->entries = b->entries;
    return 0;
}

static int grow(fa__tree *tree, builder *b, const fa__route *const *routes,
                uint32_t count)
{
    b->root = draft_new(b, (fa_slice){NULL, 0}, 0);
    b->entries = fa_arena_alloc(&tree->memory, count * sizeof(*b->entries));
    if (b->root == NULL || b->entries == NULL)
        return FA_ERR_NOMEM;
    for (uint32_t i = 0; i < count; ++i) {
        int rv = insert(b, routes[i], i);

        if (rv != 0)
            return rv;
    }
    number(b);
    return emit(tree, b);
}

int fa__tree_build(fa__tree **ptree, const fa_allocator *alloc,
                   const fa__route *const *routes, uint32_t count)
{
    fa__tree *tree = fa__calloc(alloc, 1, sizeof(*tree));
    builder b = {.draft_count = 0};
    int rv;

    if (tree == NULL)
        return FA_ERR_NOMEM;
    fa__arena_init(&tree->memory, alloc, 16384);
    fa__arena_init(&b.scratch, alloc, 16384);
    rv = grow(tree, &b, routes, count);
    fa__arena_free(&b.scratch);
    if (rv != 0) {
        fa__tree_del(tree, alloc);
        return rv;
    }
    *ptree = tree;
    return 0;
}

void fa__tree_del(fa__tree *tree, const fa_allocator *alloc)
{
    if (tree == NULL)
        return;
    fa__arena_free(&tree->memory);
    fa__release(alloc, tree);
}
