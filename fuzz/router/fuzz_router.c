/* The router against a linear one that tries route after route with a matcher of its
   own. The input is text in records ended by "|": the table, an empty record, the
   requests. Each starts with a letter: G, P, B for GET, POST, BREW, C for GET and BREW,
   A for any method, M for a mount; a lower-case g, p, b in the table does without loose
   braces. What follows is a pattern or a path. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/router.h"

enum {
    MAX_ROUTES = 64,
    MAX_INPUT = 1024,
    MAX_VALUES = FA__ROUTE_MAX_PARAMS + 1,
};

typedef struct span {
    size_t start, end;
} span;

/* ---- the reference: a pattern is read anew for each match ---- */

typedef struct reference {
    const char *pattern;
    size_t pattern_len;
    const char *path;
    size_t path_len;
    uint8_t *failed; /* [place in the pattern][place in the path] */
    span values[MAX_VALUES];
} reference;

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* If a parameter starts at `at`, its length; `*kind` is the first letter of its
   convertor. The patterns are known to be valid. */
static size_t param_at(const reference *r, size_t at, char *kind)
{
    const char *p = r->pattern;
    size_t i = at + 1, n = r->pattern_len;

    *kind = 's';
    if (p[at] != '{' || i >= n || !is_letter(p[i]))
        return 0;
    while (i < n && (is_letter(p[i]) || is_digit(p[i])))
        ++i;
    if (i + 1 < n && p[i] == ':' && is_letter(p[i + 1])) {
        *kind = p[++i];
        while (i < n && (is_letter(p[i]) || is_digit(p[i])))
            ++i;
    }
    return i < n && p[i] == '}' ? i + 1 - at : 0;
}

static bool is_float(const char *p, size_t n)
{
    size_t digits = 0;

    while (digits < n && is_digit(p[digits]))
        ++digits;
    if (digits == 0 || digits == n)
        return digits != 0;
    if (p[digits] != '.' || digits + 1 == n)
        return false;
    for (size_t i = digits + 1; i < n; ++i) {
        if (!is_digit(p[i]))
            return false;
    }
    return true;
}

static bool is_uuid(const char *p, size_t n)
{
    size_t hex = 0;

    for (size_t i = 0; i < n; ++i) {
        bool dash_may_be = hex == 8 || hex == 12 || hex == 16 || hex == 20;

        if (p[i] == '-' && dash_may_be && p[i - 1] != '-')
            continue;
        if (p[i] == '\0' || strchr("0123456789abcdefABCDEF", p[i]) == NULL)
            return false;
        ++hex;
    }
    return hex == 32;
}

static bool accepts(char kind, const char *p, size_t n)
{
    if (kind == 'p')
        return n == 0 || memchr(p, '\n', n) == NULL;
    if (kind == 's')
        return n > 0 && memchr(p, '/', n) == NULL;
    if (kind == 'f')
        return is_float(p, n);
    if (kind == 'u')
        return is_uuid(p, n);
    for (size_t i = 0; i < n; ++i) {
        if (!is_digit(p[i]))
            return false;
    }
    return n > 0;
}

static bool matches(reference *r, size_t pat, size_t at, size_t depth)
{
    uint8_t *failed = &r->failed[pat * (r->path_len + 1) + at];
    size_t skip;
    char kind;

    if (pat == r->pattern_len)
        return at == r->path_len || (at + 1 == r->path_len && r->path[at] == '\n');
    if (*failed != 0)
        return false;
    skip = param_at(r, pat, &kind);
    if (skip == 0) {
        if (at < r->path_len && r->path[at] == r->pattern[pat] &&
            matches(r, pat + 1, at + 1, depth))
            return true;
    } else {
        for (size_t end = r->path_len + 1; end-- > at;) {
            if (end < r->path_len && ((uint8_t)r->path[end] & 0xC0) == 0x80)
                continue; /* inside a character */
            if (!accepts(kind, r->path + at, end - at))
                continue;
            r->values[depth] = (span){at, end};
            if (matches(r, pat + skip, end, depth + 1))
                return true;
        }
    }
    *failed = 1;
    return false;
}

static bool reference_matches(reference *r, const fa__route *route, const char *path,
                              size_t path_len)
{
    bool matched;

    r->pattern = route->pattern.text.p;
    r->pattern_len = route->pattern.text.len;
    r->path = path;
    r->path_len = path_len;
    r->failed = calloc(r->pattern_len + 1, path_len + 1);
    if (r->failed == NULL)
        abort();
    matched = matches(r, 0, 0, 0);
    free(r->failed);
    return matched;
}

static bool reference_allows(const fa__route *route, fa_slice method)
{
    char kind = ((const char *)route->value)[0];

    switch (kind) {
    case 'A':
    case 'M': return true;
    case 'C': return method.p[0] == 'G' || method.p[0] == 'B';
    default: return (method.p[0] | 0x20) == (kind | 0x20);
    }
}

static bool reference_any(const fa__router *router, const char *path, size_t len)
{
    reference r;

    for (uint32_t i = 0; i < fa__router_count(router); ++i) {
        if (reference_matches(&r, fa__router_at(router, i), path, len))
            return true;
    }
    return false;
}

