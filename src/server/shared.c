#include "server/shared.h"

#include <fasterapi/error.h>

#include "base/clock.h"
#include "http/field.h"
#include "http1/writer.h"

/* One address of those that have connections open. */
struct fa__address_count {
    fa__address_count *next;
    uint64_t high, low; /* an IPv6 address; an IPv4 one is in `low` */
    uint32_t count;
};

enum { ADDRESS_SLOTS = 4096 };

void fa_server_options_init(fa_server_options *options)
{
    *options = (fa_server_options){
        .threads = 1,
        .handle_signals = true,
        .keep_alive_1_0 = true,
        .date_header = true,
        .server_header = FA_SLICE("fasterapi"),
        .backlog = 2048,
    };
    fa_limits_init(&options->limits);
}

static bool limits_valid(const fa_limits *l)
{
    return l->max_headers > 0 && l->max_headers <= 1000 && l->max_pipelined > 0 &&
           l->max_request_line_bytes >= 16 && l->max_header_bytes >= 16 &&
           l->max_body_bytes <= INT64_MAX && l->max_request_line_bytes <= 1u << 20 &&
           l->max_header_bytes <= 1u << 24;
}

static int start_logger(fa__shared *shared)
{
    fa_log_options options = {.alloc = &shared->alloc};

    if (shared->options.logger == NULL) {
        int rv = fa_logger_new(&shared->own_logger, &options);

        if (rv != 0)
            return rv;
        shared->options.logger = shared->own_logger;
    }
    shared->logger = shared->options.logger;
    return 0;
}

/* The lines of options.fields, behind which those they stand for are not sent. */
static int start_fields(fa__shared *shared)
{
    fa_server_options *o = &shared->options;
    size_t bytes = 0;
    char *text, *at;

    for (size_t i = 0; i < o->field_count; ++i) {
        fa_slice name = o->fields[i].name, value = fa__trim(o->fields[i].value);

        if (!fa__token_valid(name))
            return FA_ERR_FIELD_NAME;
        if (!fa__field_value_valid(value))
            return FA_ERR_FIELD_VALUE;
        if (fa__field_frames(name))
            return FA_ERR_INVALID;
        bytes += fa__http1_field_max(name, value);
    }
    if (bytes == 0)
        return 0;
    text = at = fa__alloc(&shared->alloc, bytes);
    if (text == NULL)
        return FA_ERR_NOMEM;
    for (size_t i = 0; i < o->field_count; ++i) {
        fa_slice name = o->fields[i].name;

        at = fa__http1_write_field(at, name, fa__trim(o->fields[i].value));
        if (fa__equal_nocase(name, FA_SLICE("date")))
            o->date_header = false;
        else if (fa__equal_nocase(name, FA_SLICE("server")))
            o->server_header = (fa_slice){NULL, 0};
    }
    shared->fields = (fa_slice){text, (size_t)(at - text)};
    o->fields = NULL; /* whoever has them may let them go */
    o->field_count = 0;
    return 0;
}

static int start_address_table(fa__shared *shared)
{
    if (shared->options.limits.max_connections_per_address == 0)
        return 0;
    shared->addresses =
        fa__calloc(&shared->alloc, ADDRESS_SLOTS, sizeof(fa__address_count *));
    return shared->addresses != NULL ? 0 : FA_ERR_NOMEM;
}

int fa__shared_new(fa__shared **out, const fa_server_options *options)
{
    fa_server_options defaults;
    const fa_allocator *alloc;
    fa__shared *shared;
    int rv;

    if (options == NULL) {
        fa_server_options_init(&defaults);
        options = &defaults;
    }
    if (!limits_valid(&options->limits) || options->threads > 256)
        return FA_ERR_INVALID;
    alloc = options->alloc != NULL ? options->alloc : &fa__malloc;
    shared = fa__calloc(alloc, 1, sizeof(*shared));
    if (shared == NULL)
        return FA_ERR_NOMEM;
    shared->alloc = *alloc;
    shared->options = *options;
    shared->options.alloc = &shared->alloc;
    /* So that nobody can choose addresses that all fall into one slot. */
    shared->address_seed = fa__clock_monotonic_ns() ^ (uint64_t)(uintptr_t)shared;
    if (pthread_mutex_init(&shared->addresses_mutex, NULL) != 0) {
        fa__release(alloc, shared);
        return FA_ERR_SYSTEM;
    }
    rv = start_logger(shared);
    if (rv == 0)
        rv = start_fields(shared);
    if (rv == 0)
        rv = start_address_table(shared);
    if (rv != 0) {
        fa__shared_del(shared);
        return rv;
    }
    *out = shared;
    return 0;
}

