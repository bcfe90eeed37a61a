/* Bytes from a client, a table a rule, and what a server makes of them, however they are
   split. */
#include "check.h"

#include "trace.h"

typedef struct wire_case {
    const char *frames; /* see build() */
    const char *events;
} wire_case;

/* Frames in a short notation, masked: first byte in hex, then the payload after ':',
   with '\\' before two hex digits; ' ' separates. "81:Hi 8a:" is a text and a pong. */
static fa__buf build(const char *frames)
{
    fa__buf out;

    fa__buf_init(&out, &fa__malloc);
    while (*frames != '\0') {
        static const unsigned char key[4] = {0xa1, 0x02, 0xb3, 0x7f};
        char payload[512], head[FA__WS_FRAME_HEAD_MAX];
        unsigned first = (unsigned)strtoul(frames, NULL, 16);
        fa__ws_frame frame = {.masked = true};
        size_t n = 0, head_len;

        frames += 3;
        for (; *frames != ' ' && *frames != '\0'; ++frames) {
            if (*frames == '\\') {
                char hex[3] = {frames[1], frames[2], '\0'};

                payload[n++] = (char)strtoul(hex, NULL, 16);
                frames += 2;
            } else {
                payload[n++] = *frames;
            }
            CHECK(n < sizeof(payload));
        }
        frames += *frames == ' ';
        frame.length = n;
        memcpy(frame.key, key, 4);
        head_len = fa__ws_frame_write(head, &frame);
        head[0] = (char)first;
        for (size_t i = 0; i < n; ++i)
            payload[i] = (char)((unsigned char)payload[i] ^ key[i & 3]);
        CHECK_INT(fa__buf_append(&out, head, head_len), ==, 0);
        CHECK_INT(fa__buf_append(&out, payload, n), ==, 0);
    }
    return out;
}

static void check_same(const wire_case *c, const ws_trace *whole, ws_trace *other)
{
    if (!ws_trace_same(whole, other))
        fail_msg("%s\nwhole: %.*s\nsplit: %.*s", c->frames, (int)whole->text.len,
                 whole->text.p, (int)other->text.len, other->text.p);
    ws_trace_free(other);
}

/* Whole, in every two parts, byte by byte, and paused at each event. */
static void run(const wire_case *cases, size_t count, const fa__ws_options *options)
{
    for (size_t i = 0; i < count; ++i) {
        fa__buf in = build(cases[i].frames);
        ws_trace whole, other;

        ws_trace_init(&whole, options, &fa__malloc);
        whole.echo = true;
        ws_trace_feed(&whole, in.p, in.len);
        if (!fa_slice_equal((fa_slice){whole.text.p, whole.text.len},
                            fa_slice_of(cases[i].events)))
            fail_msg("%s\ngives\n%.*sinstead of\n%s", cases[i].frames,
                     (int)whole.text.len, whole.text.p, cases[i].events);
        for (size_t cut = 1; cut < in.len; ++cut) {
            ws_trace_init(&other, options, &fa__malloc);
            other.echo = true;
            ws_trace_feed(&other, in.p, cut);
            ws_trace_feed(&other, in.p + cut, in.len - cut);
            check_same(&cases[i], &whole, &other);
        }
        for (int paused = 0; paused < 2; ++paused) {
            ws_trace_init(&other, options, &fa__malloc);
            other.echo = true;
            other.pause = paused == 1;
            for (size_t at = 0; paused == 0 && at < in.len; ++at)
                ws_trace_feed(&other, in.p + at, 1);
            if (paused == 1)
                ws_trace_feed(&other, in.p, in.len);
            check_same(&cases[i], &whole, &other);
        }
        ws_trace_free(&whole);
        fa__buf_free(&in);
    }
}

static void run_plain(const wire_case *cases, size_t count)
{
    run(cases, count, &FA__WS_OPTIONS_DEFAULT);
}

/* RFC 6455, 5.4: control frames may stand between fragments, messages may not. */
static void test_fragmentation(void **state)
{
    static const wire_case cases[] = {
        {"81:Hello", "text 5:Hello\n"},
        {"81:", "text 0:\n"},
        {"82:", "binary 0:\n"},
        {"01:Hel 80:lo", "text 5:Hello\n"},
        {"01: 00: 80:", "text 0:\n"},
        {"01: 00:a 80: 82:b", "text 1:a\nbinary 1:b\n"},
        {"02:a 00:b 00:c 80:d", "binary 4:abcd\n"},
        {"01:a 89:ping 80:b", "ping 4:ping\ntext 2:ab\n"},
        {"01:a 8a:pong 00:b 89: 80:c", "pong 4:pong\nping 0:\ntext 3:abc\n"},
        {"01:a 88:\\03\\e8", "close 1000:\n"},
        {"80:a", "fail 1002:continuation of nothing\n"},
        {"00:a", "fail 1002:continuation of nothing\n"},
        {"81:a 80:b", "text 1:a\nfail 1002:continuation of nothing\n"},
        {"01:a 81:b", "fail 1002:message within a message\n"},
        {"01:a 02:b", "fail 1002:message within a message\n"},
        {"01:a 89:x 81:b", "ping 1:x\nfail 1002:message within a message\n"},
    };

    (void)state;
    run_plain(cases, ARRAY_LEN(cases));
}

