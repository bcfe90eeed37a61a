/* The floor: the least that a server on this kernel can do for an HTTP/1.1 request.

   One epoll loop that reads, counts the empty lines that end heads, and sends one
   canned answer for each. It parses nothing, routes nothing, limits nothing, and
   keeps no byte of state but how much of an empty line has come: what is left is
   the kernel's work. The CPU time that a real server needs for a request is divided
   by the floor's, measured in the same run. Never a server to use.

       floor [PORT]        127.0.0.1, default port 8000 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FDS = 65536, IN_BYTES = 65536, BATCH = 256 };

static const char answer[] =
    "HTTP/1.1 200 OK\r\ncontent-length: 27\r\ncontent-type: application/json\r\n\r\n"
    "{\"message\":\"Hello, World!\"}";

/* How many bytes of "\r\n\r\n" the last read of each connection ended with. */
static unsigned char matched[MAX_FDS];

static char in[IN_BYTES];
static char out[IN_BYTES / 4 * sizeof(answer)];

/* Counts the empty lines that end in these bytes. A body of JSON has none. */
static size_t count_heads(unsigned char *state, const char *p, size_t n)
{
    static const char end_of_head[] = "\r\n\r\n";
    const char *end = p + n, *at;
    size_t heads = 0;

    for (; *state > 0 && p < end; ++p) { /* the rest of one that was cut in two */
        *state = *p == end_of_head[*state] ? (unsigned char)(*state + 1) : 0;
        if (*state == 4) {
            ++heads;
            *state = 0;
        }
    }
    while (p < end && (at = memmem(p, (size_t)(end - p), end_of_head, 4)) != NULL) {
        ++heads;
        p = at + 4;
    }
    for (unsigned char k = end - p < 3 ? (unsigned char)(end - p) : 3; k > 0; --k) {
        if (memcmp(end - k, end_of_head, k) == 0) {
            *state = k;
            break;
        }
    }
    return heads;
}

/* False when the connection is over. What the socket does not take at once ends it,
   too: no client of these benchmarks leaves so many answers unread. */
static int serve(int fd)
{
    ssize_t got = recv(fd, in, sizeof(in), 0);
    size_t heads, len = 0;

    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    heads = count_heads(&matched[fd], in, (size_t)got);
    for (; heads > 0; --heads) {
        memcpy(out + len, answer, sizeof(answer) - 1);
        len += sizeof(answer) - 1;
    }
    return len == 0 || send(fd, out, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static int listen_on(unsigned port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    /* As the server's own listeners on loopback are (src/net/listener.c), whatever else
       the system has chosen. Refused where there is no choice. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 4096) != 0) {
        perror("floor");
        exit(1);
    }
    return fd;
}

static void accept_all(int ep, int listener)
{
    int one = 1, fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (fd >= MAX_FDS || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0) {
            close(fd);
            continue;
        }
        matched[fd] = 0;
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;
    struct epoll_event ready[BATCH], ev = {.events = EPOLLIN};
    int ep = epoll_create1(0);
    int listener = listen_on(argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 8000);

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    ev.data.fd = listener;
    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) != 0)
        return 1;
    for (;;) {
        int n = epoll_wait(ep, ready, BATCH, -1);

        for (int i = 0; i < n; ++i) {
            int fd = ready[i].data.fd;

            if (fd == listener)
                accept_all(ep, listener);
            else if (!serve(fd))
                close(fd);
        }
    }
}
