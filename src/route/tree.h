/* The radix tree that a router searches: made in one go, then read-only. */
#ifndef FA_ROUTE_TREE_H
#define FA_ROUTE_TREE_H

#include "base/memory.h"
#include "route/router.h"

enum {
    FA__TREE_FEW = 6, /* children told apart by `keys`, without a table */
};

#define FA__TREE_NONE UINT32_MAX

/* A node is entered by its text, or by a parameter that fills a segment and then has
   no text. What can follow it:
   - routes whose pattern is all matched, its `leaves`;
   - more text, its children, no two of which start with the same byte;
   - a parameter that fills a segment, a node of `params` for each convertor;
   - the rest of patterns that goes on with any other parameter, its `tails`. Those are
     matched one by one, with fa__pattern_match().
   Of each node all routes below are known to be at least `min_ordinal`, which leaves out
   the nodes that cannot have the first route. One cache line. */
typedef struct fa__tree_node {
    const char *text;     /* borrowed from a pattern */
    const uint8_t *table; /* first byte -> 1 + child, 0 for none; NULL: see `keys` */
    uint8_t keys[FA__TREE_FEW];
    uint8_t key_count;
    uint8_t param_bits; /* of (1 << convertor) for each of `params` that is there */
    uint32_t text_len;
    uint32_t min_ordinal;  /* of the node and all below */
    uint32_t side_ordinal; /* of `params` and `tails` alone */
    uint32_t children;     /* index of the first; the others follow it */
    uint32_t leaves;       /* ordinal of the first; FA__TREE_NONE if there is none */
    uint32_t tails;
    uint32_t params[4]; /* by fa__convertor; 0: none */
} fa__tree_node;

typedef struct fa__tree_entry {
    const fa__route *route;
    uint32_t method_bits; /* of the route */
    uint32_t next;        /* next higher ordinal of the same leaves or tails */
    uint32_t first_param; /* tails: the parameter that the rest starts with */
} fa__tree_entry;

typedef struct fa__tree {
    fa_arena memory;               /* of all that follows */
    const fa__tree_node *nodes;    /* nodes[0] is the root, its text empty */
    const fa__tree_entry *entries; /* by ordinal */
} fa__tree;

/* Builds the tree of `count` routes, which are borrowed. `alloc` is copied. Returns 0 or
   FA_ERR_NOMEM. */
int fa__tree_build(fa__tree **ptree, const fa_allocator *alloc,
                   const fa__route *const *routes, uint32_t count);

/* NULL is ignored. `alloc` is the one it was built with. */
void fa__tree_del(fa__tree *tree, const fa_allocator *alloc);

#endif
