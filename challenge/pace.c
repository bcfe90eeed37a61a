#include "pace.h"

#include <unistd.h>
#if defined(__linux__)
#include <sys/timerfd.h>
#endif

#include <fasterapi/error.h>

static void on_due(fa__io *io, unsigned ready)
{
    fa__ch_pace *p = (fa__ch_pace *)((char *)io - offsetof(fa__ch_pace, io));
    uint64_t expirations;

    (void)ready;
    (void)!read(io->fd, &expirations, sizeof(expirations));
    p->armed_for_ns = 0;
}

int fa__ch_pace_init(fa__ch_pace *p, fa__loop *loop, uint64_t rate, uint32_t step,
                     uint32_t offset)
{
    *p = (fa__ch_pace){
        .io = {.fn = on_due, .fd = -1}, .rate = rate, .step = step, .offset = offset};
#if defined(__linux__)
    if (rate != 0) {
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

        if (fd < 0)
            return FA_ERR_SYSTEM;
        if (fa__loop_add(loop, &p->io, fd, FA__READABLE) != 0) {
            close(fd);
            return FA_ERR_SYSTEM;
        }
    }
#else
    (void)loop;
#endif
    return 0;
}

void fa__ch_pace_free(fa__ch_pace *p, fa__loop *loop)
{
    int fd = p->io.fd;

    if (fd < 0)
        return;
    fa__loop_remove(loop, &p->io);
    close(fd);
}

uint64_t fa__ch_pace_due_ns(const fa__ch_pace *p, uint64_t k)
{
    uint64_t n = k * p->step + p->offset;

    /* in two parts, so that nothing overflows: the rate is at most 10^9 */
    return p->start_ns + n / p->rate * 1000000000u + n % p->rate * 1000000000u / p->rate;
}

int fa__ch_pace_arm(fa__ch_pace *p, uint64_t due_ns, uint64_t now_ns)
{
#if defined(__linux__)
    struct itimerspec at = {
        .it_value = {(time_t)(due_ns / 1000000000u), (long)(due_ns % 1000000000u)}};

    (void)now_ns;
    if (p->armed_for_ns != due_ns &&
        timerfd_settime(p->io.fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        return 1;
    p->armed_for_ns = due_ns;
    return -1;
#else
    (void)p;
    return due_ns <= now_ns
               ? 0
               : (int)((due_ns - now_ns) / 1000000u < 1000 ? (due_ns - now_ns) / 1000000u
                                                           : 1000);
#endif
}
