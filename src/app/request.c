#include "app/request.h"

#include <fasterapi/error.h>

#include "app/app.h"
#include "http/field.h"
#include "http/target.h"

fa_request *fa__request_new(const fa_allocator *alloc, uint32_t max_headers)
{
    fa_request *req =
        fa__alloc(alloc, sizeof(*req) + (size_t)max_headers * sizeof(fa__field));

    if (req == NULL)
        return NULL;
    memset(req, 0, sizeof(*req));
    fa__arena_init(&req->arena, alloc, FA__ARENA_BLOCK_BYTES);
    req->head.fields = req->fields;
    req->head.field_cap = max_headers;
    req->length_left = -1;
    return req;
}

void fa__request_del(fa_request *req)
{
    fa_allocator alloc;

    if (req == NULL)
        return;
    alloc = req->arena.alloc;
    fa__arena_free(&req->arena);
    fa__release(&alloc, req);
}

void fa__request_reset(fa_request *req)
{
    const size_t from = offsetof(fa_request, app), to = offsetof(fa_request, entered);

    memset((char *)req + from, 0, to - from);
    req->length_left = -1;
    fa_arena_reset(&req->arena);
}

int fa__request_keep_head(fa_request *req, const char *from, size_t n)
{
    fa_slice kept = fa_arena_copy(&req->arena, (fa_slice){from, n});

    if (kept.p == NULL)
        return FA_ERR_NOMEM;
    fa__head_rebase(&req->head, from, kept.p);
    if (req->path.p >= from && req->path.p <= from + n)
        req->path.p = kept.p + (req->path.p - from);
    for (uint32_t i = 0; i < req->param_count; ++i) {
        fa_slice *value = &req->params[i].value;

        if (value->p >= from && value->p <= from + n)
            value->p = kept.p + (value->p - from);
    }
    return 0;
}

void fa__request_finish(fa_request *req, int error)
{
    fa_finish_fn *fn = req->finish_fn;

    req->finish_fn = NULL;
    req->answer = FA__ANSWER_ENDED;
    if (fn != NULL)
        fn(req, error, req->finish_data);
    while (req->app_depth > 0) {
        unsigned seen = req->entered[--req->app_depth].seen;
        const fa_app *app = req->entered[req->app_depth].app;

        while (seen > 0) {
            const fa_middleware *m = &app->middleware[--seen];

            if (m->on_finish != NULL)
                m->on_finish(req, error, m->user_data);
        }
    }
}

fa_method fa_request_method(const fa_request *req)
{
    return req->head.method;
}

fa_slice fa_request_method_name(const fa_request *req)
{
    return req->head.method_name;
}

fa_slice fa_request_target(const fa_request *req)
{
    return req->head.target;
}

fa_slice fa_request_path(const fa_request *req)
{
    return req->path;
}

fa_slice fa_request_raw_path(const fa_request *req)
{
    return req->head.path;
}

fa_slice fa_request_root_path(const fa_request *req)
{
    return (fa_slice){req->path.p, req->root_path_len};
}

fa_slice fa_request_query(const fa_request *req)
{
    return req->head.query;
}

fa_slice fa_request_host(const fa_request *req)
{
    return req->head.host;
}

fa_slice fa_request_scheme(const fa_request *req)
{
    return req->transport->scheme(req);
}

int fa_request_version(const fa_request *req)
{
    return req->head.version_major * 10 + req->head.version_minor;
}

fa_slice fa_request_client_address(fa_request *req, uint16_t *port)
{
    return req->transport->address(req, false, port);
}

fa_slice fa_request_server_address(fa_request *req, uint16_t *port)
{
    return req->transport->address(req, true, port);
}

fa_slice fa_request_header(const fa_request *req, fa_slice name)
{
    const fa__field *field = fa__head_find(&req->head, name);

    return field != NULL ? field->value : (fa_slice){NULL, 0};
}

size_t fa_request_header_count(const fa_request *req)
{
    return req->head.field_count;
}

void fa_request_header_at(const fa_request *req, size_t i, fa_slice *name,
                          fa_slice *value)
{
    *name = req->head.fields[i].name;
    *value = req->head.fields[i].value;
}

size_t fa_request_trailer_count(const fa_request *req)
{
    return req->trailer_count;
}

void fa_request_trailer_at(const fa_request *req, size_t i, fa_slice *name,
                           fa_slice *value)
{
    *name = req->trailers[i].name;
    *value = req->trailers[i].value;
}

fa_slice fa_request_param(const fa_request *req, fa_slice name)
{
    /* The innermost of that name: a route's own before its mount's. */
    for (uint32_t i = req->param_count; i-- > 0;) {
        if (fa_slice_equal(req->params[i].name, name))
            return req->params[i].value;
    }
    return (fa_slice){NULL, 0};
}

int fa_request_param_int(const fa_request *req, fa_slice name, int64_t *out)
{
    fa_slice v = fa_request_param(req, name);
    int64_t n = 0;

    if (v.len == 0)
        return FA_ERR_INVALID;
    for (size_t i = 0; i < v.len; ++i) {
        unsigned digit = (unsigned)(unsigned char)v.p[i] - '0';

        if (digit > 9)
            return FA_ERR_INVALID;
        if (n > (INT64_MAX - (int64_t)digit) / 10)
            return FA_ERR_LIMIT;
        n = n * 10 + (int64_t)digit;
    }
    *out = n;
    return 0;
}

