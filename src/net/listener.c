#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ascii.h"

static const fa__listen_options default_options = {0};

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

/* A descriptor on the way out, with the error that sent it there. */
static int fail(int fd)
{
    int error = errno;

    fa__stream_close(fd);
    errno = error;
    return FA_ERR_SYSTEM;
}

static int start_listening(int fd, const fa__listen_options *o)
{
    return listen(fd, o->backlog > 0 ? o->backlog : SOMAXCONN);
}

static int prepare_tcp(int fd, int family, const fa__listen_options *o)
{
    /* Without SO_REUSEADDR a restart fails while old connections are in TIME-WAIT.
       TCP_NODELAY is inherited by what is accepted, which saves a call for each. */
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0 ||
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) != 0)
        return -1;
    if (o->reuse_port && set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
        return -1;
    if (family == AF_INET6 &&
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->dual_stack ? 0 : 1) != 0)
        return -1;
    return fa__stream_prepare(fd);
}

static bool is_loopback(const struct sockaddr *address)
{
    fa__address a = {.any = {.sa_family = AF_UNSPEC}};

    if (address->sa_family == AF_INET) {
        memcpy(&a.in, address, sizeof(a.in));
        return ntohl(a.in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(&a.in6, address, sizeof(a.in6));
    return IN6_IS_ADDR_LOOPBACK(&a.in6.sin6_addr);
}

/* BBR, where the system has chosen it, sends at the rate that it takes the line for, by a
   timer. On loopback there is no line: that took half of the time of large files. What is
   accepted inherits it. A system without that choice is as it is; Reno is one that every
   system with a choice has. */
static void stop_pacing(int fd)
{
#if defined(TCP_CONGESTION)
    static const char wanted[] = "reno";
    char name[16] = "";
    socklen_t length = sizeof(name);

    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length) == 0 &&
        strncmp(name, "bbr", 3) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, wanted, sizeof(wanted) - 1);
#else
    (void)fd;
#endif
}

static int listen_on(fa__listener *out, const struct addrinfo *info,
                     const fa__listen_options *o)
{
    int fd = socket(info->ai_family, SOCK_STREAM, 0);

    if (fd < 0)
        return FA_ERR_SYSTEM;
    if (prepare_tcp(fd, info->ai_family, o) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0)
        return fail(fd);
    if (is_loopback(info->ai_addr))
        stop_pacing(fd);
    if (start_listening(fd, o) != 0)
        return fail(fd);
    *out = (fa__listener){.fd = fd, .family = info->ai_family};
    return 0;
}

static int error_of_lookup(int error)
{
    switch (error) {
    case EAI_MEMORY: return FA_ERR_NOMEM;
    case EAI_SYSTEM: return FA_ERR_SYSTEM;
    default: return FA_ERR_INVALID;
    }
}

/* The addresses of `name`; NULL: all of IPv4. */
static int look_up(struct addrinfo **found, const char *name, uint16_t port)
{
    struct addrinfo hints = {.ai_family = name != NULL ? AF_UNSPEC : AF_INET,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char service[8];
    int error;

    snprintf(service, sizeof(service), "%u", (unsigned)port);
    error = getaddrinfo(name, service, &hints, found);
    /* A system without a hosts file does not know the name that RFC 6761, 6.3 reserves
       for the loopback address. */
    if (error != 0 && name != NULL &&
        fa__equal_nocase(fa_slice_of(name), FA_SLICE("localhost")))
        error = getaddrinfo("127.0.0.1", service, &hints, found);
    return error != 0 ? error_of_lookup(error) : 0;
}

/* Hosts files name some addresses twice. */
static bool came_before(const struct addrinfo *first, const struct addrinfo *info)
{
    for (; first != info; first = first->ai_next)
        if (first->ai_addrlen == info->ai_addrlen &&
            memcmp(first->ai_addr, info->ai_addr, info->ai_addrlen) == 0)
            return true;
    return false;
}

/* Those after the first take the port that it was given. */
static void set_port(const struct addrinfo *info, const fa__listener *first)
{
    fa__address bound, *address = (fa__address *)(void *)info->ai_addr;

    if (fa__address_local(&bound, first->fd) != 0)
        return;
    if (info->ai_family == AF_INET6)
        address->in6.sin6_port = htons(fa__address_port(&bound));
    else if (info->ai_family == AF_INET)
        address->in.sin_port = htons(fa__address_port(&bound));
}

/* One for each address. What this machine does not have (::1 where there is no IPv6) is
   left out, as long as it has another. */
static int listen_on_all(fa__listener *out, size_t *count, size_t room,
                         const struct addrinfo *found, const fa__listen_options *o)
{
    int rv = FA_ERR_INVALID;

    for (const struct addrinfo *info = found; info != NULL; info = info->ai_next) {
        if (came_before(found, info))
            continue;
        if (*count == room)
            return FA_ERR_LIMIT;
        if (*count > 0)
            set_port(info, &out[0]);
        rv = listen_on(&out[*count], info, o);
        if (rv == 0)
            ++*count;
        else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT)
            return rv;
    }
    return *count > 0 ? 0 : rv;
}

