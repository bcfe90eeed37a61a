/* What answer.c and answer_head.c share. */
#ifndef FA_SERVER_ANSWER_H
#define FA_SERVER_ANSWER_H

#include "server/connection.h"

/* How the body of an answer is framed (RFC 9112, section 6). */
typedef struct fa__framing {
    bool has_length; /* send Content-Length */
    bool chunked;
    uint64_t length;
} fa__framing;

fa__framing fa__answer_frame(const fa_request *req, int status, int64_t length);

/* Writes the head into the output, followed by `body` where that is small enough to be
   worth copying; returns 1 if it did, else 0, or an error. */
int fa__answer_head(fa__conn *conn, int status, const fa__framing *f, fa_slice type,
                    fa_slice body);

/* The same with fields that frame the answer themselves; see fa_response_start_fields().
   `*f` becomes what they say. */
int fa__answer_head_of_fields(fa__conn *conn, int status, const fa_field *fields,
                              size_t count, fa__framing *f);

/* What begins every answer: the status line; date and server, but for one that `req` has
   set itself (NULL: none); the server's fields. Needs fa__answer_begin_max(). */
char *fa__answer_begin(char *at, fa_worker *w, int status, const fa_request *req);

/* The same without the status line. */
char *fa__answer_server_fields(char *at, fa_worker *w, const fa_request *req);

static inline size_t fa__answer_begin_max(const fa_worker *w)
{
    return FA__HTTP1_STATUS_LINE_MAX + FA__HTTP1_DATE_BLOCK_MAX + w->shared->fields.len;
}

char *fa__answer_fields(char *at, const fa__response_fields *fields);

#endif
