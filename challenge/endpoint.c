#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include <fasterapi/error.h>

static int parse_unix(fa__ch_endpoint *out, const char *path, const char **why)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (*path == '\0' || strlen(path) >= sizeof(addr.sun_path)) {
        *why = "the path of a unix socket must have 1 to 107 bytes";
        return FA_ERR_INVALID;
    }
    memcpy(addr.sun_path, path, strlen(path));
    memcpy(&out->addresses[0].addr, &addr, sizeof(addr));
    out->addresses[0].len = (socklen_t)sizeof(addr);
    out->count = 1;
    memcpy(out->host, "localhost", sizeof("localhost"));
    return 0;
}

static int resolve(fa__ch_endpoint *out, const char *name, const char *port,
                   const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rv = getaddrinfo(name, port, &hints, &found);

    if (rv != 0) {
        *why = gai_strerror(rv);
        return FA_ERR_INVALID;
    }
    for (struct addrinfo *a = found; a != NULL && out->count < FA__CH_MAX_ADDRESSES;
         a = a->ai_next) {
        if (a->ai_addrlen > sizeof(out->addresses[0].addr))
            continue;
        memcpy(&out->addresses[out->count].addr, a->ai_addr, a->ai_addrlen);
        out->addresses[out->count].len = a->ai_addrlen;
        ++out->count;
    }
    freeaddrinfo(found);
    if (out->count == 0) {
        *why = "the host has no address";
        return FA_ERR_INVALID;
    }
    return 0;
}

static bool is_port(const char *text)
{
    unsigned n = 0;

    for (const char *p = text; *p != '\0'; ++p) {
        if (*p < '0' || *p > '9' || p - text >= 5)
            return false;
        n = n * 10 + (unsigned)(*p - '0');
    }
    return *text != '\0' && n > 0 && n <= 65535;
}

/* A host goes into the Host field as it is: nothing there may end the line. */
static bool is_host(const char *p)
{
    if (*p == '\0')
        return false;
    for (; *p != '\0'; ++p) {
        bool alnum =
            (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z');

        if (!alnum && strchr("-._:%", *p) == NULL)
            return false;
    }
    return true;
}

/* Splits "name:port", "[v6]:port" or either without the port. */
static int split_authority(char *text, char **name, const char **port, const char **why)
{
    char *colon;

    *port = "80";
    if (*text == '[') {
        char *close = strchr(text, ']');

        if (close == NULL || (close[1] != '\0' && close[1] != ':')) {
            *why = "an IPv6 address must be written as [address] or [address]:port";
            return FA_ERR_INVALID;
        }
        *name = text + 1;
        colon = close[1] == ':' ? close + 1 : NULL;
        *close = '\0';
    } else {
        *name = text;
        colon = strchr(text, ':');
        if (colon != NULL && strchr(colon + 1, ':') != NULL) {
            *why = "an IPv6 address must be written in brackets";
            return FA_ERR_INVALID;
        }
    }
    if (colon != NULL) {
        *colon = '\0';
        *port = colon + 1;
    }
    if (!is_host(*name)) {
        *why = "the URL has no valid host";
        return FA_ERR_INVALID;
    }
    if (!is_port(*port)) {
        *why = "the port must be a number from 1 to 65535";
        return FA_ERR_INVALID;
    }
    return 0;
}

int fa__ch_endpoint_parse(fa__ch_endpoint *out, const char *url, const char **why)
{
    char text[FA__CH_MAX_HOST_BYTES], *name;
    fa__ch_endpoint e = {.count = 0};
    const char *port;
    size_t n;
    int rv;

    if (strncasecmp(url, "unix:", 5) == 0) {
        rv = parse_unix(&e, url + 5, why);
        if (rv == 0)
            *out = e;
        return rv;
    }
    if (strncasecmp(url, "http://", 7) == 0) {
        url += 7;
    } else if (strstr(url, "://") != NULL) {
        *why = "only http:// and unix: are supported";
        return FA_ERR_INVALID;
    }
    n = strcspn(url, "/?#");
    if (url[n] != '\0' && strcmp(url + n, "/") != 0) {
        *why = "the URL must end after the port: give the path with --path";
        return FA_ERR_INVALID;
    }
    if (n >= sizeof(text)) {
        *why = "the host is too long";
        return FA_ERR_INVALID;
    }
    memcpy(e.host, url, n);
    memcpy(text, url, n);
    text[n] = '\0';
    rv = split_authority(text, &name, &port, why);
    if (rv == 0)
        rv = resolve(&e, name, port, why);
    if (rv == 0)
        *out = e;
    return rv;
}

int fa__ch_endpoint_connect(int *fd, const fa__ch_endpoint *e, int i)
{
    const struct sockaddr *addr = (const struct sockaddr *)&e->addresses[i].addr;
    int one = 1, saved, s = socket(addr->sa_family, SOCK_STREAM, 0);

    if (s < 0)
        return FA_ERR_SYSTEM;
    if (fcntl(s, F_SETFD, FD_CLOEXEC) != 0 || fcntl(s, F_SETFL, O_NONBLOCK) != 0)
        goto fail;
    /* A request must not wait for the acknowledgement of the one before. */
    if (addr->sa_family != AF_UNIX)
        (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(s, addr, e->addresses[i].len) != 0 && errno != EINPROGRESS &&
        errno != EINTR)
        goto fail;
    *fd = s;
    return 0;

fail:
    saved = errno;
    close(s);
    errno = saved;
    return FA_ERR_SYSTEM;
}
