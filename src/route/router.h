/* RouteRegistry: which route answers a path. The answer is always that of the first
   registered route that matches, as in Starlette: routes are tried in order, and how
   long or how literal a pattern is does not count. A radix tree finds that route
   without trying them. */
#ifndef FA_ROUTE_ROUTER_H
#define FA_ROUTE_ROUTER_H

#include <fasterapi/error.h>
#include <fasterapi/http.h>

#include "route/pattern.h"

typedef struct fa__router fa__router;

enum {
    /* Flags of fa__router_add() and fa__router_mount(). */
    FA__ROUTE_LOOSE_BRACES = 1, /* a brace outside parameters is plain text */
};

/* One route or mount, read-only. It lives until its router is deleted. */
typedef struct fa__route {
    fa__pattern pattern; /* of a mount: with "/{path:path}" after the prefix */
    fa_slice text; /* the pattern as registered; a mount's without its last slashes */
    const fa_slice *methods; /* as given, none twice; NULL for any method */
    fa_slice allow;          /* the same, joined with ", ": the value of Allow */
    void *value;
    uint32_t method_count;
    uint32_t param_count; /* captures handed out; a mount's rest is not one */
    uint32_t method_bits; /* of (1 << fa_method); all for any method */
    uint32_t ordinal;     /* 0 for the one registered first */
    bool is_mount;
} fa__route;

typedef enum fa__route_kind {
    FA__ROUTE_NOT_FOUND,
    FA__ROUTE_FOUND,
    FA__ROUTE_MOUNT,
    FA__ROUTE_METHOD_NOT_ALLOWED, /* `route` is the first whose path matches */
    FA__ROUTE_REDIRECT,
} fa__route_kind;

/* The answer. Slices point into the path that was matched, or into the router. */
typedef struct fa__route_match {
    fa__route_kind kind;
    const fa__route *route; /* FOUND, MOUNT, METHOD_NOT_ALLOWED; else NULL */

    /* FOUND, MOUNT, METHOD_NOT_ALLOWED: what route->pattern.params[i] captured, for i
       below route->param_count; unset above. */
    fa_slice values[FA__ROUTE_MAX_PARAMS + 1];

    /* MOUNT: `root_path` is to be added to the root path, `rest` is the path that the
       mounted application matches. They make up the path, save for one that ends with
       "\n" after a character other than "/": Starlette then hands on the whole path. */
    fa_slice root_path;
    fa_slice rest;

    /* REDIRECT: to `location`, and a "/" after it if `append_slash`. */
    fa_slice location;
    bool append_slash;
} fa__route_match;

/* `alloc` is copied, NULL means malloc(). Slashes are not redirected at first.
   Returns 0 or FA_ERR_NOMEM. */
int fa__router_new(fa__router **prouter, const fa_allocator *alloc);

/* NULL is ignored. */
void fa__router_del(fa__router *router);

/* Where nothing matches a path other than "/", but a route (whatever its methods) or
   a mount matches it with a slash added, or with all slashes at its end taken away,
   the answer is REDIRECT. */
void fa__router_redirect_slashes(fa__router *router, bool on);

/**
 * Registers `pattern` for the methods of those names, `method_count` 0 meaning any.
 * No method implies another: name HEAD where it is wanted with GET.
 *
 * Ownership: `methods` and `pattern` are copied, `value` is borrowed.
 * Threads:   not while any thread matches.
 * Returns 0, FA_ERR_ROUTE_SYNTAX, FA_ERR_ROUTE_CONVERTOR, FA_ERR_ROUTE_PARAMETER,
 * FA_ERR_METHOD (a name that is not a token), FA_ERR_LIMIT or FA_ERR_NOMEM; `router`
 * is then as before. Takes effect with the next fa__router_build().
 */
int fa__router_add(fa__router *router, const fa_slice *methods, size_t method_count,
                   fa_slice pattern, void *value, unsigned flags);

/* Registers a mount: every path that continues `prefix` with a slash matches, for any
   method. Slashes at the end of `prefix` do not count, so "" and "/" are the same. It
   may have parameters, of any name but "path". Otherwise as fa__router_add(). */
int fa__router_mount(fa__router *router, fa_slice prefix, void *value, unsigned flags);

/* Makes the tree of all that is registered so far. Returns 0 or FA_ERR_NOMEM; after an
   error matching goes on with the tree of the build before. */
int fa__router_build(fa__router *router);

/**
 * Finds the first route that matches `path` (percent-decoded, UTF-8; the bytes of an
 * invalid one are matched as they are) and allows the method, or else the first that
 * matches `path`. `method_name` counts only for FA_METHOD_OTHER. Before the first
 * build nothing is found.
 *
 * Time: visits each node of the tree at most once, plus fa__pattern_match() for the
 * candidates that are not plain segments. Twice that where slashes are redirected.
 * No allocation, but for a path above 4 KiB that matches nothing and redirects; with no
 * memory for that, NOT_FOUND.
 * Threads: any number at a time.
 * Returns out->kind.
 */
fa__route_kind fa__router_match(const fa__router *router, fa_method method,
                                fa_slice method_name, fa_slice path,
                                fa__route_match *out);

/* The routes and mounts in order, built or not: for listings. */
uint32_t fa__router_count(const fa__router *router);
const fa__route *fa__router_at(const fa__router *router, uint32_t ordinal);

/* The value that `name` captured; `.p` is NULL if the route has no such parameter. */
fa_slice fa__route_match_param(const fa__route_match *m, fa_slice name);

#endif
