#include "http/date.h"

#include <fasterapi/error.h>

#define DAY_SECONDS 86400

/* 0000-01-01 and 9999-12-31T23:59:59. */
#define FIRST_SECOND (-62167219200)
#define LAST_SECOND  253402300799

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char full_day_names[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

typedef struct civil {
    int64_t year;
    int month, day; /* from 1 */
} civil;

/* Years are counted from March, so that a leap day is the last day of its year and
   month lengths follow one pattern: 153 days in every five months. */
static civil civil_of_days(int64_t days)
{
    int64_t since = days + 719468;                                /* from 0000-03-01 */
    int64_t era = (since >= 0 ? since : since - 146096) / 146097; /* 400 years each */
    int64_t of_era = since - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0: March */
    civil c;

    c.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    c.month = (int)(month < 10 ? month + 3 : month - 9);
    c.year = year + era * 400 + (c.month <= 2);
    return c;
}

/* For years from 0 on. */
static int64_t days_of_civil(civil c)
{
    int64_t year = c.month <= 2 ? c.year - 1 : c.year;
    int64_t month = c.month <= 2 ? c.month + 9 : c.month - 3;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * month + 2) / 5 + c.day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void put2(char *out, int n)
{
    out[0] = (char)('0' + n / 10);
    out[1] = (char)('0' + n % 10);
}

void fa__http_date_write(char out[FA__HTTP_DATE_BYTES], int64_t unix_seconds)
{
    int64_t days;
    int second;
    civil c;

    if (unix_seconds < FIRST_SECOND)
        unix_seconds = FIRST_SECOND;
    if (unix_seconds > LAST_SECOND)
        unix_seconds = LAST_SECOND;
    days = unix_seconds / DAY_SECONDS;
    second = (int)(unix_seconds % DAY_SECONDS);
    if (second < 0) {
        second += DAY_SECONDS;
        --days;
    }
    c = civil_of_days(days);
    memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", FA__HTTP_DATE_BYTES);
    memcpy(out, day_names[((days + 4) % 7 + 7) % 7], 3); /* day 0 was a Thursday */
    put2(out + 5, c.day);
    memcpy(out + 8, month_names[c.month - 1], 3);
    put2(out + 12, (int)(c.year / 100));
    put2(out + 14, (int)(c.year % 100));
    put2(out + 17, second / 3600);
    put2(out + 20, second / 60 % 60);
    put2(out + 23, second % 60);
}

typedef struct moment {
    civil date;
    int hour, minute, second;
} moment;

/* A cursor over the text: each step takes what it expects, or remembers that the text
   is malformed, and then no later step takes anything. */
typedef struct reader {
    fa_slice rest;
    bool bad;
} reader;

static void take_text(reader *r, const char *text)
{
    size_t n = strlen(text);

    if (r->bad || r->rest.len < n || memcmp(r->rest.p, text, n) != 0) {
        r->bad = true;
        return;
    }
    r->rest.p += n;
    r->rest.len -= n;
}

static int take_number(reader *r, size_t digits)
{
    int n = 0;

    if (r->bad || r->rest.len < digits) {
        r->bad = true;
        return 0;
    }
    for (size_t i = 0; i < digits; ++i) {
        if (r->rest.p[i] < '0' || r->rest.p[i] > '9') {
            r->bad = true;
            return 0;
        }
        n = n * 10 + (r->rest.p[i] - '0');
    }
    r->rest.p += digits;
    r->rest.len -= digits;
    return n;
}

/* One of `count` names that stand `stride` bytes apart; its number, from 0. */
static int take_name(reader *r, const char *names, size_t stride, int count)
{
    for (int i = 0; i < count && !r->bad; ++i) {
        const char *name = names + (size_t)i * stride;
        size_t n = strlen(name);

        if (r->rest.len >= n && memcmp(r->rest.p, name, n) == 0) {
            r->rest.p += n;
            r->rest.len -= n;
            return i;
        }
    }
    r->bad = true;
    return 0;
}

static void take_month(reader *r, moment *m)
{
    m->date.month = take_name(r, month_names[0], sizeof(month_names[0]), 12) + 1;
}

static void take_time(reader *r, moment *m)
{
    m->hour = take_number(r, 2);
    take_text(r, ":");
    m->minute = take_number(r, 2);
    take_text(r, ":");
    m->second = take_number(r, 2);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static void take_imf_fixdate(reader *r, moment *m)
{
    take_name(r, day_names[0], sizeof(day_names[0]), 7);
    take_text(r, ", ");
    m->date.day = take_number(r, 2);
    take_text(r, " ");
    take_month(r, m);
    take_text(r, " ");
    m->date.year = take_number(r, 4);
    take_text(r, " ");
    take_time(r, m);
    take_text(r, " GMT");
}

/* Sunday, 06-Nov-94 08:49:37 GMT. RFC 9110, 5.6.7: a year that appears to be more
   than 50 years in the future is the latest past one with these digits. */
static void take_rfc850(reader *r, moment *m, int64_t now)
{
    int64_t this_year;

    if (now < 0)
        now = 0;
    if (now > LAST_SECOND)
        now = LAST_SECOND;
    this_year = civil_of_days(now / DAY_SECONDS).year;
    take_name(r, full_day_names[0], sizeof(full_day_names[0]), 7);
    take_text(r, ", ");
    m->date.day = take_number(r, 2);
    take_text(r, "-");
    take_month(r, m);
    take_text(r, "-");
    m->date.year = this_year - this_year % 100 + take_number(r, 2);
    if (m->date.year > this_year + 50)
        m->date.year -= 100;
    take_text(r, " ");
    take_time(r, m);
    take_text(r, " GMT");
}

/* Sun Nov  6 08:49:37 1994 */
static void take_asctime(reader *r, moment *m)
{
    take_name(r, day_names[0], sizeof(day_names[0]), 7);
    take_text(r, " ");
    take_month(r, m);
    take_text(r, " ");
    if (r->rest.len > 0 && r->rest.p[0] == ' ') {
        take_text(r, " ");
        m->date.day = take_number(r, 1);
    } else {
        m->date.day = take_number(r, 2);
    }
    take_text(r, " ");
    take_time(r, m);
    take_text(r, " ");
    m->date.year = take_number(r, 4);
}

/* A leap second is a valid second (RFC 9110, 5.6.7) and counts as the next one. */
static bool moment_exists(const moment *m)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year = m->date.year;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    int length = lengths[m->date.month - 1] + (m->date.month == 2 && leap);

    return m->date.day >= 1 && m->date.day <= length && m->hour < 24 && m->minute < 60 &&
           m->second <= 60;
}

int fa__http_date_parse(int64_t *out, fa_slice v, int64_t now)
{
    reader r = {v, false};
    moment m = {{0, 1, 1}, 0, 0, 0};

    if (v.len > 3 && v.p[3] == ',')
        take_imf_fixdate(&r, &m);
    else if (v.len > 3 && v.p[3] == ' ')
        take_asctime(&r, &m);
    else
        take_rfc850(&r, &m, now);
    if (r.bad || r.rest.len > 0 || !moment_exists(&m))
        return FA_ERR_INVALID;
    *out = days_of_civil(m.date) * DAY_SECONDS + m.hour * 3600 + m.minute * 60 + m.second;
    return 0;
}
