#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>

#include <fasterapi/error.h>

static size_t text_of_ipv6(char *out, const struct sockaddr_in6 *in6)
{
    size_t n;

    if (inet_ntop(AF_INET6, &in6->sin6_addr, out, FA__ADDRESS_TEXT_MAX) == NULL)
        return 0;
    n = strlen(out);
    /* A link-local address means nothing without its link (RFC 4007, section 11). */
    if (in6->sin6_scope_id != 0 && n + 1 + IF_NAMESIZE <= FA__ADDRESS_TEXT_MAX &&
        if_indextoname(in6->sin6_scope_id, out + n + 1) != NULL) {
        out[n] = '%';
        n += 1 + strlen(out + n + 1);
    }
    return n;
}

/* Asked for with every request, where inet_ntop(3), which formats by way of printf, would
   be seen in the profile. */
static size_t text_of_ipv4(char *out, const struct in_addr *in)
{
    const unsigned char *octets = (const unsigned char *)&in->s_addr;
    char *p = out;

    for (int i = 0; i < 4; ++i) {
        unsigned n = octets[i];

        if (n >= 100)
            *p++ = (char)('0' + n / 100);
        if (n >= 10)
            *p++ = (char)('0' + n / 10 % 10);
        *p++ = (char)('0' + n % 10);
        *p++ = '.';
    }
    return (size_t)(p - out) - 1;
}

fa_slice fa__address_text(char out[FA__ADDRESS_TEXT_MAX], const fa__address *address)
{
    if (address->any.sa_family == AF_INET6)
        return (fa_slice){out, text_of_ipv6(out, &address->in6)};
    if (address->any.sa_family == AF_INET)
        return (fa_slice){out, text_of_ipv4(out, &address->in.sin_addr)};
    return (fa_slice){out, 0};
}

uint16_t fa__address_port(const fa__address *address)
{
    switch (address->any.sa_family) {
    case AF_INET: return ntohs(address->in.sin_port);
    case AF_INET6: return ntohs(address->in6.sin6_port);
    default: return 0;
    }
}

typedef int name_fn(int fd, struct sockaddr *address, socklen_t *length);

static int ask(fa__address *out, int fd, name_fn *name)
{
    fa__address address = {.in6 = {0}};
    socklen_t length = sizeof(address); /* a unix path is cut off, and not looked at */

    if (name(fd, &address.any, &length) != 0)
        return errno == ENOTCONN || errno == EINVAL ? FA_ERR_CLOSED : FA_ERR_SYSTEM;
    *out = address;
    return 0;
}

int fa__address_peer(fa__address *out, int fd)
{
    return ask(out, fd, getpeername);
}

int fa__address_local(fa__address *out, int fd)
{
    return ask(out, fd, getsockname);
}
