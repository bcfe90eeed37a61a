#include "check.h"

#include "http1/parser.h"
#include "websocket/handshake.h"

#define GET     "GET /chat HTTP/1.1\r\nHost: x\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define REQUEST GET UPGRADE KEY VERSION

static fa__field fields[32];

static fa__request_head parse(fa_slice text)
{
    fa__request_head head = {.fields = fields, .field_cap = ARRAY_LEN(fields)};
    fa__http1_parser parser;

    fa__http1_parser_init(&parser, &head, NULL);
    CHECK_INT(fa__http1_parse_head(&parser, text.p, text.len), ==, text.len);
    return head;
}

static int judge(const char *text, fa__ws_answer *answer)
{
    fa_slice copy = exact_copy(text);
    fa__request_head head = parse(copy);
    int status = -1;

    CHECK_INT(fa__ws_judge(&status, answer, &head, &FA__WS_DEFLATE_DEFAULT), ==, 0);
    exact_free(copy);
    return status;
}

/* The example of RFC 6455, 1.3. */
static void test_accept(void **state)
{
    fa__ws_answer answer;
    const char *want = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    (void)state;
    CHECK_INT(judge(REQUEST "\r\n", &answer), ==, 0);
    CHECK_SLICE(((fa_slice){answer.accept, FA__WS_ACCEPT_LENGTH}), want);
    CHECK_INT(answer.extensions_len, ==, 0);
    CHECK(!answer.deflate.on);
}

static void test_statuses(void **state)
{
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {REQUEST "\r\n", 0},
        {REQUEST "Content-Length: 0\r\n\r\n", 0},
        {GET "Upgrade: h2c, WebSocket\r\nConnection: keep-alive, upgrade\r\n" KEY VERSION
             "\r\n",
         0},
        {REQUEST "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n", 0},
        {REQUEST "Sec-WebSocket-Protocol:\r\n\r\n", 0},
        {"POST /chat HTTP/1.1\r\nHost: x\r\n" UPGRADE KEY VERSION "\r\n", 400},
        {REQUEST "Content-Length: 1\r\n\r\n", 400},
        {REQUEST "Transfer-Encoding: chunked\r\n\r\n", 400},
        {GET UPGRADE VERSION "\r\n", 400},
        {REQUEST KEY "\r\n", 400},
        {REQUEST VERSION "\r\n", 400},
        {GET UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n", 400},
        {GET UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=\r\n\r\n", 400},
        {GET UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n\r\n", 400},
        {GET UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZUE===\r\n\r\n",
         400},
        {GET UPGRADE KEY "\r\n", 426},
        {GET UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426},
        {GET UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n\r\n", 426},
        {GET UPGRADE KEY "Sec-WebSocket-Version: 013\r\n\r\n", 426},
        {REQUEST "Sec-WebSocket-Protocol: a b\r\n\r\n", 400},
        {REQUEST "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b/c\r\n\r\n", 400},
        {REQUEST "Sec-WebSocket-Extensions: permessage-deflate;\r\n\r\n", 400},
        {REQUEST "Sec-WebSocket-Extensions: x\r\nSec-WebSocket-Extensions: ;\r\n\r\n",
         400},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa__ws_answer answer = {.extensions_len = 777};
        int status = judge(cases[i].request, &answer);

        if (status != cases[i].status)
            fail_msg("%s\n%d instead of %d", cases[i].request, status, cases[i].status);
        CHECK_INT(answer.extensions_len == 777, ==, status != 0);
    }
}

static void test_asked(void **state)
{
    static const struct {
        const char *request;
        bool asked;
    } cases[] = {
        {REQUEST "\r\n", true},
        {GET "\r\n", false},
        {GET "Upgrade: websocket\r\n\r\n", false},
        {GET "Connection: upgrade\r\n\r\n", false},
        {GET "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n", false},
        {GET "Upgrade: h2c\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\r\n", true},
        {GET "Upgrade: websockets\r\nConnection: upgrade\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa__request_head head = parse(fa_slice_of(cases[i].request));

        CHECK_INT(fa__ws_asked(&head), ==, cases[i].asked);
    }
}

static void test_protocols(void **state)
{
    fa__request_head head = parse(FA_SLICE(REQUEST "Sec-WebSocket-Protocol: a, b,,\r\n"
                                                   "sec-websocket-protocol: \r\n"
                                                   "Other: z\r\n"
                                                   "SEC-WEBSOCKET-PROTOCOL: c\r\n\r\n"));
    fa__ws_protocol_iter it = {{NULL, 0}, 0};
    char names[8] = "";
    fa_slice protocol;
    size_t n = 0;

    (void)state;
    while (fa__ws_protocol_next(&it, &protocol, &head)) {
        CHECK_INT(protocol.len, ==, 1);
        names[n++] = protocol.p[0];
    }
    CHECK_SLICE(((fa_slice){names, n}), "abc");
}

static void test_extensions_of_several_fields(void **state)
{
    fa__ws_answer answer;

    (void)state;
    CHECK_INT(judge(REQUEST "Sec-WebSocket-Extensions: x, permessage-deflate; unknown\r\n"
                            "Sec-WebSocket-Extensions: permessage-deflate; "
                            "server_max_window_bits=10\r\n"
                            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                    &answer),
              ==, 0);
    CHECK(answer.deflate.on);
    CHECK_INT(answer.deflate.server_max_window_bits, ==, 10);
    CHECK_SLICE(((fa_slice){answer.extensions, answer.extensions_len}),
                "permessage-deflate; server_max_window_bits=10");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_extensions_of_several_fields),
    };

    return cmocka_run_group_tests_name("websocket/handshake", tests, NULL, NULL);
}
