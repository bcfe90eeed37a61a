/* Latencies in a log-linear histogram: constant memory, one increment a value, and
   every value that is read back is off by at most 1/128 of itself. */
#ifndef FA_CHALLENGE_HISTOGRAM_H
#define FA_CHALLENGE_HISTOGRAM_H

#include <stdint.h>

enum {
    FA__CH_SUB_BITS = 6,  /* 64 buckets each time the value doubles */
    FA__CH_MAX_BITS = 42, /* up to 2^42 ns = 73 minutes; above counts as that */
    FA__CH_BUCKETS = (FA__CH_MAX_BITS - FA__CH_SUB_BITS + 1) << FA__CH_SUB_BITS,
};

typedef struct fa__ch_histogram {
    uint64_t count;
    uint64_t sum; /* of the exact values; saturates */
    uint64_t min; /* exact; UINT64_MAX when empty */
    uint64_t max; /* exact; 0 when empty */
    uint64_t buckets[FA__CH_BUCKETS];
} fa__ch_histogram;

void fa__ch_histogram_init(fa__ch_histogram *h);

/* The bucket that counts `value`. */
static inline unsigned fa__ch_bucket(uint64_t value)
{
    unsigned shift;

    if (value >> FA__CH_MAX_BITS != 0)
        value = ((uint64_t)1 << FA__CH_MAX_BITS) - 1;
    if (value < (uint64_t)2 << FA__CH_SUB_BITS)
        return (unsigned)value;
    shift = 63u - (unsigned)__builtin_clzll(value) - FA__CH_SUB_BITS;
    return (shift << FA__CH_SUB_BITS) + (unsigned)(value >> shift);
}

static inline void fa__ch_histogram_add(fa__ch_histogram *h, uint64_t value)
{
    ++h->count;
    h->sum = value > UINT64_MAX - h->sum ? UINT64_MAX : h->sum + value;
    if (value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    ++h->buckets[fa__ch_bucket(value)];
}

/* Adds all of `from` to `h`. */
void fa__ch_histogram_merge(fa__ch_histogram *h, const fa__ch_histogram *from);

/* The value that `parts` in a million of all are not above; 0 when empty. */
uint64_t fa__ch_histogram_at(const fa__ch_histogram *h, uint32_t parts);

uint64_t fa__ch_histogram_mean(const fa__ch_histogram *h);

/* How many values are below `value`, exact where `value` begins a bucket and
   otherwise off by what shares its bucket. */
uint64_t fa__ch_histogram_below(const fa__ch_histogram *h, uint64_t value);

#endif
