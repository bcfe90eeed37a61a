/* The decoder's contract beyond the rules of the wire fixtures: pieces of payload,
   trailer fields in a buffer that moves, and memory that runs out. */
#include "check.h"
#include "failing_alloc.h"
#include "http1/chunked.h"

typedef struct fixture {
    fa__field trailers[4];
    fa__buf buf;
    fa__http1_chunked dec;
} fixture;

static void init(fixture *f, const fa_allocator *alloc)
{
    fa__buf_init(&f->buf, alloc);
    fa__http1_chunked_init(&f->dec, f->trailers, ARRAY_LEN(f->trailers), &f->buf, NULL);
}

/* Payload is lent, not copied: it points into what was fed. */
static void test_payload_is_borrowed(void **state)
{
    const char text[] = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nNEXT";
    fa_slice payload = {NULL, 0};
    fixture f;

    (void)state;
    init(&f, &fa__malloc);
    CHECK_INT(fa__http1_chunked_feed(&f.dec, text, sizeof(text) - 1, &payload), ==, 6);
    CHECK(payload.p == text + 3 && payload.len == 3);
    CHECK_INT(fa__http1_chunked_feed(&f.dec, text + 6, sizeof(text) - 7, &payload), ==,
              7);
    CHECK(payload.p == text + 11 && payload.len == 2);
    CHECK(!f.dec.done);
    CHECK_INT(fa__http1_chunked_feed(&f.dec, text + 13, sizeof(text) - 14, &payload), ==,
              7);
    CHECK_U64(payload.len, ==, 0);
    CHECK(f.dec.done);
    CHECK_INT(fa__http1_chunked_feed(&f.dec, text + 20, 4, &payload), ==, 0);
    CHECK(f.buf.p == NULL); /* no trailer section, no memory */
}

static void test_errors_stay(void **state)
{
    fa_slice payload = {"untouched", 9};
    fixture f;

    (void)state;
    init(&f, &fa__malloc);
    CHECK_INT(fa__http1_chunked_feed(&f.dec, "z", 1, &payload), ==, FA_ERR_CHUNK);
    CHECK_INT(fa__http1_chunked_feed(&f.dec, "0\r\n\r\n", 5, &payload), ==, FA_ERR_CHUNK);
    CHECK_SLICE(payload, "untouched");
    CHECK(!f.dec.done);
}

/* Feeds a byte a call, so that the buffer of the trailer section grows on the way.
   Returns 0 or the error. */
static int feed_bytes(fixture *f, const char *text)
{
    for (size_t i = 0; text[i] != '\0'; ++i) {
        fa_slice byte = exact_bytes(text + i, 1), payload;
        ptrdiff_t n = fa__http1_chunked_feed(&f->dec, byte.p, 1, &payload);

        exact_free(byte);
        if (n < 0)
            return (int)n;
        CHECK_INT(n, ==, 1);
    }
    return 0;
}

static const char with_trailers[] =
    "1;x=\"y\"\r\na\r\n0\r\n"
    "First: a value that is long enough for the buffer to grow and to move\r\n"
    "Second: another value that is long enough for the buffer to grow and to move\r\n"
    "Third: \r\n\r\n";

static void check_trailers(const fixture *f)
{
    CHECK(f->dec.done);
    CHECK_INT(f->dec.trailer_count, ==, 3);
    CHECK_SLICE(f->dec.trailers[0].name, "First");
    CHECK_SLICE(f->dec.trailers[0].value,
                "a value that is long enough for the buffer to grow and to move");
    CHECK_SLICE(f->dec.trailers[1].name, "Second");
    CHECK_SLICE(f->dec.trailers[2].name, "Third");
    CHECK_SLICE(f->dec.trailers[2].value, "");
}

static void test_trailers(void **state)
{
    fixture f;

    (void)state;
    init(&f, &fa__malloc);
    CHECK_INT(feed_bytes(&f, with_trailers), ==, 0);
    check_trailers(&f);
    /* The buffer serves the next body too. */
    fa__http1_chunked_init(&f.dec, f.trailers, ARRAY_LEN(f.trailers), &f.buf, NULL);
    CHECK_INT(feed_bytes(&f, with_trailers), ==, 0);
    check_trailers(&f);
    fa__buf_free(&f.buf);
}

static void test_no_memory(void **state)
{
    failing_alloc alloc;
    uint64_t fail_at = 0;
    int rv;

    (void)state;
    do {
        fixture f;

        failing_alloc_init(&alloc, ++fail_at);
        init(&f, &alloc.alloc);
        rv = feed_bytes(&f, with_trailers);
        if (rv == 0)
            check_trailers(&f);
        else
            CHECK_INT(rv, ==, FA_ERR_NOMEM);
        fa__buf_free(&f.buf);
        CHECK_INT(alloc.held, ==, 0);
    } while (rv != 0);
    CHECK_U64(fail_at, >, 2); /* it did fail at first, and in the middle */
}

/* Sizes up to the largest are counted right: the payload of a chunk that never ends. */
static void test_huge_chunk(void **state)
{
    const char text[] = "fFfFfFfFfFfFfFfF\r\nabc";
    fa_slice payload;
    fixture f;

    (void)state;
    init(&f, &fa__malloc);
    CHECK_INT(fa__http1_chunked_feed(&f.dec, text, sizeof(text) - 1, &payload), ==,
              sizeof(text) - 1);
    CHECK_SLICE(payload, "abc");
    CHECK_U64(f.dec.left, ==, UINT64_MAX - 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_is_borrowed),
        cmocka_unit_test(test_errors_stay),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_huge_chunk),
    };

    return cmocka_run_group_tests_name("http1/chunked", tests, NULL, NULL);
}
