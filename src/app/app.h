/* The application as the library sees it. */
#ifndef FA_APP_APP_H
#define FA_APP_APP_H

#include <fasterapi/app.h>

#include "base/memory.h"
#include "route/router.h"

enum { FA__MIDDLEWARE_MAX = 32 };

/* What a route of the router stands for: a handler, or a mounted application. */
typedef struct fa__endpoint {
    struct fa__endpoint *next; /* in registration order, newest first */
    fa_handler *handler;
    void *user_data;
    fa_app *mounted;         /* NULL: a route */
    uint64_t max_body_bytes; /* 0: the server's */
    bool stream_body;
    bool whole_if_there;
    uint64_t whole_bytes;
    bool any_method; /* of a fallback */
} fa__endpoint;

struct fa_app {
    fa_allocator alloc;
    fa__router *router;
    fa__endpoint *endpoints;
    fa__endpoint fallback; /* handler NULL: 404 */
    fa_middleware middleware[FA__MIDDLEWARE_MAX];
    unsigned middleware_count;
    fa_lifecycle lifecycle;
    bool redirect_slashes;
    bool served; /* read-only from here on */
};

/* Makes the application and those mounted in it ready to be served by any number of
   threads. Returns 0, FA_ERR_NOMEM, or FA_ERR_LIMIT (mounted too deep). */
int fa__app_serve(fa_app *app);

#endif
