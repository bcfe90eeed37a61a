/* A worker, clients over socket pairs, and one thread: what the tests of the server
   stand on. */
#ifndef FA_TESTS_SERVING_H
#define FA_TESTS_SERVING_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <fasterapi/error.h>
#include <fasterapi/server.h>

#include "check.h"

/* A client's end, and all that came from the server. */
typedef struct client {
    int fd;     /* -1: none */
    bool ended; /* the server has closed */
    size_t len;
    char got[1024 * 1024];
} client;

static inline int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void drop_record(void *ctx, const fa_log_record *record)
{
    (void)ctx;
    (void)record;
}

/* Defaults without a Date, so that answers are always the same, and without a log. */
static inline fa_server_options quiet_options(void)
{
    static fa_logger *logger;
    fa_log_options log_options = {.fn = drop_record};
    fa_server_options options;

    if (logger == NULL && fa_logger_new(&logger, &log_options) != 0)
        abort();
    fa_server_options_init(&options);
    options.date_header = false;
    options.logger = logger;
    return options;
}

/* Two connected sockets: the server's end is in `*server_fd`. */
static inline void client_init(client *c, int *server_fd)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        abort();
    c->fd = fds[0];
    c->ended = false;
    c->len = 0;
    *server_fd = fds[1];
}

/* Returns what fa_worker_adopt() returned; the server's end is closed unless taken. */
static inline int client_connect(client *c, fa_worker *w)
{
    int fd, rv;

    client_init(c, &fd);
    rv = fa_worker_adopt(w, fd);
    if (rv != 0)
        close(fd);
    return rv;
}

static inline void client_close(client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* Takes what has come. */
static inline void client_read(client *c)
{
    while (c->fd >= 0 && !c->ended && c->len < sizeof(c->got) - 1) {
        ssize_t n = recv(c->fd, c->got + c->len, sizeof(c->got) - 1 - c->len, 0);

        if (n > 0)
            c->len += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            c->ended = true;
        if (n <= 0)
            break;
    }
    c->got[c->len] = '\0';
}

/* The server works, and the client reads, until neither has anything to do. */
static inline void settle(fa_worker *w, client *c)
{
    int worked;
    size_t before;

    do {
        before = c->len;
        worked = fa_worker_poll(w, 0, 16);
        client_read(c);
    } while (worked > 0 || c->len != before);
}

/* Sends all of it; false when the server has closed. */
static inline bool client_send(client *c, fa_worker *w, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        }
        settle(w, c);
        if (c->ended)
            return n == 0;
    }
    return true;
}

static inline bool client_say(client *c, fa_worker *w, const char *text)
{
    return client_send(c, w, text, strlen(text));
}

/* Works until `*flag` or the client's end shows, at most `ms` long. */
static inline bool work_until(fa_worker *w, client *c, const bool *flag, int ms)
{
    int64_t end = now_ms() + ms;

    while (now_ms() < end) {
        (void)fa_worker_poll(w, 5, 4);
        client_read(c);
        if ((flag != NULL && *flag) || (flag == NULL && c->ended))
            return true;
    }
    return false;
}

/* ---- answers ---- */

typedef struct answer {
    int status;
    size_t len;    /* head and body */
    bool complete; /* all of it is there */
} answer;

static inline const char *find_text(const char *p, size_t n, const char *text)
{
    return memmem(p, n, text, strlen(text));
}

/* Where the chunked body at `p` ends, 0 if it does not yet; (size_t)-1 if malformed.
   For trailers of whole lines. */
static inline size_t chunked_length(const char *p, size_t n)
{
    size_t at = 0;

    for (;;) {
        const char *line = find_text(p + at, n - at, "\r\n");
        char *end;
        unsigned long size;

        if (line == NULL)
            return 0;
        size = strtoul(p + at, &end, 16);
        if (end == p + at || end != line)
            return (size_t)-1;
        at = (size_t)(line - p) + 2;
        if (size == 0)
            break;
        if (n - at < size + 2)
            return 0;
        if (memcmp(p + at + size, "\r\n", 2) != 0)
            return (size_t)-1;
        at += size + 2;
    }
    for (;;) {
        const char *line = find_text(p + at, n - at, "\r\n");

        if (line == NULL)
            return 0;
        if (line == p + at)
            return at + 2;
        at = (size_t)(line - p) + 2;
    }
}

/* The answer at `p`, as a client reads it (`to_head`: asked by HEAD). Returns false when
   it is not HTTP. */
static inline bool read_answer(answer *out, const char *p, size_t n, bool closed,
                               bool to_head)
{
    const char *head = find_text(p, n, "\r\n\r\n"), *field;
    size_t body;

    *out = (answer){0, n, false};
    if (n < 12 || head == NULL)
        return memcmp(p, "HTTP/1.1 ", n < 9 ? n : 9) == 0;
    if (sscanf(p, "HTTP/1.1 %3d ", &out->status) != 1)
        return false;
    body = (size_t)(head - p) + 4;
    if (out->status < 200 || to_head) {
        *out = (answer){out->status, body, true};
        return true;
    }
    field = find_text(p, body, "\r\ncontent-length: ");
    if (field != NULL) {
        size_t length = strtoul(field + 18, NULL, 10);

        out->complete = n - body >= length;
        out->len = out->complete ? body + length : n;
    } else if (find_text(p, body, "\r\ntransfer-encoding: chunked") != NULL) {
        size_t length = chunked_length(p + body, n - body);

        if (length == (size_t)-1)
            return false;
        out->complete = length != 0;
        out->len = out->complete ? body + length : n;
    } else {
        out->complete = out->status == 204 || out->status == 304 || closed;
        out->len = out->status == 204 || out->status == 304 ? body : n;
    }
    return true;
}

#endif
