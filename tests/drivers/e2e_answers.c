/* Answers at once: what came, statuses, fields, and handlers that do it wrong. */
#include "e2e_app.h"

#include <stdio.h>

/* Bytes of the wire as text: each as the character of that number. JSON has no other
   way to show them unharmed. */
static void write_bytes(fa_json_writer *w, fa_arena *arena, fa_slice v)
{
    char *text = fa_arena_alloc(arena, 2 * v.len + 1), *at = text;

    if (text == NULL) {
        fa_json_write_null(w);
        return;
    }
    for (size_t i = 0; i < v.len; ++i) {
        unsigned char c = (unsigned char)v.p[i];

        if (c >= 0x80)
            *at++ = (char)(0xC0 | c >> 6);
        *at++ = (char)(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
    }
    fa_json_write_string(w, (fa_slice){text, (size_t)(at - text)});
}

static void member(fa_json_writer *w, fa_request *req, const char *name, fa_slice v)
{
    fa_json_write_key(w, fa_slice_of(name));
    write_bytes(w, fa_request_arena(req), v);
}

/* What is UTF-8 by contract is written as it is: the writer refuses anything else. */
static void text_member(fa_json_writer *w, const char *name, fa_slice v)
{
    fa_json_write_key(w, fa_slice_of(name));
    fa_json_write_string(w, v);
}

typedef void at_fn(const fa_request *req, size_t i, fa_slice *name, fa_slice *value);

static void write_fields(fa_json_writer *w, fa_request *req, const char *name, size_t n,
                         at_fn *at)
{
    fa_json_write_key(w, fa_slice_of(name));
    fa_json_begin_array(w);
    for (size_t i = 0; i < n; ++i) {
        fa_slice field, value;

        at(req, i, &field, &value);
        fa_json_begin_array(w);
        write_bytes(w, fa_request_arena(req), field);
        write_bytes(w, fa_request_arena(req), value);
        fa_json_end_array(w);
    }
    fa_json_end_array(w);
}

static void write_pairs(fa_json_writer *w, fa_request *req)
{
    ptrdiff_t n = fa_request_query_count(req);
    fa_slice name, value;

    fa_json_write_key(w, FA_SLICE("query_pairs"));
    fa_json_begin_array(w);
    for (ptrdiff_t i = 0; i < n; ++i) {
        fa_request_query_at(req, (size_t)i, &name, &value);
        fa_json_begin_array(w);
        fa_json_write_string(w, name);
        fa_json_write_string(w, value);
        fa_json_end_array(w);
    }
    fa_json_end_array(w);
    fa_json_write_key(w, FA_SLICE("params"));
    fa_json_begin_array(w);
    for (size_t i = 0; i < fa_request_param_count(req); ++i) {
        fa_request_param_at(req, i, &name, &value);
        fa_json_begin_array(w);
        fa_json_write_string(w, name);
        fa_json_write_string(w, value);
        fa_json_end_array(w);
    }
    fa_json_end_array(w);
}

static void write_ends(fa_json_writer *w, fa_request *req)
{
    uint16_t port;

    text_member(w, "client", fa_request_client_address(req, &port));
    fa_json_write_key(w, FA_SLICE("client_port"));
    fa_json_write_int64(w, port);
    text_member(w, "server", fa_request_server_address(req, &port));
    fa_json_write_key(w, FA_SLICE("server_port"));
    fa_json_write_int64(w, port);
    text_member(w, "scheme", fa_request_scheme(req));
}

int echo(fa_request *req, void *user_data)
{
    fa_json_writer_options options = {.arena = fa_request_arena(req)};
    fa_json_writer w;

    fa_json_writer_init(&w, &options);
    fa_json_begin_object(&w);
    member(&w, req, "method", fa_request_method_name(req));
    fa_json_write_key(&w, FA_SLICE("method_id"));
    fa_json_write_int64(&w, fa_request_method(req));
    member(&w, req, "target", fa_request_target(req));
    text_member(&w, "path", fa_request_path(req));
    member(&w, req, "raw_path", fa_request_raw_path(req));
    text_member(&w, "root_path", fa_request_root_path(req));
    member(&w, req, "query", fa_request_query(req));
    member(&w, req, "host", fa_request_host(req));
    fa_json_write_key(&w, FA_SLICE("version"));
    fa_json_write_int64(&w, fa_request_version(req));
    write_pairs(&w, req);
    write_fields(&w, req, "headers", fa_request_header_count(req), fa_request_header_at);
    write_fields(&w, req, "trailers", fa_request_trailer_count(req),
                 fa_request_trailer_at);
    fa_json_write_key(&w, FA_SLICE("content_length"));
    fa_json_write_int64(&w, fa_request_content_length(req));
    member(&w, req, "body", fa_request_body(req));
    text_member(&w, "handler", user_data != NULL ? fa_slice_of(user_data) : FA_SLICE(""));
    write_ends(&w, req);
    fa_json_end_object(&w);
    return fa_respond_writer(req, 200, &w);
}

static int hello(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("hello"));
}

