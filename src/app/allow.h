/* The Allow field of a 405. */
#ifndef FA_APP_ALLOW_H
#define FA_APP_ALLOW_H

#include "app/request.h"

/* All methods that some route of `req->app` answers at `path`, where `match` has found
   that the request's own is none of them. RFC 9110, 15.5.6 asks for all that the
   resource supports, and those may be spread over several routes. `.p` is NULL when
   there is no memory. */
fa_slice fa__allowed_methods(fa_request *req, fa_slice path,
                             const fa__route_match *match);

#endif
