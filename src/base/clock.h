/* Time. Protocol code never reads a clock: it is handed the time. */
#ifndef FA_BASE_CLOCK_H
#define FA_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t fa__msec; /* monotonic milliseconds */

#define FA__NEVER UINT64_MAX

fa__msec fa__clock_monotonic_ms(void);
uint64_t fa__clock_monotonic_ns(void);

/* Milliseconds since 1970-01-01 UTC; jumps when the clock is set. */
int64_t fa__clock_wall_ms(void);

#endif
