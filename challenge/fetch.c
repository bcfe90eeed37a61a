#include "fetch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <fasterapi/error.h>

#include "base/clock.h"
#include "reply.h"

enum { MAX_BODY_BYTES = 65536 };

/* Waits for `events` until `deadline`. Returns 0, FA_ERR_TIMEOUT or FA_ERR_SYSTEM. */
static int wait_for(int fd, short events, fa__msec deadline)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        fa__msec now = fa__clock_monotonic_ms();
        int n, timeout = -1;

        if (deadline != FA__NEVER)
            timeout = now >= deadline ? 0 : (int)(deadline - now);
        n = poll(&p, 1, timeout);
        if (n > 0)
            return 0;
        if (n == 0)
            return FA_ERR_TIMEOUT;
        if (errno != EINTR)
            return FA_ERR_SYSTEM;
    }
}

static fa__msec deadline_after(uint32_t ms)
{
    return ms != 0 ? fa__clock_monotonic_ms() + ms : FA__NEVER;
}

static int open_address(int *out, const fa__ch_endpoint *e, const fa__ch_options *o,
                        int i)
{
    int fd, error = 0, rv;
    socklen_t len = sizeof(error);

    if (fa__ch_endpoint_connect(&fd, e, i) != 0)
        return FA_ERR_SYSTEM;
    rv = wait_for(fd, POLLOUT, deadline_after(o->connect_timeout_ms));
    if (rv == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
        error == 0) {
        *out = fd;
        return 0;
    }
    close(fd);
    errno = rv == FA_ERR_TIMEOUT ? ETIMEDOUT : error;
    return FA_ERR_SYSTEM;
}

int fa__ch_probe(fa__ch_endpoint *e, const fa__ch_options *o)
{
    for (int i = 0; i < e->count; ++i) {
        int fd;

        if (open_address(&fd, e, o, i) != 0)
            continue;
        close(fd);
        e->addresses[0] = e->addresses[i];
        return 0;
    }
    return FA_ERR_SYSTEM;
}

static int send_request(int fd, const fa__ch_endpoint *e, const char *path,
                        fa__msec deadline)
{
    char text[2048];
    int len =
        snprintf(text, sizeof(text),
                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: fasterapi-challenge\r\n"
                 "Accept: application/json\r\nConnection: close\r\n\r\n",
                 path, e->host);
    size_t sent = 0;

    if (len < 0 || (size_t)len >= sizeof(text))
        return FA_ERR_INVALID;
    while (sent < (size_t)len) {
        ssize_t n = send(fd, text + sent, (size_t)len - sent, MSG_NOSIGNAL);
        int rv;

        if (n > 0) {
            sent += (size_t)n;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return FA_ERR_CLOSED;
        rv = wait_for(fd, POLLOUT, deadline);
        if (rv != 0)
            return rv;
    }
    return 0;
}

static int keep_body(void *ctx, const char *p, size_t n)
{
    fa__buf *body = ctx;

    return n > MAX_BODY_BYTES - body->len ? FA_ERR_LIMIT : fa__buf_append(body, p, n);
}

/* Reads until the reply is done; what cannot be parsed yet stays in `in`. */
static int read_reply(fa__ch_reply *r, fa__buf *in, int fd, fa__msec deadline)
{
    while (!r->done) {
        ptrdiff_t used;
        ssize_t n;
        int rv = wait_for(fd, POLLIN, deadline);

        if (rv != 0)
            return rv;
        if (fa__buf_reserve(in, 4096) != 0)
            return FA_ERR_NOMEM;
        n = recv(fd, in->p + in->len, in->cap - in->len, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return n == 0 && fa__ch_reply_eof(r) ? 0 : FA_ERR_CLOSED;
        in->len += (size_t)n;
        used = fa__ch_reply_feed(r, NULL, in->p, in->len);
        if (used < 0)
            return (int)used;
        fa__buf_consume(in, (size_t)used);
    }
    return 0;
}

static int fetch_once(fa__buf *body, int *status, const fa__ch_endpoint *e,
                      const fa__ch_options *o, const char *path)
{
    fa__msec deadline = deadline_after(o->reply_timeout_ms);
    fa__ch_reply reply;
    fa__buf in;
    int fd, rv = open_address(&fd, e, o, 0);

    if (rv != 0)
        return rv;
    body->len = 0;
    fa__ch_reply_init(&reply, keep_body, body);
    fa__buf_init(&in, &fa__malloc);
    rv = send_request(fd, e, path, deadline);
    /* A server that refused to read on may have said why. */
    if (rv == 0 || rv == FA_ERR_CLOSED)
        rv = read_reply(&reply, &in, fd, deadline);
    if (rv == 0)
        *status = reply.head.status;
    fa__buf_free(&in);
    close(fd);
    return rv;
}

int fa__ch_fetch(fa__buf *body, int *status, const fa__ch_endpoint *e,
                 const fa__ch_options *o, const char *path)
{
    int rv = fetch_once(body, status, e, o, path);

    if (rv == FA_ERR_CLOSED)
        rv = fetch_once(body, status, e, o, path);
    return rv;
}
