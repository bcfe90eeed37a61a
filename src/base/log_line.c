#include "base/log.h"

#include <stdio.h>
#include <time.h>

#include "base/utf8.h"

/* Kept free for what follows a text that was cut: "...", quotes, brace, newline. */
#define TAIL_BYTES   64
/* The source gets no more than this, so that there is always room for a message. */
#define SOURCE_BYTES 256

typedef struct line {
    char *p;
    size_t len;
    bool json;
} line;

/* What is cut never counts here: all that is put this way is short. */
static void put(line *l, const char *text)
{
    size_t n = strlen(text);

    memcpy(l->p + l->len, text, n);
    l->len += n;
}

static const char *level_name(fa_log_level level)
{
    switch (level) {
    case FA_LOG_DEBUG: return "DEBUG";
    case FA_LOG_INFO: return "INFO";
    case FA_LOG_WARNING: return "WARNING";
    default: return "ERROR";
    }
}

/* Code points that end or reorder a line, or steer a terminal: the C1 controls, the
   line and paragraph separators, and the bidirectional controls. */
static bool is_treacherous(unsigned code)
{
    return (code >= 0x80 && code < 0xA0) || code == 0x200E || code == 0x200F ||
           code == 0x061C || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

/* Of a character of 2 or 3 bytes. */
static unsigned code_point(const char *p, size_t n)
{
    unsigned first = (unsigned char)p[0], second = (unsigned char)p[1] & 0x3Fu;

    if (n == 2)
        return (first & 0x1F) << 6 | second;
    return (first & 0x0F) << 12 | second << 6 | ((unsigned char)p[2] & 0x3Fu);
}

/* The escape of a control character or a byte that is not UTF-8. */
static size_t escape_byte(char out[8], unsigned char c, bool json)
{
    static const char short_forms[] = "\bb\tt\nn\ff\rr";
    const char *at = c != 0 ? strchr(short_forms, c) : NULL;

    if (at != NULL && c < 0x20)
        return (size_t)snprintf(out, 8, "\\%c", at[1]);
    return (size_t)snprintf(out, 8, json ? "\\u%04x" : "\\x%02x", c);
}

/* What stands for the start of `v` in the line; how much of `v` it stands for in
   `*used`. `out` is written only when the text does not stand for itself. */
static fa_slice next_piece(char out[8], fa_slice v, bool json, size_t *used)
{
    unsigned char c = (unsigned char)v.p[0];
    size_t n;

    *used = 1;
    if (c < 0x20 || c == 0x7F)
        return (fa_slice){out, escape_byte(out, c, json)};
    if (json && (c == '"' || c == '\\'))
        return (fa_slice){out, (size_t)snprintf(out, 8, "\\%c", c)};
    if (c < 0x80)
        return (fa_slice){v.p, 1};
    n = fa__utf8_character(v.p, v.len);
    if (n == 0 && json) {
        *used = fa__utf8_invalid_length(v.p, v.len);
        return FA_SLICE(FA__UTF8_REPLACEMENT);
    }
    if (n == 0)
        return (fa_slice){out, escape_byte(out, c, json)};
    *used = n;
    if (n < 4 && is_treacherous(code_point(v.p, n)))
        return (fa_slice){out, (size_t)snprintf(out, 8, "\\u%04x", code_point(v.p, n))};
    return (fa_slice){v.p, n};
}

/* Up to the position `end` of the line. */
static void put_escaped(line *l, fa_slice v, size_t end)
{
    char out[8];

    while (v.len > 0) {
        size_t used;
        fa_slice piece = next_piece(out, v, l->json, &used);

        if (piece.len > end - l->len) {
            put(l, "...");
            return;
        }
        memcpy(l->p + l->len, piece.p, piece.len);
        l->len += piece.len;
        v.p += used;
        v.len -= used;
    }
}

static void put_time(line *l, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm = {0};
    long offset;
    int n;

    if (localtime_r(&seconds, &tm) == NULL)
        memset(&tm, 0, sizeof(tm)); /* the year does not fit: a wrong time, but a line */
    offset = tm.tm_gmtoff / 60;
    n = snprintf(l->p + l->len, 64, "%04d-%02d-%02d%c%02d:%02d:%02d.%03d",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, l->json ? 'T' : ' ',
                 tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(time_ms % 1000));
    l->len += (size_t)n;
    if (!l->json)
        return;
    n = snprintf(l->p + l->len, 64, "%c%02ld:%02ld", offset < 0 ? '-' : '+',
                 (offset < 0 ? -offset : offset) / 60,
                 (offset < 0 ? -offset : offset) % 60);
    l->len += (size_t)n;
}

size_t fa__log_line(char out[FA__LOG_LINE_MAX], const fa_log_record *record, bool json)
{
    line l = {out, 0, json};

    put(&l, json ? "{\"time\":\"" : "");
    put_time(&l, record->time_ms < 0 ? 0 : record->time_ms);
    put(&l, json ? "\",\"level\":\"" : " [");
    put(&l, level_name(record->level));
    put(&l, json ? "\",\"source\":\"" : "] [");
    put_escaped(&l, record->source, l.len + SOURCE_BYTES);
    put(&l, json ? "\",\"message\":\"" : "] ");
    put_escaped(&l, record->message, FA__LOG_LINE_MAX - TAIL_BYTES);
    put(&l, json ? "\"}\n" : "\n");
    return l.len;
}
