/* WebSockets: unmasking, and echoes as a server sees them. */
#include "micro.h"

#include <stdlib.h>

#include "websocket/mask.h"
#include "websocket/ws.h"

static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};

static void unmask_with(fa__bench *b, const fa__ws_masker *masker)
{
    static char payload[65536];
    uint64_t key8 = 0x3d21fa373d21fa37u;

    for (uint64_t i = 0; i < b->n; ++i) {
        if (masker != NULL)
            masker->run(payload, sizeof(payload), key8);
        else
            fa__ws_mask(payload, sizeof(payload), key, i);
        fa__bench_sink(payload);
    }
    b->bytes = b->n * sizeof(payload);
}

static void unmask(fa__bench *b)
{
    unmask_with(b, NULL);
}

/* Without vectors of its own, whatever the compiler makes of it. */
static void unmask_portable(fa__bench *b)
{
    const fa__ws_masker *maskers[3];

    unmask_with(b, maskers[fa__ws_maskers(maskers) - 1]);
}

static void on_message(void *ctx, fa__ws_opcode opcode, fa_slice bytes)
{
    if (fa__ws_send(ctx, opcode, bytes) != 0)
        abort();
}

/* The message is `n` bytes of JSON; a client of ours has written it. */
static void echo(fa__bench *b, size_t n, bool compressed)
{
    static const fa__ws_events echoes = {.message = on_message},
                               silent = {.message = NULL};
    static char text[65536];
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;
    fa__buf from_client, from_server;
    fa__ws client, server;
    char *input;

    for (size_t i = 0; i < n; ++i)
        text[i] = "{\"id\": 4815, \"name\": \"widget\", \"price\": 16.23}, "[i % 48];
    fa__buf_init(&from_client, &fa__malloc);
    fa__buf_init(&from_server, &fa__malloc);
    options.deflate = FA__WS_DEFLATE_DEFAULT;
    options.deflate.on = compressed;
    options.deflate.client_no_context_takeover = true; /* each as the first one */
    if (fa__ws_init(&server, &options, &echoes, &server, &from_server, &fa__malloc) != 0)
        abort();
    options.client = true;
    if (fa__ws_init(&client, &options, &silent, NULL, &from_client, &fa__malloc) != 0 ||
        fa__ws_send(&client, FA__WS_TEXT, (fa_slice){text, n}) != 0)
        abort();
    input = malloc(from_client.len);
    if (input == NULL)
        abort();
    for (uint64_t i = 0; i < b->n; ++i) {
        memcpy(input, from_client.p, from_client.len); /* it is unmasked in place */
        from_server.len = 0;
        if (fa__ws_feed(&server, input, from_client.len) < 0 || from_server.len == 0)
            abort();
        fa__bench_sink(from_server.p);
    }
    b->bytes = b->n * n;
    free(input);
    fa__ws_free(&client);
    fa__ws_free(&server);
    fa__buf_free(&from_client);
    fa__buf_free(&from_server);
}

static void echo_short(fa__bench *b)
{
    echo(b, 125, false);
}

static void echo_long(fa__bench *b)
{
    echo(b, 65536, false);
}

static void echo_short_compressed(fa__bench *b)
{
    echo(b, 125, true);
}

static void echo_compressed(fa__bench *b)
{
    echo(b, 4096, true);
}

const fa__bench_case fa__bench_websocket[] = {
    {"websocket/unmask 64 KiB", unmask, 0},
    {"websocket/unmask 64 KiB, portable", unmask_portable, 0},
    {"websocket/echo a text of 125 bytes", echo_short, 0},
    {"websocket/echo a text of 64 KiB", echo_long, 0},
    {"websocket/echo 125 bytes, compressed", echo_short_compressed, 0},
    {"websocket/echo 4 KiB, compressed", echo_compressed, 0},
    {NULL, NULL, 0},
};
