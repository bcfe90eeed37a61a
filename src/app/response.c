#include <fasterapi/response.h>

#include "app/dispatch.h"
#include "app/request.h"
#include "base/ascii.h"
#include "http/field.h"

static int add_field(fa_request *req, fa__response_fields *list, fa_slice name,
                     fa_slice value)
{
    fa__response_field *field;

    if (!fa__token_valid(name))
        return FA_ERR_FIELD_NAME;
    value = fa__trim(value);
    if (!fa__field_value_valid(value))
        return FA_ERR_FIELD_VALUE;
    if (fa__field_frames(name))
        return FA_ERR_INVALID;
    field = fa_arena_alloc(&req->arena, sizeof(*field));
    if (field == NULL)
        return FA_ERR_NOMEM;
    field->next = NULL;
    field->name = fa_arena_copy(&req->arena, name);
    field->value = fa_arena_copy(&req->arena, value);
    if (field->name.p == NULL || field->value.p == NULL)
        return FA_ERR_NOMEM;
    if (list->last != NULL)
        list->last->next = field;
    else
        list->first = field;
    list->last = field;
    list->bytes += name.len + value.len + 4; /* ": " and CRLF */
    return 0;
}

int fa_response_header(fa_request *req, fa_slice name, fa_slice value)
{
    int rv;

    if (req->answer != FA__ANSWER_NONE)
        return FA_ERR_STATE;
    rv = add_field(req, &req->fields_out, name, value);
    if (rv != 0)
        return rv;
    if (name.len == 4 && fa__equal_nocase(name, FA_SLICE("date")))
        req->has_date = true;
    else if (name.len == 6 && fa__equal_nocase(name, FA_SLICE("server")))
        req->has_server = true;
    return 0;
}

void fa_response_close(fa_request *req)
{
    req->close_after = true;
}

int fa_response_status(const fa_request *req)
{
    return req->answer == FA__ANSWER_NONE ? 0 : req->status;
}

/* RFC 9110, 15.3.5, 15.3.6 and 15.4.5. */
static bool takes_no_body(int status)
{
    return status == 204 || status == 205 || status == 304;
}

int fa_respond(fa_request *req, int status, fa_slice content_type, fa_slice body)
{
    if (req->answer != FA__ANSWER_NONE)
        return FA_ERR_STATE;
    if (status < 200 || status > 599 || (takes_no_body(status) && body.len > 0) ||
        !fa__field_value_valid(content_type))
        return FA_ERR_INVALID;
    fa__dispatch_response(req, status);
    return req->transport->respond(req, status, content_type, body);
}

int fa_respond_json(fa_request *req, int status, fa_slice json)
{
    return fa_respond(req, status, FA_SLICE("application/json"), json);
}

int fa_respond_writer(fa_request *req, int status, fa_json_writer *writer)
{
    fa_slice json;
    int rv = fa_json_writer_finish(&json, writer);

    return rv != 0 ? rv : fa_respond_json(req, status, json);
}

int fa_respond_error(fa_request *req, int status, fa_slice detail)
{
    fa_json_writer_options options = {.arena = &req->arena};
    fa_json_writer w;

    if (detail.len == 0)
        detail = fa_status_phrase(status);
    fa_json_writer_init(&w, &options);
    fa_json_begin_object(&w);
    fa_json_write_key(&w, FA_SLICE("detail"));
    fa_json_write_string(&w, detail);
    fa_json_end_object(&w);
    return fa_respond_writer(req, status, &w);
}

static int check_interim(const fa_request *req, int status)
{
    if (req->answer != FA__ANSWER_NONE)
        return FA_ERR_STATE;
    return status < 100 || status > 199 || status == 101 ? FA_ERR_INVALID : 0;
}

static int send_interim(fa_request *req, int status)
{
    return fa_request_version(req) == 10 ? 0 : req->transport->interim(req, status);
}

int fa_response_interim(fa_request *req, int status)
{
    int rv = check_interim(req, status);

    if (rv == 0)
        rv = send_interim(req, status);
    if (rv == 0) {
        req->fields_out = (fa__response_fields){NULL, NULL, 0};
        req->has_date = req->has_server = false;
    }
    return rv;
}

