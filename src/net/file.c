#include "net/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/sendfile.h>
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__DragonFly__)
#include <sys/socket.h>
#include <sys/uio.h>
#endif

/* ---- which part ---- */

static bool is_readable(int fd)
{
    int flags = fcntl(fd, F_GETFL);

#if defined(O_PATH)
    if (flags >= 0 && (flags & O_PATH) != 0)
        return false;
#endif
    return flags >= 0 && (flags & O_ACCMODE) != O_WRONLY;
}

/* Files of /proc, and block devices, say that they have no bytes: only reading tells. */
static int judge_sizeless(fa__file *file)
{
    char byte;
    ssize_t n;

    do
        n = pread(file->fd, &byte, 1, (off_t)file->offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return FA_ERR_SYSTEM;
    if (n == 0 && file->left == FA__FILE_TO_END)
        file->left = 0;
    return n == 1 || file->left == 0 ? 0 : FA_ERR_INVALID;
}

static int judge_seekable(fa__file *file, int64_t size)
{
    if (file->offset < 0) {
        file->offset = (int64_t)lseek(file->fd, 0, SEEK_CUR);
        if (file->offset < 0)
            return FA_ERR_SYSTEM;
    }
    if (size == 0)
        return judge_sizeless(file);
    if (file->offset > size)
        return FA_ERR_INVALID;
    if (file->left == FA__FILE_TO_END)
        file->left = (uint64_t)(size - file->offset);
    return file->left <= (uint64_t)(size - file->offset) ? 0 : FA_ERR_INVALID;
}

int fa__file_part(fa__file *out, int fd, int64_t offset, int64_t length)
{
    fa__file file = {
        .fd = fd,
        .offset = offset,
        .left = length < 0 ? FA__FILE_TO_END : (uint64_t)length,
    };
    struct stat st;
    int rv = 0;

    if (fstat(fd, &st) != 0)
        return errno == EBADF ? FA_ERR_INVALID : FA_ERR_SYSTEM;
    if (S_ISDIR(st.st_mode) || !is_readable(fd))
        return FA_ERR_INVALID;
    file.seekable = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
    if (file.seekable)
        rv = judge_seekable(&file, (int64_t)st.st_size);
    else if (offset > 0)
        rv = FA_ERR_INVALID;
    if (rv != 0)
        return rv;
    file.by_kernel = file.seekable;
    *out = file;
    return 0;
}

int fa__file_dup(fa__file *file)
{
    int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return FA_ERR_SYSTEM;
    file->fd = fd;
    return 0;
}

/* ---- by the kernel ---- */

/* How many were sent, 0 at the end of the file, or -1 with errno. */
#if defined(__linux__)
static ssize_t send_part(int socket, int fd, int64_t offset, size_t n)
{
    off_t at = (off_t)offset;

    return sendfile(socket, fd, &at, n);
}
#elif defined(__APPLE__)
static ssize_t send_part(int socket, int fd, int64_t offset, size_t n)
{
    off_t sent = (off_t)n;
    int rv = sendfile(fd, socket, (off_t)offset, &sent, NULL, 0);

    return rv == 0 || sent > 0 ? (ssize_t)sent : -1;
}
#elif defined(__FreeBSD__) || defined(__DragonFly__)
static ssize_t send_part(int socket, int fd, int64_t offset, size_t n)
{
    off_t sent = 0;
    int rv = sendfile(fd, socket, (off_t)offset, n, NULL, &sent, 0);

    return rv == 0 || sent > 0 ? (ssize_t)sent : -1;
}
#else
static ssize_t send_part(int socket, int fd, int64_t offset, size_t n)
{
    (void)socket;
    (void)fd;
    (void)offset;
    (void)n;
    errno = ENOSYS;
    return -1;
}
#endif

#if !defined(__linux__)
#define send_quietly send_part /* SO_NOSIGPIPE: the socket has been told */
#else
/* sendfile() knows no MSG_NOSIGNAL. SIGPIPE is for the thread that caused it: it is held
   back for the call, and taken away if it was not there before. It may come with a call
   that succeeds: one that sent some pieces before the peer went tells only of those. */
static ssize_t send_quietly(int socket, int fd, int64_t offset, size_t n)
{
    static const struct timespec at_once = {0, 0};
    sigset_t pipe_only, old, pending;
    ssize_t sent;
    bool was_pending;
    int error;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &pipe_only, &old) != 0)
        return -1;
    was_pending = sigismember(&old, SIGPIPE) == 1 && sigpending(&pending) == 0 &&
                  sigismember(&pending, SIGPIPE) == 1;
    sent = send_part(socket, fd, offset, n);
    error = errno;
    if (sent != (ssize_t)n && !was_pending) {
        while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR)
            ;
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return sent;
}
#endif

ptrdiff_t fa__file_send(fa__file *file, int socket, size_t n)
{
    ssize_t sent;

    do
        sent = send_quietly(socket, file->fd, file->offset, n);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        file->offset += sent;
        if (file->left != FA__FILE_TO_END)
            file->left -= (uint64_t)sent;
        return sent;
    }
    switch (errno) {
    case EINVAL: /* the file system, or this kind of socket */
    case ENOSYS:
    case ENOTSUP:
#if EOPNOTSUPP != ENOTSUP
    case EOPNOTSUPP:
#endif
    case ENOTSOCK: file->by_kernel = false; return FA__ERR_WOULD_BLOCK;
    default: return fa__stream_error(errno);
    }
}

/* ---- by hand ---- */

static bool is_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

ptrdiff_t fa__file_read(fa__file *file, char *p, size_t n)
{
    ssize_t got;

    /* A pipe is read as its owner has set it, perhaps to block. */
    if (!file->seekable && !is_ready(file->fd))
        return FA__ERR_WOULD_BLOCK;
    do
        got = file->seekable ? pread(file->fd, p, n, (off_t)file->offset)
                             : read(file->fd, p, n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN && !file->seekable ? FA__ERR_WOULD_BLOCK : FA_ERR_SYSTEM;
    file->offset += got;
    if (file->left != FA__FILE_TO_END)
        file->left -= (uint64_t)got;
    return got;
}
