/* Negotiation of permessage-deflate (RFC 7692, section 7; the grammar is that of
   RFC 6455, section 9.1). */
#ifndef FA_WEBSOCKET_EXTENSION_H
#define FA_WEBSOCKET_EXTENSION_H

#include <stdint.h>

#include <fasterapi/error.h>

/* What both sides have agreed upon; `on` is false without compression, and then the
   rest means nothing. "Server" and "client" are the side that compresses. */
typedef struct fa__ws_deflate {
    bool on;
    bool server_no_context_takeover; /* 7.1.1.1 */
    bool client_no_context_takeover; /* 7.1.1.2 */
    uint8_t server_max_window_bits;  /* 7.1.2.1; 8 to 15 */
    uint8_t client_max_window_bits;  /* 7.1.2.2; 8 to 15 */
} fa__ws_deflate;

/* What is agreed when nobody asks for anything else, and our default wishes. */
#define FA__WS_DEFLATE_DEFAULT ((fa__ws_deflate){true, false, false, 15, 15})

/* The longest value that fa__ws_deflate_write() makes. */
enum { FA__WS_EXTENSION_MAX = 136 };

/* The server's side: goes through the value of a Sec-WebSocket-Extensions field of a
   request, and takes the first offer of permessage-deflate that it can live up to.
   `wish` says what the server itself wants: with `on` false all are declined; its
   limits of the client's side come into force as far as the offer lets them. An offer
   with a parameter that is unknown, repeated or out of range is declined (7.1), others
   in the list are still looked at; so are other extensions.

   Returns 0, and then `*out` is written (`on` false: none taken), or FA_ERR_FIELD_VALUE
   when the value does not follow the grammar. Several fields are one list: go on with
   the next one as long as none is taken. */
int fa__ws_deflate_choose(fa__ws_deflate *out, fa_slice value,
                          const fa__ws_deflate *wish);

/* The client's side: reads the answer to the offer `offered`, as made by
   fa__ws_deflate_offer(). Returns 0 or FA_ERR_FIELD_VALUE: malformed, an extension that
   was not offered, or parameters that the offer does not allow (7.1); the connection is
   to be failed then. An empty value is an answer without the extension. */
int fa__ws_deflate_accept(fa__ws_deflate *out, fa_slice value,
                          const fa__ws_deflate *offered);

/* The value of the answer's field. `out` has room for FA__WS_EXTENSION_MAX bytes.
   Returns its length. */
size_t fa__ws_deflate_write(char *out, const fa__ws_deflate *agreed);

/* The value of the request's field, likewise: it always lets the server limit the
   client's window. */
size_t fa__ws_deflate_offer(char *out, const fa__ws_deflate *wish);

#endif
