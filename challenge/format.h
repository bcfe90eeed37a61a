/* Numbers as people read them. Each writes to `text` and returns it. */
#ifndef FA_CHALLENGE_FORMAT_H
#define FA_CHALLENGE_FORMAT_H

#include <stdint.h>

enum { FA__CH_TEXT = 32 };

/* "1,000,000" */
const char *fa__ch_count_text(char text[FA__CH_TEXT], uint64_t n);

/* "431 us", "5.71 ms", "1.20 s" */
const char *fa__ch_time_text(char text[FA__CH_TEXT], uint64_t ns);

/* How many a second, 0 where no time passed. */
uint64_t fa__ch_per_second(uint64_t count, uint64_t ns);

#endif
