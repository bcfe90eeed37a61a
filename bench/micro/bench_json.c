/* JSON through the public interface, as a handler would use it. */
#include "micro.h"

#include <stdio.h>
#include <stdlib.h>

#include <fasterapi/json.h>

/* The body of the One Million Requests Challenge into its two fields. */
static int parse_event(fa_slice *user, int64_t *value, fa_slice body)
{
    fa_json_reader r;
    fa_slice key;

    fa_json_reader_init(&r, body, NULL);
    fa_json_enter_object(&r);
    while (fa_json_next_key(&key, &r)) {
        if (fa_slice_equal(key, FA_SLICE("userId")))
            fa_json_read_string(user, &r);
        else if (fa_slice_equal(key, FA_SLICE("value")))
            fa_json_read_int64(value, &r);
        else
            fa_json_skip(&r);
    }
    return fa_json_end(&r);
}

static void bench_event(fa__bench *b)
{
    static const char event[] = "{\"userId\":\"user_12345\",\"value\":678}";
    fa_slice body = {event, sizeof(event) - 1};
    fa_slice user = {NULL, 0};
    int64_t value = 0;

    for (uint64_t i = 0; i < b->n; ++i) {
        fa__bench_sink(&body);
        if (parse_event(&user, &value, body) != 0 || value != 678)
            abort();
        fa__bench_sink(&user);
    }
    b->bytes = b->n * body.len;
}

/* An order of a shop, about 1 KiB: nested, with some text beyond ASCII. */
static const char order[] =
    "{\"id\": 918273645, \"created\": \"2026-01-31T03:16:30.831Z\", \"paid\": true,\n"
    " \"customer\": {\"id\": 75000, \"name\": \"Zo\xc3\xab M\xc3\xbcller\",\n"
    "  \"email\": \"zoe.mueller@example.com\", \"phone\": null,\n"
    "  \"address\": {\"street\": \"Long Street 12\", \"zip\": \"10115\",\n"
    "   \"city\": \"Berlin\", \"geo\": [52.531677, 13.381777]}},\n"
    " \"items\": [\n"
    "  {\"sku\": \"A-100-23\", \"title\": \"Mechanical keyboard\", \"quantity\": 1,\n"
    "   \"price\": 129.9, \"tags\": [\"input\", \"usb\", \"office\"]},\n"
    "  {\"sku\": \"B-770-01\", \"title\": \"Cable, 2 m\", \"quantity\": 3,\n"
    "   \"price\": 4.95, \"tags\": [\"cable\"]},\n"
    "  {\"sku\": \"C-001-99\", \"title\": \"A \\\"good\\\" mouse\", \"quantity\": 2,\n"
    "   \"price\": 34.5, \"tags\": []}],\n"
    " \"shipping\": {\"method\": \"standard\", \"cost\": 4.9, \"tracked\": false,\n"
    "  \"note\": \"Please leave the parcel with the neighbours on the second floor\"}}";

/* Every value read, with the type that it has. */
static int read_everything(fa_json_reader *r)
{
    bool in_object[16]; /* deep enough for the order */
    unsigned depth = 0;
    fa_slice v;
    double number = 0;
    bool truth;

    do {
        switch (fa_json_peek(r)) {
        case FA_JSON_OBJECT:
            in_object[depth++] = true;
            fa_json_enter_object(r);
            break;
        case FA_JSON_ARRAY:
            in_object[depth++] = false;
            fa_json_enter_array(r);
            break;
        case FA_JSON_STRING: fa_json_read_string(&v, r); break;
        case FA_JSON_NUMBER: fa_json_read_double(&number, r); break;
        case FA_JSON_BOOL: fa_json_read_bool(&truth, r); break;
        case FA_JSON_NULL: fa_json_read_null(r); break;
        case FA_JSON_INVALID: return fa_json_error(r);
        }
        fa__bench_sink(&number);
        while (depth > 0 && !(in_object[depth - 1] ? fa_json_next_key(&v, r)
                                                   : fa_json_next_element(r))) {
            if (fa_json_error(r) != 0)
                return fa_json_error(r);
            --depth;
        }
    } while (depth > 0);
    return fa_json_end(r);
}

static void bench_order(fa__bench *b)
{
    fa_slice text = {order, sizeof(order) - 1};
    char scratch[256];

    for (uint64_t i = 0; i < b->n; ++i) {
        fa_json_reader_options options = {.scratch = scratch,
                                          .scratch_bytes = sizeof(scratch)};
        fa_json_reader r;

        fa_json_reader_init(&r, text, &options);
        if (read_everything(&r) != 0)
            abort();
    }
    b->bytes = b->n * text.len;
}

