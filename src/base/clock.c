#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec t = {0, 0};

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t fa__clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

fa__msec fa__clock_monotonic_ms(void)
{
    return fa__clock_monotonic_ns() / 1000000u;
}

int64_t fa__clock_wall_ms(void)
{
    return (int64_t)(read_ns(CLOCK_REALTIME) / 1000000u);
}
