/* Bytes out of files. What came before a file is in the connection's `out` and `held`,
   what comes behind it in `sending->behind`; between them the file goes out in turns,
   whenever the socket takes more. A transport that has to see the bytes (TLS) clears
   `by_kernel`. */
#include <fasterapi/error.h>

#include "base/clock.h"
#include "http1/writer.h"
#include "server/connection.h"

/* A turn goes on, piece by piece, until the socket is full or the time is up. What a
   socket takes of a file in memory takes less; ended after each piece, a turn would have
   the client wait, and be woken, for every one. A disk may take all of the time for one
   piece: then others get theirs. */
enum {
    TURN_NS = 500 * 1000,
    PIECE_BYTES = 256 * 1024,
    READ_BYTES = 64 * 1024, /* a piece where the kernel cannot do it alone */
};

/* The file is through: what is behind it is next. */
static void complete(fa__conn *conn)
{
    fa__sending *s = conn->sending;

    conn->sending = NULL;
    if (conn->out.len == conn->out_at) {
        fa__buf_free(&conn->out);
        conn->out = s->behind;
        conn->out_at = 0;
    } else {
        if (fa__buf_append(&conn->out, s->behind.p, s->behind.len) != 0)
            fa__conn_break_off(conn, FA_ERR_NOMEM);
        fa__buf_free(&s->behind);
    }
    fa__stream_close(s->file.fd);
    fa__release(&conn->worker->shared->alloc, s);
}

/* The rest of what was promised cannot be had: the client must not take it for whole. */
static void lose(fa__conn *conn, const char *why)
{
    char text[FA__ADDRESS_TEXT_MAX];
    fa_slice address = fa__address_text(text, &conn->peer);

    conn->sending->lost = true;
    fa_log(conn->worker->shared->logger, FA_LOG_ERROR, "Http",
           "answer to %.*s broken off: the file %s", (int)address.len, address.p, why);
    fa__conn_break_off(conn, FA_ERR_SYSTEM);
}

/* ---- a source that has nothing yet ---- */

static void on_source(fa__io *io, unsigned ready)
{
    fa__sending *s = (fa__sending *)io;
    fa__conn *conn = s->conn;

    (void)ready;
    fa__loop_remove(conn->worker->loop, io);
    s->waits = false;
    fa__pace_begin(&conn->writing, fa__loop_now(conn->worker->loop));
    fa__conn_send_on(conn);
    (void)fa__conn_went_on(conn);
}

static void wait_for_source(fa__conn *conn)
{
    fa__sending *s = conn->sending;

    s->io.fn = on_source;
    if (fa__loop_add(conn->worker->loop, &s->io, s->file.fd, FA__READABLE) == 0)
        s->waits = true;
    else
        lose(conn, "cannot be waited for");
}

/* ---- a turn ---- */

/* A piece into the empty `out`, as a chunk if need be. Returns its length, 0 when there
   is none now or ever. */
static size_t read_piece(fa__conn *conn, size_t most)
{
    fa__sending *s = conn->sending;
    size_t at = s->chunked ? FA__HTTP1_CHUNK_HEAD_MAX : 0;
    char head[FA__HTTP1_CHUNK_HEAD_MAX];
    ptrdiff_t n;

    if (most > READ_BYTES)
        most = READ_BYTES;
    conn->out.len = conn->out_at = 0;
    if (fa__buf_reserve(&conn->out, at + most + 2) != 0) {
        fa__conn_break_off(conn, FA_ERR_NOMEM);
        return 0;
    }
    n = fa__file_read(&s->file, conn->out.p + at, most);
    if (n > 0) {
        conn->out.len = at + (size_t)n;
        if (s->file.left == FA__FILE_TO_END)
            conn->body_sent += (uint64_t)n;
        if (s->chunked) {
            size_t len = (size_t)(fa__http1_write_chunk_head(head, (uint64_t)n) - head);

            conn->out_at = at - len;
            memcpy(conn->out.p + conn->out_at, head, len);
            memcpy(conn->out.p + conn->out.len, FA__HTTP1_CRLF, 2);
            conn->out.len += 2;
        }
        return (size_t)n;
    }
    fa__buf_free(&conn->out);
    if (n == FA__ERR_WOULD_BLOCK)
        wait_for_source(conn);
    else if (n == 0 && s->file.left == FA__FILE_TO_END)
        complete(conn);
    else
        lose(conn, n == 0 ? "ended too early" : "cannot be read");
    return 0;
}

