/* Heads as they come from wrk, a browser and the million-event client, and a body. */
#include <stdlib.h>
#include <string.h>

#include "http1/chunked.h"
#include "http1/parser.h"
#include "micro.h"

static const char wrk_get[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";

static const char browser_get[] =
    "GET /dashboard/overview?range=30d&tz=Europe%2FBerlin HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "image/apng,*/*;q=0.8\r\n"
    "Referer: https://www.example.com/login\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; "
    "_ga=GA1.2.1187520930.1718031230; consent=yes\r\n"
    "\r\n";

static const char post_event[] = "POST /event HTTP/1.1\r\n"
                                 "Host: 127.0.0.1:8000\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Content-Length: 38\r\n"
                                 "\r\n";

static const char chunked_body[] = "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n"
                                   "10;name=value\r\n0123456789abcdef\r\n"
                                   "4\r\nwxyz\r\n"
                                   "0\r\n\r\n";

enum { FIELD_CAP = 64, PIPELINED = 16 };

static ptrdiff_t parse(const char *p, size_t len)
{
    fa__field fields[FIELD_CAP];
    fa__request_head head;
    fa__http1_parser parser;
    ptrdiff_t n;

    head.fields = fields;
    head.field_cap = FIELD_CAP;
    fa__http1_parser_init(&parser, &head, NULL);
    n = fa__http1_parse_head(&parser, p, len);
    fa__bench_sink(&head);
    if (n <= 0)
        abort(); /* a figure for a request that is refused would mean nothing */
    return n;
}

static void parse_again_and_again(fa__bench *b, const char *p, size_t len)
{
    for (uint64_t i = 0; i < b->n; ++i)
        parse(p, len);
    b->bytes = b->n * len;
}

static void bench_wrk_get(fa__bench *b)
{
    parse_again_and_again(b, wrk_get, sizeof(wrk_get) - 1);
}

static void bench_browser_get(fa__bench *b)
{
    parse_again_and_again(b, browser_get, sizeof(browser_get) - 1);
}

static void bench_post_event(fa__bench *b)
{
    parse_again_and_again(b, post_event, sizeof(post_event) - 1);
}

/* Sixteen requests in one buffer, as a pipelining client's: one iteration is all. */
static void bench_pipelined(fa__bench *b)
{
    char buffer[PIPELINED * sizeof(wrk_get)];
    size_t len = 0;

    for (int i = 0; i < PIPELINED; ++i) {
        memcpy(buffer + len, wrk_get, sizeof(wrk_get) - 1);
        len += sizeof(wrk_get) - 1;
    }
    for (uint64_t i = 0; i < b->n; ++i)
        for (size_t at = 0; at < len;)
            at += (size_t)parse(buffer + at, len - at);
    b->bytes = b->n * len;
}

static void bench_chunked(fa__bench *b)
{
    for (uint64_t i = 0; i < b->n; ++i) {
        fa__http1_chunked dec;
        fa__buf buf;
        size_t at = 0;

        fa__buf_init(&buf, &fa__malloc);
        fa__http1_chunked_init(&dec, NULL, 0, &buf, NULL);
        while (!dec.done) {
            fa_slice payload;
            ptrdiff_t n = fa__http1_chunked_feed(&dec, chunked_body + at,
                                                 sizeof(chunked_body) - 1 - at, &payload);

            if (n <= 0)
                abort();
            fa__bench_sink(payload.p);
            at += (size_t)n;
        }
    }
    b->bytes = b->n * (sizeof(chunked_body) - 1);
}

const fa__bench_case fa__bench_http1[] = {
    {"http1/parse wrk's GET, 1 field", bench_wrk_get, 80},
    {"http1/parse a browser's GET, 9 fields", bench_browser_get, 250},
    {"http1/parse POST /event, 3 fields", bench_post_event, 0},
    {"http1/parse 16 pipelined GETs", bench_pipelined, 0},
    {"http1/decode a chunked body, 3 chunks", bench_chunked, 0},
    {NULL, NULL, 0},
};
