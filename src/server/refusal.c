/* Requests that no handler gets to see. */
#include <fasterapi/error.h>

#include "server/connection.h"

/* What was read of it is half a head, in a buffer that may be gone. HEAD stays: its
   answer has no body. */
static void forget_head(fa__request_head *head)
{
    static const fa_slice none = {NULL, 0};

    head->method_name = none;
    head->target = none;
    head->path = none;
    head->query = none;
    head->host = none;
    head->field_count = 0;
    head->version_major = 0;
    head->version_minor = 0;
    head->upgrade = false;
    if (head->method != FA_HEAD)
        head->method = FA_METHOD_OTHER;
}

static bool answered_by_hook(fa__conn *conn, int error)
{
    const fa_server_options *o = &conn->worker->shared->options;
    fa_request *req = conn->req;

    return o->on_refusal != NULL &&
           o->on_refusal(req, error, o->refusal_user_data) == FA_ANSWERED &&
           req->answer != FA__ANSWER_NONE;
}

void fa__conn_answer_refusal(fa__conn *conn, int error)
{
    fa_request *req = conn->req;

    ++conn->in_call;
    if (!answered_by_hook(conn, error)) {
        fa__worker_warn(conn->worker, &conn->peer, error);
        if (!conn->broken && req->answer == FA__ANSWER_NONE)
            (void)fa_respond_error(req, fa_error_status(error),
                                   fa_slice_of(fa_strerror(error)));
    }
    --conn->in_call;
    if (req->answer != FA__ANSWER_ENDED)
        fa__conn_break_off(conn, error);
}

void fa__conn_refuse(fa__conn *conn, int error)
{
    fa_worker *w = conn->worker;
    fa_request *req = conn->req;

    fa__count(error == FA_ERR_TIMEOUT ? &w->counters.timeouts : &w->counters.malformed,
              1);
    fa__count(&w->counters.active, 1);
    conn->close_after = true;
    conn->unread = true;
    conn->input = FA__INPUT_WAIT;
    req->refused = true;
    forget_head(&req->head);
    fa__conn_answer_refusal(conn, error);
    if (!conn->broken)
        fa__conn_request_done(conn, 0);
}
