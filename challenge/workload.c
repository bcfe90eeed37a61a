#include "workload.h"

#include <fasterapi/error.h>

/* 0 + 1 + ... + (n - 1); n is at most 10^6 here. */
static uint64_t sum_below(uint64_t n)
{
    return n == 0 ? 0 : n * (n - 1) / 2;
}

fa__ch_totals fa__ch_totals_of(uint64_t requests, uint64_t users, uint64_t values)
{
    fa__ch_totals t = {
        .requests = requests,
        .users = requests < users ? requests : users,
        .sum = requests / values * sum_below(values) + sum_below(requests % values),
    };

    return t;
}

static const char user_open[] = "{\"userId\":\"user_";
static const char value_open[] = "\",\"value\":";

/* Content-Length's two digits, the empty line, the body with both its numbers. */
enum {
    MAX_VARIABLE_BYTES = 2 + 4 + sizeof(user_open) + 20 + sizeof(value_open) + 20 + 1
};

static int append_text(fa__buf *b, const char *text)
{
    return fa__buf_append(b, text, strlen(text));
}

int fa__ch_workload_init(fa__ch_workload *w, const fa_allocator *alloc, const char *path,
                         const char *host, uint64_t users, uint64_t values)
{
    const char *parts[] = {
        "POST ", path, " HTTP/1.1\r\nHost: ", host,
        "\r\nUser-Agent: fasterapi-challenge\r\nContent-Type: application/json\r\n"
        "Content-Length: "};

    *w = (fa__ch_workload){.users = users, .values = values};
    fa__buf_init(&w->head, alloc);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); ++i) {
        if (append_text(&w->head, parts[i]) != 0) {
            fa__ch_workload_free(w);
            return FA_ERR_NOMEM;
        }
    }
    w->max_bytes = w->head.len + MAX_VARIABLE_BYTES;
    return 0;
}

void fa__ch_workload_free(fa__ch_workload *w)
{
    fa__buf_free(&w->head);
}

/* Writes the digits of `n` so that they end before `end`. */
static char *digits_before(char *end, uint64_t n)
{
    do {
        *--end = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    return end;
}

static char *put(char *out, const void *p, size_t n)
{
    memcpy(out, p, n);
    return out + n;
}

size_t fa__ch_workload_write(const fa__ch_workload *w, char *out, uint64_t index)
{
    char user_end[20], value_end[20];
    char *user = digits_before(user_end + sizeof(user_end), index % w->users);
    char *value = digits_before(value_end + sizeof(value_end), index % w->values);
    size_t user_len = (size_t)(user_end + sizeof(user_end) - user);
    size_t value_len = (size_t)(value_end + sizeof(value_end) - value);
    /* between 28 and 44 under the limits above: always two digits */
    size_t body_len =
        sizeof(user_open) - 1 + user_len + sizeof(value_open) - 1 + value_len + 1;
    char *at = put(out, w->head.p, w->head.len);

    *at++ = (char)('0' + body_len / 10);
    *at++ = (char)('0' + body_len % 10);
    at = put(at, "\r\n\r\n", 4);
    at = put(at, user_open, sizeof(user_open) - 1);
    at = put(at, user, user_len);
    at = put(at, value_open, sizeof(value_open) - 1);
    at = put(at, value, value_len);
    *at++ = '}';
    return (size_t)(at - out);
}
