/* What proxies in front of us say of a request: X-Forwarded-For, X-Forwarded-Proto. The
   rules are those of uvicorn's ProxyHeadersMiddleware. */
#ifndef FA_EXT_HTTP_FORWARDED_H
#define FA_EXT_HTTP_FORWARDED_H

#include "core.h"

typedef struct forwarded {
    const char *scheme; /* "http", "https", "ws" or "wss"; NULL: nothing is said */
    PyObject *client;   /* (host, port), a new reference; NULL likewise */
} forwarded;

/* Whether worker->forwarded is None or (everybody, addresses, networks, texts), as
   fasterapi/_proxy.py makes it. Returns 0, or -1 with an exception. */
int forwarded_check(Worker *worker);

/* What is said, if the peer is trusted. Returns 0, or -1 with an exception. */
int forwarded_of(forwarded *out, Worker *worker, fa_request *req);

/* The scheme of a request as its scope has it. */
fa_slice forwarded_scheme(const Worker *worker, fa_request *req);

#endif
