/* Waking that failed for want of memory: it is tried again after each poll(). */
#ifndef FA_EXT_CARRIER_LATE_H
#define FA_EXT_CARRIER_LATE_H

#include <stdbool.h>

typedef struct Worker Worker;

/* Part of what is to be woken; all zeros: it is not late. */
typedef struct late {
    struct late *next, **link;
    void (*wake)(struct late *self, Worker *worker);
} late;

/* `wake` is called once, after this or the next poll(): it says late_add() again if it
   fails again. Nothing is allocated. Not for the garbage collector: whoever is part of
   it calls late_remove() before it goes. */
void late_add(late *self, Worker *worker, void (*wake)(late *self, Worker *worker));
void late_remove(late *self);
/* Tries all. */
void late_wake_all(Worker *worker);

#endif
