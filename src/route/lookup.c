/* The search for the first route that matches: on every request's way. */
#include "route/registry.h"

#include "base/ascii.h"
#include "route/segment.h"

typedef struct lookup {
    const fa__tree *tree;
    const char *end;
    const char *line_feed; /* the "\n" before the end that `$` ignores, else `end` */
    fa_slice path;
    fa_slice method_name;
    fa_method method;
    uint32_t method_bit;
    uint32_t full;    /* lowest ordinal of a route that matches and allows the method */
    uint32_t partial; /* and of one that does not allow it */
    fa_slice *best;   /* the caller's: what the best so far has captured */
    fa_slice *values; /* what is being tried captures: `best` until something is found */
    fa_slice spare[FA__ROUTE_MAX_PARAMS + 1]; /* and then this */
} lookup;

/* Whether any route matches, whatever its methods. */
static bool found(const lookup *l)
{
    return (l->full & l->partial) != FA__TREE_NONE;
}

/* Where to put the captures from `depth` on. Mostly the first find is the only one,
   so no copy is made of it, but room to go on when there is more to try. */
static inline fa_slice *room_for_values(lookup *l, uint32_t depth)
{
    if (l->values == l->best && found(l)) {
        for (uint32_t i = 0; i < depth; ++i)
            l->spare[i] = l->best[i];
        l->values = l->spare;
    }
    return l->values;
}

static bool allows(const lookup *l, const fa__tree_entry *entry)
{
    const fa__route *route = entry->route;

    if ((entry->method_bits & l->method_bit) == 0)
        return false;
    if (l->method != FA_METHOD_OTHER || route->methods == NULL)
        return true;
    for (uint32_t i = 0; i < route->method_count; ++i) {
        if (fa_slice_equal(route->methods[i], l->method_name))
            return true;
    }
    return false;
}

/* The path of route `ordinal` matches. Only what is better than the best so far comes
   here; once a route allows the method, those that do not no longer matter. */
static void take(lookup *l, uint32_t ordinal, uint32_t value_count)
{
    if (allows(l, &l->tree->entries[ordinal]))
        l->full = ordinal;
    else if (l->full == FA__TREE_NONE && ordinal < l->partial)
        l->partial = ordinal;
    else
        return;
    if (l->values == l->best)
        return;
    for (uint32_t i = 0; i < value_count; ++i)
        l->best[i] = l->values[i];
}

static void take_leaves(lookup *l, uint32_t ordinal, uint32_t depth)
{
    for (; ordinal < l->full; ordinal = l->tree->entries[ordinal].next)
        take(l, ordinal, depth);
}

static void try_tails(lookup *l, uint32_t ordinal, const char *at, uint32_t depth)
{
    for (; ordinal < l->full; ordinal = l->tree->entries[ordinal].next) {
        const fa__tree_entry *entry = &l->tree->entries[ordinal];
        const fa__pattern *p = &entry->route->pattern;

        if (fa__pattern_match(p, entry->first_param, l->path, at,
                              room_for_values(l, depth)))
            take(l, ordinal, p->param_count);
    }
}

static inline bool same_bytes(const char *a, const char *b, size_t n)
{
    if (n >= 8) {
        size_t i = 0;

        for (; i + 8 < n; i += 8) {
            if (fa__load8(a + i) != fa__load8(b + i))
                return false;
        }
        return fa__load8(a + n - 8) == fa__load8(b + n - 8);
    }
    if (n >= 4)
        return fa__load4to8(a, n) == fa__load4to8(b, n);
    for (size_t i = 0; i < n; ++i) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

/* Which of up to six keys `byte` is, all compared at once; at least `key_count` for
   none. The last two bytes compared are no keys, and finding them is no find. */
static inline uint32_t find_key(const fa__tree_node *node, uint8_t byte)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u;
    uint64_t v = fa__load8((const char *)node->keys) ^ ones * byte;

    v = (v - ones) & ~v & (ones << 7); /* its lowest bit marks the first equal byte */
    return v != 0 ? (uint32_t)__builtin_ctzll(v) / 8 : sizeof(v);
#else
    uint32_t i = 0;

    while (i < node->key_count && node->keys[i] != byte)
        ++i;
    return i;
#endif
}