/* As many bytes as asked for, in one piece. */
static int bytes(fa_request *req, void *user_data)
{
    size_t n = (size_t)query_int(req, FA_SLICE("n"), 0);
    char *p = fa_arena_alloc(fa_request_arena(req), n + 1);

    (void)user_data;
    if (p == NULL)
        return FA_ERR_NOMEM;
    for (size_t i = 0; i < n; ++i)
        p[i] = (char)('a' + i % 26);
    return fa_respond(req, 200, FA_SLICE("text/plain"), (fa_slice){p, n});
}

static int status(fa_request *req, void *user_data)
{
    fa_slice type = {NULL, 0}, body = {NULL, 0};
    int64_t code = 0;
    int rv;

    (void)user_data;
    (void)fa_request_param_int(req, FA_SLICE("code"), &code);
    (void)fa_request_query_value(req, FA_SLICE("type"), &type);
    (void)fa_request_query_value(req, FA_SLICE("body"), &body);
    rv = fa_respond(req, (int)code, type, body);
    event("status %d %d", (int)code, rv);
    return rv;
}

static int error_answer(fa_request *req, void *user_data)
{
    fa_slice detail = {NULL, 0};
    int64_t code = 0;

    (void)user_data;
    (void)fa_request_param_int(req, FA_SLICE("code"), &code);
    (void)fa_request_query_value(req, FA_SLICE("detail"), &detail);
    return fa_respond_error(req, (int)code, detail);
}

/* Sets the field of the query; the answer tells what that returned. */
static int header(fa_request *req, void *user_data)
{
    fa_slice name = {NULL, 0}, value = {NULL, 0}, text;

    (void)user_data;
    (void)fa_request_query_value(req, FA_SLICE("name"), &name);
    (void)fa_request_query_value(req, FA_SLICE("value"), &value);
    text = fa_arena_format(fa_request_arena(req), "%d",
                           fa_response_header(req, name, value));
    return fa_respond(req, 200, FA_SLICE("text/plain"), text);
}

/* The same field many times. */
static int many_headers(fa_request *req, void *user_data)
{
    int64_t n = query_int(req, FA_SLICE("n"), 1);

    (void)user_data;
    for (int64_t i = 0; i < n; ++i) {
        fa_slice value = fa_arena_format(fa_request_arena(req), "%lld", (long long)i);
        int rv = fa_response_header(req, FA_SLICE("Set-Cookie"), value);

        if (rv != 0)
            return rv;
    }
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE(""));
}

/* 103 twice, with fields that the answer must not repeat. */
static int early_hints(fa_request *req, void *user_data)
{
    int rv;

    (void)user_data;
    (void)fa_response_header(req, FA_SLICE("Link"), FA_SLICE("</a.css>; rel=preload"));
    (void)fa_response_header(req, FA_SLICE("Date"), FA_SLICE("of the hint"));
    rv = fa_response_interim(req, 103);
    event("interim 103 %d", rv);
    (void)fa_response_header(req, FA_SLICE("Link"), FA_SLICE("</b.css>; rel=preload"));
    rv = fa_response_interim(req, 103);
    event("interim 103 %d", rv);
    event("interim 101 %d", fa_response_interim(req, 101));
    event("interim 200 %d", fa_response_interim(req, 200));
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("hinted"));
}

/* ---- handlers that do not do their part ---- */

static int fail(fa_request *req, void *user_data)
{
    (void)user_data;
    (void)fa_response_header(req, FA_SLICE("Content-Encoding"), FA_SLICE("gzip"));
    return FA_ERR_NOMEM;
}

static int nothing(fa_request *req, void *user_data)
{
    (void)req;
    (void)user_data;
    return 0;
}

