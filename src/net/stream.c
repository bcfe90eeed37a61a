#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where there is no such flag, fa__stream_prepare() sets SO_NOSIGPIPE. */
#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0
#endif

int fa__stream_error(int error)
{
    switch (error) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return FA__ERR_WOULD_BLOCK;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
    case ETIMEDOUT: /* keep-alive probes or retransmissions went unanswered */
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET: return FA_ERR_CLOSED;
    case ENOMEM:
    case ENOBUFS: return FA_ERR_NOMEM;
    default: return FA_ERR_SYSTEM;
    }
}

ptrdiff_t fa__stream_read(int fd, char *p, size_t n)
{
    ssize_t got;

    do
        got = recv(fd, p, n, 0);
    while (got < 0 && errno == EINTR);
    return got >= 0 ? got : fa__stream_error(errno);
}

ptrdiff_t fa__stream_write(int fd, const char *p, size_t n)
{
    ssize_t sent;

    do
        sent = send(fd, p, n, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : fa__stream_error(errno);
}

ptrdiff_t fa__stream_writev(int fd, const struct iovec *vectors, int count)
{
    union {
        const struct iovec *in;
        struct iovec *out; /* sendmsg() only reads them */
    } u = {vectors};
    struct msghdr message = {.msg_iov = u.out};
    ssize_t sent;

    message.msg_iovlen = (__typeof__(message.msg_iovlen))count;
    /* Not writev(), which would raise SIGPIPE. */
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : fa__stream_error(errno);
}

int fa__stream_shutdown(int fd)
{
    return shutdown(fd, SHUT_WR) == 0 ? 0 : fa__stream_error(errno);
}

void fa__stream_close(int fd)
{
    /* Not again after EINTR: Linux has closed it, and another thread may have been
       given the same number since. */
    (void)close(fd);
}

void fa__stream_abort(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    fa__stream_close(fd);
}

int fa__stream_prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return FA_ERR_SYSTEM;
#if defined(SO_NOSIGPIPE)
    {
        int on = 1;

        if (setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)) != 0)
            return FA_ERR_SYSTEM;
    }
#endif
    return 0;
}

int fa__stream_no_delay(int fd)
{
    int on = 1;

    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 ? 0
                                                                          : FA_ERR_SYSTEM;
}

int fa__stream_pair(int fds[2])
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return FA_ERR_SYSTEM;
    for (int i = 0; i < 2; ++i) {
        if (fa__stream_prepare(pair[i]) != 0) {
            int error = errno;

            fa__stream_close(pair[0]);
            fa__stream_close(pair[1]);
            errno = error;
            return FA_ERR_SYSTEM;
        }
    }
    fds[0] = pair[0];
    fds[1] = pair[1];
    return 0;
}

bool fa__stream_failed(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0;
}
