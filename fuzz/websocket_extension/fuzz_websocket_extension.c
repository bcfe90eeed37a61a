/* A client's Sec-WebSocket-Extensions: what the server answers, a client must be able to
   take, and both then mean the same. And any bytes as a server's answer. */
#include <stdlib.h>

#include "websocket/extension.h"

static void must_be_same(const fa__ws_deflate *a, const fa__ws_deflate *b)
{
    if (a->on != b->on ||
        a->server_no_context_takeover != b->server_no_context_takeover ||
        a->client_no_context_takeover != b->client_no_context_takeover ||
        a->server_max_window_bits != b->server_max_window_bits ||
        a->client_max_window_bits != b->client_max_window_bits)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const fa__ws_deflate any = FA__WS_DEFLATE_DEFAULT;
    fa__ws_deflate wish = any, chosen, accepted;
    char text[FA__WS_EXTENSION_MAX];
    fa_slice value;

    if (size < 2)
        return 0;
    wish.server_no_context_takeover = (data[0] & 1) != 0;
    wish.client_no_context_takeover = (data[0] & 2) != 0;
    wish.server_max_window_bits = (uint8_t)(8 + (data[0] >> 2 & 7));
    wish.client_max_window_bits = (uint8_t)(8 + (data[1] & 7));
    value = (fa_slice){(const char *)data + 2, size - 2};
    if (fa__ws_deflate_choose(&chosen, value, &wish) == 0 && chosen.on) {
        size_t n = fa__ws_deflate_write(text, &chosen);

        if (n > sizeof(text) || chosen.server_max_window_bits < 8 ||
            chosen.client_max_window_bits < 8 ||
            fa__ws_deflate_accept(&accepted, (fa_slice){text, n}, &any) != 0)
            abort();
        must_be_same(&accepted, &chosen);
    }
    if (fa__ws_deflate_accept(&accepted, value, &wish) == 0 && accepted.on &&
        (accepted.server_max_window_bits > wish.server_max_window_bits ||
         accepted.client_max_window_bits > wish.client_max_window_bits))
        abort();
    return 0;
}
