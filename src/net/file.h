/* Parts of files on their way to a socket: by sendfile(2) where the kernel can, else
   read piece by piece. Pipes and devices are files here too.

   System calls as in net/stream.h: EINTR is hidden, SIGPIPE is not raised. */
#ifndef FA_NET_FILE_H
#define FA_NET_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/stream.h"

#define FA__FILE_TO_END UINT64_MAX

typedef struct fa__file {
    int fd;         /* borrowed, unless its owner says otherwise */
    bool seekable;  /* read at `offset`; else wherever it stands */
    bool by_kernel; /* fa__file_send() has not failed yet */
    int64_t offset;
    uint64_t left; /* FA__FILE_TO_END: how much shows in the end */
} fa__file;

/* The part of `fd` from `offset` (-1: where it stands), `length` bytes or to its end
   (-1). A regular file must have them now. What has no size of its own (a pipe, /proc) is
   FA__FILE_TO_END long. Returns 0; FA_ERR_INVALID: a directory, not open for reading,
   too short, or an offset into what has none; FA_ERR_SYSTEM. */
int fa__file_part(fa__file *out, int fd, int64_t offset, int64_t length);

/* The same for another descriptor of it, which this makes: close it. Returns 0 or
   FA_ERR_SYSTEM. */
int fa__file_dup(fa__file *file);

/* Sends up to `n` bytes from the file to the socket, n > 0, and moves on by them. Returns
   how many, 0 at the end of the file, FA__ERR_WOULD_BLOCK, FA_ERR_CLOSED when the peer is
   gone, FA_ERR_NOMEM, FA_ERR_SYSTEM (it cannot be read). Clears `by_kernel` and
   returns FA__ERR_WOULD_BLOCK when this pair of descriptors cannot do so. */
ptrdiff_t fa__file_send(fa__file *file, int socket, size_t n);

/* Reads up to `n` bytes, n > 0, and moves on by them. Returns how many, 0 at the end,
   FA__ERR_WOULD_BLOCK when nothing is there yet (only if not seekable; its descriptor
   becomes readable), or FA_ERR_SYSTEM. */
ptrdiff_t fa__file_read(fa__file *file, char *p, size_t n);

#endif
