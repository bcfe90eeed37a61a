#include "websocket/extension.h"

#include "base/ascii.h"
#include "http/field.h"

static const fa_slice permessage_deflate = {"permessage-deflate", 18};

/* Order as in `params.seen`. */
enum {
    SERVER_NO_CONTEXT_TAKEOVER,
    CLIENT_NO_CONTEXT_TAKEOVER,
    SERVER_MAX_WINDOW_BITS,
    CLIENT_MAX_WINDOW_BITS,
    PARAMETERS,
};

static const fa_slice names[PARAMETERS] = {
    {"server_no_context_takeover", 26},
    {"client_no_context_takeover", 26},
    {"server_max_window_bits", 22},
    {"client_max_window_bits", 22},
};

/* The parameters of one permessage-deflate. */
typedef struct params {
    bool seen[PARAMETERS];
    uint8_t bits[PARAMETERS]; /* 0: without a value */
    bool usable;              /* none was unknown, repeated or out of range */
} params;

static size_t token_length(fa_slice v)
{
    size_t n = 0;

    while (n < v.len && fa__token_valid((fa_slice){v.p + n, 1}))
        ++n;
    return n;
}

/* Those bytes, and white space after them. */
static void skip(fa_slice *v, size_t n)
{
    while (n < v->len && (v->p[n] == ' ' || v->p[n] == '\t'))
        ++n;
    v->p += n;
    v->len -= n;
}

static bool take_token(fa_slice *rest, fa_slice *token)
{
    size_t n = token_length(*rest);

    *token = (fa_slice){rest->p, n};
    skip(rest, n);
    return n > 0;
}

/* Token, or a quoted-string that is one once it is unquoted (RFC 6455, 9.1). With a
   quoted-pair in it that is still the same value written strangely; nobody does, and
   no value of ours can be meant: it is kept with its backslash, which no value has. */
static bool take_value(fa_slice *rest, fa_slice *value)
{
    size_t n = 1;

    if (rest->len == 0 || rest->p[0] != '"')
        return take_token(rest, value);
    while (n < rest->len && rest->p[n] != '"') {
        if (rest->p[n] == '\\')
            ++n;
        if (n < rest->len && !fa__token_valid((fa_slice){rest->p + n, 1}))
            return false;
        ++n;
    }
    if (n >= rest->len || n == 1)
        return false;
    *value = (fa_slice){rest->p + 1, n - 1};
    skip(rest, n + 1);
    return true;
}

/* 8 to 15 in decimal without leading zeros (RFC 7692, 7.1.2.1), or 0. */
static uint8_t window_bits(fa_slice v)
{
    if (v.len == 1 && (v.p[0] == '8' || v.p[0] == '9'))
        return (uint8_t)(v.p[0] - '0');
    if (v.len == 2 && v.p[0] == '1' && v.p[1] >= '0' && v.p[1] <= '5')
        return (uint8_t)(10 + v.p[1] - '0');
    return 0;
}

static void note(params *found, fa_slice name, const fa_slice *value)
{
    int which = 0;

    while (which < PARAMETERS && !fa__equal_nocase(name, names[which]))
        ++which;
    if (which == PARAMETERS || found->seen[which]) {
        found->usable = false;
        return;
    }
    found->seen[which] = true;
    if (which < SERVER_MAX_WINDOW_BITS) {
        found->usable = found->usable && value == NULL;
    } else if (value != NULL) {
        found->bits[which] = window_bits(*value);
        found->usable = found->usable && found->bits[which] != 0;
    }
}

/* One element of the list. False: not of the grammar. */
static bool parse_extension(fa_slice item, fa_slice *name, params *found)
{
    *found = (params){.usable = true};
    if (!take_token(&item, name))
        return false;
    while (item.len > 0) {
        fa_slice parameter, value = {NULL, 0};
        bool has_value;

        if (item.p[0] != ';')
            return false;
        skip(&item, 1);
        if (!take_token(&item, &parameter))
            return false;
        has_value = item.len > 0 && item.p[0] == '=';
        if (has_value) {
            skip(&item, 1);
            if (!take_value(&item, &value))
                return false;
        }
        note(found, parameter, has_value ? &value : NULL);
    }
    return true;
}

