/* A request whose head is given as text and whose answers go to memory. */
#ifndef FA_TESTS_APP_FAKE_H
#define FA_TESTS_APP_FAKE_H

#include <stdio.h>

#include "app/app.h"
#include "app/dispatch.h"
#include "app/request.h"
#include "check.h"
#include "failing_alloc.h"
#include "http1/parser.h"

/* What the transport was told. */
typedef struct fake {
    fa_request *req;
    char head[1024];
    int rv;         /* what all calls of the transport return */
    unsigned calls; /* respond, start, write, end */
    unsigned aborts, reads;
    int status;     /* the last */
    int64_t length; /* as start() was given */
    char type[128], body[1024], fields[1024];
} fake;

static void fake_note_fields(fake *f)
{
    size_t at = 0;

    f->fields[0] = '\0';
    for (const fa__response_field *p = f->req->fields_out.first; p != NULL; p = p->next)
        at += (size_t)snprintf(f->fields + at, sizeof(f->fields) - at, "%.*s=%.*s;",
                               (int)p->name.len, p->name.p, (int)p->value.len,
                               p->value.p != NULL ? p->value.p : "");
}

static void fake_copy(char *out, size_t size, fa_slice v)
{
    snprintf(out, size, "%.*s", (int)v.len, v.p != NULL ? v.p : "");
}

static int fake_respond(fa_request *req, int status, fa_slice type, fa_slice body)
{
    fake *f = req->stream;

    ++f->calls;
    if (f->rv != 0)
        return f->rv;
    f->status = req->status = status;
    fake_note_fields(f);
    fake_copy(f->type, sizeof(f->type), type);
    fake_copy(f->body, sizeof(f->body), body);
    req->answer = FA__ANSWER_ENDED;
    return 0;
}

static int fake_interim(fa_request *req, int status)
{
    fake *f = req->stream;

    f->status = status;
    fake_note_fields(f);
    return f->rv;
}

static int fake_start(fa_request *req, int status, int64_t length)
{
    fake *f = req->stream;

    ++f->calls;
    f->status = req->status = status;
    f->length = req->length_left = length;
    req->trailers_ok = length < 0;
    req->answer = FA__ANSWER_STARTED;
    fake_note_fields(f);
    return f->rv;
}

static int fake_write(fa_request *req, fa_slice data, const fa__hold *hold)
{
    fake *f = req->stream;
    size_t n = strlen(f->body);

    ++f->calls;
    fake_copy(f->body + n, sizeof(f->body) - n, data);
    if (hold != NULL)
        hold->release(hold->ctx);
    return f->rv;
}

static int fake_send_file(fa_request *req, int fd, int64_t offset, int64_t length)
{
    fake *f = req->stream;

    ++f->calls;
    snprintf(f->body, sizeof(f->body), "%d %lld %lld", fd, (long long)offset,
             (long long)length);
    return f->rv;
}

static int fake_end(fa_request *req)
{
    ++((fake *)req->stream)->calls;
    req->answer = FA__ANSWER_ENDED;
    return 0;
}

static void fake_abort(fa_request *req)
{
    ++((fake *)req->stream)->aborts;
    req->answer = FA__ANSWER_ENDED;
}

static int fake_read(fa_request *req)
{
    ++((fake *)req->stream)->reads;
    return 0;
}

static fa_slice fake_address(fa_request *req, bool of_server, uint16_t *port)
{
    (void)req;
    *port = of_server ? 80 : 1234;
    return of_server ? FA_SLICE("::1") : FA_SLICE("127.0.0.1");
}

static fa_slice fake_scheme(const fa_request *req)
{
    (void)req;
    return FA_SLICE("http");
}

static const fa__transport fake_transport = {
    .respond = fake_respond,
    .interim = fake_interim,
    .start = fake_start,
    .write = fake_write,
    .send_file = fake_send_file,
    .end = fake_end,
    .abort = fake_abort,
    .read = fake_read,
    .address = fake_address,
    .scheme = fake_scheme,
};

/* A request of these lines to `app`, ready for fa__dispatch(); `lines` without Host and
   the empty line. */
static inline void fake_begin(fake *f, fa_app *app, const char *lines,
                              const fa_allocator *alloc)
{
    fa__http1_parser parser;
    int n;

    *f = (fake){.req = fa__request_new(alloc != NULL ? alloc : &fa__malloc, 20)};
    CHECK(f->req != NULL);
    n = snprintf(f->head, sizeof(f->head), "%s\r\nHost: h.example\r\n\r\n", lines);
    fa__http1_parser_init(&parser, &f->req->head, NULL);
    CHECK_INT(fa__http1_parse_head(&parser, f->head, (size_t)n), ==, n);
    f->req->stream = f;
    f->req->transport = &fake_transport;
    f->req->app = app;
    f->req->max_body_bytes = 1000;
    f->req->body_whole = f->req->head.body_kind == FA__BODY_NONE;
}

static inline void fake_end_request(fake *f)
{
    fa__request_del(f->req);
    f->req = NULL;
}

#define CHECK_TEXT(a, b)                                                                 \
    do {                                                                                 \
        if (strcmp((a), (b)) != 0)                                                       \
            fail_msg("%s: \"%s\" is not \"%s\"", #a, (a), (b));                          \
    } while (0)

#endif
