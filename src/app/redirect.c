#include "app/redirect.h"

#include <fasterapi/error.h>

/* pchar but '%', and '/' (RFC 3986, 3.3). */
static bool stays_plain(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@/", c) != NULL);
}

static char *percent_encode(char *at, fa_slice v)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < v.len; ++i) {
        unsigned char c = (unsigned char)v.p[i];

        if (stays_plain(c)) {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    return at;
}

static char *put(char *at, fa_slice v)
{
    if (v.len > 0)
        memcpy(at, v.p, v.len);
    return at + v.len;
}

/* The authority the client used; a client that named none gets our address. */
static fa_slice authority(fa_request *req)
{
    uint16_t port = 0;
    fa_slice address;

    if (req->head.host.len > 0)
        return req->head.host;
    address = fa_request_server_address(req, &port);
    if (address.len == 0)
        return FA_SLICE("localhost");
    if (memchr(address.p, ':', address.len) != NULL)
        return fa_arena_format(&req->arena, "[%.*s]:%u", (int)address.len, address.p,
                               (unsigned)port);
    return fa_arena_format(&req->arena, "%.*s:%u", (int)address.len, address.p,
                           (unsigned)port);
}

/* Always with scheme and authority: a bare "//evil.example/" would lead elsewhere. */
int fa__redirect(fa_request *req, fa_slice path, bool append_slash)
{
    fa_slice root = fa_request_root_path(req), host = authority(req);
    fa_slice scheme = fa_request_scheme(req), query = req->head.query;
    size_t room = scheme.len + 3 + host.len + 3 * (root.len + path.len) + 2 + query.len;
    char *url, *at;
    int rv;

    url = host.p != NULL ? fa_arena_alloc(&req->arena, room) : NULL;
    if (url == NULL)
        return fa_respond_error(req, 500, (fa_slice){NULL, 0});
    at = put(url, scheme);
    at = put(at, FA_SLICE("://"));
    at = put(at, host);
    at = percent_encode(at, root);
    at = percent_encode(at, path);
    if (append_slash)
        *at++ = '/';
    if (query.len > 0) {
        *at++ = '?';
        at = put(at, query);
    }
    rv = fa_response_header(req, FA_SLICE("location"),
                            (fa_slice){url, (size_t)(at - url)});
    if (rv != 0)
        return fa_respond_error(req, 500, (fa_slice){NULL, 0});
    return fa_respond(req, 307, (fa_slice){NULL, 0}, (fa_slice){NULL, 0});
}
