#include "carrier/late.h"

#include "core.h"

static void
insert(late **list, late *self)
{
    self->next = *list;
    if (self->next != NULL)
        self->next->link = &self->next;
    self->link = list;
    *list = self;
}

void
late_add(late *self, Worker *worker, void (*wake)(late *self, Worker *worker))
{
    late_remove(self);
    self->wake = wake;
    insert(&worker->late, self);
    if (worker->worker != NULL)
        fa_worker_wake(worker->worker); /* a poll() will come */
}

void
late_remove(late *self)
{
    if (self->link == NULL)
        return;
    *self->link = self->next;
    if (self->next != NULL)
        self->next->link = self->link;
    self->next = NULL;
    self->link = NULL;
}

void
late_wake_all(Worker *worker)
{
    late *all = worker->late, *first;

    if (all == NULL)
        return;
    worker->late = NULL; /* of those that fail again */
    all->link = &all;
    while ((first = all) != NULL) {
        late_remove(first);
        first->wake(first, worker);
    }
}
