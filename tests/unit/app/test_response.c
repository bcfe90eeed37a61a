/* What the functions of response.h refuse before a transport hears of it. */
#include "fake.h"

static void test_fields(void **state)
{
    static const struct {
        const char *name, *value;
        int rv;
    } cases[] = {
        {"X-A", "1", 0},
        {"x-a", " \t trimmed \t", 0},
        {"!#$%&'*+-.^_`|~", "", 0},
        {"", "v", FA_ERR_FIELD_NAME},
        {"x a", "v", FA_ERR_FIELD_NAME},
        {"x:", "v", FA_ERR_FIELD_NAME},
        {"x\r\ny", "v", FA_ERR_FIELD_NAME},
        {"x", "a\rb", FA_ERR_FIELD_VALUE},
        {"x", "a\nb", FA_ERR_FIELD_VALUE},
        {"x", "a\r\n", FA_ERR_FIELD_VALUE},
        {"x", "a\x7f", FA_ERR_FIELD_VALUE},
        {"x", "caf\xe9", 0},
        {"Content-Length", "1", FA_ERR_INVALID},
        {"CONTENT-LENGTH", "1", FA_ERR_INVALID},
        {"transfer-encoding", "chunked", FA_ERR_INVALID},
        {"connection", "close", FA_ERR_INVALID},
        {"trailer", "x", FA_ERR_INVALID},
        {"upgrade", "x", FA_ERR_INVALID},
        {"connections", "fine", 0},
    };
    size_t bytes = 0;
    fake f;

    (void)state;
    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice name = exact_copy(cases[i].name), value = exact_copy(cases[i].value);

        CHECK_INT(fa_response_header(f.req, name, value), ==, cases[i].rv);
        exact_free(name); /* both were copied */
        exact_free(value);
    }
    CHECK_INT(fa_response_header(f.req, FA_SLICE("x"), (fa_slice){"a\0b", 3}), ==,
              FA_ERR_FIELD_VALUE);
    CHECK_INT(fa_respond(f.req, 200, (fa_slice){NULL, 0}, (fa_slice){NULL, 0}), ==, 0);
    CHECK_TEXT(f.fields,
               "X-A=1;x-a=trimmed;!#$%&'*+-.^_`|~=;x=caf\xe9;connections=fine;");
    for (const fa__response_field *p = f.req->fields_out.first; p != NULL; p = p->next)
        bytes += p->name.len + p->value.len + 4;
    CHECK_INT(f.req->fields_out.bytes, ==, bytes);
    CHECK_INT(fa_response_header(f.req, FA_SLICE("x"), FA_SLICE("y")), ==, FA_ERR_STATE);
    fake_end_request(&f);
}