ptrdiff_t fa__listener_tcp(fa__listener *out, size_t room, fa_slice host, uint16_t port,
                           const fa__listen_options *options)
{
    const fa__listen_options *o = options != NULL ? options : &default_options;
    struct addrinfo *found = NULL;
    char name[256]; /* a DNS name has at most 253 characters */
    size_t count = 0;
    int rv, error;

    if (host.len >= sizeof(name) ||
        (host.len > 0 && memchr(host.p, '\0', host.len) != NULL))
        return FA_ERR_INVALID;
    if (host.len > 0)
        memcpy(name, host.p, host.len);
    name[host.len] = '\0';
    rv = look_up(&found, host.len > 0 ? name : NULL, port);
    if (rv != 0)
        return rv;
    rv = listen_on_all(out, &count, room, found, o);
    error = errno;
    freeaddrinfo(found);
    while (rv != 0 && count > 0)
        fa__stream_close(out[--count].fd);
    errno = error;
    return rv != 0 ? rv : (ptrdiff_t)count;
}

/* A socket file that refuses connections belongs to nobody. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat st;
    bool refused;
    int fd;

    if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || fa__stream_prepare(fd) != 0) {
        if (fd >= 0)
            fa__stream_close(fd);
        return false;
    }
    refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
              errno == ECONNREFUSED;
    fa__stream_close(fd);
    return refused;
}

static int bind_path(int fd, const struct sockaddr_un *address)
{
    const struct sockaddr *any = (const struct sockaddr *)address;

    if (bind(fd, any, sizeof(*address)) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -1;
    if (!is_stale(address)) {
        errno = EADDRINUSE;
        return -1;
    }
    if (unlink(address->sun_path) != 0 && errno != ENOENT)
        return -1;
    return bind(fd, any, sizeof(*address));
}

int fa__listener_unix(fa__listener *out, fa_slice path, mode_t mode,
                      const fa__listen_options *options)
{
    const fa__listen_options *o = options != NULL ? options : &default_options;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    fa__listener listener = {.family = AF_UNIX};
    struct stat st;
    int fd;

    if (path.len == 0 || path.len >= sizeof(address.sun_path) ||
        memchr(path.p, '\0', path.len) != NULL)
        return FA_ERR_INVALID;
    memcpy(address.sun_path, path.p, path.len);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return FA_ERR_SYSTEM;
    if (fa__stream_prepare(fd) != 0 || bind_path(fd, &address) != 0)
        return fail(fd);
    /* Until listen() connections are refused, so nobody slips in before chmod(). */
    if ((mode != 0 && chmod(address.sun_path, mode) != 0) ||
        lstat(address.sun_path, &st) != 0 || start_listening(fd, o) != 0) {
        int error = errno;

        unlink(address.sun_path);
        errno = error;
        return fail(fd);
    }
    listener.fd = fd;
    memcpy(listener.path, path.p, path.len);
    listener.device = st.st_dev;
    listener.inode = st.st_ino;
    *out = listener;
    return 0;
}

int fa__listener_adopt(fa__listener *out, int fd, const fa__listen_options *options)
{
    const fa__listen_options *o = options != NULL ? options : &default_options;
    fa__address local;
    int type = 0;
    socklen_t length = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM ||
        fa__address_local(&local, fd) != 0)
        return FA_ERR_INVALID;
    switch (local.any.sa_family) {
    case AF_INET:
    case AF_INET6:
        if (fa__address_port(&local) == 0) /* listen() would take any port */
            return FA_ERR_INVALID;
        if (set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) != 0)
            return FA_ERR_SYSTEM;
        break;
    case AF_UNIX: break;
    default: return FA_ERR_INVALID;
    }
    /* On a socket that listens already this only sets the backlog; a connected one
       refuses. */
    if (start_listening(fd, o) != 0)
        return errno == EINVAL ? FA_ERR_INVALID : FA_ERR_SYSTEM;
    if (fa__stream_prepare(fd) != 0)
        return FA_ERR_SYSTEM;
    *out = (fa__listener){.fd = fd, .family = local.any.sa_family};
    return 0;
}

static int accept_one(int listener, struct sockaddr *peer, socklen_t *length)
{
    int fd;

#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
    do
        fd = accept4(listener, peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
#else
    do
        fd = accept(listener, peer, length);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0 && fa__stream_prepare(fd) != 0) {
        (void)fail(fd);
        return -1;
    }
#endif
    return fd;
}

static int error_of_accept(int error)
{
    switch (error) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return FA__ERR_WOULD_BLOCK;
    case EMFILE:
    case ENFILE: return FA_ERR_LIMIT;
    case ENOBUFS:
    case ENOMEM: return FA_ERR_NOMEM;
    /* accept(2): Linux passes on what already went wrong with the new connection. */
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
#if defined(ENONET)
    case ENONET:
#endif
        return FA_ERR_CLOSED;
    default: return FA_ERR_SYSTEM;
    }
}

int fa__listener_accept(int *fd, fa__address *peer, const fa__listener *listener)
{
    fa__address address = {.in6 = {0}};
    socklen_t length = sizeof(address);
    int accepted = accept_one(listener->fd, &address.any, &length);

    if (accepted < 0)
        return error_of_accept(errno);
#if !defined(__linux__)
    if (listener->family != AF_UNIX)
        (void)set_option(accepted, IPPROTO_TCP, TCP_NODELAY, 1);
#endif
    *fd = accepted;
    if (peer != NULL)
        *peer = address;
    return 0;
}

void fa__listener_close(fa__listener *listener)
{
    struct stat st;

    /* A successor may have put its own socket there; that one stays. Looked at before
       closing: until then no other file can have the inode. */
    if (listener->path[0] != '\0' && lstat(listener->path, &st) == 0 &&
        st.st_dev == listener->device && st.st_ino == listener->inode)
        unlink(listener->path);
    fa__stream_close(listener->fd);
    listener->fd = -1;
    listener->path[0] = '\0';
}