static void bench_valid(fa__bench *b)
{
    fa_slice text = {order, sizeof(order) - 1};

    for (uint64_t i = 0; i < b->n; ++i) {
        fa__bench_sink(&text);
        if (!fa_json_valid(text))
            abort();
    }
    b->bytes = b->n * text.len;
}

enum { DOUBLES = 1000 };

/* Doubles with all their digits, as measurements and coordinates come. */
static double a_double(unsigned i)
{
    return (double)(i * 2654435761u) / 1234567.0 - 1000;
}

static void bench_read_doubles(fa__bench *b)
{
    static char text[32 * DOUBLES];
    static size_t len; /* made once: it takes longer than reading it */
    double v, sum = 0;

    if (len == 0) {
        for (unsigned i = 0; i < DOUBLES; ++i)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%.17g",
                                    i == 0 ? '[' : ',', a_double(i));
        text[len++] = ']';
    }
    for (uint64_t i = 0; i < b->n; ++i) {
        fa_json_reader r;

        fa_json_reader_init(&r, (fa_slice){text, len}, NULL);
        fa_json_enter_array(&r);
        while (fa_json_next_element(&r))
            if (fa_json_read_double(&v, &r) == 0)
                sum += v;
        if (fa_json_end(&r) != 0)
            abort();
    }
    fa__bench_sink(&sum);
    b->bytes = b->n * len;
}

static void bench_write_doubles(fa__bench *b)
{
    fa_json_writer w;
    fa_slice text = {NULL, 0};

    fa_json_writer_init(&w, NULL);
    for (uint64_t i = 0; i < b->n; ++i) {
        fa_json_writer_reset(&w);
        fa_json_begin_array(&w);
        for (unsigned k = 0; k < DOUBLES; ++k)
            fa_json_write_double(&w, a_double(k));
        fa_json_end_array(&w);
        if (fa_json_writer_finish(&text, &w) != 0)
            abort();
        fa__bench_sink(text.p);
    }
    b->bytes = b->n * text.len;
    fa_json_writer_free(&w);
}

/* The answer to GET /stats of the challenge. */
static void bench_write_stats(fa__bench *b)
{
    fa_json_writer w;
    fa_slice text = {NULL, 0};

    fa_json_writer_init(&w, NULL);
    for (uint64_t i = 0; i < b->n; ++i) {
        fa_json_writer_reset(&w);
        fa_json_begin_object(&w);
        fa_json_write_key(&w, FA_SLICE("totalRequests"));
        fa_json_write_uint64(&w, 1000000);
        fa_json_write_key(&w, FA_SLICE("uniqueUsers"));
        fa_json_write_uint64(&w, 75000);
        fa_json_write_key(&w, FA_SLICE("sum"));
        fa_json_write_int64(&w, 499512345);
        fa_json_write_key(&w, FA_SLICE("avg"));
        fa_json_write_double(&w, 499.512345);
        fa_json_end_object(&w);
        if (fa_json_writer_finish(&text, &w) != 0)
            abort();
        fa__bench_sink(text.p);
    }
    b->bytes = b->n * text.len;
    fa_json_writer_free(&w);
}

static void bench_write_text(fa__bench *b)
{
    static char text[1024];
    fa_slice v = {text, sizeof(text)}, out = {NULL, 0};
    fa_json_writer w;

    for (size_t i = 0; i < sizeof(text); ++i)
        text[i] = i % 128 == 127 ? '\n' : (char)('a' + i % 26);
    fa_json_writer_init(&w, NULL);
    for (uint64_t i = 0; i < b->n; ++i) {
        fa_json_writer_reset(&w);
        fa_json_write_string(&w, v);
        if (fa_json_writer_finish(&out, &w) != 0)
            abort();
        fa__bench_sink(out.p);
    }
    b->bytes = b->n * sizeof(text);
    fa_json_writer_free(&w);
}

const fa__bench_case fa__bench_json[] = {
    {"json/read a 1MRC event into two fields", bench_event, 120},
    {"json/read an order of 1 KiB, every value", bench_order, 0},
    {"json/validate that order", bench_valid, 0},
    {"json/read 1000 doubles of 17 digits", bench_read_doubles, 0},
    {"json/write 1000 doubles", bench_write_doubles, 0},
    {"json/write the 1MRC statistics", bench_write_stats, 0},
    {"json/write 1 KiB of text with 8 line feeds", bench_write_text, 0},
    {0},
};