int fa_response_interim_fields(fa_request *req, int status, const fa_field *fields,
                               size_t count)
{
    const fa__response_fields of_answer = req->fields_out;
    int rv = check_interim(req, status), sent;

    if (rv != 0)
        return rv;
    req->fields_out = (fa__response_fields){NULL, NULL, 0};
    for (size_t i = 0; rv == 0 && i < count; ++i)
        rv = add_field(req, &req->fields_out, fields[i].name, fields[i].value);
    sent = rv == 0 ? send_interim(req, status) : 0;
    if (sent == 0) /* else `req` may be gone */
        req->fields_out = of_answer;
    return rv != 0 ? rv : sent;
}

int fa_response_start(fa_request *req, int status, int64_t length)
{
    if (req->answer != FA__ANSWER_NONE)
        return FA_ERR_STATE;
    if (status < 200 || status > 599 || length < -1 ||
        (takes_no_body(status) && length > 0))
        return FA_ERR_INVALID;
    fa__dispatch_response(req, status);
    return req->transport->start(req, status, takes_no_body(status) ? 0 : length);
}

int fa_response_start_fields(fa_request *req, int status, const fa_field *fields,
                             size_t count)
{
    if (req->answer != FA__ANSWER_NONE)
        return FA_ERR_STATE;
    if (status < 200 || status > 999)
        return FA_ERR_INVALID;
    fa__dispatch_response(req, status);
    return req->transport->start_fields(req, status, fields, count);
}

static int may_write(const fa_request *req, fa_slice data)
{
    if (req->answer != FA__ANSWER_STARTED)
        return FA_ERR_STATE;
    return req->length_left >= 0 && data.len > (uint64_t)req->length_left ? FA_ERR_INVALID
                                                                          : 0;
}

static int write_piece(fa_request *req, fa_slice data, const fa__hold *hold)
{
    if (req->length_left >= 0)
        req->length_left -= (int64_t)data.len;
    return req->transport->write(req, data, hold);
}

int fa_response_write(fa_request *req, fa_slice data)
{
    int rv = may_write(req, data);

    return rv != 0 || data.len == 0 ? rv : write_piece(req, data, NULL);
}

int fa_response_write_held(fa_request *req, fa_slice data, fa_release_fn *release,
                           void *ctx)
{
    const fa__hold hold = {release, ctx};
    int rv = may_write(req, data);

    if (rv == 0 && data.len > 0)
        return write_piece(req, data, &hold);
    release(ctx);
    return rv;
}

int fa_response_send_file(fa_request *req, int fd, int64_t offset, int64_t length)
{
    if (req->answer != FA__ANSWER_STARTED)
        return FA_ERR_STATE;
    if (offset < -1 || length < -1)
        return FA_ERR_INVALID;
    return req->transport->send_file(req, fd, offset, length);
}

int fa_response_trailer(fa_request *req, fa_slice name, fa_slice value)
{
    if (req->answer != FA__ANSWER_STARTED)
        return FA_ERR_STATE;
    return req->trailers_ok ? add_field(req, &req->trailers_out, name, value) : 0;
}

int fa_response_end(fa_request *req)
{
    if (req->answer != FA__ANSWER_STARTED)
        return FA_ERR_STATE;
    /* The answer to HEAD is whole without a body, whether one was written or not. */
    if (req->length_left > 0 && req->head.method != FA_HEAD) {
        fa_response_abort(req);
        return FA_ERR_INVALID;
    }
    return req->transport->end(req);
}

void fa_response_abort(fa_request *req)
{
    if (req->answer != FA__ANSWER_ENDED)
        req->transport->abort(req);
}

size_t fa_response_pending(const fa_request *req)
{
    return req->transport->pending(req);
}

void fa_response_on_drain(fa_request *req, fa_drain_fn *fn, void *user_data)
{
    req->drain_fn = fn;
    req->drain_data = user_data;
}

int fa_request_upgrade(fa_request *req, fa_slice protocol,
                       const fa_stream_handler *handler, void *user_data, fa_stream **out)
{
    bool connect = req->head.method == FA_CONNECT;

    if (req->answer != FA__ANSWER_NONE || (!connect && !req->head.upgrade))
        return FA_ERR_STATE;
    /* The other protocol begins behind the request (RFC 9110, 7.8). */
    if (!req->body_whole &&
        (req->head.body_kind == FA__BODY_CHUNKED || req->head.content_length > 0))
        return FA_ERR_STATE;
    if (!connect && !fa__field_value_valid(protocol))
        return FA_ERR_INVALID;
    fa__dispatch_response(req, connect ? 200 : 101);
    return req->transport->upgrade(req, protocol, handler, user_data, out);
}