static void test_statuses(void **state)
{
    static const struct {
        int status;
        const char *type, *body;
        int rv;
    } cases[] = {
        {200, "text/plain", "x", 0},
        {599, "", "", 0},
        {204, "", "", 0},
        {304, "", "", 0},
        {205, "", "", 0},
        {199, "", "", FA_ERR_INVALID},
        {600, "", "", FA_ERR_INVALID},
        {-200, "", "", FA_ERR_INVALID},
        {0, "", "", FA_ERR_INVALID},
        {204, "", "x", FA_ERR_INVALID},
        {205, "", "x", FA_ERR_INVALID},
        {304, "", "x", FA_ERR_INVALID},
        {200, "a\r\nb", "", FA_ERR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fake f;

        fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
        CHECK_INT(fa_respond(f.req, cases[i].status, fa_slice_of(cases[i].type),
                             fa_slice_of(cases[i].body)),
                  ==, cases[i].rv);
        CHECK_INT(f.calls, ==, cases[i].rv == 0);
        CHECK_INT(fa_response_status(f.req), ==, cases[i].rv == 0 ? cases[i].status : 0);
        fake_end_request(&f);
    }
}

static void test_lengths(void **state)
{
    const fa_slice four = FA_SLICE("1234"), one = FA_SLICE("5");
    fake f;

    (void)state;
    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    CHECK_INT(fa_response_write(f.req, one), ==, FA_ERR_STATE);
    CHECK_INT(fa_response_end(f.req), ==, FA_ERR_STATE);
    CHECK_INT(fa_response_start(f.req, 200, -2), ==, FA_ERR_INVALID);
    CHECK_INT(fa_response_start(f.req, 204, 1), ==, FA_ERR_INVALID);
    CHECK_INT(fa_response_start(f.req, 200, 5), ==, 0);
    CHECK_INT(fa_response_write(f.req, four), ==, 0);
    CHECK_INT(fa_response_write(f.req, four), ==, FA_ERR_INVALID);
    CHECK_INT(fa_response_write(f.req, (fa_slice){NULL, 0}), ==, 0);
    CHECK_INT(fa_response_write(f.req, one), ==, 0);
    CHECK_INT(fa_response_end(f.req), ==, 0);
    CHECK_INT(fa_response_end(f.req), ==, FA_ERR_STATE);
    CHECK_TEXT(f.body, "12345");
    CHECK_INT(f.aborts, ==, 0);
    fake_end_request(&f);

    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    CHECK_INT(fa_response_start(f.req, 200, 5), ==, 0);
    CHECK_INT(fa_response_write(f.req, four), ==, 0);
    CHECK_INT(fa_response_end(f.req), ==, FA_ERR_INVALID);
    CHECK_INT(f.aborts, ==, 1);
    fa_response_abort(f.req); /* nothing is left to break off */
    CHECK_INT(f.aborts, ==, 1);
    fake_end_request(&f);

    fake_begin(&f, NULL, "HEAD / HTTP/1.1", NULL);
    CHECK_INT(fa_response_start(f.req, 200, 5), ==, 0);
    CHECK_INT(fa_response_end(f.req), ==, 0); /* a whole answer to HEAD */
    CHECK_INT(f.aborts, ==, 0);
    fake_end_request(&f);
}

static void test_trailers(void **state)
{
    const fa_slice x = FA_SLICE("x");
    fake f;

    (void)state;
    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    CHECK_INT(fa_response_trailer(f.req, x, x), ==, FA_ERR_STATE);
    CHECK_INT(fa_response_start(f.req, 200, -1), ==, 0);
    CHECK_INT(fa_response_trailer(f.req, x, FA_SLICE("a\nb")), ==, FA_ERR_FIELD_VALUE);
    CHECK_INT(fa_response_trailer(f.req, FA_SLICE("content-length"), x), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa_response_trailer(f.req, x, x), ==, 0);
    CHECK_INT(f.req->trailers_out.bytes, ==, 6);
    fake_end_request(&f);
    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    CHECK_INT(fa_response_start(f.req, 200, 0), ==, 0);
    CHECK_INT(fa_response_trailer(f.req, x, x), ==, 0); /* dropped */
    CHECK(f.req->trailers_out.first == NULL);
    fake_end_request(&f);
}

static void test_interim_answers(void **state)
{
    fake f;

    (void)state;
    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    CHECK_INT(fa_response_interim(f.req, 101), ==, FA_ERR_INVALID);
    CHECK_INT(fa_response_interim(f.req, 99), ==, FA_ERR_INVALID);
    CHECK_INT(fa_response_interim(f.req, 200), ==, FA_ERR_INVALID);
    CHECK_INT(fa_response_header(f.req, FA_SLICE("server"), FA_SLICE("s")), ==, 0);
    CHECK_INT(fa_response_interim(f.req, 103), ==, 0);
    CHECK_TEXT(f.fields, "server=s;");
    CHECK(f.req->fields_out.first == NULL && !f.req->has_server);
    CHECK_INT(fa_respond(f.req, 200, (fa_slice){NULL, 0}, (fa_slice){NULL, 0}), ==, 0);
    CHECK_INT(fa_response_interim(f.req, 103), ==, FA_ERR_STATE);
    fake_end_request(&f);
    fake_begin(&f, NULL, "GET / HTTP/1.0", NULL);
    CHECK_INT(fa_response_interim(f.req, 103), ==, 0);
    CHECK_INT(f.status, ==, 0); /* the transport never heard of it */
    fake_end_request(&f);
}

static void test_interim_answers_with_fields_of_their_own(void **state)
{
    const fa_field link[] = {{FA_SLICE("link"), FA_SLICE("a")},
                             {FA_SLICE("link"), FA_SLICE("b")}};
    const fa_field bad[] = {{FA_SLICE("link"), FA_SLICE("c")},
                            {FA_SLICE("connection"), FA_SLICE("close")}};
    fake f;

    (void)state;
    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    CHECK_INT(fa_response_header(f.req, FA_SLICE("server"), FA_SLICE("s")), ==, 0);
    CHECK_INT(fa_response_interim_fields(f.req, 101, link, 2), ==, FA_ERR_INVALID);
    CHECK_INT(fa_response_interim_fields(f.req, 103, bad, 2), ==, FA_ERR_INVALID);
    CHECK_INT(f.status, ==, 0);
    CHECK_INT(fa_response_interim_fields(f.req, 103, link, 2), ==, 0);
    CHECK_INT(f.status, ==, 103);
    CHECK_TEXT(f.fields, "link=a;link=b;");
    CHECK_INT(fa_response_interim_fields(f.req, 103, NULL, 0), ==, 0);
    CHECK_TEXT(f.fields, "");
    CHECK(f.req->has_server);
    CHECK_INT(fa_respond(f.req, 200, (fa_slice){NULL, 0}, (fa_slice){NULL, 0}), ==, 0);
    CHECK_TEXT(f.fields, "server=s;");
    CHECK_INT(fa_response_interim_fields(f.req, 103, link, 2), ==, FA_ERR_STATE);
    fake_end_request(&f);
}

static void test_upgrades_that_cannot_be(void **state)
{
    static const char *const lines[] = {
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\nUpgrade: x",
        "GET / HTTP/1.1\r\nConnection: upgrade",
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x",
        "PUT / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 1",
        ("PUT / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n"
         "Transfer-Encoding: chunked"),
    };
    const fa_stream_handler handler = {NULL, NULL, NULL, NULL};
    fa_stream *stream;
    fake f;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); ++i) {
        fake_begin(&f, NULL, lines[i], NULL);
        CHECK_INT(fa_request_upgrade(f.req, FA_SLICE("x"), &handler, NULL, &stream), ==,
                  FA_ERR_STATE);
        fake_end_request(&f);
    }
    fake_begin(&f, NULL, "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x", NULL);
    CHECK_INT(fa_request_upgrade(f.req, FA_SLICE("a\r\nb"), &handler, NULL, &stream), ==,
              FA_ERR_INVALID);
    fake_end_request(&f);
}

