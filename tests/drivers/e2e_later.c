/* Answers from other threads. */
#include "e2e_app.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct job {
    fa_deferred *deferred;
    int64_t ms;
    bool abandon; /* let go without an answer */
    bool stream;  /* start, write and end in three calls */
} job;

static atomic_int threads_running;

static void answer(fa_request *req, void *user_data)
{
    const fa_slice *text = user_data;
    fa_slice path;

    if (req == NULL) {
        event("later gone");
        return;
    }
    /* Head, body and parameters must have outlived the buffer they came in. */
    path = fa_arena_format(fa_request_arena(req), "%.*s %.*s [%.*s]", (int)text->len,
                           text->p, (int)fa_request_path(req).len, fa_request_path(req).p,
                           (int)fa_request_body(req).len, fa_request_body(req).p);
    (void)fa_respond(req, 200, FA_SLICE("text/plain"), path);
}

static void begin(fa_request *req, void *user_data)
{
    (void)user_data;
    if (req != NULL)
        (void)fa_response_start(req, 200, -1);
}

static void write_some(fa_request *req, void *user_data)
{
    (void)user_data;
    if (req != NULL)
        (void)fa_response_write(req, FA_SLICE("piece "));
}

static void finish(fa_request *req, void *user_data)
{
    (void)user_data;
    if (req != NULL)
        (void)fa_response_end(req);
    else
        event("later gone");
}

static void nap(int64_t ms)
{
    usleep((useconds_t)(ms * 1000));
}

static void *work(void *arg)
{
    static const fa_slice later = {"later", 5};
    job *j = arg;

    nap(j->ms);
    if (j->stream) {
        (void)fa_deferred_run(j->deferred, begin, NULL);
        for (int i = 0; i < 3; ++i) {
            nap(j->ms);
            (void)fa_deferred_run(j->deferred, write_some, NULL);
        }
        (void)fa_deferred_run(j->deferred, finish, NULL);
    } else if (!j->abandon) {
        union {
            const fa_slice *in;
            void *out;
        } unconst = {&later}; /* user data knows no const */

        if (fa_deferred_run(j->deferred, answer, unconst.out) != 0)
            event("later closed");
    }
    fa_deferred_release(j->deferred);
    free(j);
    --threads_running;
    return NULL;
}

static int hand_over(fa_request *req, bool abandon, bool stream)
{
    job *j = malloc(sizeof(*j));
    pthread_t thread;

    if (j == NULL)
        return FA_ERR_NOMEM;
    *j = (job){
        .deferred = fa_request_defer(req),
        .ms = query_int(req, FA_SLICE("ms"), 20),
        .abandon = abandon,
        .stream = stream,
    };
    ++threads_running;
    if (j->deferred == NULL || pthread_create(&thread, NULL, work, j) != 0) {
        --threads_running;
        if (j->deferred != NULL)
            fa_deferred_release(j->deferred);
        free(j);
        return FA_ERR_SYSTEM;
    }
    pthread_detach(thread);
    return 0;
}

static int later(fa_request *req, void *user_data)
{
    (void)user_data;
    return hand_over(req, false, false);
}

static int later_stream(fa_request *req, void *user_data)
{
    (void)user_data;
    return hand_over(req, false, true);
}

/* Nobody answers: let go at once, or by another thread. */
static int abandon(fa_request *req, void *user_data)
{
    fa_deferred *deferred;

    (void)user_data;
    if (query_int(req, FA_SLICE("thread"), 0) != 0)
        return hand_over(req, true, false);
    deferred = fa_request_defer(req);
    if (deferred == NULL)
        return FA_ERR_NOMEM;
    fa_deferred_release(deferred);
    return 0;
}

/* Both the handler and the other thread answer: the first counts. */
static int both(fa_request *req, void *user_data)
{
    int rv = hand_over(req, false, false);

    (void)user_data;
    return rv != 0 ? rv : fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("first"));
}

void add_later(fa_app *app)
{
    add(app, FA_GET, "/later", later);
    add(app, FA_POST, "/later", later);
    add(app, FA_GET, "/later-stream", later_stream);
    add(app, FA_GET, "/abandon", abandon);
    add(app, FA_GET, "/both", both);
}

void join_later(void)
{
    while (threads_running > 0)
        usleep(1000);
}
