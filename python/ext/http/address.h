/* IP addresses as Python's ipaddress reads them. */
#ifndef FA_EXT_HTTP_ADDRESS_H
#define FA_EXT_HTTP_ADDRESS_H

#include "core.h"

typedef struct ip_address {
    unsigned char bytes[16];
    size_t size;    /* 4 or 16 */
    fa_slice scope; /* behind the '%' of an IPv6 address; `.p` is NULL: there is none */
} ip_address;

/* False: ipaddress.ip_address() raises ValueError. `out->scope` points into `text`. */
bool ip_address_parse(ip_address *out, fa_slice text);

#endif
