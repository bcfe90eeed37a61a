/* As much of kqueue as event/kqueue.c uses, over epoll, so that its logic is compiled
   and run on Linux as well. Not for use beyond tests. */
#ifndef FA_TESTS_SYS_EVENT_H
#define FA_TESTS_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    int64_t data;
    void *udata;
};

enum { EVFILT_READ = -1, EVFILT_WRITE = -2, EVFILT_TIMER = -7 };
enum { EV_ADD = 0x1, EV_DELETE = 0x2, EV_ONESHOT = 0x10, EV_EOF = 0x8000 };

#define EV_SET(ev, ident_, filter_, flags_, fflags_, data_, udata_)                      \
    (*(ev) = (struct kevent){(ident_), (filter_), (flags_), (fflags_), (data_), (udata_)})

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout);

#endif