static void test_json_that_is_not_complete_is_not_sent(void **state)
{
    fa_json_writer w;
    fake f;

    (void)state;
    fake_begin(&f, NULL, "GET / HTTP/1.1", NULL);
    fa_json_writer_init(&w, NULL);
    fa_json_begin_object(&w);
    CHECK_INT(fa_respond_writer(f.req, 200, &w), ==, FA_ERR_STATE);
    CHECK_INT(f.calls, ==, 0);
    fa_json_writer_reset(&w);
    fa_json_begin_object(&w);
    fa_json_end_object(&w);
    CHECK_INT(fa_respond_writer(f.req, 200, &w), ==, 0);
    CHECK_TEXT(f.body, "{}");
    CHECK_TEXT(f.type, "application/json");
    fa_json_writer_free(&w);
    fake_end_request(&f);
}

static void test_every_failing_allocation(void **state)
{
    uint64_t n = 2;

    (void)state;
    for (;; ++n) {
        failing_alloc a;
        int header, error;
        fake f;

        failing_alloc_init(&a, n);
        fake_begin(&f, NULL, "GET / HTTP/1.1", &a.alloc);
        header = fa_response_header(f.req, FA_SLICE("a"), FA_SLICE("b"));
        CHECK(header == 0 || header == FA_ERR_NOMEM);
        error = fa_respond_error(f.req, 400, FA_SLICE("told"));
        CHECK(error == 0 || error == FA_ERR_NOMEM);
        CHECK_TEXT(f.fields, header == 0 && error == 0 ? "a=b;" : "");
        CHECK_INT(f.calls, ==, error == 0);
        fake_end_request(&f);
        CHECK_INT(a.held, ==, 0);
        if (a.calls < n)
            break;
        CHECK(header != 0 || error != 0);
    }
    CHECK_INT(n, >, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_interim_answers),
        cmocka_unit_test(test_interim_answers_with_fields_of_their_own),
        cmocka_unit_test(test_upgrades_that_cannot_be),
        cmocka_unit_test(test_json_that_is_not_complete_is_not_sent),
        cmocka_unit_test(test_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
