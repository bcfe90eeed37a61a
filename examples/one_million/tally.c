/* Events are spread by their user over shards, each with a lock, a set of users and
   sums of its own, so that threads seldom meet. */
#include "tally.h"

#include <fasterapi/error.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

enum { SHARDS = 64, FIRST_SLOTS = 256, BLOCK_BYTES = 16 * 1024 };

/* A user's name, in a block of names. */
typedef struct user {
    uint32_t hash;
    uint32_t len;
    const char *name; /* NULL: an empty slot */
} user;

typedef struct block {
    struct block *next;
    size_t used, size;
    char bytes[];
} block;

typedef struct shard {
    pthread_mutex_t mutex;
    uint64_t requests;
    double sum;
    user *slots; /* open addressing, a power of two, at most 3/4 full */
    size_t slot_count, users;
    block *blocks;
} __attribute__((aligned(64))) shard; /* a cache line of its own */

struct tally {
    uint64_t seed; /* random: nobody can choose names that collide */
    shard shards[SHARDS];
};

tally *tally_new(void)
{
    tally *t = aligned_alloc(64, sizeof(*t));

    if (t == NULL)
        return NULL;
    memset(t, 0, sizeof(*t));
    if (getrandom(&t->seed, sizeof(t->seed), 0) != (ssize_t)sizeof(t->seed)) {
        free(t);
        return NULL;
    }
    for (int i = 0; i < SHARDS; ++i)
        pthread_mutex_init(&t->shards[i].mutex, NULL);
    return t;
}

void tally_del(tally *t)
{
    for (int i = 0; t != NULL && i < SHARDS; ++i) {
        shard *s = &t->shards[i];

        while (s->blocks != NULL) {
            block *next = s->blocks->next;

            free(s->blocks);
            s->blocks = next;
        }
        free(s->slots);
        pthread_mutex_destroy(&s->mutex);
    }
    free(t);
}

/* The slot that holds that name, or the empty one where it belongs. */
static user *find(user *slots, size_t count, uint32_t hash, fa_slice name)
{
    size_t i = hash & (count - 1);

    while (slots[i].name != NULL && (slots[i].hash != hash || slots[i].len != name.len ||
                                     memcmp(slots[i].name, name.p, name.len) != 0))
        i = (i + 1) & (count - 1);
    return &slots[i];
}

static int grow(shard *s)
{
    size_t count = s->slot_count != 0 ? s->slot_count * 2 : FIRST_SLOTS;
    user *slots = calloc(count, sizeof(*slots));

    if (slots == NULL)
        return FA_ERR_NOMEM;
    for (size_t i = 0; i < s->slot_count; ++i) {
        const user *u = &s->slots[i];

        if (u->name != NULL)
            *find(slots, count, u->hash, (fa_slice){u->name, u->len}) = *u;
    }
    free(s->slots);
    s->slots = slots;
    s->slot_count = count;
    return 0;
}

/* A copy of `name` that stays; NULL when there is no memory. */
static const char *keep_name(shard *s, fa_slice name)
{
    block *b = s->blocks;
    char *p;

    if (b == NULL || name.len > b->size - b->used) {
        size_t size = name.len > BLOCK_BYTES ? name.len : BLOCK_BYTES;

        b = malloc(sizeof(*b) + size);
        if (b == NULL)
            return NULL;
        *b = (block){.next = s->blocks, .size = size};
        s->blocks = b;
    }
    p = b->bytes + b->used;
    if (name.len > 0)
        memcpy(p, name.p, name.len);
    b->used += name.len;
    return p;
}

static int add_user(shard *s, uint32_t hash, fa_slice name)
{
    user *slot;

    if (s->users >= s->slot_count / 4 * 3 && grow(s) != 0)
        return FA_ERR_NOMEM;
    slot = find(s->slots, s->slot_count, hash, name);
    if (slot->name == NULL) {
        slot->name = keep_name(s, name);
        if (slot->name == NULL)
            return FA_ERR_NOMEM;
        slot->hash = hash;
        slot->len = (uint32_t)name.len;
        ++s->users;
    }
    return 0;
}

int tally_add(tally *t, fa_slice name, double value)
{
    uint64_t hash = XXH3_64bits_withSeed(name.p, name.len, t->seed);
    shard *s = &t->shards[hash >> 58];
    int rv;

    pthread_mutex_lock(&s->mutex);
    rv = add_user(s, (uint32_t)hash, name);
    if (rv == 0) {
        ++s->requests;
        s->sum += value;
    }
    pthread_mutex_unlock(&s->mutex);
    return rv;
}

totals tally_totals(tally *t)
{
    totals all = {0, 0, 0.0};

    for (int i = 0; i < SHARDS; ++i)
        pthread_mutex_lock(&t->shards[i].mutex);
    for (int i = 0; i < SHARDS; ++i) {
        all.requests += t->shards[i].requests;
        all.users += t->shards[i].users;
        all.sum += t->shards[i].sum;
    }
    for (int i = SHARDS; i-- > 0;)
        pthread_mutex_unlock(&t->shards[i].mutex);
    return all;
}
