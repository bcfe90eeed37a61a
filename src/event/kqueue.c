#include <errno.h>
#include <stdint.h>
#include <sys/event.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>

#include <fasterapi/error.h>

#include "event/backend.h"

enum { TIMER_IDENT = 1 };

int fa__backend_open(fa__backend *b, bool with_timer)
{
    (void)with_timer; /* EVFILT_TIMER needs no descriptor of its own */
    b->timer_fd = -1;
    b->fd = kqueue();
    return b->fd < 0 ? FA_ERR_SYSTEM : 0;
}

void fa__backend_close(fa__backend *b)
{
    int saved = errno;

    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
    errno = saved;
}

/* Adds or deletes one filter, if `from` and `to` differ in it. */
static int change(fa__backend *b, fa__io *io, int fd, unsigned from, unsigned to,
                  unsigned bit, int16_t filter)
{
    struct kevent ev;
    uint16_t flags = (to & bit) ? EV_ADD : EV_DELETE;

    if (((from ^ to) & bit) == 0)
        return 0;
    EV_SET(&ev, (uintptr_t)fd, filter, flags, 0, 0, io);
    if (kevent(b->fd, &ev, 1, NULL, 0, NULL) < 0 && (to & bit))
        return FA_ERR_SYSTEM;
    return 0;
}

int fa__backend_watch(fa__backend *b, fa__io *io, int fd, unsigned from, unsigned to,
                      bool known)
{
    int rv;

    (void)known;
    rv = change(b, io, fd, from, to, FA__READABLE, EVFILT_READ);
    if (rv != 0)
        return rv;
    rv = change(b, io, fd, from, to, FA__WRITABLE, EVFILT_WRITE);
    if (rv != 0)
        (void)change(b, io, fd, to, from, FA__READABLE, EVFILT_READ);
    return rv;
}

static unsigned from_kevent(const struct kevent *ev)
{
    if (ev->filter == EVFILT_WRITE)
        return FA__WRITABLE | ((ev->flags & EV_EOF) ? (unsigned)FA__HANGUP : 0u);
    return FA__READABLE; /* an end of input is read like any other byte */
}

int fa__backend_wait(fa__backend *b, fa__ready *out, int cap, int timeout_ms)
{
    struct kevent events[FA__LOOP_BATCH];
    struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000L};
    int n;

    if (cap > FA__LOOP_BATCH)
        cap = FA__LOOP_BATCH;
    n = kevent(b->fd, NULL, 0, events, cap, timeout_ms < 0 ? NULL : &timeout);
    if (n < 0)
        return errno == EINTR ? 0 : FA_ERR_SYSTEM;
    for (int i = 0; i < n; ++i) {
        out[i].io = events[i].filter == EVFILT_TIMER ? NULL : (fa__io *)events[i].udata;
        out[i].ready = from_kevent(&events[i]);
    }
    return n;
}

void fa__backend_arm(fa__backend *b, int64_t delay_ms)
{
    struct kevent ev;

    if (delay_ms < 0)
        EV_SET(&ev, TIMER_IDENT, EVFILT_TIMER, EV_DELETE, 0, 0, NULL);
    else
        EV_SET(&ev, TIMER_IDENT, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, delay_ms, NULL);
    (void)kevent(b->fd, &ev, 1, NULL, 0, NULL);
}
