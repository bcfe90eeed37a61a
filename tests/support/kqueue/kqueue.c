#include <errno.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* One filter of one descriptor: kqueue knows them apart, epoll does not, so each
   watches a duplicate. */
typedef struct knote {
    struct kevent ev;
    int kq;
    int fd; /* duplicate, or a timerfd; 0: free */
} knote;

static knote notes[64];

int kqueue(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

static knote *find(int kq, const struct kevent *ev)
{
    for (int i = 0; i < 64; ++i) {
        knote *n = &notes[i];

        if (n->fd != 0 && n->kq == kq && n->ev.ident == ev->ident &&
            n->ev.filter == ev->filter)
            return n;
    }
    return NULL;
}

static void drop(knote *n)
{
    (void)epoll_ctl(n->kq, EPOLL_CTL_DEL, n->fd, NULL);
    close(n->fd);
    n->fd = 0;
}

static int open_fd(const struct kevent *ev)
{
    struct itimerspec at = {{0, 0}, {0, 0}};
    int fd;

    if (ev->filter != EVFILT_TIMER)
        return dup((int)ev->ident);
    fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    at.it_value.tv_sec = ev->data / 1000;
    at.it_value.tv_nsec = (long)(ev->data % 1000) * 1000000L + 1;
    if (fd >= 0)
        (void)timerfd_settime(fd, 0, &at, NULL);
    return fd;
}

static int add(int kq, const struct kevent *ev)
{
    struct epoll_event e = {.events = ev->filter == EVFILT_WRITE ? EPOLLOUT : EPOLLIN};
    knote *n = find(kq, ev);

    if (n != NULL)
        drop(n);
    for (n = notes; n < notes + 64 && n->fd != 0; ++n)
        ;
    if (n == notes + 64) {
        errno = ENOMEM;
        return -1;
    }
    *n = (knote){.ev = *ev, .kq = kq, .fd = open_fd(ev)};
    e.data.ptr = n;
    if (n->fd < 0 || epoll_ctl(kq, EPOLL_CTL_ADD, n->fd, &e) != 0) {
        n->fd = 0;
        return -1;
    }
    return 0;
}

int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout)
{
    struct epoll_event ready[64];
    int n, ms;

    for (int i = 0; i < change_count; ++i) {
        knote *old = find(kq, &changes[i]);

        if (changes[i].flags & EV_DELETE) {
            if (old == NULL) {
                errno = ENOENT;
                return -1;
            }
            drop(old);
        } else if (add(kq, &changes[i]) != 0) {
            return -1;
        }
    }
    if (event_count == 0)
        return 0;
    ms =
        timeout == NULL ? -1 : (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000);
    n = epoll_wait(kq, ready, event_count < 64 ? event_count : 64, ms);
    for (int i = 0; i < n; ++i) {
        knote *note = ready[i].data.ptr;

        events[i] = note->ev;
        events[i].flags = (ready[i].events & (EPOLLHUP | EPOLLERR)) ? EV_EOF : 0;
        if (note->ev.flags & EV_ONESHOT)
            drop(note);
    }
    return n;
}
