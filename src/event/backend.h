/* What a kernel interface for readiness must do; epoll.c and kqueue.c do it. */
#ifndef FA_EVENT_BACKEND_H
#define FA_EVENT_BACKEND_H

#include "event/loop.h"

typedef struct fa__backend {
    int fd;       /* of the epoll or kqueue */
    int timer_fd; /* epoll only; -1: none */
} fa__backend;

typedef struct fa__ready {
    fa__io *io; /* NULL: the timer of fa__backend_arm(), or an io removed meanwhile */
    unsigned ready;
} fa__ready;

/* Returns 0 or FA_ERR_SYSTEM. */
int fa__backend_open(fa__backend *b, bool with_timer);
void fa__backend_close(fa__backend *b);

/* Changes what `fd` is watched for from `from` to `to` (0: not at all). Returns 0
   or FA_ERR_SYSTEM; changing to 0 does not fail. */
int fa__backend_watch(fa__backend *b, fa__io *io, int fd, unsigned from, unsigned to,
                      bool known);

/* Returns how many were written to `out`; EINTR counts as none. */
int fa__backend_wait(fa__backend *b, fa__ready *out, int cap, int timeout_ms);

/* Makes `b->fd` readable in `delay_ms` (-1: not at all). */
void fa__backend_arm(fa__backend *b, int64_t delay_ms);

#endif
