/* The load of the WebSocket benchmarks: a message on each connection, the next one when
 * its echo has come and is the same, byte for byte.
 *
 *   ws_load PORT CONNECTIONS SECONDS text|binary BYTES plain|deflate
 *
 * Prints one JSON object. Any surprise ends it with status 1. Messages differ from each
 * other, so that compression has its work. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "websocket/ws.h"

enum { MESSAGES = 256, MESSAGE_MAX = 65536, INPUT = 1 << 18 };

typedef struct conn {
    int fd;
    unsigned sent; /* index of the message whose echo is awaited */
    fa__ws ws;
    fa__buf out;
} conn;

static struct {
    fa__ws_opcode opcode;
    size_t bytes;
    char *text[MESSAGES];
    uint64_t echoed;
    bool ending; /* no further messages */
} load;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
    va_list args;

    fputs("ws_load: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Words in an order of their own in each: some of it repeats, as it does in JSON. */
static void make_messages(void)
{
    static const char *const words[] = {"\"id\":", "\"name\":",  "42,",    "\"widget\",",
                                        "true,",   "\"price\":", "16.23,", "{",
                                        "}",       "7,"};
    uint32_t state = 1;

    for (size_t i = 0; i < MESSAGES; ++i) {
        size_t at = 0;

        load.text[i] = malloc(load.bytes + 16);
        if (load.text[i] == NULL)
            die("no memory");
        while (at < load.bytes) {
            const char *word;

            state = state * 1664525u + 1013904223u;
            word = words[(state >> 16) % 10];
            memcpy(load.text[i] + at, word, strlen(word) + 1);
            at += strlen(word);
        }
    }
}

static void send_all(conn *c)
{
    ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);

    if (n < 0 || (size_t)n != c->out.len)
        die("send: %s", n < 0 ? strerror(errno) : "the message did not fit");
    c->out.len = 0;
}

static void send_message(conn *c)
{
    int rv;

    c->sent = (c->sent + 1) % MESSAGES;
    rv = fa__ws_send(&c->ws, load.opcode, (fa_slice){load.text[c->sent], load.bytes});
    if (rv != 0)
        die("a message cannot be written: %d", rv);
}

static void on_message(void *ctx, fa__ws_opcode opcode, fa_slice bytes)
{
    conn *c = ctx;

    if (opcode != load.opcode || bytes.len != load.bytes ||
        memcmp(bytes.p, load.text[c->sent], bytes.len) != 0)
        die("an echo of %zu bytes is not what was sent", bytes.len);
    ++load.echoed;
    if (!load.ending)
        send_message(c);
}

static void on_close(void *ctx, uint16_t code, fa_slice reason)
{
    (void)ctx;
    die("the server closed: %u %.*s", (unsigned)code, (int)reason.len, reason.p);
}

static void on_fail(void *ctx, uint16_t code, const char *why)
{
    (void)ctx;
    die("the server broke a rule: %u %s", (unsigned)code, why);
}

static const fa__ws_events events = {
    .message = on_message, .close = on_close, .fail = on_fail};

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* Reads the head of the answer, and no byte more. Servers are silent after it. */
static void read_answer(int fd, char *head, size_t room)
{
    size_t n = 0;

    do {
        if (n + 1 == room || recv(fd, head + n, 1, 0) != 1)
            die("no answer to the handshake");
        head[++n] = '\0';
    } while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0);
    if (strncmp(head, "HTTP/1.1 101 ", 13) != 0)
        die("refused: %.*s", (int)strcspn(head, "\r"), head);
}

static fa_slice field_of(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line != NULL;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1 + strspn(line + len + 1, " ");

            return (fa_slice){value, strcspn(value, "\r")};
        }
    }
    return (fa_slice){"", 0};
}

