/* A worker's record on the board that a supervisor shares with its workers. */
#ifndef FA_EXT_HEARTBEAT_HEARTBEAT_H
#define FA_EXT_HEARTBEAT_HEARTBEAT_H

#include "core.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* A cache line, so that workers do not slow each other down. Times are of
   CLOCK_MONOTONIC, which processes have in common; 0: never. */
typedef struct record {
    _Atomic uint64_t process_ns;
    _Atomic uint64_t loop_ns;
    _Atomic uint64_t connections; /* and one more; 0: accepts none */
    _Atomic uint64_t slots;       /* in the first one only: records in use, at most */
    uint64_t unused[4];
} record;

_Static_assert(sizeof(record) == 64, "the supervisor counts in records of 64 bytes");

typedef struct Heartbeat {
    PyObject_HEAD record *board; /* NULL before __init__() */
    size_t board_bytes;
    record *own;
    bool running; /* the thread, in the process `pid` */
    pid_t pid;
    pthread_t thread;
    int lifeline;     /* borrowed; hangs up when the supervisor has gone */
    int stop_pipe[2]; /* closing [1] ends the thread */
    uint64_t grace_ns;
    Worker *worker; /* a reference; that of take_turns(), or NULL */
} Heartbeat;

uint64_t heartbeat_now_ns(void);

/* The thread that beats for the process. Returns 0 or an error number. */
int heartbeat_start_thread(Heartbeat *self);

/* Ends it, if it is this process's, and closes the stop pipe; nothing if it does not run.
 */
void heartbeat_stop_thread(Heartbeat *self);

#endif
