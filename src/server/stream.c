/* Connections after an upgrade: bytes both ways, no HTTP. */
#include <fasterapi/error.h>

#include "server/connection.h"

static fa__conn *conn_of(fa_stream *stream)
{
    return (fa__conn *)((char *)stream - offsetof(fa__conn, stream));
}

static size_t feed(fa__conn *conn, char *p, size_t n)
{
    ++conn->in_call;
    conn->stream.handler.on_data(&conn->stream, (fa_slice){p, n}, conn->stream.user_data);
    --conn->in_call;
    return n;
}

static bool wants_input(const fa__conn *conn)
{
    (void)conn;
    return true;
}

static bool waits_for_room(const fa__conn *conn)
{
    return conn->stream.told_full;
}

static void drained(fa__conn *conn)
{
    fa_stream *s = &conn->stream;

    if (!s->told_full)
        return;
    s->told_full = false;
    if (s->handler.on_drain == NULL)
        return;
    ++conn->in_call;
    s->handler.on_drain(s, s->user_data);
    --conn->in_call;
}

static void closed(fa__conn *conn, int error)
{
    fa_stream *s = &conn->stream;

    if (s->handler.on_close == NULL)
        return;
    /* After fa_stream_close() what counts is that all was sent: then our side is shut,
       and how long the client keeps its own open is no error. */
    if (s->closing && (error == FA_ERR_CLOSED || conn->input == FA__INPUT_LINGER))
        error = 0;
    ++conn->in_call;
    s->handler.on_close(s, error, s->user_data);
    --conn->in_call;
}

static void tell_shutdown(fa__conn *conn)
{
    fa_stream *s = &conn->stream;

    if (s->handler.on_shutdown == NULL) {
        fa_stream_close(s);
        return;
    }
    ++conn->in_call;
    s->handler.on_shutdown(s, s->user_data);
    --conn->in_call;
}

static fa__msec deadline(const fa__conn *conn)
{
    (void)conn;
    return FA__NEVER;
}

static const fa__upgrade upgrade = {
    .feed = feed,
    .wants_input = wants_input,
    .waits_for_room = waits_for_room,
    .drained = drained,
    .shutdown = tell_shutdown,
    .peer_ended = fa__conn_begin_closing,
    .deadline = deadline,
    .closed = closed,
};

fa_stream *fa__stream_start(fa__conn *conn, const fa_stream_handler *handler,
                            void *user_data)
{
    conn->upgrade = &upgrade;
    conn->stream = (fa_stream){.handler = *handler, .user_data = user_data};
    conn->input = FA__INPUT_STREAM;
    return &conn->stream;
}

int fa_stream_write(fa_stream *stream, fa_slice data)
{
    fa__conn *conn = conn_of(stream);
    size_t max = conn->worker->shared->options.limits.max_pending_bytes;
    int rv = 0;

    if (stream->closing || conn->broken)
        return FA_ERR_CLOSED;
    fa__conn_touch(conn);
    if (fa__conn_put(conn, data) != 0) {
        rv = FA_ERR_CLOSED;
    } else if (fa__conn_pending(conn) > max) {
        fa__conn_flush(conn);
        if (fa__conn_pending(conn) > max) {
            stream->told_full = true;
            rv = FA_ERR_FULL;
        }
    }
    if (!fa__conn_after(conn))
        return FA_ERR_CLOSED;
    return rv;
}

void fa_stream_close(fa_stream *stream)
{
    fa__conn *conn = conn_of(stream);

    if (stream->closing || conn->broken)
        return;
    stream->closing = true;
    fa__conn_begin_closing(conn);
    conn->unread = true;
    /* Never from within this call: the caller may hold what on_close frees. */
    fa__worker_resume_later(conn->worker, conn);
}
