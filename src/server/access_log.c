#include "base/clock.h"
#include "server/connection.h"

/* 127.0.0.1:60084 - "GET /items HTTP/1.1" 200 27 0.312ms */
void fa__access_log(fa__conn *conn)
{
    const fa_request *req = conn->req;
    char text[FA__ADDRESS_TEXT_MAX];
    fa_slice address = fa__address_text(text, &conn->peer);
    double ms = (double)(fa__clock_monotonic_ns() - req->started_ns) / 1e6;

    if (req->refused)
        return; /* a warning was logged */
    fa_log(conn->worker->shared->logger, FA_LOG_INFO, "Access",
           "%.*s:%u - \"%.*s %.*s HTTP/%u.%u\" %d %llu %.3fms", (int)address.len,
           address.p, (unsigned)fa__address_port(&conn->peer),
           (int)req->head.method_name.len, req->head.method_name.p,
           (int)req->head.target.len, req->head.target.p,
           (unsigned)req->head.version_major, (unsigned)req->head.version_minor,
           req->status, (unsigned long long)conn->body_sent, ms);
}
