/* An application in which every kind of answer occurs, for runs in which memory fails. */
#ifndef FA_TESTS_OOM_APPLICATION_H
#define FA_TESTS_OOM_APPLICATION_H

#include <fasterapi/server.h>

typedef struct application {
    fa_app *app, *sub;
    fa_deferred *waiting; /* of the last request to /deferred */
    unsigned begun, finished;
    unsigned opened, closed; /* WebSockets */
    unsigned held;           /* pieces of answers that have not been released */
} application;

/* Returns 0 or the first error of the library; what is built is deleted then. */
int application_build(application *a, const fa_allocator *alloc);
void application_free(application *a);

/* Answers the request that waits, as another thread would; if that fails, lets go. */
void application_answer_waiting(application *a);

#endif