static void test_binary_holds_any_byte(void **state)
{
    fa__buf in = build("82:\\00\\ff");
    ws_trace t;

    (void)state;
    ws_trace_init(&t, &FA__WS_OPTIONS_DEFAULT, &fa__malloc);
    ws_trace_feed(&t, in.p, in.len);
    CHECK_INT(t.text.len, ==, 12);
    CHECK(memcmp(t.text.p, "binary 2:\0\xff\n", 12) == 0);
    ws_trace_free(&t);
    fa__buf_free(&in);
}

/* RFC 6455, 5.2 and 5.5. */
static void test_frames(void **state)
{
    static const wire_case cases[] = {
        {"91:a", "fail 1002:reserved bit set\n"},
        {"a1:a", "fail 1002:reserved bit set\n"},
        {"c1:a", "fail 1002:reserved bit set\n"}, /* nothing was negotiated */
        {"c9:a", "fail 1002:compressed control frame\n"},
        {"83:a", "fail 1002:unknown opcode\n"},
        {"8b:a", "fail 1002:unknown opcode\n"},
        {"09:a", "fail 1002:fragmented control frame\n"},
        {"08:", "fail 1002:fragmented control frame\n"},
        {"81:a 87: 81:b", "text 1:a\nfail 1002:unknown opcode\n"},
    };

    (void)state;
    run_plain(cases, ARRAY_LEN(cases));
}

/* RFC 6455, 8.1: the whole message is UTF-8, whatever its frames are. */
static void test_text(void **state)
{
    static const wire_case cases[] = {
        {"81:\\ce\\ba\\e1\\bd\\b9", "text 5:\xce\xba\xe1\xbd\xb9\n"},
        {"01:\\ce 00: 80:\\ba", "text 2:\xce\xba\n"},
        {"01:\\f0 00:\\9f 89:p 00:\\98 80:\\80", "ping 1:p\ntext 4:\xf0\x9f\x98\x80\n"},
        {"81:a\\ff", "fail 1007:invalid UTF-8\n"},
        {"81:\\ed\\a0\\80", "fail 1007:invalid UTF-8\n"},
        {"81:\\f4\\90\\80\\80", "fail 1007:invalid UTF-8\n"},
        {"81:\\c0\\af", "fail 1007:invalid UTF-8\n"},
        {"81:\\e2\\82", "fail 1007:invalid UTF-8\n"}, /* ends too early */
        {"01:\\e2\\82 80:", "fail 1007:invalid UTF-8\n"},
        {"01:\\e2\\82 80:a", "fail 1007:invalid UTF-8\n"},
        {"01:a\\80", "fail 1007:invalid UTF-8\n"}, /* at once, not at the end */
        {"01:\\f4 00:\\90", "fail 1007:invalid UTF-8\n"},
        {"02:\\ff 80:\\fe 01:\\c3 80:\\a9",
         "binary 2:\xff\xfe\ntext 2:\xc3\xa9\n"}, /* nothing is carried over */
    };

    (void)state;
    run_plain(cases, ARRAY_LEN(cases));
}

/* RFC 6455, 5.5.1 and 7.4. */
static void test_close(void **state)
{
    static const wire_case cases[] = {
        {"88:", "close 1005:\n"},
        {"88:\\03\\e8", "close 1000:\n"},
        {"88:\\03\\e9bye", "close 1001:bye\n"},
        {"88:\\0f\\a0gr\\c3\\bc\\c3\\9f", "close 4000:gr\xc3\xbc\xc3\x9f\n"},
        {"88:\\03\\e8 81:late 88:", "close 1000:\n"}, /* nothing comes after it */
        {"88:\\03", "fail 1002:close frame of one byte\n"},
        {"88:\\03\\ee", "fail 1002:invalid close code\n"},
        {"88:\\00\\00", "fail 1002:invalid close code\n"},
        {"88:\\13\\88", "fail 1002:invalid close code\n"},
        {"88:\\03\\e8\\ff", "fail 1007:invalid UTF-8 in close reason\n"},
        {"81:a 88:\\03\\e8", "text 1:a\nclose 1000:\n"},
    };

    (void)state;
    run_plain(cases, ARRAY_LEN(cases));
}

