/* From a request's head to its answer. */
#ifndef FA_APP_DISPATCH_H
#define FA_APP_DISPATCH_H

#include "app/request.h"

/* What the connection does next. */
typedef enum fa__dispatched {
    FA__DISPATCH_ANSWERED,  /* or will be answered later: nothing is to be done */
    FA__DISPATCH_BODY,      /* read the whole body, then fa__dispatch_handler() */
    FA__DISPATCH_TOO_LARGE, /* its body will be: to be refused */
} fa__dispatched;

/* The head is there, `req->app` is the application. Runs middleware, finds the
   route, and answers what needs no handler; calls the handler if the body is there
   (`req->body_whole`) or the route streams it. */
fa__dispatched fa__dispatch(fa_request *req);

/* The body is there. */
void fa__dispatch_handler(fa_request *req);

/* Answers 500 in place of whoever failed with `error` to answer, which is logged at the
   end. Header fields set for that other answer are dropped. Returns what fa_respond()
   does. */
int fa__dispatch_fail(fa_request *req, int error);

/* The head of an answer is about to be sent: on_response of all who saw the request. */
void fa__dispatch_response(fa_request *req, int status);

#endif
