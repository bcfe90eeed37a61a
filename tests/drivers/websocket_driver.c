/* A server's or a client's end of WebSockets, for tests/property/test_websocket.py.
   Reads commands, one a line; bytes are in hexadecimal, "-" for none:

     deflate SC-BITS-BITS    for the next connections: whether the server, and the client,
                             forgets its window (0 or 1), and how large theirs are at
                             most; "00-0-0" for no compression
     new ROLE FRAGMENT       a connection: "server" or "client"; the most bytes of a
                             frame, or 0
     feed HEX                bytes from the peer
     text HEX, binary HEX, ping HEX, pong HEX, close CODE HEX    to send

   Each is answered by a line: the output in hexadecimal, then the events,
   ';' after each, as "text HEX", "close CODE HEX" or "fail CODE -". A send that is
   refused is the event "refused". */
#include <stdio.h>
#include <stdlib.h>

#include "websocket/ws.h"

#include "hex.h"

static fa__ws ws;
static fa__buf out, events;
static fa__ws_deflate deflate;

static void put(fa__buf *b, const char *text, size_t n)
{
    if (fa__buf_append(b, text, n) != 0)
        die("no memory");
}

static void put_hex(fa__buf *b, fa_slice v)
{
    static const char digits[] = "0123456789abcdef";

    if (v.len == 0)
        put(b, "-", 1);
    for (size_t i = 0; i < v.len; ++i) {
        unsigned c = (unsigned char)v.p[i];
        char pair[2] = {digits[c >> 4], digits[c & 15]};

        put(b, pair, 2);
    }
}

static void event(const char *name, fa_slice v)
{
    put(&events, " ", 1);
    put(&events, name, strlen(name));
    put(&events, " ", 1);
    put_hex(&events, v);
    put(&events, ";", 1);
}

static void event_code(const char *name, unsigned code, fa_slice v)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%s %u", name, code);
    event(text, v);
}

static void on_message(void *ctx, fa__ws_opcode opcode, fa_slice bytes)
{
    (void)ctx;
    event(opcode == FA__WS_TEXT ? "text" : "binary", bytes);
}

static void on_ping(void *ctx, fa_slice payload)
{
    (void)ctx;
    event("ping", payload);
}

static void on_pong(void *ctx, fa_slice payload)
{
    (void)ctx;
    event("pong", payload);
}

static void on_close(void *ctx, uint16_t code, fa_slice reason)
{
    (void)ctx;
    event_code("close", code, reason);
}

static void on_fail(void *ctx, uint16_t code, const char *why)
{
    (void)ctx;
    (void)why;
    event_code("fail", code, FA_SLICE(""));
}

static void begin(const char *role, unsigned long fragment)
{
    static const fa__ws_events all = {on_message, on_ping, on_pong, on_close, on_fail};
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;

    options.deflate = deflate;
    options.client = strcmp(role, "client") == 0;
    options.writer.fragment_bytes = fragment;
    options.writer.min_deflate_bytes = 1;
    if (fa__ws_init(&ws, &options, &all, NULL, &out, &fa__malloc) != 0)
        die("bad options");
}

static int send_or_feed(const char *command, const char *code, char *p, size_t n)
{
    fa_slice v = {p, n};

    if (strcmp(command, "feed") == 0)
        return fa__ws_feed(&ws, p, n) == (ptrdiff_t)n ? 0 : -1;
    if (strcmp(command, "text") == 0)
        return fa__ws_send(&ws, FA__WS_TEXT, v);
    if (strcmp(command, "binary") == 0)
        return fa__ws_send(&ws, FA__WS_BINARY, v);
    if (strcmp(command, "ping") == 0)
        return fa__ws_ping(&ws, v);
    if (strcmp(command, "pong") == 0)
        return fa__ws_pong(&ws, v);
    if (strcmp(command, "close") == 0 && code != NULL)
        return fa__ws_close(&ws, (uint16_t)atoi(code), v);
    die("unknown command");
    return 0;
}

static void act(char *line, bool *begun)
{
    char *save = NULL, *command = strtok_r(line, " \n", &save);
    char *first = strtok_r(NULL, " \n", &save), *second = strtok_r(NULL, " \n", &save);
    char *p;
    size_t n;

    if (command == NULL || first == NULL)
        die("no argument");
    if (strcmp(command, "deflate") == 0) {
        unsigned values[4] = {0};

        if (sscanf(first, "%1u%1u-%2u-%2u", &values[0], &values[1], &values[2],
                   &values[3]) != 4)
            die("bad deflate");
        deflate = (fa__ws_deflate){values[2] != 0, values[0] != 0, values[1] != 0,
                                   (uint8_t)values[2], (uint8_t)values[3]};
        return;
    }
    if (strcmp(command, "new") == 0) {
        if (*begun)
            fa__ws_free(&ws);
        *begun = true;
        begin(first, second != NULL ? strtoul(second, NULL, 10) : 0);
    } else {
        p = unhex(second != NULL ? second : first, &n);
        if (send_or_feed(command, second != NULL ? first : NULL, p, n) != 0)
            event("refused", FA_SLICE(""));
        free(p);
    }
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    bool begun = false;

    fa__buf_init(&out, &fa__malloc);
    fa__buf_init(&events, &fa__malloc);
    while (getline(&line, &room, stdin) > 0) {
        fa__buf hex;

        act(line, &begun);
        fa__buf_init(&hex, &fa__malloc);
        put_hex(&hex, (fa_slice){out.p, out.len});
        printf("%.*s%.*s\n", (int)hex.len, hex.p, (int)events.len,
               events.len > 0 ? events.p : "");
        fflush(stdout);
        fa__buf_free(&hex);
        out.len = events.len = 0;
    }
    if (begun)
        fa__ws_free(&ws);
    fa__buf_free(&out);
    fa__buf_free(&events);
    free(line);
    return 0;
}
