/* Handles on requests for other threads. */
#include <stdatomic.h>

#include <fasterapi/error.h>

#include "app/dispatch.h"
#include "server/connection.h"

struct fa_deferred {
    fa__mail abandoned;     /* first; see fa_deferred_release() */
    atomic_bool posted;     /* `abandoned` is under way */
    atomic_uint references; /* the callers', and one of the request's own */
    fa__mailbox *mailbox;
    fa_request *req; /* worker's thread only; NULL: over */
    fa_allocator alloc;
};

/* A call under way to the worker. */
typedef struct letter {
    fa__mail mail; /* first */
    fa_deferred *deferred;
    fa_deferred_fn *fn;
    void *user_data;
} letter;

static void drop(fa_deferred *d)
{
    fa_allocator alloc;

    if (atomic_fetch_sub_explicit(&d->references, 1, memory_order_acq_rel) != 1)
        return;
    alloc = d->alloc;
    fa__mailbox_release(d->mailbox);
    fa__release(&alloc, d);
}

/* The last of those who could have answered has let go. */
static void on_abandoned(fa__mail *mail, void *worker)
{
    fa_deferred *d = (fa_deferred *)mail;
    fa_request *req = d->req;

    (void)worker;
    atomic_store(&d->posted, false);
    if (req != NULL && atomic_load(&d->references) == 2) {
        fa__conn *conn = req->stream;

        fa__deferred_detach(d);
        ++conn->in_call;
        if (req->answer == FA__ANSWER_STARTED && req->drain_fn == NULL &&
            (!req->read_wanted || req->body_whole)) {
            fa_response_abort(req);
        } else if (req->answer == FA__ANSWER_NONE && !fa__request_answers_later(req)) {
            if (fa__dispatch_fail(req, FA_ERR_STATE) != 0)
                conn->broken = true;
        }
        --conn->in_call;
        (void)fa__conn_after(conn);
    }
    drop(d);
}

fa_deferred *fa__deferred_new(fa_request *req, fa_worker *w)
{
    fa_deferred *d = req->deferred;

    if (d != NULL)
        return fa_deferred_retain(d);
    d = fa__calloc(&w->shared->alloc, 1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->abandoned.fn = on_abandoned;
    d->alloc = w->shared->alloc;
    d->mailbox = fa__mailbox_retain(w->mailbox);
    d->req = req;
    atomic_init(&d->posted, false);
    atomic_init(&d->references, 2);
    req->deferred = d;
    return d;
}

void fa__deferred_detach(fa_deferred *d)
{
    d->req->deferred = NULL;
    d->req = NULL;
    drop(d);
}

fa_deferred *fa_deferred_retain(fa_deferred *d)
{
    atomic_fetch_add_explicit(&d->references, 1, memory_order_relaxed);
    return d;
}

void fa_deferred_release(fa_deferred *d)
{
    unsigned n = atomic_load(&d->references);

    for (;;) {
        /* With the request's own reference this is the last: if it is unanswered
           nobody can answer it any more. The letter takes the reference along. */
        if (n == 2 && !atomic_exchange(&d->posted, true)) {
            if (fa__mailbox_post(d->mailbox, &d->abandoned) != 0)
                drop(d);
            return;
        }
        if (n == 1) {
            drop(d);
            return;
        }
        if (atomic_compare_exchange_weak(&d->references, &n, n - 1))
            return;
    }
}

static void on_letter(fa__mail *mail, void *worker)
{
    letter *l = (letter *)mail;
    fa_deferred *d = l->deferred;
    fa_allocator alloc = d->alloc;
    fa_request *req = d->req;
    fa__conn *conn = req != NULL ? req->stream : NULL;

    (void)worker;
    if (conn != NULL)
        ++conn->in_call;
    l->fn(req, l->user_data);
    if (conn != NULL) {
        --conn->in_call;
        (void)fa__conn_after(conn);
    }
    fa__release(&alloc, l);
    fa_deferred_release(d); /* perhaps the last that could have answered */
}

int fa_deferred_run(fa_deferred *d, fa_deferred_fn *fn, void *user_data)
{
    letter *l = fa__calloc(&d->alloc, 1, sizeof(*l));
    int rv;

    if (l == NULL)
        return FA_ERR_NOMEM;
    *l = (letter){.mail = {.fn = on_letter},
                  .deferred = fa_deferred_retain(d),
                  .fn = fn,
                  .user_data = user_data};
    rv = fa__mailbox_post(d->mailbox, &l->mail);
    if (rv != 0) {
        fa_allocator alloc = d->alloc;

        fa__release(&alloc, l);
        drop(d);
    }
    return rv;
}