/* The child whose text follows at `at`, or NULL. */
static inline const fa__tree_node *find_child(const lookup *l, const fa__tree_node *node,
                                              const char *at)
{
    const fa__tree_node *child;
    uint32_t i;

    if (at == l->end)
        return NULL;
    if (node->table != NULL)
        i = node->table[(uint8_t)*at] - 1u; /* 0, for none, becomes the highest number */
    else
        i = find_key(node, (uint8_t)*at);
    if (i >= node->key_count)
        return NULL;
    child = &l->tree->nodes[node->children + i];
    if (child->text_len > (size_t)(l->end - at) ||
        !same_bytes(child->text + 1, at + 1, child->text_len - 1))
        return NULL;
    return child;
}

/* A node passed by following the text, whose sides are still to try. */
typedef struct side {
    const fa__tree_node *node;
    const char *at;
    uint32_t depth;      /* values captured before it */
    uint32_t param_bits; /* of the node: the parameters not yet tried */
} side;

/* Enters the next parameter that matches at `s`; NULL when there is none left. */
static inline const fa__tree_node *enter_param(lookup *l, side *s, const char **at)
{
    while (s->param_bits != 0) {
        unsigned c = (unsigned)__builtin_ctz(s->param_bits);
        const fa__tree_node *next = &l->tree->nodes[s->node->params[c]];
        const char *stop;

        s->param_bits &= s->param_bits - 1;
        if (next->min_ordinal >= l->full)
            continue;
        stop = c == FA__CONVERTOR_STR
                   ? fa__segment_end(s->at, l->end)
                   : fa__convertor_scan((fa__convertor)c, s->at, l->end);
        if (stop == NULL || stop == s->at)
            continue;
        room_for_values(l, s->depth)[s->depth] =
            (fa_slice){s->at, (size_t)(stop - s->at)};
        *at = stop;
        return next;
    }
    return NULL;
}

static void walk(lookup *l, const fa__tree_node *node, const char *at, uint32_t depth);

/* All sides of one node at once. */
static void walk_sides(lookup *l, side s)
{
    const fa__tree_node *next;
    const char *at;

    while ((next = enter_param(l, &s, &at)) != NULL)
        walk(l, next, at, s.depth + 1);
    try_tails(l, s.node->tails, s.at, s.depth);
}

/* Follows the text as far as it goes, then takes the sides it left behind, the deepest
   first: text is mostly the right way, and what it finds prunes the sides. Where there
   are more than fit, it recurses, a parameter further each time and so no deeper than
   the most that a pattern may have. */
static void walk(lookup *l, const fa__tree_node *node, const char *at, uint32_t depth)
{
    side sides[16];
    unsigned count = 0;

    for (;;) {
        while (node != NULL && node->min_ordinal < l->full) {
            const fa__tree_node *child;

            if (at >= l->line_feed)
                take_leaves(l, node->leaves, depth);
            child = find_child(l, node, at);
            if (node->side_ordinal < l->full) {
                if (count == sizeof(sides) / sizeof(sides[0]))
                    walk_sides(l, (side){node, at, depth, node->param_bits});
                else
                    sides[count++] = (side){node, at, depth, node->param_bits};
            }
            at += child != NULL ? child->text_len : 0;
            node = child;
        }
        node = NULL;
        while (node == NULL) {
            side *s;

            if (count == 0)
                return;
            s = &sides[count - 1];
            if (s->node->side_ordinal < l->full) {
                node = enter_param(l, s, &at);
                depth = s->depth + 1;
                if (node == NULL)
                    try_tails(l, s->node->tails, s->at, s->depth);
                else if (s->param_bits != 0 || s->node->tails != FA__TREE_NONE)
                    break; /* and come back to this side for what else it has */
            }
            --count;
        }
    }
}