size_t fa_request_param_count(const fa_request *req)
{
    return req->param_count;
}

void fa_request_param_at(const fa_request *req, size_t i, fa_slice *name, fa_slice *value)
{
    *name = req->params[i].name;
    *value = req->params[i].value;
}

/* Up to `room` pairs. Returns how many, fewer only at the end, or FA_ERR_NOMEM. */
static ptrdiff_t read_pairs(fa__query_pair *pairs, size_t room, fa__query_iter *it,
                            fa_arena *arena)
{
    size_t n = 0;

    while (n < room) {
        int rv = fa__query_next_decoded(it, &pairs[n].name, &pairs[n].value, arena);

        if (rv <= 0)
            return rv < 0 ? rv : (ptrdiff_t)n;
        ++n;
    }
    return (ptrdiff_t)n;
}

/* At most half of the request line's limit. */
static size_t count_pairs(fa__query_iter it)
{
    fa_slice name, value;
    size_t n = 0;

    while (fa__query_next(&it, &name, &value))
        ++n;
    return n;
}

/* Most queries have a few pairs, which need not be counted first. */
static int parse_query(fa_request *req)
{
    enum { FEW = 4 };
    fa__query_iter it = fa__query_begin(req->head.query);
    fa__query_pair few[FEW];
    ptrdiff_t n, more = 0;
    size_t rest;

    if (req->query_parsed)
        return 0;
    n = read_pairs(few, FEW, &it, &req->arena);
    if (n < 0)
        return (int)n;
    rest = n == FEW ? count_pairs(it) : 0;
    req->query = fa_arena_alloc(&req->arena, ((size_t)n + rest) * sizeof(*req->query));
    if (req->query == NULL)
        return FA_ERR_NOMEM;
    for (ptrdiff_t i = 0; i < n; ++i)
        req->query[i] = few[i];
    if (rest > 0)
        more = read_pairs(req->query + n, rest, &it, &req->arena);
    if (more < 0)
        return (int)more;
    req->query_count = (size_t)(n + more);
    req->query_parsed = true;
    return 0;
}

ptrdiff_t fa_request_query_count(fa_request *req)
{
    int rv = parse_query(req);

    return rv != 0 ? rv : (ptrdiff_t)req->query_count;
}

void fa_request_query_at(fa_request *req, size_t i, fa_slice *name, fa_slice *value)
{
    *name = req->query[i].name;
    *value = req->query[i].value;
}

int fa_request_query_value(fa_request *req, fa_slice name, fa_slice *value)
{
    int rv = parse_query(req);

    if (rv != 0)
        return rv;
    for (size_t i = req->query_count; i-- > 0;) {
        if (fa_slice_equal(req->query[i].name, name)) {
            *value = req->query[i].value;
            return 1;
        }
    }
    return 0;
}

int fa_query_next(fa_slice *query, fa_slice *name, fa_slice *value, fa_arena *arena)
{
    fa__query_iter it = fa__query_begin(*query);
    int rv = fa__query_next_decoded(&it, name, value, arena);

    *query = it.rest;
    return rv;
}

fa_slice fa_request_body(const fa_request *req)
{
    return req->body;
}

bool fa_request_body_whole(const fa_request *req)
{
    return req->body_whole;
}

int64_t fa_request_content_length(const fa_request *req)
{
    if (req->head.body_kind == FA__BODY_CHUNKED)
        return -1;
    return req->head.content_length < INT64_MAX ? (int64_t)req->head.content_length
                                                : INT64_MAX;
}

int fa_request_read(fa_request *req, fa_body_fn *fn, void *user_data)
{
    if (!req->body_streams || req->body_whole || req->read_wanted ||
        req->answer == FA__ANSWER_ENDED)
        return FA_ERR_STATE;
    req->read_wanted = true;
    req->body_fn = fn;
    req->body_data = user_data;
    return req->transport->read(req);
}

bool fa_request_body_ends(const fa_request *req)
{
    return req->body_ends;
}

void fa_request_pause(fa_request *req)
{
    if (!req->paused) {
        req->paused = true;
        req->transport->pause(req, true);
    }
}

void fa_request_resume(fa_request *req)
{
    if (req->paused) {
        req->paused = false;
        req->transport->pause(req, false);
    }
}

fa_arena *fa_request_arena(fa_request *req)
{
    return &req->arena;
}

void fa_request_set_data(fa_request *req, void *data)
{
    req->data = data;
}

void *fa_request_data(const fa_request *req)
{
    return req->data;
}

void fa_request_on_finish(fa_request *req, fa_finish_fn *fn, void *user_data)
{
    req->finish_fn = fn;
    req->finish_data = user_data;
}

fa_deferred *fa_request_defer(fa_request *req)
{
    return req->answer == FA__ANSWER_ENDED ? NULL : req->transport->defer(req);
}