static int fail_late(fa_request *req, void *user_data)
{
    (void)user_data;
    (void)fa_response_start(req, 200, 100);
    (void)fa_response_write(req, FA_SLICE("the first bytes"));
    return FA_ERR_INVALID;
}

static int close_after(fa_request *req, void *user_data)
{
    (void)user_data;
    fa_response_close(req);
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("bye"));
}

/* Each call in a state in which it must be refused. */
static int misuse(fa_request *req, void *user_data)
{
    fa_slice x = FA_SLICE("x"), none = {NULL, 0};
    fa_stream_handler handler = {NULL, NULL, NULL, NULL};
    fa_stream *stream;

    (void)user_data;
    event("misuse read %d", fa_request_read(req, NULL, NULL));
    event("misuse upgrade %d", fa_request_upgrade(req, x, &handler, NULL, &stream));
    event("misuse write-before %d", fa_response_write(req, x));
    event("misuse trailer-before %d", fa_response_trailer(req, x, x));
    event("misuse end-before %d", fa_response_end(req));
    event("misuse status-99 %d", fa_respond(req, 99, none, none));
    event("misuse status-600 %d", fa_respond(req, 600, none, none));
    event("misuse 204-body %d", fa_respond(req, 204, none, x));
    event("misuse start-204-body %d", fa_response_start(req, 204, 1));
    event("misuse start-length %d", fa_response_start(req, 200, -2));
    event("misuse start %d", fa_response_start(req, 200, 4));
    event("misuse start-again %d", fa_response_start(req, 200, 4));
    event("misuse respond %d", fa_respond(req, 200, none, x));
    event("misuse interim %d", fa_response_interim(req, 103));
    event("misuse header %d", fa_response_header(req, x, x));
    event("misuse trailer %d", fa_response_trailer(req, x, x));
    event("misuse too-much %d", fa_response_write(req, FA_SLICE("12345")));
    event("misuse write %d", fa_response_write(req, FA_SLICE("1234")));
    event("misuse one-more %d", fa_response_write(req, x));
    event("misuse end %d", fa_response_end(req));
    event("misuse end-again %d", fa_response_end(req));
    event("misuse write-after %d", fa_response_write(req, x));
    event("misuse defer-after %d", fa_request_defer(req) != NULL);
    event("misuse status %d", fa_response_status(req));
    return 0;
}

#define ALL_METHODS                                                                      \
    (FA_METHOD_BIT(FA_GET) | FA_METHOD_BIT(FA_HEAD) | FA_METHOD_BIT(FA_POST) |           \
     FA_METHOD_BIT(FA_PUT) | FA_METHOD_BIT(FA_DELETE) | FA_METHOD_BIT(FA_OPTIONS) |      \
     FA_METHOD_BIT(FA_TRACE) | FA_METHOD_BIT(FA_PATCH) | FA_METHOD_BIT(FA_QUERY))

void add_answers(fa_app *app)
{
    static char any[] = "any", limited[] = "limited";
    const fa_route any_route = {
        .pattern = "/any/{p:path}",
        .methods = ALL_METHODS,
        .other_method = "BREW",
        .handler = echo,
        .user_data = any,
    };
    const fa_route limited_route = {
        .pattern = "/limited",
        .methods = FA_METHOD_BIT(FA_POST),
        .handler = echo,
        .user_data = limited,
        .max_body_bytes = 10,
    };

    add_route(app, &any_route);
    add_route(app, &limited_route);
    add(app, FA_GET, "/hello", hello);
    add(app, FA_GET, "/bytes", bytes);
    add(app, FA_GET, "/status/{code:int}", status);
    add(app, FA_GET, "/error/{code:int}", error_answer);
    add(app, FA_GET, "/header", header);
    add(app, FA_GET, "/many-headers", many_headers);
    add(app, FA_GET, "/early-hints", early_hints);
    add(app, FA_GET, "/fail", fail);
    add(app, FA_GET, "/nothing", nothing);
    add(app, FA_GET, "/fail-late", fail_late);
    add(app, FA_GET, "/close", close_after);
    add(app, FA_GET, "/misuse", misuse);
    add(app, FA_GET, "/slash/", hello);
    add(app, FA_GET, "/no-slash", hello);
    add(app, FA_GET, "/items/{id:int}", echo);
    add(app, FA_PUT, "/items/{id:int}", echo);
}