static void search(lookup *l, fa_slice path)
{
    const fa__tree_node *first;

    l->path = path;
    l->end = path.p + path.len;
    l->line_feed = path.len > 0 && l->end[-1] == '\n' ? l->end - 1 : l->end;
    l->full = l->partial = FA__TREE_NONE;
    l->values = l->best;
    /* Every pattern starts with a slash, so the root has one child and nothing else. */
    first = &l->tree->nodes[l->tree->nodes[0].children];
    if (first->text_len <= path.len && same_bytes(first->text, path.p, first->text_len))
        walk(l, first, path.p + first->text_len, 0);
}

static bool search_with_slash(lookup *l, const fa_allocator *alloc, fa_slice path)
{
    char small[4096];
    char *copy = path.len < sizeof(small) ? small : fa__alloc(alloc, path.len + 1);
    bool any;

    if (copy == NULL)
        return false;
    if (path.len > 0)
        memcpy(copy, path.p, path.len);
    copy[path.len] = '/';
    search(l, (fa_slice){copy, path.len + 1});
    any = found(l);
    if (copy != small)
        fa__release(alloc, copy);
    return any;
}

static fa__route_kind redirect(const fa__router *router, lookup *l, fa_slice path,
                               fa__route_match *out)
{
    bool append_slash = path.len == 0 || path.p[path.len - 1] != '/';

    if (path.len == 1 && !append_slash)
        return FA__ROUTE_NOT_FOUND;
    if (append_slash) {
        if (!search_with_slash(l, &router->alloc, path))
            return FA__ROUTE_NOT_FOUND;
    } else {
        while (path.len > 0 && path.p[path.len - 1] == '/')
            --path.len;
        search(l, path);
        if (!found(l))
            return FA__ROUTE_NOT_FOUND;
    }
    out->location = path;
    out->append_slash = append_slash;
    return FA__ROUTE_REDIRECT;
}

/* Parts the path between the mount and what is mounted, as Mount.matches() and
   get_route_path() of Starlette do: by the length of the rest, counted from the end. A
   "\n" that `$` ignored makes that one byte too late. */
static void set_rest(fa__route_match *out, fa_slice path)
{
    size_t rest = out->values[out->route->param_count].len + 1;

    out->root_path = (fa_slice){path.p, path.len - rest};
    out->rest = (fa_slice){path.p + path.len - rest, rest};
    if (out->rest.p[0] != '/')
        out->rest = path;
}

fa__route_kind fa__router_match(const fa__router *router, fa_method method,
                                fa_slice method_name, fa_slice path, fa__route_match *out)
{
    lookup l;

    out->kind = FA__ROUTE_NOT_FOUND;
    out->route = NULL;
    if (router->tree == NULL)
        return out->kind;
    l.tree = router->tree;
    l.method = method;
    l.method_name = method_name;
    l.method_bit = (uint32_t)1 << method;
    l.best = out->values;
    search(&l, path);
    if (l.full != FA__TREE_NONE) {
        out->route = l.tree->entries[l.full].route;
        out->kind = out->route->is_mount ? FA__ROUTE_MOUNT : FA__ROUTE_FOUND;
        if (out->route->is_mount)
            set_rest(out, path);
    } else if (l.partial != FA__TREE_NONE) {
        out->route = l.tree->entries[l.partial].route;
        out->kind = FA__ROUTE_METHOD_NOT_ALLOWED;
    } else if (router->redirect_slashes) {
        out->kind = redirect(router, &l, path, out);
    }
    return out->kind;
}

fa_slice fa__route_match_param(const fa__route_match *m, fa_slice name)
{
    for (uint32_t i = 0; m->route != NULL && i < m->route->param_count; ++i) {
        if (fa_slice_equal(m->route->pattern.params[i].name, name))
            return m->values[i];
    }
    return (fa_slice){NULL, 0};
}
