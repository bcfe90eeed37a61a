#include "base/clock.h"
#include "server/connection.h"

/* A quote would end the request-line for whoever reads the log; in a URL %22 means the
   same. */
static fa_slice without_quotes(fa_request *req, fa_slice v)
{
    char *text, *at;

    if (memchr(v.p, '"', v.len) == NULL)
        return v;
    text = at = fa_arena_alloc(&req->arena, 3 * v.len);
    if (text == NULL)
        return FA_SLICE("-");
    for (size_t i = 0; i < v.len; ++i) {
        if (v.p[i] == '"') {
            memcpy(at, "%22", 3);
            at += 3;
        } else {
            *at++ = v.p[i];
        }
    }
    return (fa_slice){text, (size_t)(at - text)};
}

/* 127.0.0.1:60084 - "GET /items HTTP/1.1" 200 27 0.312ms */
void fa__access_log(fa__conn *conn)
{
    fa_request *req = conn->req;
    char text[FA__ADDRESS_TEXT_MAX];
    fa_slice address = fa__address_text(text, &conn->peer);
    double ms = (double)(fa__clock_monotonic_ns() - req->started_ns) / 1e6;
    fa_slice target;

    if (req->refused)
        return; /* a warning was logged */
    target = without_quotes(req, req->head.target);
    fa_log(conn->worker->shared->logger, FA_LOG_INFO, "Access",
           "%.*s:%u - \"%.*s %.*s HTTP/%u.%u\" %d %llu %.3fms", (int)address.len,
           address.p, (unsigned)fa__address_port(&conn->peer),
           (int)req->head.method_name.len, req->head.method_name.p, (int)target.len,
           target.p, (unsigned)req->head.version_major, (unsigned)req->head.version_minor,
           req->status, (unsigned long long)conn->body_sent, ms);
}
