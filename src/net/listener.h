/* Sockets that listen, and what they accept. */
#ifndef FA_NET_LISTENER_H
#define FA_NET_LISTENER_H

#include <sys/types.h>

#include "net/address.h"
#include "net/stream.h"

typedef struct fa__listen_options {
    int backlog;     /* of connections not yet accepted; 0: what the system allows */
    bool reuse_port; /* SO_REUSEPORT: one listener a worker, the kernel spreads them */
    bool dual_stack; /* an IPv6 listener takes IPv4 too; else it is IPv6 only */
} fa__listen_options;

/* Own the descriptor. Readable when there is something to accept. */
typedef struct fa__listener {
    int fd;
    int family; /* AF_INET, AF_INET6 or AF_UNIX */
    /* The socket file that fa__listener_close() removes, if it is still this one. */
    char path[sizeof(struct sockaddr_storage)]; /* empty: none */
    dev_t device;
    ino_t inode;
} fa__listener;

/* Listens on a TCP port. `host` is a numeric address or a name, all of whose addresses
   that this machine has are taken ("localhost": 127.0.0.1 and ::1); empty means all of
   IPv4. Port 0: any, the same for all, see fa__address_local(). Looking up a name may
   block. `options` may be NULL. Where the system has chosen BBR, an address of loopback
   is without.

   Returns how many there are now in `out`; FA_ERR_INVALID when `host` is unknown;
   FA_ERR_LIMIT: more than `room`; FA_ERR_NOMEM; or FA_ERR_SYSTEM (errno: EADDRINUSE,
   EACCES, ...). After an error there are none. */
ptrdiff_t fa__listener_tcp(fa__listener *out, size_t room, fa_slice host, uint16_t port,
                           const fa__listen_options *options);

/* Listens on a unix socket at `path`, made with permissions `mode` (0: as umask has
   it), before anybody can connect. A socket file there that nobody listens on any
   more, as a crash leaves it, is replaced; anything else there is EADDRINUSE. (Whether
   anybody listens is found out by connecting: a living server sees that come and go.)

   Returns 0; FA_ERR_INVALID when `path` is empty, too long for the system or contains
   NUL; or FA_ERR_SYSTEM. */
int fa__listener_unix(fa__listener *out, fa_slice path, mode_t mode,
                      const fa__listen_options *options);

/* Takes over a bound or listening stream socket from whoever started the process, and
   finds out its family. Its file, for a unix socket, is not ours to remove.

   Returns 0; FA_ERR_INVALID when `fd` is no such socket; or FA_ERR_SYSTEM. After an
   error the caller still owns `fd`. */
int fa__listener_adopt(fa__listener *out, int fd, const fa__listen_options *options);

/* Accepts one connection: `*fd` is non-blocking, close-on-exec and, over TCP, sends
   without delay (TCP_NODELAY). `peer` may be NULL.

   Returns 0, or
   FA__ERR_WOULD_BLOCK  nobody is waiting;
   FA_ERR_CLOSED        this one gave up, or a firewall refused it: try the next;
   FA_ERR_LIMIT         no descriptor left, of the process or the system (EMFILE,
                        ENFILE). The connection goes on waiting, and the listener
                        readable: stop watching it until a descriptor is free;
   FA_ERR_NOMEM         the kernel has no memory for it: likewise;
   FA_ERR_SYSTEM        the listener itself is broken. */
int fa__listener_accept(int *fd, fa__address *peer, const fa__listener *listener);

/* Closes it and removes its socket file. */
void fa__listener_close(fa__listener *listener);

#endif