static void open_conn(conn *c, uint16_t port, bool deflate)
{
    fa__ws_options options = FA__WS_OPTIONS_DEFAULT;
    fa__ws_deflate offer = FA__WS_DEFLATE_DEFAULT;
    char request[512], value[FA__WS_EXTENSION_MAX], head[4096];
    size_t n = deflate ? fa__ws_deflate_offer(value, &offer) : 0;

    c->fd = connect_to(port);
    snprintf(request, sizeof(request),
             "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n%s%.*s%s\r\n",
             deflate ? "Sec-WebSocket-Extensions: " : "", (int)n, value,
             deflate ? "\r\n" : "");
    if (send(c->fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        die("send: %s", strerror(errno));
    read_answer(c->fd, head, sizeof(head));
    offer.on = deflate;
    if (fa__ws_deflate_accept(&options.deflate,
                              field_of(head, "sec-websocket-extensions"), &offer) != 0)
        die("the server's extensions are not what was offered");
    if (options.deflate.on != deflate)
        die("compression was not agreed to");
    options.client = true;
    fa__buf_init(&c->out, &fa__malloc);
    if (fa__ws_init(&c->ws, &options, &events, c, &c->out, &fa__malloc) != 0)
        die("no WebSocket");
}

static void on_readable(conn *c)
{
    static char input[INPUT];
    ssize_t n = recv(c->fd, input, sizeof(input), MSG_DONTWAIT);

    if (n <= 0)
        die("the connection ended: %s", n < 0 ? strerror(errno) : "closed");
    if (fa__ws_feed(&c->ws, input, (size_t)n) != n)
        die("what came cannot be read");
    if (c->out.len > 0)
        send_all(c);
}

/* Until all echoes have come; none is asked for after so many seconds. */
static void run(conn *conns, size_t count, double seconds)
{
    struct epoll_event ready[256], interest = {.events = EPOLLIN};
    int ep = epoll_create1(0);
    double end = now_s() + seconds, limit = end + 30;

    for (size_t i = 0; i < count; ++i) {
        conns[i].sent = (unsigned)i;
        interest.data.ptr = &conns[i];
        if (epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &interest) != 0)
            die("epoll_ctl: %s", strerror(errno));
        send_message(&conns[i]);
        send_all(&conns[i]);
    }
    for (uint64_t sent = count; load.echoed < sent;) {
        int n = epoll_wait(ep, ready, 256, 1000);
        double now = now_s();

        if (now > limit)
            die("%llu echoes never came", (unsigned long long)(sent - load.echoed));
        load.ending = now >= end;
        for (int i = 0; i < n; ++i)
            on_readable(ready[i].data.ptr);
        if (!load.ending)
            sent = load.echoed + count; /* each echo was answered with a message */
    }
    close(ep);
}

static long number(const char *text, long least, long most)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || n < least || n > most)
        die("'%s' is not a number from %ld to %ld", text, least, most);
    return n;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        die("usage: ws_load PORT CONNECTIONS SECONDS text|binary BYTES plain|deflate");
    size_t count = (size_t)number(argv[2], 1, 10000);
    uint16_t port = (uint16_t)number(argv[1], 1, 65535);
    long seconds = number(argv[3], 1, 3600);
    conn *conns = calloc(count, sizeof(*conns));

    load.opcode = strcmp(argv[4], "text") == 0 ? FA__WS_TEXT : FA__WS_BINARY;
    load.bytes = (size_t)number(argv[5], 1, MESSAGE_MAX);
    if (conns == NULL)
        die("no memory");
    make_messages();
    for (size_t i = 0; i < count; ++i)
        open_conn(&conns[i], port, strcmp(argv[6], "deflate") == 0);
    double began = now_s();
    run(conns, count, (double)seconds);
    printf("{\"messages\": %llu, \"seconds\": %.6f}\n", (unsigned long long)load.echoed,
           now_s() - began);
    for (size_t i = 0; i < count; ++i) {
        fa__ws_free(&conns[i].ws);
        fa__buf_free(&conns[i].out);
        close(conns[i].fd);
    }
    for (size_t i = 0; i < MESSAGES; ++i)
        free(load.text[i]);
    free(conns);
    return 0;
}