void fa__shared_del(fa__shared *shared)
{
    fa_allocator alloc;

    if (shared == NULL)
        return;
    alloc = shared->alloc;
    for (size_t i = 0; shared->addresses != NULL && i < ADDRESS_SLOTS; ++i) {
        while (shared->addresses[i] != NULL) {
            fa__address_count *next = shared->addresses[i]->next;

            fa__release(&alloc, shared->addresses[i]);
            shared->addresses[i] = next;
        }
    }
    fa__release(&alloc, shared->addresses);
    pthread_mutex_destroy(&shared->addresses_mutex);
    fa_logger_del(shared->own_logger);
    fa__release(&alloc, (void *)(uintptr_t)shared->fields.p);
    fa__release(&alloc, shared);
}

/* False: an address that does not tell clients apart (a unix socket). */
static bool key_of(const fa__address *peer, uint64_t *high, uint64_t *low)
{
    *high = 0;
    *low = 0;
    if (peer->any.sa_family == AF_INET) {
        *low = peer->in.sin_addr.s_addr;
        return true;
    }
    if (peer->any.sa_family == AF_INET6) {
        /* Of IPv6, whoever has one address has the whole /64. */
        memcpy(high, &peer->in6.sin6_addr, sizeof(*high));
        return true;
    }
    return false;
}

/* Where the pointer to the entry of that address is, or would be. */
static fa__address_count **find(fa__shared *shared, uint64_t high, uint64_t low)
{
    uint64_t h = (high ^ shared->address_seed) * 0x9e3779b97f4a7c15u;
    fa__address_count **at;

    h = (h ^ (h >> 32) ^ low) * 0xd6e8feb86659fd93u;
    at = &shared->addresses[(h >> 40) % ADDRESS_SLOTS];
    while (*at != NULL && ((*at)->high != high || (*at)->low != low))
        at = &(*at)->next;
    return at;
}

static int admit_address(fa__shared *shared, uint64_t high, uint64_t low)
{
    fa__address_count **at;
    int rv = 0;

    pthread_mutex_lock(&shared->addresses_mutex);
    at = find(shared, high, low);
    if (*at == NULL) {
        *at = fa__calloc(&shared->alloc, 1, sizeof(**at));
        if (*at != NULL)
            **at = (fa__address_count){NULL, high, low, 0};
    }
    if (*at == NULL || (*at)->count >= shared->options.limits.max_connections_per_address)
        rv = FA_ERR_LIMIT;
    else
        ++(*at)->count;
    pthread_mutex_unlock(&shared->addresses_mutex);
    return rv;
}

static void leave_address(fa__shared *shared, uint64_t high, uint64_t low)
{
    fa__address_count **at, *entry;

    pthread_mutex_lock(&shared->addresses_mutex);
    at = find(shared, high, low);
    entry = *at;
    if (entry != NULL && --entry->count == 0) {
        *at = entry->next;
        fa__release(&shared->alloc, entry);
    }
    pthread_mutex_unlock(&shared->addresses_mutex);
}

int fa__shared_admit(fa__shared *shared, const fa__address *peer)
{
    const uint32_t max = shared->options.limits.max_connections;
    uint64_t high, low;

    if (atomic_fetch_add(&shared->connections, 1) >= max && max != 0) {
        atomic_fetch_sub(&shared->connections, 1);
        return FA_ERR_LIMIT;
    }
    if (shared->addresses != NULL && key_of(peer, &high, &low) &&
        admit_address(shared, high, low) != 0) {
        atomic_fetch_sub(&shared->connections, 1);
        return FA_ERR_LIMIT;
    }
    return 0;
}

void fa__shared_leave(fa__shared *shared, const fa__address *peer)
{
    uint64_t high, low;

    atomic_fetch_sub(&shared->connections, 1);
    if (shared->addresses != NULL && key_of(peer, &high, &low))
        leave_address(shared, high, low);
}