static void test_limits(void **state)
{
    static const wire_case cases[] = {
        {"82:12345678", "binary 8:12345678\n"},
        {"82:123456789", "fail 1009:message too big\n"},
        {"02:1234 80:5678", "binary 8:12345678\n"},
        {"02:1234 80:56789", "fail 1009:message too big\n"},
        {"02:1234 00:5678 80:", "binary 8:12345678\n"},
        {"02:1 00:2 00:3", ""},
        {"02:1 00:2 00:3 00:", "fail 1008:too many fragments\n"},
        {"02:1 89:a 00:2 89:b 80:3 82:4",
         "ping 1:a\nping 1:b\nbinary 3:123\nbinary 1:4\n"},
    };
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;

    (void)state;
    options.limits.max_message_bytes = 8;
    options.limits.max_fragments = 3;
    run(cases, ARRAY_LEN(cases), &options);
}

/* RFC 7692, 6 and 7.2.3; the window is kept from message to message. */
static void test_compressed(void **state)
{
    static const wire_case cases[] = {
        {"c1:\\f2\\48\\cd\\c9\\c9\\07\\00", "text 5:Hello\n"},
        {"41:\\f2\\48\\cd 80:\\c9\\c9\\07\\00", "text 5:Hello\n"},
        {"c1:\\f2\\48\\cd\\c9\\c9\\07\\00 c1:\\f2\\00\\11\\00\\00",
         "text 5:Hello\ntext 5:Hello\n"},
        {"c1:\\f2\\48\\cd\\c9\\c9\\07\\00 81:plain c2:\\f2\\00\\11\\00\\00",
         "text 5:Hello\ntext 5:plain\nbinary 5:Hello\n"},
        {"41:\\f2\\48\\cd 89:p 00: 80:\\c9\\c9\\07\\00", "ping 1:p\ntext 5:Hello\n"},
        {"c1:\\00", "text 0:\n"},
        {"81:plain", "text 5:plain\n"},
        {"c1:", "fail 1002:incomplete compressed data\n"},
        {"c1:\\f2\\48", "fail 1002:incomplete compressed data\n"},
        {"c1:\\07", "fail 1002:invalid compressed data\n"},
        {"c1:\\f2\\00\\11\\00\\00", "fail 1002:invalid compressed data\n"},
        {"41:\\f2\\48\\cd c0:\\c9\\c9\\07\\00", "fail 1002:reserved bit set\n"},
        {"01:a c0:b", "fail 1002:reserved bit set\n"},
        {"c9:a", "fail 1002:compressed control frame\n"},
        {"c1:\\fa\\0f\\00", "fail 1007:invalid UTF-8\n"}, /* a byte FF, inflated */
        {"41:\\fa\\0f\\00", "fail 1007:invalid UTF-8\n"}, /* seen before the end */
        {"c1:\\f3\\48\\cd\\c9\\c9\\07\\00\\00 c1:\\f2\\00\\11\\00\\00",
         "text 5:Hello\ntext 5:Hello\n"}, /* a final block does not empty the window */
    };
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;

    (void)state;
    options.deflate = FA__WS_DEFLATE_DEFAULT;
    run(cases, ARRAY_LEN(cases), &options);
    options.deflate.client_no_context_takeover = true;
    run(cases, 2, &options);
    run(&(wire_case){"c1:\\f2\\48\\cd\\c9\\c9\\07\\00 c1:\\f2\\00\\11\\00\\00",
                     "text 5:Hello\nfail 1002:invalid compressed data\n"},
        1, &options);
}

/* RFC 6455, 5.1: which side masks. */
static void test_masks(void **state)
{
    fa__ws_options client = FA__WS_OPTIONS_DEFAULT;
    ws_trace t;

    (void)state;
    ws_trace_init(&t, &FA__WS_OPTIONS_DEFAULT, &fa__malloc);
    ws_trace_feed(&t,
                  "\x81\x01"
                  "a",
                  3);
    CHECK_SLICE(((fa_slice){t.text.p, t.text.len}), "fail 1002:frame without mask\n");
    ws_trace_free(&t);

    client.client = true;
    ws_trace_init(&t, &client, &fa__malloc);
    ws_trace_feed(&t,
                  "\x81\x01"
                  "a\x81\x81\x01\x02\x03\x04z",
                  10);
    CHECK_SLICE(((fa_slice){t.text.p, t.text.len}), "text 1:a\nfail 1002:masked frame\n");
    ws_trace_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fragmentation),
        cmocka_unit_test(test_binary_holds_any_byte),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_masks),
    };

    return cmocka_run_group_tests_name("websocket/messages", tests, NULL, NULL);
}
