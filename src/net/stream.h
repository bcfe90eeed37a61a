/* Connected stream sockets: a call here is a system call, but for interruptions by
   signals (EINTR), which are hidden, and SIGPIPE, which is not raised.

   Descriptors are non-blocking; FA_ERR_SYSTEM leaves the reason in errno. */
#ifndef FA_NET_STREAM_H
#define FA_NET_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include <fasterapi/error.h>

/* Nothing to read, or no room to write, for now. Only this layer returns it. */
enum { FA__ERR_WOULD_BLOCK = -1000 };

/* What a system call on a stream failed with, from its errno: FA__ERR_WOULD_BLOCK or one
   of the errors below. */
int fa__stream_error(int error);

/* Reads up to `n` bytes, n > 0. Returns how many, 0 when the peer has ended its side,
   FA__ERR_WOULD_BLOCK, FA_ERR_CLOSED when the connection is broken (reset, timed out),
   FA_ERR_NOMEM when the kernel has no memory for it, or FA_ERR_SYSTEM. */
ptrdiff_t fa__stream_read(int fd, char *p, size_t n);

/* Write up to `n` bytes, or those of up to `count` vectors (at most IOV_MAX), n > 0.
   Return how many were taken, perhaps fewer than given, FA__ERR_WOULD_BLOCK,
   FA_ERR_CLOSED when the peer is gone, FA_ERR_NOMEM, or FA_ERR_SYSTEM. */
ptrdiff_t fa__stream_write(int fd, const char *p, size_t n);
ptrdiff_t fa__stream_writev(int fd, const struct iovec *vectors, int count);

/* Ends our side: the peer reads what was written, then the end. Returns 0,
   FA_ERR_CLOSED when the connection is gone, or FA_ERR_SYSTEM. */
int fa__stream_shutdown(int fd);

/* The descriptor is gone after this, whatever happened. */
void fa__stream_close(int fd);

/* The same, but what was written and not yet sent is thrown away and the peer is told
   so by a reset (TCP). For connections that must not linger. */
void fa__stream_abort(int fd);

/* What every stream needs that was not made here: non-blocking, close-on-exec, and no
   SIGPIPE where that is a matter of the socket. Returns 0 or FA_ERR_SYSTEM. */
int fa__stream_prepare(int fd);

/* A TCP socket sends what it is given at once (TCP_NODELAY); an accepted one has that
   from its listener. Returns 0 or FA_ERR_SYSTEM. */
int fa__stream_no_delay(int fd);

/* Two connected unix sockets, prepared. Returns 0 or FA_ERR_SYSTEM. */
int fa__stream_pair(int fds[2]);

/* Whether an error is pending: the peer has broken it off. */
bool fa__stream_failed(int fd);

#endif
