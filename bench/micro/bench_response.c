/* Answers: the head of a usual 200, its parts, and the words of HTTP around it. */
#include "micro.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "http/date.h"
#include "http/field.h"
#include "http/target.h"
#include "http1/writer.h"

static char out[1024];

static fa__http1_date_block block_of_now(void)
{
    fa__http1_date_block block;

    fa__http1_date_block_init(&block, true, FA_SLICE("fasterapi"), 1700000000);
    return block;
}

/* Status line, date, server, content-length, content-type, empty line. */
static void head_of_200(fa__bench *b)
{
    fa__http1_date_block block = block_of_now();
    const fa_slice name = FA_SLICE("content-type"), value = FA_SLICE("application/json");

    for (uint64_t i = 0; i < b->n; ++i) {
        char *at = out;

        fa__http1_date_block_set(&block, 1700000000);
        at = fa__http1_write_status_line(at, 200);
        at = fa__http1_write_date_block(at, &block);
        at = fa__http1_write_content_length(at, 17 + (i & 1023));
        at = fa__http1_write_field(at, name, value);
        at = fa__http1_write_literal(at, FA__HTTP1_CRLF);
        b->bytes += (uint64_t)(at - out);
        fa__bench_sink(out);
    }
}

static void field(fa__bench *b)
{
    const fa_slice name = FA_SLICE("Cache-Control");
    const fa_slice value = FA_SLICE("public, max-age=31536000, immutable");

    for (uint64_t i = 0; i < b->n; ++i) {
        fa__bench_sink(&name);
        fa__bench_sink(fa__http1_write_field(out, name, value));
    }
    b->bytes = b->n * fa__http1_field_max(name, value);
}

static void chunk_head(fa__bench *b)
{
    for (uint64_t i = 0; i < b->n; ++i)
        fa__bench_sink(fa__http1_write_chunk_head(out, 1 + (i & 65535)));
}

static void date_renewed(fa__bench *b)
{
    fa__http1_date_block block = block_of_now();

    for (uint64_t i = 0; i < b->n; ++i) {
        fa__http1_date_block_set(&block, (int64_t)i);
        fa__bench_sink(&block);
    }
}

static void decode(fa__bench *b, fa_slice in)
{
    fa_arena arena;

    fa__arena_init(&arena, &fa__malloc, 4096);
    for (uint64_t i = 0; i < b->n; ++i) {
        fa_slice decoded = {NULL, 0};

        fa__bench_sink(in.p);
        (void)fa__percent_decode(&decoded, in, &arena);
        fa__bench_sink(decoded.p);
        fa_arena_reset(&arena);
    }
    fa__arena_free(&arena);
    b->bytes = b->n * in.len;
}

static void decode_nothing(fa__bench *b)
{
    decode(b, FA_SLICE("/api/v1/customers/48151623/orders"));
}

static void decode_escapes(fa__bench *b)
{
    decode(b, FA_SLICE("/files/r%C3%A9sum%C3%A9%202026.pdf"));
}

static void query(fa__bench *b)
{
    const fa_slice in = FA_SLICE("q=hello+world&page=3&sort=name&filter=a%20b");
    fa_arena arena;

    fa__arena_init(&arena, &fa__malloc, 4096);
    for (uint64_t i = 0; i < b->n; ++i) {
        fa__query_iter it = fa__query_begin(in);
        fa_slice name, value;

        fa__bench_sink(in.p);
        while (fa__query_next_decoded(&it, &name, &value, &arena) > 0)
            fa__bench_sink(value.p);
        fa_arena_reset(&arena);
    }
    fa__arena_free(&arena);
    b->bytes = b->n * in.len;
}

static void utf8(fa__bench *b, const char *part, size_t part_bytes)
{
    static char text[4096];
    size_t n = sizeof(text) / part_bytes * part_bytes;

    for (size_t i = 0; i < n; i += part_bytes)
        memcpy(text + i, part, part_bytes);
    for (uint64_t i = 0; i < b->n; ++i) {
        size_t valid = fa__utf8_valid_prefix(text, n);

        fa__bench_sink(&valid);
    }
    b->bytes = b->n * n;
}

static void utf8_ascii(fa__bench *b)
{
    utf8(b, "plain text. ", 12);
}

static void utf8_german(fa__bench *b)
{
    utf8(b, "gr\xC3\xBC\xC3\x9F Gott! ", 14);
}

static void utf8_chinese(fa__bench *b)
{
    utf8(b, "\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xB8\x96\xE7\x95\x8C", 12);
}

static void value_valid(fa__bench *b)
{
    const fa_slice value = FA_SLICE("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");

    for (uint64_t i = 0; i < b->n; ++i) {
        bool valid = fa__field_value_valid(value);

        fa__bench_sink(&valid);
    }
    b->bytes = b->n * value.len;
}

const fa__bench_case fa__bench_response[] = {
    {"response/head of a 200: date, server, length, type", head_of_200, 40},
    {"response/field, 13 + 35 bytes", field, 0},
    {"response/chunk head", chunk_head, 0},
    {"response/date block, another second", date_renewed, 0},
    {"http/percent-decode, nothing to do", decode_nothing, 0},
    {"http/percent-decode, 5 escapes", decode_escapes, 0},
    {"http/query, 4 pairs decoded", query, 0},
    {"http/field value valid, 47 bytes", value_valid, 0},
    {"utf8/4 KiB of ASCII", utf8_ascii, 0},
    {"utf8/4 KiB, 2 in 14 not ASCII", utf8_german, 0},
    {"utf8/4 KiB of Chinese", utf8_chinese, 0},
    {NULL, NULL, 0},
};
