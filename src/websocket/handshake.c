#include "websocket/handshake.h"

#include <openssl/evp.h>

#include "base/ascii.h"
#include "http/field.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static const fa_slice key_name = {"sec-websocket-key", 17};
static const fa_slice version_name = {"sec-websocket-version", 21};
static const fa_slice protocol_name = {"sec-websocket-protocol", 22};
static const fa_slice extensions_name = {"sec-websocket-extensions", 24};

/* The next field of that name from *at on, which becomes the one after it. */
static const fa__field *next_field(const fa__request_head *head, uint32_t *at,
                                   fa_slice name)
{
    while (*at < head->field_count) {
        const fa__field *f = &head->fields[(*at)++];

        if (fa__equal_nocase(f->name, name))
            return f;
    }
    return NULL;
}

/* How many fields of that name there are; `*value` is that of the first one. */
static unsigned count_fields(fa_slice *value, const fa__request_head *head, fa_slice name)
{
    const fa__field *f;
    unsigned n = 0;
    uint32_t at = 0;

    while ((f = next_field(head, &at, name)) != NULL)
        if (n++ == 0)
            *value = f->value;
    return n;
}

bool fa__ws_asked(const fa__request_head *head)
{
    if (!head->upgrade)
        return false;
    for (uint32_t i = 0; i < head->field_count; ++i)
        if (head->fields[i].id == FA__FIELD_UPGRADE &&
            fa__list_has(head->fields[i].value, FA_SLICE("websocket")))
            return true;
    return false;
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '+' || c == '/';
}

/* 16 bytes are 22 digits and "==" (RFC 4648, 4). */
static bool key_valid(fa_slice key)
{
    if (key.len != FA__WS_KEY_LENGTH)
        return false;
    for (size_t i = 0; i < FA__WS_KEY_LENGTH - 2; ++i)
        if (!is_base64(key.p[i]))
            return false;
    return key.p[22] == '=' && key.p[23] == '=';
}

int fa__ws_accept(char out[FA__WS_ACCEPT_LENGTH], fa_slice key)
{
    unsigned char text[FA__WS_KEY_LENGTH + sizeof(GUID) - 1];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned char encoded[FA__WS_ACCEPT_LENGTH + 1]; /* it adds a NUL */

    memcpy(text, key.p, FA__WS_KEY_LENGTH);
    memcpy(text + FA__WS_KEY_LENGTH, GUID, sizeof(GUID) - 1);
    if (EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha1(), NULL) != 1)
        return FA_ERR_SYSTEM;
    (void)EVP_EncodeBlock(encoded, digest, 20);
    memcpy(out, encoded, FA__WS_ACCEPT_LENGTH);
    return 0;
}

bool fa__ws_protocol_next(fa__ws_protocol_iter *it, fa_slice *protocol,
                          const fa__request_head *head)
{
    const fa__field *f;

    while (!fa__list_next(&it->rest, protocol)) {
        f = next_field(head, &it->field, protocol_name);
        if (f == NULL)
            return false;
        it->rest = f->value;
    }
    return true;
}

static bool protocols_valid(const fa__request_head *head)
{
    fa__ws_protocol_iter it = {{NULL, 0}, 0};
    fa_slice protocol;

    while (fa__ws_protocol_next(&it, &protocol, head))
        if (!fa__token_valid(protocol))
            return false;
    return true;
}

/* All fields of the name are one list (RFC 9110, 5.3): the first offer that is good. */
static int choose_deflate(fa__ws_deflate *out, const fa__request_head *head,
                          const fa__ws_deflate *wish)
{
    fa__ws_deflate chosen = {.on = false}, next;
    const fa__field *f;
    uint32_t at = 0;

    while ((f = next_field(head, &at, extensions_name)) != NULL) {
        int rv = fa__ws_deflate_choose(&next, f->value, wish);

        if (rv != 0)
            return rv;
        if (!chosen.on)
            chosen = next;
    }
    *out = chosen;
    return 0;
}

/* The status that refuses, or 0 with all but `answer->accept` filled in. */
static int refusal(fa__ws_answer *answer, fa_slice *key, const fa__request_head *head,
                   const fa__ws_deflate *wish)
{
    fa_slice version = {NULL, 0};
    unsigned versions;

    /* RFC 6455, 4.1, items 1 and 2: GET, HTTP/1.1 or higher. */
    if (head->method != FA_GET || head->version_major != 1 || head->version_minor < 1 ||
        !fa__ws_asked(head))
        return FA__WS_BAD_REQUEST;
    /* What came after the head would be frames to us and content to others. */
    if (head->body_kind == FA__BODY_CHUNKED || head->content_length > 0)
        return FA__WS_BAD_REQUEST;
    versions = count_fields(&version, head, version_name);
    if (versions > 1) /* 11.3.5 */
        return FA__WS_BAD_REQUEST;
    if (!fa_slice_equal(version, FA_SLICE("13"))) /* 4.2.1, item 6; 4.4 */
        return FA__WS_UPGRADE_REQUIRED;
    /* 4.2.1, item 5; 11.3.1: not more than one */
    if (count_fields(key, head, key_name) != 1 || !key_valid(*key))
        return FA__WS_BAD_REQUEST;
    if (!protocols_valid(head) || choose_deflate(&answer->deflate, head, wish) != 0)
        return FA__WS_BAD_REQUEST;
    if (answer->deflate.on)
        answer->extensions_len =
            fa__ws_deflate_write(answer->extensions, &answer->deflate);
    return 0;
}

int fa__ws_judge(int *status, fa__ws_answer *answer, const fa__request_head *head,
                 const fa__ws_deflate *wish)
{
    fa__ws_answer made = {.extensions_len = 0};
    fa_slice key = {NULL, 0};
    int refused = refusal(&made, &key, head, wish);

    if (refused == 0) {
        int rv = fa__ws_accept(made.accept, key);

        if (rv != 0)
            return rv;
        *answer = made;
    }
    *status = refused;
    return 0;
}
