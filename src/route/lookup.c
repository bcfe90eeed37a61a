/* The search for the first route that matches: on every request's way. */
#include "route/registry.h"

#include "base/ascii.h"

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
    fa_slice *best;   /* what the best so far has captured */
    fa_slice values[FA__ROUTE_MAX_PARAMS + 1]; /* what the route being tried captures */
} lookup;

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
    for (uint32_t i = 0; i < value_count; ++i)
        l->best[i] = l->values[i];
}

static void take_leaves(lookup *l, uint32_t ordinal, uint32_t depth)
{
    for (; ordinal < l->full; ordinal = l->tree->entries[ordinal].next)
        take(l, ordinal, depth);
}

static void try_tails(lookup *l, uint32_t ordinal, const char *at)
{
    for (; ordinal < l->full; ordinal = l->tree->entries[ordinal].next) {
        const fa__tree_entry *entry = &l->tree->entries[ordinal];
        const fa__pattern *p = &entry->route->pattern;

        if (fa__pattern_match(p, entry->first_param, l->path, at, l->values))
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

/* The child whose text follows at `at`, or NULL. */
static inline const fa__tree_node *find_child(const lookup *l, const fa__tree_node *node,
                                              const char *at)
{
    const fa__tree_node *child;
    uint32_t i;

    if (at == l->end)
        return NULL;
    if (node->table != NULL) {
        i = node->table[(uint8_t)*at];
        if (i-- == 0)
            return NULL;
    } else {
        for (i = 0; i < node->key_count; ++i) {
            if (node->keys[i] == (uint8_t)*at)
                break;
        }
        if (i == node->key_count)
            return NULL;
    }
    child = &l->tree->nodes[node->children + i];
    if (child->text_len > (size_t)(l->end - at) ||
        !same_bytes(child->text + 1, at + 1, child->text_len - 1))
        return NULL;
    return child;
}

static void walk(lookup *l, const fa__tree_node *node, const char *at, uint32_t depth);

/* What follows `node` other than text. */
static void walk_sides(lookup *l, const fa__tree_node *node, const char *at,
                       uint32_t depth)
{
    for (unsigned c = 0; c < 4; ++c) {
        const fa__tree_node *next = &l->tree->nodes[node->params[c]];
        const char *stop;

        if (node->params[c] == 0 || next->min_ordinal >= l->full)
            continue;
        stop = fa__convertor_scan((fa__convertor)c, at, l->end);
        if (stop == NULL)
            continue;
        l->values[depth] = (fa_slice){at, (size_t)(stop - at)};
        walk(l, next, stop, depth + 1);
    }
    try_tails(l, node->tails, at);
}

/* Follows the text as far as it goes, then takes the sides it left behind, the deepest
   first: text is mostly the right way, and what it finds prunes the sides. Only a
   parameter recurses, so no deeper than the most that a pattern may have. */
static void walk(lookup *l, const fa__tree_node *node, const char *at, uint32_t depth)
{
    struct {
        const fa__tree_node *node;
        const char *at;
    } sides[8];
    unsigned count = 0;

    while (node != NULL && node->min_ordinal < l->full) {
        const fa__tree_node *child;

        if (at >= l->line_feed)
            take_leaves(l, node->leaves, depth);
        child = find_child(l, node, at);
        if (node->side_ordinal < l->full) {
            if (count == sizeof(sides) / sizeof(sides[0])) {
                walk_sides(l, node, at, depth);
            } else {
                sides[count].node = node;
                sides[count++].at = at;
            }
        }
        node = child;
        at += child != NULL ? child->text_len : 0;
    }
    while (count-- > 0) {
        if (sides[count].node->side_ordinal < l->full)
            walk_sides(l, sides[count].node, sides[count].at, depth);
    }
}

static void search(lookup *l, fa_slice path)
{
    l->path = path;
    l->end = path.p + path.len;
    l->line_feed = path.len > 0 && l->end[-1] == '\n' ? l->end - 1 : l->end;
    l->full = l->partial = FA__TREE_NONE;
    if (path.len > 0)
        walk(l, l->tree->nodes, path.p, 0);
}

/* Whether any route matches, whatever its methods. */
static bool found(const lookup *l)
{
    return l->full != FA__TREE_NONE || l->partial != FA__TREE_NONE;
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
