#include "http1/writer.h"

#include <fasterapi/error.h>

#include "base/ascii.h"
#include "http/date.h"
#include "http/field.h"
#include "http/status.h"

/* A whole line in one cache line, copied whole: a copy of constant size is a few
   moves, one of the exact length a call. */
typedef struct status_line {
    char text[FA__HTTP1_STATUS_LINE_MAX - 1];
    uint8_t len;
} status_line;

#define INDEX(code, phrase) LINE_##code,
enum { LINE_NONE, FA__STATUSES(INDEX) };
#undef INDEX

#define LINE(code, phrase)                                                               \
    [LINE_##code] = {"HTTP/1.1 " #code " " phrase "\r\n",                                \
                     sizeof("HTTP/1.1 " #code " " phrase "\r\n") - 1},
static const _Alignas(64) status_line lines[] = {[LINE_NONE] = {"HTTP/1.1 000 \r\n", 15},
                                                 FA__STATUSES(LINE)};
#undef LINE

#define LINE_OF(code, phrase) [code - 100] = LINE_##code,
static const uint8_t line_of[500] = {FA__STATUSES(LINE_OF)};
#undef LINE_OF

char *fa__http1_write_status_line(char *at, int status)
{
    unsigned index = (unsigned)status - 100;
    const status_line *line =
        &lines[index < sizeof(line_of) ? line_of[index] : LINE_NONE];

    memcpy(at, line, sizeof(*line));
    if (line == &lines[LINE_NONE]) {
        at[9] = (char)('0' + status / 100 % 10);
        at[10] = (char)('0' + status / 10 % 10);
        at[11] = (char)('0' + status % 10);
    }
    return at + line->len;
}

char *fa__http1_write_field(char *at, fa_slice name, fa_slice value)
{
    fa__ascii_lower_copy(at, name.p, name.len);
    at += name.len;
    memcpy(at, ": ", 2);
    at += 2;
    if (value.len > 0)
        memcpy(at, value.p, value.len);
    at += value.len;
    memcpy(at, "\r\n", 2);
    return at + 2;
}

/* The numbers 00 to 99. */
#define TENS(t) t "0" t "1" t "2" t "3" t "4" t "5" t "6" t "7" t "8" t "9"
static const char pairs[] = TENS("0") TENS("1") TENS("2") TENS("3") TENS("4") TENS("5")
    TENS("6") TENS("7") TENS("8") TENS("9");
#undef TENS

char *fa__http1_write_decimal(char *at, uint64_t n)
{
    char digits[FA__HTTP1_DECIMAL_MAX];
    size_t first = sizeof(digits);

    while (n >= 100) {
        first -= 2;
        memcpy(digits + first, pairs + n % 100 * 2, 2);
        n /= 100;
    }
    if (n >= 10) {
        first -= 2;
        memcpy(digits + first, pairs + n * 2, 2);
    } else {
        digits[--first] = (char)('0' + n);
    }
    for (size_t i = first; i < sizeof(digits); ++i)
        *at++ = digits[i];
    return at;
}

char *fa__http1_write_content_length(char *at, uint64_t n)
{
    at = fa__http1_write_literal(at, "content-length: ");
    at = fa__http1_write_decimal(at, n);
    return fa__http1_write_literal(at, FA__HTTP1_CRLF);
}

char *fa__http1_write_chunk_head(char *at, uint64_t n)
{
    unsigned digits = n != 0 ? (67u - (unsigned)__builtin_clzll(n)) / 4 : 1;

    for (unsigned i = digits; i-- > 0; n >>= 4)
        at[i] = "0123456789abcdef"[n & 15];
    return fa__http1_write_literal(at + digits, FA__HTTP1_CRLF);
}

size_t fa__http1_last_chunk_max(const fa_slice *names, const fa_slice *values,
                                size_t count)
{
    size_t n = 5; /* "0\r\n\r\n" */

    for (size_t i = 0; i < count; ++i)
        n += fa__http1_field_max(names[i], values[i]);
    return n;
}

char *fa__http1_write_last_chunk(char *at, const fa_slice *names, const fa_slice *values,
                                 size_t count)
{
    at = fa__http1_write_literal(at, "0\r\n");
    for (size_t i = 0; i < count; ++i)
        at = fa__http1_write_field(at, names[i], values[i]);
    return fa__http1_write_literal(at, FA__HTTP1_CRLF);
}

int fa__http1_date_block_init(fa__http1_date_block *block, bool with_date,
                              fa_slice server, int64_t unix_seconds)
{
    char *at = block->text;

    if (server.len > FA__HTTP1_SERVER_MAX || !fa__field_value_valid(server))
        return FA_ERR_INVALID;
    memset(block, 0, sizeof(*block));
    if (with_date) {
        at = fa__http1_write_literal(at, "date: ");
        fa__http_date_write(at, unix_seconds);
        at = fa__http1_write_literal(at + FA__HTTP_DATE_BYTES, FA__HTTP1_CRLF);
        block->date_bytes = (uint32_t)(at - block->text);
    }
    if (server.len > 0)
        at = fa__http1_write_field(at, FA_SLICE("server"), server);
    block->len = (uint32_t)(at - block->text);
    block->second = unix_seconds;
    return 0;
}

void fa__http1_date_block_renew(fa__http1_date_block *block, int64_t unix_seconds)
{
    if (block->date_bytes > 0)
        fa__http_date_write(block->text + sizeof("date: ") - 1, unix_seconds);
    block->second = unix_seconds;
}

char *fa__http1_write_date_block(char *at, const fa__http1_date_block *block)
{
    /* The usual block, with a short server name, in one copy of constant size. */
    if (block->len <= 64)
        memcpy(at, block->text, 64);
    else
        memcpy(at, block->text, block->len);
    return at + block->len;
}
