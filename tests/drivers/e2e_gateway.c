/* An application that frames its answers by itself, as ASGI ones do. */
#include "e2e_app.h"

#include <string.h>

/* Fields of the query: KEY=name:value, as many as there are. */
static size_t fields_of(fa_request *req, fa_slice key, fa_field *fields, size_t room)
{
    ptrdiff_t pairs = fa_request_query_count(req);
    size_t n = 0;

    for (ptrdiff_t i = 0; i < pairs && n < room; ++i) {
        fa_slice name, value;
        const char *colon;

        fa_request_query_at(req, (size_t)i, &name, &value);
        colon = value.len > 0 ? memchr(value.p, ':', value.len) : NULL;
        if (!fa_slice_equal(name, key) || colon == NULL)
            continue;
        fields[n].name = (fa_slice){value.p, (size_t)(colon - value.p)};
        fields[n++].value =
            (fa_slice){colon + 1, value.len - (size_t)(colon - value.p) - 1};
    }
    return n;
}

static int answer(fa_request *req, fa_slice body)
{
    fa_field fields[16];
    size_t n = fields_of(req, FA_SLICE("hint"), fields, 16);
    int rv = n > 0 ? fa_response_interim_fields(req, 103, fields, n) : 0;

    if (rv == 0) {
        n = fields_of(req, FA_SLICE("f"), fields, 16);
        rv = fa_response_start_fields(req, (int)query_int(req, FA_SLICE("status"), 200),
                                      fields, n);
    }
    if (rv < 0)
        return fa_respond_error(req, 500, fa_slice_of(fa_strerror(rv)));
    rv = fa_response_write(req, body);
    n = fields_of(req, FA_SLICE("trailer"), fields, 16);
    for (size_t i = 0; i < n; ++i)
        event("trailer %d", fa_response_trailer(req, fields[i].name, fields[i].value));
    return rv < 0 && rv != FA_ERR_FULL ? rv : fa_response_end(req);
}

static void on_body(fa_request *req, fa_slice data, int error, void *user_data)
{
    size_t *total = user_data;

    *total += data.len;
    if (data.len == 0 && error == 0)
        (void)answer(req,
                     fa_arena_format(fa_request_arena(req), "in pieces: %zu", *total));
}

/* Says whether the body was there whole when the handler was called. */
static int gateway(fa_request *req, void *user_data)
{
    size_t *total;

    (void)user_data;
    if (fa_request_body_whole(req)) {
        fa_slice body = fa_request_body(req);

        if (fa_request_read(req, on_body, NULL) != FA_ERR_STATE)
            return FA_ERR_STATE;
        return answer(req,
                      fa_arena_format(fa_request_arena(req), "whole: %zu", body.len));
    }
    total = fa_arena_alloc(fa_request_arena(req), sizeof(*total));
    if (total == NULL)
        return FA_ERR_NOMEM;
    *total = 0;
    return fa_request_read(req, on_body, total);
}

void add_gateway(fa_app *app)
{
    fa_route route = {
        .pattern = "/gateway",
        .methods =
            FA_METHOD_BIT(FA_GET) | FA_METHOD_BIT(FA_HEAD) | FA_METHOD_BIT(FA_POST),
        .handler = gateway,
        .stream_body = true,
        .whole_if_there = true,
    };

    add_route(app, &route);
    route.pattern = "/gateway/waits";
    route.whole_bytes = 20;
    add_route(app, &route);
}
