/* What all workers of a server have in common. */
#ifndef FA_SERVER_SHARED_H
#define FA_SERVER_SHARED_H

#include <pthread.h>
#include <stdatomic.h>

#include <fasterapi/server.h>

#include "base/memory.h"
#include "net/address.h"

typedef struct fa__address_count fa__address_count;

typedef struct fa__shared {
    fa_server_options options; /* `alloc` points at `alloc` below */
    fa_slice fields;           /* options.fields as they are sent */
    fa_allocator alloc;
    fa_logger *logger;
    fa_logger *own_logger; /* made here, when the options had none */
    atomic_size_t connections;

    /* Connections by client address; only with max_connections_per_address. */
    pthread_mutex_t addresses_mutex;
    fa__address_count **addresses; /* hash chains */
    uint64_t address_seed;
} fa__shared;

/* `options` may be NULL. Returns 0, FA_ERR_NOMEM, FA_ERR_INVALID (a limit out of its
   range) or FA_ERR_SYSTEM. */
int fa__shared_new(fa__shared **out, const fa_server_options *options);
void fa__shared_del(fa__shared *shared);

/* Counts a new connection. Returns 0, or FA_ERR_LIMIT when it is one too many (it is
   then not counted). */
int fa__shared_admit(fa__shared *shared, const fa__address *peer);
void fa__shared_leave(fa__shared *shared, const fa__address *peer);

#endif