/* ---- the comparison ---- */

static void fail(const char *why, fa_slice path, const fa__route_match *m)
{
    fprintf(stderr, "%s: path \"%.*s\", kind %d, route %s\n", why, (int)path.len, path.p,
            (int)m->kind, m->route != NULL ? m->route->pattern.text.p : "none");
    abort();
}

static void check_redirect(const fa__router *router, fa_slice path,
                           const fa__route_match *m)
{
    bool add = path.len == 0 || path.p[path.len - 1] != '/', any = false;
    char *toggled = malloc(path.len + 1);
    size_t len = path.len;

    if (toggled == NULL)
        abort();
    if (len > 0)
        memcpy(toggled, path.p, len);
    if (add)
        toggled[len++] = '/';
    while (!add && len > 0 && toggled[len - 1] == '/')
        --len;
    if (path.len != 1 || add)
        any = reference_any(router, toggled, len);
    if (any != (m->kind == FA__ROUTE_REDIRECT))
        fail("redirect", path, m);
    if (any && (m->append_slash != add || m->location.len != len - (add ? 1 : 0)))
        fail("location", path, m);
    free(toggled);
}

static void check_request(const fa__router *router, fa_slice method, fa_slice path)
{
    const fa__route *first = NULL, *partial = NULL;
    reference r, best;
    fa__route_match m;

    fa__router_match(router, fa_method_of(method), method, path, &m);
    for (uint32_t i = 0; i < fa__router_count(router) && first == NULL; ++i) {
        const fa__route *route = fa__router_at(router, i);

        if (!reference_matches(&r, route, path.p, path.len))
            continue;
        if (reference_allows(route, method))
            first = route;
        else if (partial != NULL)
            continue;
        else
            partial = route;
        best = r;
    }
    if (m.route != (first != NULL ? first : partial))
        fail("route", path, &m);
    if (m.route == NULL) {
        check_redirect(router, path, &m);
        return;
    }
    if ((m.kind == FA__ROUTE_METHOD_NOT_ALLOWED) != (first == NULL) ||
        (m.kind == FA__ROUTE_MOUNT) != (first != NULL && first->is_mount))
        fail("kind", path, &m);
    for (uint32_t i = 0; i < m.route->pattern.param_count; ++i) {
        if (m.values[i].p != path.p + best.values[i].start ||
            m.values[i].len != best.values[i].end - best.values[i].start)
            fail("value", path, &m);
    }
    if (m.kind == FA__ROUTE_MOUNT && path.p[path.len - 1] != '\n' &&
        (m.root_path.p != path.p || m.root_path.p + m.root_path.len != m.rest.p ||
         m.rest.p[0] != '/' || m.rest.p + m.rest.len != path.p + path.len))
        fail("rest", path, &m);
}

static void add(fa__router *router, const char *record, size_t len)
{
    static char letters[] = "GPBCAM";
    fa_slice get = FA_SLICE("GET"), post = FA_SLICE("POST"), brew = FA_SLICE("BREW");
    fa_slice both[] = {get, brew}, pattern = {record + 1, len - 1};
    char kind = record[0] >= 'a' ? (char)(record[0] - 32) : record[0];
    unsigned flags = kind == record[0] ? FA__ROUTE_LOOSE_BRACES : 0;
    char *value = kind != '\0' ? strchr(letters, kind) : NULL;

    switch (kind) {
    case 'G': fa__router_add(router, &get, 1, pattern, value, flags); break;
    case 'P': fa__router_add(router, &post, 1, pattern, value, flags); break;
    case 'B': fa__router_add(router, &brew, 1, pattern, value, flags); break;
    case 'C': fa__router_add(router, both, 2, pattern, value, flags); break;
    case 'A': fa__router_add(router, NULL, 0, pattern, value, flags); break;
    case 'M': fa__router_mount(router, pattern, value, flags); break;
    default: break;
    }
}

/* The path alone in its allocation, so that ASan sees one byte too far. */
static void request(const fa__router *router, const char *record, size_t len)
{
    fa_slice method = record[0] == 'P'   ? FA_SLICE("POST")
                      : record[0] == 'B' ? FA_SLICE("BREW")
                                         : FA_SLICE("GET");
    char *path = malloc(len);

    if (path == NULL)
        abort();
    memcpy(path, record + 1, len - 1);
    check_request(router, method, (fa_slice){path, len - 1});
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    fa__router *router;
    bool table = true;

    if (size > MAX_INPUT || fa__router_new(&router, NULL) != 0)
        return 0;
    fa__router_redirect_slashes(router, true);
    while (at < end) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        size_t len = (size_t)((bar != NULL ? bar : end) - at);

        if (table && len == 0) {
            table = false;
            if (fa__router_build(router) != 0)
                break;
        } else if (table && fa__router_count(router) < MAX_ROUTES) {
            add(router, at, len);
        } else if (!table && len > 0) {
            request(router, at, len);
        }
        at = bar != NULL ? bar + 1 : end;
    }
    fa__router_del(router);
    return 0;
}
