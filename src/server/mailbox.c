#include "server/mailbox.h"

#include <fasterapi/error.h>

fa__mailbox *fa__mailbox_new(const fa_allocator *alloc, fa__loop *loop)
{
    fa__mailbox *box = fa__calloc(alloc, 1, sizeof(*box));

    if (box == NULL)
        return NULL;
    if (pthread_mutex_init(&box->mutex, NULL) != 0) {
        fa__release(alloc, box);
        return NULL;
    }
    box->alloc = *alloc;
    box->loop = loop;
    atomic_init(&box->references, 1);
    return box;
}

fa__mailbox *fa__mailbox_retain(fa__mailbox *box)
{
    atomic_fetch_add_explicit(&box->references, 1, memory_order_relaxed);
    return box;
}

void fa__mailbox_release(fa__mailbox *box)
{
    fa_allocator alloc;

    if (atomic_fetch_sub_explicit(&box->references, 1, memory_order_acq_rel) != 1)
        return;
    alloc = box->alloc;
    pthread_mutex_destroy(&box->mutex);
    fa__release(&alloc, box);
}

int fa__mailbox_post(fa__mailbox *box, fa__mail *mail)
{
    int rv = 0;

    mail->next = NULL;
    pthread_mutex_lock(&box->mutex);
    if (box->loop == NULL) {
        rv = FA_ERR_CLOSED;
    } else if (box->last != NULL) {
        box->last->next = mail;
        box->last = mail;
    } else {
        box->first = box->last = mail;
        /* Under the lock, so that the loop cannot be gone. */
        fa__loop_wake(box->loop);
    }
    pthread_mutex_unlock(&box->mutex);
    return rv;
}

static fa__mail *take_all(fa__mailbox *box, bool close)
{
    fa__mail *first;

    pthread_mutex_lock(&box->mutex);
    first = box->first;
    box->first = box->last = NULL;
    if (close)
        box->loop = NULL;
    pthread_mutex_unlock(&box->mutex);
    return first;
}

static void run(fa__mail *mail, void *worker)
{
    while (mail != NULL) {
        fa__mail *next = mail->next;

        mail->fn(mail, worker);
        mail = next;
    }
}

void fa__mailbox_run(fa__mailbox *box, void *worker)
{
    run(take_all(box, false), worker);
}

void fa__mailbox_close(fa__mailbox *box, void *worker)
{
    run(take_all(box, true), worker);
}
