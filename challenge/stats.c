#include "stats.h"

#include <errno.h>
#include <stdio.h>

#include <fasterapi/error.h>
#include <fasterapi/json.h>

const char *const fa__ch_stat_names[FA__CH_STATS] = {"totalRequests", "uniqueUsers",
                                                     "sum", "avg"};

/* The sum may come as 499500000, 499500000.0 or 4.995E8: all are the same number,
   and a double in between could hide a wrong last digit. */
bool fa__ch_whole_number(uint64_t *out, fa_slice text)
{
    uint64_t n = 0;
    int64_t exponent = 0, written = 0;
    bool point = false, negative = false;
    size_t i = 0;

    for (; i < text.len && (text.p[i] | 0x20) != 'e'; ++i) {
        char c = text.p[i];

        if (c == '.') {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return false;
        if (n > (INT64_MAX - (uint64_t)(c - '0')) / 10)
            return false;
        n = n * 10 + (uint64_t)(c - '0');
        exponent -= point;
    }
    if (i < text.len) {
        ++i;
        if (i < text.len && (text.p[i] == '-' || text.p[i] == '+'))
            negative = text.p[i++] == '-';
        for (; i < text.len && written < 100000; ++i)
            written = written * 10 + (text.p[i] - '0');
        exponent += negative ? -written : written;
    }
    for (; exponent < 0 && n != 0; ++exponent) {
        if (n % 10 != 0)
            return false;
        n /= 10;
    }
    for (; exponent > 0 && n != 0; --exponent) {
        if (n > INT64_MAX / 10)
            return false;
        n *= 10;
    }
    *out = n;
    return true;
}

static void read_member(fa__ch_stats *s, fa__ch_stat i, fa_json_reader *r)
{
    fa_slice text = {"not a number", 12};
    size_t len;

    if (s->of[i].text[0] != '\0') { /* which of the two would count? */
        s->of[i].is_number = s->of[i].is_whole = false;
        memcpy(s->of[i].text, "given twice", sizeof("given twice"));
        (void)fa_json_skip(r);
        return;
    }
    if (fa_json_peek(r) == FA_JSON_NUMBER) {
        fa_json_reader one;

        if (fa_json_read_number(&text, r) != 0)
            return;
        fa_json_reader_init(&one, text, NULL);
        s->of[i].is_number = fa_json_read_double(&s->of[i].number, &one) == 0;
        s->of[i].is_whole = fa__ch_whole_number(&s->of[i].whole, text);
    } else {
        (void)fa_json_skip(r);
    }
    len = text.len < sizeof(s->of[i].text) ? text.len : sizeof(s->of[i].text) - 1;
    memcpy(s->of[i].text, text.p, len);
    s->of[i].text[len] = '\0';
}

int fa__ch_stats_parse(fa__ch_stats *out, fa_slice json)
{
    /* Names with escapes are decoded there: none is longer than the text. */
    char scratch[4096];
    const fa_json_reader_options options = {.scratch = scratch,
                                            .scratch_bytes = sizeof(scratch)};
    fa__ch_stats s = {0};
    fa_json_reader r;
    fa_slice key;
    int rv;

    fa_json_reader_init(&r, json, &options);
    (void)fa_json_enter_object(&r);
    while (fa_json_next_key(&key, &r)) {
        unsigned i = 0;

        while (i < FA__CH_STATS &&
               !fa_slice_equal(key, fa_slice_of(fa__ch_stat_names[i])))
            ++i;
        if (i < FA__CH_STATS)
            read_member(&s, (fa__ch_stat)i, &r);
        else
            (void)fa_json_skip(&r);
    }
    rv = fa_json_end(&r);
    if (rv != 0)
        return rv;
    for (unsigned i = 0; i < FA__CH_STATS; ++i) {
        if (s.of[i].text[0] == '\0')
            memcpy(s.of[i].text, "missing", sizeof("missing"));
    }
    *out = s;
    return 0;
}

int fa__ch_stats_get(fa__ch_stats *out, char why[160], const fa__ch_endpoint *e,
                     const fa__ch_options *o)
{
    fa__buf body;
    int status = 0, rv;

    fa__buf_init(&body, &fa__malloc);
    rv = fa__ch_fetch(&body, &status, e, o, o->stats_path);
    if (rv == FA_ERR_SYSTEM) {
        (void)snprintf(why, 160, "%.100s", strerror(errno));
    } else if (rv == FA_ERR_TIMEOUT) {
        (void)snprintf(why, 160, "no answer in time");
    } else if (rv != 0) {
        (void)snprintf(why, 160, "%.100s", fa_strerror(rv));
    } else if (status != 200) {
        rv = FA_ERR_INVALID;
        (void)snprintf(why, 160, "status %d", status);
    } else {
        rv = fa__ch_stats_parse(out, (fa_slice){body.p, body.len});
        if (rv != 0)
            (void)snprintf(why, 160, "%.100s", fa_strerror(rv));
    }
    fa__buf_free(&body);
    return rv;
}
