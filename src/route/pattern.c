#include "route/pattern.h"

#include <fasterapi/error.h>

#include "base/utf8.h"

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

/* The end of the name that starts at `at`, or `at` if none does. */
static const char *name_end(const char *at, const char *end)
{
    if (at == end || !is_name_start(*at))
        return at;
    while (at < end && is_name(*at))
        ++at;
    return at;
}

/* A parameter in braces as written, its convertor not yet looked up. */
typedef struct braces {
    fa_slice name;
    fa_slice convertor; /* "str" where none is named */
    const char *end;    /* after the closing brace; NULL: not a parameter */
} braces;

static braces parse_braces(const char *open, const char *end)
{
    const char *name = open + 1, *at = name_end(name, end);
    braces b = {{name, (size_t)(at - name)}, FA_SLICE("str"), NULL};

    if (at == name)
        return b;
    if (at < end && *at == ':') {
        const char *convertor = at + 1;

        at = name_end(convertor, end);
        if (at == convertor)
            return b;
        b.convertor = (fa_slice){convertor, (size_t)(at - convertor)};
    }
    if (at < end && *at == '}')
        b.end = at + 1;
    return b;
}

static bool find_convertor(fa__convertor *out, fa_slice name)
{
    static const struct {
        fa_slice name;
        fa__convertor convertor;
    } known[] = {
        {{"str", 3}, FA__CONVERTOR_STR},     {{"int", 3}, FA__CONVERTOR_INT},
        {{"float", 5}, FA__CONVERTOR_FLOAT}, {{"uuid", 4}, FA__CONVERTOR_UUID},
        {{"path", 4}, FA__CONVERTOR_PATH},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); ++i) {
        if (fa_slice_equal(known[i].name, name)) {
            *out = known[i].convertor;
            return true;
        }
    }
    return false;
}

static int add_param(fa__pattern *p, const braces *b)
{
    fa__route_param param = {.name = b->name};

    if (!find_convertor(&param.convertor, b->convertor))
        return FA_ERR_ROUTE_CONVERTOR;
    /* One more than promised: a mount has its rest beside its own parameters. */
    if (p->param_count == FA__ROUTE_MAX_PARAMS + 1)
        return FA_ERR_ROUTE_PARAMETER;
    for (uint32_t i = 0; i < p->param_count; ++i) {
        if (fa_slice_equal(p->params[i].name, b->name))
            return FA_ERR_ROUTE_PARAMETER;
    }
    p->params[p->param_count++] = param;
    return 0;
}

int fa__pattern_parse(fa__pattern *out, fa_slice text, bool loose_braces)
{
    const char *at = text.p, *end = text.p + text.len, *literal = text.p;
    fa__pattern p = {.text = text};

    if (text.len == 0 || text.p[0] != '/' || text.len > FA__ROUTE_MAX_PATTERN_BYTES ||
        fa__utf8_valid_prefix(text.p, text.len) != text.len)
        return FA_ERR_ROUTE_SYNTAX;
    while (at < end) {
        if (*at == '{') {
            braces b = parse_braces(at, end);

            if (b.end != NULL) {
                uint32_t k = p.param_count;
                int rv = add_param(&p, &b);

                if (rv != 0)
                    return rv;
                p.literals[k] = (fa_slice){literal, (size_t)(at - literal)};
                at = literal = b.end;
                continue;
            }
        }
        if ((*at == '{' || *at == '}') && !loose_braces)
            return FA_ERR_ROUTE_SYNTAX;
        ++at;
    }
    p.literals[p.param_count] = (fa_slice){literal, (size_t)(end - literal)};
    *out = p;
    return 0;
}

bool fa__pattern_whole_segment(const fa__pattern *p, uint32_t k)
{
    fa_slice before = p->literals[k], after = p->literals[k + 1];

    if (p->params[k].convertor == FA__CONVERTOR_PATH)
        return false;
    if (before.len == 0 || before.p[before.len - 1] != '/')
        return false;
    return after.len != 0 ? after.p[0] == '/' : k + 1 == p->param_count;
}
