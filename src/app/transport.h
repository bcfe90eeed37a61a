/* What a protocol version does for the answer to a request. The functions of
   response.h check states and arguments, then call these. */
#ifndef FA_APP_TRANSPORT_H
#define FA_APP_TRANSPORT_H

#include <fasterapi/request.h>
#include <fasterapi/response.h>

/* Bytes that are the application's until they are let go. */
typedef struct fa__hold {
    fa_release_fn *release;
    void *ctx;
} fa__hold;

typedef struct fa__transport {
    /* The whole answer. May fail only before anything was sent. */
    int (*respond)(fa_request *req, int status, fa_slice content_type, fa_slice body);
    int (*interim)(fa_request *req, int status);
    int (*start)(fa_request *req, int status, int64_t length);
    int (*start_fields)(fa_request *req, int status, const fa_field *fields,
                        size_t count);
    /* With `hold`, which it takes over whatever it returns, or NULL: then it copies. */
    int (*write)(fa_request *req, fa_slice data, const fa__hold *hold);
    int (*send_file)(fa_request *req, int fd, int64_t offset, int64_t length);
    int (*end)(fa_request *req);
    void (*abort)(fa_request *req);
    size_t (*pending)(const fa_request *req);

    /* The body is wanted now; or held back, or no longer. */
    int (*read)(fa_request *req);
    void (*pause)(fa_request *req, bool paused);

    int (*upgrade)(fa_request *req, fa_slice protocol, const fa_stream_handler *handler,
                   void *user_data, fa_stream **out);
    fa_deferred *(*defer)(fa_request *req);
    fa_slice (*address)(fa_request *req, bool of_server, uint16_t *port);
    fa_slice (*scheme)(const fa_request *req);
} fa__transport;

#endif