/* Returns how much the socket took, 0 when it takes no more for now. */
static size_t send_piece(fa__conn *conn, size_t most)
{
    fa__file *file = &conn->sending->file;
    ptrdiff_t n = fa__file_send(file, conn->io.fd, most);

    if (n > 0) {
        fa__conn_note_sent(conn, (size_t)n);
        return (size_t)n;
    }
    if (n == 0)
        lose(conn, "ended too early");
    else if (n == FA_ERR_CLOSED || n == FA_ERR_NOMEM)
        fa__conn_break_off(conn, (int)n);
    else if (n != FA__ERR_WOULD_BLOCK)
        lose(conn, "cannot be read");
    return 0;
}

/* The next piece. Returns whether there may be more of it now. */
static bool send_next(fa__conn *conn)
{
    fa__file *file = &conn->sending->file;
    size_t most = PIECE_BYTES, n;

    if (most > file->left)
        most = (size_t)file->left;
    n = file->by_kernel ? send_piece(conn, most) : 0;
    if (!conn->broken && conn->sending != NULL && !file->by_kernel) {
        n = read_piece(conn, most);
        fa__conn_flush(conn);
    }
    if (n > 0 && !conn->broken && conn->sending->file.left == 0)
        complete(conn);
    return n > 0;
}

static bool can_send(const fa__conn *conn)
{
    return !conn->broken && conn->sending != NULL && !conn->sending->waits &&
           conn->out.len == conn->out_at && conn->held == NULL;
}

void fa__conn_send_on(fa__conn *conn)
{
    uint64_t end = can_send(conn) ? fa__clock_monotonic_ns() + TURN_NS : 0;

    while (can_send(conn) && send_next(conn) && fa__clock_monotonic_ns() < end)
        ;
    if (!conn->broken && conn->sending == NULL)
        fa__conn_flush(conn);
}

/* ---- begin and end ---- */

static int prepare(fa__sending **out, fa__conn *conn, const fa__file *file,
                   fa__file_framing framing)
{
    const fa_allocator *alloc = &conn->worker->shared->alloc;
    fa__sending *s = fa__calloc(alloc, 1, sizeof(*s));
    int rv = 0;

    if (s == NULL)
        return FA_ERR_NOMEM;
    s->io.fd = -1;
    s->conn = conn;
    s->file = *file;
    s->chunked = framing == FA__FILE_CHUNKS;
    if (file->left == FA__FILE_TO_END)
        s->file.by_kernel = false; /* each piece has to be counted */
    fa__buf_init(&s->behind, alloc);
    if (framing == FA__FILE_ONE_CHUNK)
        rv = fa__buf_append(&s->behind, FA__HTTP1_CRLF, 2);
    if (rv == 0)
        rv = fa__file_dup(&s->file);
    if (rv == 0) {
        *out = s;
        return 0;
    }
    fa__buf_free(&s->behind);
    fa__release(alloc, s);
    return rv;
}

int fa__conn_send_file(fa__conn *conn, const fa__file *file, fa__file_framing framing)
{
    fa__sending *s;
    int rv = prepare(&s, conn, file, framing);
    char *at;

    if (rv != 0)
        return rv;
    if (framing == FA__FILE_ONE_CHUNK) {
        at = fa__conn_reserve(conn, FA__HTTP1_CHUNK_HEAD_MAX);
        if (at != NULL)
            fa__conn_commit(conn, fa__http1_write_chunk_head(at, file->left));
    }
    fa__conn_flush(conn); /* the worker's buffer holds nothing of ours from here on */
    if (!fa__conn_unsent(conn))
        fa__pace_begin(&conn->writing, fa__loop_now(conn->worker->loop));
    conn->sending = s;
    fa__conn_send_on(conn);
    return conn->broken ? FA_ERR_CLOSED : 0;
}

void fa__conn_drop_file(fa__conn *conn)
{
    fa__sending *s = conn->sending;

    if (s == NULL)
        return;
    conn->sending = NULL;
    if (s->waits)
        fa__loop_remove(conn->worker->loop, &s->io);
    fa__stream_close(s->file.fd);
    fa__buf_free(&s->behind);
    fa__release(&conn->worker->shared->alloc, s);
}
