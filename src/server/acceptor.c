#include "server/acceptor.h"

#include <fasterapi/error.h>

#include "http1/writer.h"

enum {
    ACCEPT_BATCH = 64,  /* then other work gets its turn */
    SHED_BYTES = 4096,  /* of a request that is there already */
    RETRY_MS = 100,     /* without descriptors, accepting pauses so long */
    DEFER_MS = 1,       /* and so long when others shall come first, */
    DEFERRED_BATCH = 8, /* after which so many are taken without asking */
    LAST_BATCH = 65536, /* at the end; no backlog is longer */
};

/* One too many. The answer is as good as sent: the buffer of a new socket has room. */
static void shed(fa__acceptor *a, int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "content-length: 33\r\n"
                                 "content-type: application/json\r\n"
                                 "retry-after: 1\r\n" FA__HTTP1_CLOSE FA__HTTP1_CRLF
                                 "{\"detail\":\"Too many connections\"}";
    char request[SHED_BYTES];

    (void)fa__stream_write(fd, answer, sizeof(answer) - 1);
    (void)fa__stream_shutdown(fd);
    /* Closing with a request unread would send a reset, which may overtake the answer
       (RFC 9112, 9.6). One that comes later meets a closed socket all the same: waiting
       for it would let the crowd hold descriptors after all. */
    (void)fa__stream_read(fd, request, sizeof(request));
    fa__stream_close(fd);
    atomic_fetch_add_explicit(a->shed, 1, memory_order_relaxed);
}

/* The listener stays readable: without a pause the loop would spin. */
static void pause_for(fa__acceptor *a, fa__msec ms)
{
    (void)fa__loop_modify(a->loop, &a->io, 0);
    fa__timer_set(fa__loop_timers(a->loop), &a->retry, fa__loop_now(a->loop) + ms);
}

/* Those who shall come first may be busy: once they had their time, some are taken
   without asking. */
static bool is_our_turn(fa__acceptor *a, bool anyway)
{
    if (anyway || a->may_accept == NULL || a->may_accept(a->may_ctx))
        return true;
    a->deferred = true;
    pause_for(a, DEFER_MS);
    return false;
}

/* False: no more for now. */
static bool accept_one(fa__acceptor *a)
{
    fa__address peer;
    int fd, rv;

    memset(&peer, 0, sizeof(peer));
    rv = fa__listener_accept(&fd, &peer, &a->listener);
    if (rv == FA_ERR_CLOSED)
        return true;
    if (rv == FA__ERR_WOULD_BLOCK)
        return false;
    if (rv != 0) {
        fa_log(a->shared->logger, FA_LOG_ERROR, "Server",
               "cannot accept connections: %s%s",
               rv == FA_ERR_LIMIT ? "no file descriptors left (raise ulimit -n)"
                                  : fa_strerror(rv),
               "; trying again");
        pause_for(a, RETRY_MS);
        return false;
    }
    if (fa__shared_admit(a->shared, &peer) != 0)
        shed(a, fd);
    else
        a->place(a->ctx, fd, &peer);
    return true;
}

static void on_io(fa__io *io, unsigned ready)
{
    fa__acceptor *a = (fa__acceptor *)io;

    int unasked = a->deferred ? DEFERRED_BATCH : 0;

    (void)ready;
    a->deferred = false;
    for (int i = 0; i < ACCEPT_BATCH && is_our_turn(a, i < unasked) && accept_one(a); ++i)
        ;
}

static void on_retry(fa__timer *timer)
{
    fa__acceptor *a = (fa__acceptor *)((char *)timer - offsetof(fa__acceptor, retry));

    if (fa__loop_modify(a->loop, &a->io, FA__READABLE) != 0)
        fa__timer_set(fa__loop_timers(a->loop), &a->retry,
                      fa__loop_now(a->loop) + RETRY_MS);
}

int fa__acceptor_start(fa__acceptor *a, fa__loop *loop, fa__shared *shared,
                       const fa__listener *listener, fa__place_fn *place, void *ctx,
                       atomic_uint_fast64_t *shed_counter)
{
    *a = (fa__acceptor){
        .io = {.fn = on_io, .fd = -1},
        .loop = loop,
        .shared = shared,
        .listener = *listener,
        .place = place,
        .ctx = ctx,
        .shed = shed_counter,
    };
    fa__timer_init(&a->retry, on_retry);
    return fa__loop_add(loop, &a->io, listener->fd, FA__READABLE);
}

void fa__acceptor_stop(fa__acceptor *a)
{
    if (a->io.fd < 0)
        return;
    for (int i = 0; i < LAST_BATCH && accept_one(a); ++i)
        ;
    fa__timer_cancel(fa__loop_timers(a->loop), &a->retry);
    fa__loop_remove(a->loop, &a->io);
}
