#include "histogram.h"

#include <string.h>

void fa__ch_histogram_init(fa__ch_histogram *h)
{
    memset(h, 0, sizeof(*h));
    h->min = UINT64_MAX;
}

void fa__ch_histogram_merge(fa__ch_histogram *h, const fa__ch_histogram *from)
{
    h->count += from->count;
    h->sum = from->sum > UINT64_MAX - h->sum ? UINT64_MAX : h->sum + from->sum;
    if (from->min < h->min)
        h->min = from->min;
    if (from->max > h->max)
        h->max = from->max;
    for (unsigned i = 0; i < FA__CH_BUCKETS; ++i)
        h->buckets[i] += from->buckets[i];
}

static uint64_t first_value(unsigned bucket)
{
    unsigned shift;

    if (bucket < 2u << FA__CH_SUB_BITS)
        return bucket;
    shift = (bucket >> FA__CH_SUB_BITS) - 1;
    return (uint64_t)(bucket - (shift << FA__CH_SUB_BITS)) << shift;
}

/* The middle of the bucket: half its width, 1/128 of the value, is the most that
   the answer can be off. The exact extremes bound the outermost buckets. */
static uint64_t representative(const fa__ch_histogram *h, unsigned bucket)
{
    uint64_t first = first_value(bucket), next = first_value(bucket + 1);
    uint64_t value = first + (next - first) / 2;

    if (value < h->min)
        return h->min;
    return value > h->max || bucket == FA__CH_BUCKETS - 1 ? h->max : value;
}

uint64_t fa__ch_histogram_at(const fa__ch_histogram *h, uint32_t parts)
{
    uint64_t rank, seen = 0;

    if (h->count == 0)
        return 0;
    if (parts >= 1000000)
        return h->max;
    /* ceil(count * parts / 10^6) without overflow, and at least the first value */
    rank = h->count / 1000000 * parts + (h->count % 1000000 * parts + 999999) / 1000000;
    if (rank <= 1)
        return h->min;
    for (unsigned i = 0; i < FA__CH_BUCKETS; ++i) {
        seen += h->buckets[i];
        if (seen >= rank)
            return representative(h, i);
    }
    return h->max;
}

uint64_t fa__ch_histogram_mean(const fa__ch_histogram *h)
{
    return h->count != 0 ? h->sum / h->count : 0;
}

uint64_t fa__ch_histogram_below(const fa__ch_histogram *h, uint64_t value)
{
    unsigned end = fa__ch_bucket(value);
    uint64_t n = 0;

    if (value > h->max)
        return h->count;
    for (unsigned i = 0; i < end; ++i)
        n += h->buckets[i];
    return n;
}
