#include <unistd.h>
#if defined(__linux__) || defined(__APPLE__)
#include <sys/random.h>
#endif

#include "base/clock.h"
#include "json/reader.h"

/*
 * Up to FEW keys are compared one by one; more go into a hash table as well, whose
 * hash is keyed at random, so that nobody can send keys that all meet in one place.
 * A set is used again by the next object at the same depth; its table is not
 * cleared for that, as a small object after a big one must not cost what the big one
 * did: a slot counts only if it bears the number of the object.
 */
enum { FEW = 8, FIRST_SLOTS = 32 };

typedef struct slot {
    fa_slice key;
    uint64_t hash;
    uint64_t object;
} slot;

struct fa__json_keys {
    struct fa__json_keys *outer;
    struct fa__json_keys *inner;
    fa_slice few[FEW];
    size_t count;
    uint64_t object; /* the number of the object at present, from 1 */
    slot *slots;
    size_t slot_count; /* 0 or a power of two */
    uint64_t seed[2];
};

static uint64_t rotate(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein), which is made for this. */
static uint64_t hash_of(const uint64_t seed[2], fa_slice key)
{
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                     seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    uint64_t word;
    size_t i;

    for (i = 0; key.len - i >= 8; i += 8) {
        memcpy(&word, key.p + i, 8);
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
    }
    word = (uint64_t)key.len << 56;
    for (unsigned shift = 0; i < key.len; ++i, shift += 8)
        word |= (uint64_t)(unsigned char)key.p[i] << shift;
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    mix(v);
    mix(v);
    mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void draw_seed(uint64_t seed[2])
{
    if (getentropy(seed, 2 * sizeof(seed[0])) != 0) {
        /* A sandbox without it: still not the same twice. */
        seed[0] = fa__clock_monotonic_ns();
        seed[1] = (uint64_t)(uintptr_t)seed;
    }
}

/* The slot of `key`, or the free one where it belongs. The table is never full. */
static slot *find(const fa__json_keys *keys, fa_slice key, uint64_t hash)
{
    size_t mask = keys->slot_count - 1;
    size_t i = (size_t)hash & mask;

    while (keys->slots[i].object == keys->object &&
           !(keys->slots[i].hash == hash && fa_slice_equal(keys->slots[i].key, key)))
        i = (i + 1) & mask;
    return &keys->slots[i];
}

static void put(fa__json_keys *keys, fa_slice key, uint64_t hash)
{
    *find(keys, key, hash) = (slot){key, hash, keys->object};
}

/* A table of twice the size, with all that is in the old one. */
static int grow(fa_json_reader *r, fa__json_keys *keys)
{
    slot *old = keys->slots, *slots;
    size_t old_count = keys->slot_count;
    size_t count = old_count == 0 ? FIRST_SLOTS : 2 * old_count;

    if (count > SIZE_MAX / 4 / sizeof(slot))
        return FA_ERR_NOMEM;
    slots = fa__json_take(r, count * sizeof(slot));
    if (slots == NULL)
        return FA_ERR_NOMEM;
    memset(slots, 0, count * sizeof(slot));
    if (old_count == 0)
        draw_seed(keys->seed);
    keys->slots = slots;
    keys->slot_count = count;
    for (size_t i = 0; i < old_count; ++i)
        if (old[i].object == keys->object)
            put(keys, old[i].key, old[i].hash);
    return 0;
}

int fa__json_keys_open(fa_json_reader *r)
{
    fa__json_keys *outer = r->keys;
    fa__json_keys *keys = outer != NULL ? outer->inner : r->outermost_keys;

    if (keys == NULL) {
        keys = fa__json_take(r, sizeof(*keys));
        if (keys == NULL)
            return FA_ERR_NOMEM;
        memset(keys, 0, sizeof(*keys));
        keys->outer = outer;
        if (outer != NULL)
            outer->inner = keys;
        else
            r->outermost_keys = keys;
    }
    keys->count = 0;
    ++keys->object;
    r->keys = keys;
    return 0;
}

void fa__json_keys_close(fa_json_reader *r)
{
    r->keys = r->keys->outer;
}

static int add_to_table(fa_json_reader *r, fa__json_keys *keys, fa_slice key)
{
    uint64_t hash;
    slot *at;
    int rv;

    /* At most half full. */
    if (keys->count + 1 > keys->slot_count / 2) {
        rv = grow(r, keys);
        if (rv != 0)
            return rv;
    }
    if (keys->count == FEW)
        for (size_t i = 0; i < FEW; ++i)
            put(keys, keys->few[i], hash_of(keys->seed, keys->few[i]));
    hash = hash_of(keys->seed, key);
    at = find(keys, key, hash);
    if (at->object == keys->object)
        return FA_ERR_JSON_DUPLICATE;
    *at = (slot){key, hash, keys->object};
    ++keys->count;
    return 0;
}

int fa__json_keys_add(fa_json_reader *r, fa_slice key)
{
    fa__json_keys *keys = r->keys;

    if (keys->count >= FEW)
        return add_to_table(r, keys, key);
    for (size_t i = 0; i < keys->count; ++i)
        if (fa_slice_equal(keys->few[i], key))
            return FA_ERR_JSON_DUPLICATE;
    keys->few[keys->count++] = key;
    return 0;
}