static uint8_t smaller(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* RFC 7692, 7.1: what the offer asks of us is done; what we wish of the client we may
   only ask for where the offer says that it can. */
static bool choose(fa__ws_deflate *out, const params *offer, const fa__ws_deflate *wish)
{
    if (!offer->usable)
        return false;
    /* Only in an answer has it to have a value; as an offer without one it is invalid. */
    if (offer->seen[SERVER_MAX_WINDOW_BITS] && offer->bits[SERVER_MAX_WINDOW_BITS] == 0)
        return false;
    *out = (fa__ws_deflate){
        .on = true,
        .server_no_context_takeover =
            wish->server_no_context_takeover || offer->seen[SERVER_NO_CONTEXT_TAKEOVER],
        .client_no_context_takeover =
            wish->client_no_context_takeover || offer->seen[CLIENT_NO_CONTEXT_TAKEOVER],
        .server_max_window_bits = wish->server_max_window_bits,
        .client_max_window_bits = 15,
    };
    if (offer->seen[SERVER_MAX_WINDOW_BITS])
        out->server_max_window_bits =
            smaller(offer->bits[SERVER_MAX_WINDOW_BITS], wish->server_max_window_bits);
    if (offer->seen[CLIENT_MAX_WINDOW_BITS]) {
        uint8_t bits = offer->bits[CLIENT_MAX_WINDOW_BITS];

        out->client_max_window_bits =
            smaller(bits == 0 ? 15 : bits, wish->client_max_window_bits);
    }
    return true;
}

int fa__ws_deflate_choose(fa__ws_deflate *out, fa_slice value, const fa__ws_deflate *wish)
{
    fa__ws_deflate chosen = {.on = false};
    fa_slice item, name;
    params offer;

    while (fa__list_next(&value, &item)) {
        if (!parse_extension(item, &name, &offer))
            return FA_ERR_FIELD_VALUE;
        if (wish->on && !chosen.on && fa__equal_nocase(name, permessage_deflate))
            (void)choose(&chosen, &offer, wish);
    }
    *out = chosen;
    return 0;
}

int fa__ws_deflate_accept(fa__ws_deflate *out, fa_slice value,
                          const fa__ws_deflate *offered)
{
    fa__ws_deflate got = {.on = false};
    fa_slice item, name;
    params answer;

    while (fa__list_next(&value, &item)) {
        if (!parse_extension(item, &name, &answer) || got.on || !offered->on ||
            !fa__equal_nocase(name, permessage_deflate) || !answer.usable)
            return FA_ERR_FIELD_VALUE;
        for (int i = SERVER_MAX_WINDOW_BITS; i < PARAMETERS; ++i)
            if (answer.seen[i] && answer.bits[i] == 0)
                return FA_ERR_FIELD_VALUE;
        got = (fa__ws_deflate){
            .on = true,
            .server_no_context_takeover = answer.seen[SERVER_NO_CONTEXT_TAKEOVER],
            .client_no_context_takeover = answer.seen[CLIENT_NO_CONTEXT_TAKEOVER] ||
                                          offered->client_no_context_takeover,
            .server_max_window_bits = 15,
            .client_max_window_bits = offered->client_max_window_bits,
        };
        if (answer.seen[SERVER_MAX_WINDOW_BITS])
            got.server_max_window_bits = answer.bits[SERVER_MAX_WINDOW_BITS];
        if (answer.seen[CLIENT_MAX_WINDOW_BITS])
            got.client_max_window_bits = smaller(answer.bits[CLIENT_MAX_WINDOW_BITS],
                                                 offered->client_max_window_bits);
        /* 7.1.1.1, 7.1.2.1: a server that takes the offer does what it asks. */
        if ((offered->server_no_context_takeover && !got.server_no_context_takeover) ||
            got.server_max_window_bits > offered->server_max_window_bits)
            return FA_ERR_FIELD_VALUE;
    }
    *out = got;
    return 0;
}

static char *put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}

static char *put_name(char *at, int which)
{
    return put(put(at, "; ", 2), names[which].p, names[which].len);
}

static char *put_bits(char *at, int which, uint8_t bits)
{
    at = put(put_name(at, which), "=", 1);
    if (bits >= 10)
        *at++ = '1';
    *at++ = (char)('0' + bits % 10);
    return at;
}

static char *put_common(char *out, const fa__ws_deflate *d)
{
    char *at = put(out, permessage_deflate.p, permessage_deflate.len);

    if (d->server_no_context_takeover)
        at = put_name(at, SERVER_NO_CONTEXT_TAKEOVER);
    if (d->client_no_context_takeover)
        at = put_name(at, CLIENT_NO_CONTEXT_TAKEOVER);
    if (d->server_max_window_bits < 15)
        at = put_bits(at, SERVER_MAX_WINDOW_BITS, d->server_max_window_bits);
    return at;
}

size_t fa__ws_deflate_write(char *out, const fa__ws_deflate *agreed)
{
    char *at = put_common(out, agreed);

    if (agreed->client_max_window_bits < 15)
        at = put_bits(at, CLIENT_MAX_WINDOW_BITS, agreed->client_max_window_bits);
    return (size_t)(at - out);
}

size_t fa__ws_deflate_offer(char *out, const fa__ws_deflate *wish)
{
    char *at = put_common(out, wish);

    if (wish->client_max_window_bits < 15)
        at = put_bits(at, CLIENT_MAX_WINDOW_BITS, wish->client_max_window_bits);
    else
        at = put_name(at, CLIENT_MAX_WINDOW_BITS);
    return (size_t)(at - out);
}
