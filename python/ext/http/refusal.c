/* Requests that the application never gets to see, or not to their end. */
#include "http/cycle.h"

/* What a request that is no HTTP is told is uvicorn's; it has no limits to tell of. */
static const char *
text_for(int error)
{
    switch (error) {
    case FA_ERR_TARGET_TOO_LONG: return "Request line too long.";
    case FA_ERR_HEADER_TOO_LARGE: return "Request header fields too large.";
    case FA_ERR_TOO_MANY_FIELDS: return "Too many request header fields.";
    case FA_ERR_BODY_TOO_LARGE: return "Request body too large.";
    case FA_ERR_TIMEOUT: return "Request timed out.";
    case FA_ERR_TRANSFER_CODING: return "Transfer coding not supported.";
    case FA_ERR_VERSION_UNSUPPORTED: return "HTTP version not supported.";
    case FA_ERR_EXPECTATION: return "Expectation not supported.";
    default: return "Invalid HTTP request received.";
    }
}

int
cycle_answer_text(fa_request *req, int status, const char *text)
{
    char length[24];
    fa_slice body = fa_slice_of(text);
    const fa_field fields[] = {
        {{"content-type", 12}, {"text/plain; charset=utf-8", 25}},
        {{"content-length", 14},
         {length, (size_t)snprintf(length, sizeof(length), "%zu", body.len)}},
        {{"connection", 10}, {"close", 5}},
    };
    int rv = fa_response_start_fields(req, status, fields, 3);

    if (rv == 0)
        rv = fa_response_write(req, body);
    if (rv == 0 || rv == FA_ERR_FULL)
        rv = fa_response_end(req);
    return rv;
}

int
refusal_answer(fa_request *req, int error, void *user_data)
{
    Worker *worker = user_data;
    const char *text = text_for(error);

    worker_warn(worker, text);
    return cycle_answer_text(req, fa_error_status(error), text) == 0 ? FA_ANSWERED
                                                                     : FA_NEXT;
}
