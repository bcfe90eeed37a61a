/* What the parameters of a pattern capture: a backtracking search, made linear by
   remembering per parameter the ends that have failed. */
#include "route/pattern.h"

#include "route/segment.h"

static const char *digits_end(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        ++at;
    return at;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static const char *until(const char *at, char stop, const char *end)
{
    const char *found = at < end ? memchr(at, stop, (size_t)(end - at)) : NULL;

    return found != NULL ? found : end;
}

static const char *uuid_end(const char *at, const char *end)
{
    static const uint8_t groups[] = {8, 4, 4, 4, 12};

    for (size_t g = 0; g < sizeof(groups); ++g) {
        if (g > 0 && at < end && *at == '-')
            ++at;
        if (end - at < groups[g])
            return NULL;
        for (const char *stop = at + groups[g]; at < stop; ++at) {
            if (!is_hex(*at))
                return NULL;
        }
    }
    return at;
}

/* The end of the fraction after the digits that end at `dot`, or `dot` itself. */
static const char *fraction_end(const char *dot, const char *end)
{
    const char *stop;

    if (dot == end || *dot != '.')
        return dot;
    stop = digits_end(dot + 1, end);
    return stop == dot + 1 ? dot : stop;
}

const char *fa__convertor_scan(fa__convertor convertor, const char *at, const char *end)
{
    const char *stop = NULL;

    switch (convertor) {
    case FA__CONVERTOR_STR: stop = fa__segment_end(at, end); break;
    case FA__CONVERTOR_INT: stop = digits_end(at, end); break;
    case FA__CONVERTOR_FLOAT:
        stop = digits_end(at, end);
        stop = stop == at ? stop : fraction_end(stop, end);
        break;
    case FA__CONVERTOR_UUID: return uuid_end(at, end);
    case FA__CONVERTOR_PATH: return until(at, '\n', end);
    }
    return stop == at ? NULL : stop;
}

/* One parameter in the search.

   Which ends fail depends on the parameter and the end alone, not on where the
   parameter started. And starts only ever move towards the front: those of a later
   parameter are ends of the one before it, which are tried from the back. An earlier
   start of the same run (segment, line, digits) can end where a later one could, all of
   which failed, or before; another run lies wholly before. So `failed` alone tells what
   is left to try, and every end is tried once. */
typedef struct step {
    const char *start;
    const char *run_end;  /* first byte after `start` that the convertor does not take */
    const char *last_end; /* the longest capture ends here */
    const char *failed;   /* ends from here on have failed; NULL: none has */
    const char *dot;      /* of a float: the run_end whose fraction is in last_end */
    bool has_end;         /* any end at all from `start` */
} step;

typedef struct search {
    const fa__pattern *pattern;
    const char *end;
    const char *line_feed; /* the "\n" before the end that `$` ignores, else `end` */
    step steps[FA__ROUTE_MAX_PARAMS + 1];
} search;

/* Moves `st` to an earlier start. What was learnt of the bytes behind the old start
   stays true, so that all moves together read each byte once. */
static void move_start(step *st, fa__convertor convertor, const char *start,
                       const char *end)
{
    const char *old = st->start, *old_run = st->run_end, *stop;

    st->start = start;
    if (convertor == FA__CONVERTOR_UUID) {
        st->last_end = uuid_end(start, end);
        st->has_end = st->last_end != NULL;
        return;
    }
    if (convertor == FA__CONVERTOR_STR || convertor == FA__CONVERTOR_PATH)
        stop = until(start, convertor == FA__CONVERTOR_STR ? '/' : '\n', old);
    else
        stop = digits_end(start, old);
    st->run_end = stop < old ? stop : old_run;
    if (convertor != FA__CONVERTOR_FLOAT)
        st->last_end = st->run_end;
    else if (st->run_end == start)
        st->last_end = start;
    else if (st->run_end != st->dot)
        st->last_end = fraction_end(st->dot = st->run_end, end);
    st->has_end = convertor == FA__CONVERTOR_PATH || st->last_end > start;
}

/* Whether parameter `k` may end at `at`, as far as what directly follows tells. */
static bool end_fits(const search *s, uint32_t k, const char *at)
{
    const fa__pattern *p = s->pattern;
    fa_slice literal = p->literals[k + 1];

    if ((size_t)(s->end - at) < literal.len)
        return false;
    if (literal.len > 0 && memcmp(at, literal.p, literal.len) != 0)
        return false;
    if (k + 1 == p->param_count)
        return at + literal.len >= s->line_feed;
    /* Between two parameters, and not inside a character. */
    return literal.len > 0 || at == s->end || ((unsigned char)*at & 0xC0) != 0x80;
}

/* The last byte from `at` back to `low` where the literal after parameter `k` could
   start: `at` itself if it is empty, NULL if there is none. */
static const char *skip_to(const search *s, uint32_t k, const char *at, const char *low)
{
    fa_slice literal = s->pattern->literals[k + 1];
    size_t room = (size_t)(s->end - at);

    if (k + 1 == s->pattern->param_count && s->line_feed - low > (ptrdiff_t)literal.len)
        low = s->line_feed - literal.len; /* the literal must reach the end */
    if (room < literal.len) {
        if ((size_t)(s->end - low) < literal.len)
            return NULL;
        at = s->end - literal.len;
    }
    if (at < low)
        return NULL;
    if (literal.len == 0)
        return at;
    return memrchr(low, literal.p[0], (size_t)(at - low) + 1);
}

/* The next end of parameter `k`, from the back; NULL when all have failed. */
static const char *next_end(search *s, uint32_t k)
{
    step *st = &s->steps[k];
    fa__convertor convertor = s->pattern->params[k].convertor;
    const char *low, *at;

    if (!st->has_end)
        return NULL;
    low = st->start + (convertor == FA__CONVERTOR_PATH ? 0 : 1);
    if (convertor == FA__CONVERTOR_UUID)
        low = st->last_end;
    at = st->last_end;
    if (st->failed != NULL && st->failed <= at)
        at = st->failed - 1;
    for (; at >= low; --at) {
        at = skip_to(s, k, at, low);
        if (at == NULL)
            break;
        /* Between the digits and the fraction of a float: "1." is none. */
        if (convertor == FA__CONVERTOR_FLOAT && at == st->run_end + 1)
            continue;
        if (end_fits(s, k, at)) {
            st->failed = at;
            return at;
        }
    }
    if (st->failed == NULL || low < st->failed)
        st->failed = low;
    return NULL;
}

bool fa__pattern_match(const fa__pattern *p, uint32_t first, fa_slice path,
                       const char *at, fa_slice *values)
{
    const char *end = path.p + path.len;
    search s;
    uint32_t k = first;

    s.end = end;
    s.line_feed = path.len > 0 && end[-1] == '\n' ? end - 1 : end;
    /* No need to search where a `path` ends the pattern, as in every mount. */
    if (k + 1 == p->param_count && p->params[k].convertor == FA__CONVERTOR_PATH &&
        p->literals[k + 1].len == 0) {
        const char *stop = until(at, '\n', end);

        values[k] = (fa_slice){at, (size_t)(stop - at)};
        return stop >= s.line_feed;
    }
    s.pattern = p;
    for (uint32_t i = first; i < p->param_count; ++i)
        s.steps[i] = (step){.start = end, .run_end = end};
    move_start(&s.steps[k], p->params[k].convertor, at, end);
    for (;;) {
        at = next_end(&s, k);
        if (at == NULL) {
            if (k == first)
                return false;
            --k;
            continue;
        }
        values[k] = (fa_slice){s.steps[k].start, (size_t)(at - s.steps[k].start)};
        if (++k == p->param_count)
            return true;
        move_start(&s.steps[k], p->params[k].convertor, at + p->literals[k].len, end);
    }
}
