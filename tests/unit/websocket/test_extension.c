#include "check.h"

#include "websocket/extension.h"

/* RFC 7692, 7.1: offers, what the server wishes, and what it answers. */
static void test_choose(void **state)
{
    static const fa__ws_deflate any = {true, false, false, 15, 15};
    static const fa__ws_deflate small = {true, false, false, 12, 12};
    static const fa__ws_deflate forgetful = {true, true, true, 15, 15};
    static const struct {
        const char *offer;
        const fa__ws_deflate *wish;
        const char *answer; /* NULL: malformed; "": declined */
    } cases[] = {
        {"", &any, ""},
        {"permessage-deflate", &any, "permessage-deflate"},
        {"PerMessage-Deflate", &any, "permessage-deflate"},
        {"permessage-deflate; client_max_window_bits", &any, "permessage-deflate"},
        {"permessage-deflate; client_max_window_bits=10", &any,
         "permessage-deflate; client_max_window_bits=10"},
        {"permessage-deflate; client_max_window_bits=\"10\"", &any,
         "permessage-deflate; client_max_window_bits=10"},
        {"permessage-deflate;server_max_window_bits=8", &any,
         "permessage-deflate; server_max_window_bits=8"},
        {"permessage-deflate ; server_max_window_bits = 10 ", &any,
         "permessage-deflate; server_max_window_bits=10"},
        {"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
         &any,
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
        {"x-other, permessage-deflate", &any, "permessage-deflate"},
        {"x-other; a=b; c=\"d\", x-more", &any, ""},
        /* what we wish: the client's window only if it says that it can */
        {"permessage-deflate", &small, "permessage-deflate; server_max_window_bits=12"},
        {"permessage-deflate; client_max_window_bits", &small,
         "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"},
        {"permessage-deflate; client_max_window_bits=9; server_max_window_bits=15",
         &small,
         "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9"},
        {"permessage-deflate", &forgetful,
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
        /* declined, and the next one is looked at */
        {"permessage-deflate; server_max_window_bits=7", &any, ""},
        {"permessage-deflate; server_max_window_bits=16", &any, ""},
        {"permessage-deflate; server_max_window_bits=010", &any, ""},
        {"permessage-deflate; server_max_window_bits", &any, ""},
        {"permessage-deflate; client_max_window_bits=+9", &any, ""},
        {"permessage-deflate; server_no_context_takeover=1", &any, ""},
        {"permessage-deflate; unknown", &any, ""},
        {"permessage-deflate; client_max_window_bits; client_max_window_bits", &any, ""},
        {"permessage-deflate; unknown, permessage-deflate; server_max_window_bits=9",
         &any, "permessage-deflate; server_max_window_bits=9"},
        /* not of the grammar (RFC 6455, 9.1) */
        {"permessage-deflate;", &any, NULL},
        {";", &any, NULL},
        {"permessage-deflate; =1", &any, NULL},
        {"permessage-deflate; a=", &any, NULL},
        {"permessage-deflate; a=\"\"", &any, NULL},
        {"permessage-deflate; a=\"b c\"", &any, NULL},
        {"permessage-deflate; a=\"b", &any, NULL},
        {"permessage-deflate a", &any, NULL},
        {"permessage-deflate, x/y", &any, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice offer = exact_copy(cases[i].offer);
        fa__ws_deflate out = {.on = true, .server_max_window_bits = 77};
        char text[FA__WS_EXTENSION_MAX];
        int rv = fa__ws_deflate_choose(&out, offer, cases[i].wish);

        if (rv != (cases[i].answer == NULL ? FA_ERR_FIELD_VALUE : 0))
            fail_msg("%s: %d", cases[i].offer, rv);
        if (rv != 0)
            CHECK_INT(out.server_max_window_bits, ==, 77);
        else if (out.on)
            CHECK_SLICE(((fa_slice){text, fa__ws_deflate_write(text, &out)}),
                        cases[i].answer);
        else
            CHECK_SLICE(FA_SLICE(""), cases[i].answer);
        exact_free(offer);
    }
}

static void test_nothing_is_chosen_when_off(void **state)
{
    const fa__ws_deflate off = {.on = false};
    fa__ws_deflate out = {.on = true};

    (void)state;
    CHECK_INT(fa__ws_deflate_choose(&out, FA_SLICE("permessage-deflate"), &off), ==, 0);
    CHECK(!out.on);
}

static void test_longest_answer_fits(void **state)
{
    const fa__ws_deflate all = {true, true, true, 14, 14};
    char text[FA__WS_EXTENSION_MAX];

    (void)state;
    CHECK_INT(fa__ws_deflate_write(text, &all), <=, FA__WS_EXTENSION_MAX);
    CHECK_INT(fa__ws_deflate_offer(text, &all), <=, FA__WS_EXTENSION_MAX);
}

/* RFC 7692, 7.1: what a client may take for an answer to its offer. */
static void test_accept(void **state)
{
    static const struct {
        fa__ws_deflate offered;
        const char *answer;
        int rv;
        fa__ws_deflate agreed;
    } cases[] = {
        {{true, false, false, 15, 15}, "", 0, {.on = false}},
        {{true, false, false, 15, 15}, "permessage-deflate", 0, {true, 0, 0, 15, 15}},
        {{true, false, false, 15, 15},
         "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10; "
         "client_no_context_takeover; server_no_context_takeover",
         0,
         {true, true, true, 10, 9}},
        {{true, true, false, 12, 15},
         "permessage-deflate; server_no_context_takeover; server_max_window_bits=12",
         0,
         {true, true, false, 12, 15}},
        {{true, true, false, 15, 15}, "permessage-deflate", FA_ERR_FIELD_VALUE, {0}},
        {{true, false, false, 12, 15}, "permessage-deflate", FA_ERR_FIELD_VALUE, {0}},
        {{true, false, false, 15, 15}, "x-other", FA_ERR_FIELD_VALUE, {0}},
        {{true, false, false, 15, 15},
         "permessage-deflate, permessage-deflate",
         FA_ERR_FIELD_VALUE,
         {0}},
        {{true, false, false, 15, 15},
         "permessage-deflate; client_max_window_bits",
         FA_ERR_FIELD_VALUE,
         {0}},
        {{.on = false}, "permessage-deflate", FA_ERR_FIELD_VALUE, {0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        const fa__ws_deflate *want = &cases[i].agreed;
        fa__ws_deflate out = {.on = false};

        CHECK_INT(
            fa__ws_deflate_accept(&out, fa_slice_of(cases[i].answer), &cases[i].offered),
            ==, cases[i].rv);
        CHECK_INT(out.on, ==, want->on);
        CHECK_INT(out.server_no_context_takeover, ==, want->server_no_context_takeover);
        CHECK_INT(out.client_no_context_takeover, ==, want->client_no_context_takeover);
        CHECK_INT(out.server_max_window_bits, ==, want->server_max_window_bits);
        CHECK_INT(out.client_max_window_bits, ==, want->client_max_window_bits);
    }
}

/* Whatever a client offers and a server wishes, both come to the same understanding. */
static void test_both_sides_agree(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4u * 4u * 8u * 8u * 8u * 8u; ++i) {
        fa__ws_deflate asks = {true, i & 1, i >> 1 & 1, (uint8_t)(8 + (i >> 4 & 7)),
                               (uint8_t)(8 + (i >> 7 & 7))};
        fa__ws_deflate wish = {true, i >> 2 & 1, i >> 3 & 1, (uint8_t)(8 + (i >> 10 & 7)),
                               (uint8_t)(8 + (i >> 13))};
        char text[FA__WS_EXTENSION_MAX];
        fa__ws_deflate server, client;
        size_t n = fa__ws_deflate_offer(text, &asks);

        CHECK_INT(fa__ws_deflate_choose(&server, (fa_slice){text, n}, &wish), ==, 0);
        CHECK(server.on);
        n = fa__ws_deflate_write(text, &server);
        CHECK_INT(fa__ws_deflate_accept(&client, (fa_slice){text, n}, &asks), ==, 0);
        CHECK_INT(client.server_max_window_bits, ==, server.server_max_window_bits);
        CHECK_INT(client.client_max_window_bits, ==, server.client_max_window_bits);
        CHECK_INT(client.server_no_context_takeover, ==,
                  server.server_no_context_takeover);
        CHECK_INT(client.client_no_context_takeover, ==,
                  server.client_no_context_takeover);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_nothing_is_chosen_when_off),
        cmocka_unit_test(test_longest_answer_fits),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_both_sides_agree),
    };

    return cmocka_run_group_tests_name("websocket/extension", tests, NULL, NULL);
}
