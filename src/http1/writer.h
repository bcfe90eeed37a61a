/* Answers as HTTP/1.1 bytes (RFC 9112), written straight into a buffer.

   Each function writes at `at`, returns the end of what it wrote, and allocates
   nothing. The caller sees to the room: `..._MAX` or `..._max()` says how much each
   must find. A function may scribble on all of that room, also where it returns less.

   What is written is trusted: names passed fa__token_valid(), values
   fa__field_value_valid() when the application set them. */
#ifndef FA_HTTP1_WRITER_H
#define FA_HTTP1_WRITER_H

#include <stdint.h>

#include <fasterapi/slice.h>

enum {
    FA__HTTP1_STATUS_LINE_MAX = 64,
    FA__HTTP1_DECIMAL_MAX = 20,
    FA__HTTP1_CONTENT_LENGTH_MAX = 48,
    FA__HTTP1_CHUNK_HEAD_MAX = 18, /* 16 digits, CRLF */
    FA__HTTP1_SERVER_MAX = 128,    /* longest server name */
    FA__HTTP1_DATE_BLOCK_MAX = 192,
};

/* "HTTP/1.1 200 OK\r\n". Always HTTP/1.1, also to a client that speaks 1.0: the
   version is the server's own (RFC 9110, 2.5), and uvicorn and nginx do so too. A
   status not registered with IANA has an empty phrase; `status` is 100 to 999. */
char *fa__http1_write_status_line(char *at, int status);

/* "name: value\r\n", the name in lower case, as uvicorn writes it. */
char *fa__http1_write_field(char *at, fa_slice name, fa_slice value);

static inline size_t fa__http1_field_max(fa_slice name, fa_slice value)
{
    return name.len + value.len + 4;
}

char *fa__http1_write_decimal(char *at, uint64_t n);

/* "content-length: n\r\n". */
char *fa__http1_write_content_length(char *at, uint64_t n);

/* Fields with a fixed value, and the empty line that ends the head. */
#define FA__HTTP1_CHUNKED    "transfer-encoding: chunked\r\n"
#define FA__HTTP1_CLOSE      "connection: close\r\n"
#define FA__HTTP1_KEEP_ALIVE "connection: keep-alive\r\n" /* for HTTP/1.0 clients */
#define FA__HTTP1_CONTINUE   "HTTP/1.1 100 Continue\r\n\r\n"
#define FA__HTTP1_CRLF       "\r\n"

/* One of these; `literal` is a string literal, and takes sizeof(literal) - 1 bytes. */
#define fa__http1_write_literal(at, literal)                                             \
    fa__http1_write_bytes((at), "" literal, sizeof(literal) - 1)

static inline char *fa__http1_write_bytes(char *at, const char *p, size_t n)
{
    memcpy(at, p, n);
    return at + n;
}

/* "1a\r\n", before the data of a chunk (RFC 9112, 7.1); after the data comes
   FA__HTTP1_CRLF. `n` is above 0: a chunk of no bytes would end the body. */
char *fa__http1_write_chunk_head(char *at, uint64_t n);

/* "0\r\n", trailer fields and the empty line that end a chunked body. */
char *fa__http1_write_last_chunk(char *at, const fa_slice *names, const fa_slice *values,
                                 size_t count);
size_t fa__http1_last_chunk_max(const fa_slice *names, const fa_slice *values,
                                size_t count);

/* "date: ...\r\nserver: ...\r\n", ready to be copied; renewed when the second changes.
   One a thread. */
typedef struct fa__http1_date_block {
    int64_t second;      /* the time it shows */
    uint32_t len;        /* of `text` */
    uint32_t date_bytes; /* of the date line at its start; 0: none */
    char text[FA__HTTP1_DATE_BLOCK_MAX];
} fa__http1_date_block;

/* Either line can be left out: no date when `with_date` is false (RFC 9110, 6.6.1
   asks for it of a server with a clock), no server line when `server` is empty.
   `server` is copied. Returns 0, or FA_ERR_INVALID when it is longer than
   FA__HTTP1_SERVER_MAX or no field value. */
int fa__http1_date_block_init(fa__http1_date_block *block, bool with_date,
                              fa_slice server, int64_t unix_seconds);

/* For fa__http1_date_block_set(). */
void fa__http1_date_block_renew(fa__http1_date_block *block, int64_t unix_seconds);

static inline void fa__http1_date_block_set(fa__http1_date_block *block,
                                            int64_t unix_seconds)
{
    if (block->second != unix_seconds)
        fa__http1_date_block_renew(block, unix_seconds);
}

/* Needs FA__HTTP1_DATE_BLOCK_MAX. */
char *fa__http1_write_date_block(char *at, const fa__http1_date_block *block);

#endif
