#include "check.h"
#include "failing_alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <fasterapi/error.h>

#include "base/log.h"
#include "base/utf8.h"

/* 2026-01-31 02:16:30.831 UTC. */
#define MOMENT_MS INT64_C(1769825790831)

static void use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static fa_slice line_of(char *out, fa_log_level level, fa_slice message, bool json)
{
    fa_log_record record = {.level = level,
                            .time_ms = MOMENT_MS,
                            .source = FA_SLICE("Server"),
                            .message = message};

    return (fa_slice){out, fa__log_line(out, &record, json)};
}

static void test_lines(void **state)
{
    char out[FA__LOG_LINE_MAX];

    (void)state;
    use_zone("XXX-1"); /* an hour east of Greenwich */
    CHECK_SLICE(line_of(out, FA_LOG_INFO, FA_SLICE("ready"), false),
                "2026-01-31 03:16:30.831 [INFO] [Server] ready\n");
    CHECK_SLICE(line_of(out, FA_LOG_DEBUG, FA_SLICE(""), false),
                "2026-01-31 03:16:30.831 [DEBUG] [Server] \n");
    CHECK_SLICE(line_of(out, FA_LOG_WARNING, FA_SLICE("a \"b\" \\"), true),
                "{\"time\":\"2026-01-31T03:16:30.831+01:00\",\"level\":\"WARNING\","
                "\"source\":\"Server\",\"message\":\"a \\\"b\\\" \\\\\"}\n");
    use_zone("XXX+3:30");
    CHECK_SLICE(line_of(out, FA_LOG_ERROR, FA_SLICE("x"), true),
                "{\"time\":\"2026-01-30T22:46:30.831-03:30\",\"level\":\"ERROR\","
                "\"source\":\"Server\",\"message\":\"x\"}\n");
    use_zone("UTC");
}

static void test_escapes(void **state)
{
    static const struct {
        const char *in, *text, *json;
    } cases[] = {
        {"a\nb\r\tc", "a\\nb\\r\\tc", "a\\nb\\r\\tc"},
        {"\x1b[31mred", "\\x1b[31mred", "\\u001b[31mred"},
        {"\x7f", "\\x7f", "\\u007f"},
        {"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80",
         "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80"},
        {"\xC2\x85\xC2\x9B", "\\u0085\\u009b", "\\u0085\\u009b"},
        {"\xE2\x80\xA8\xE2\x80\xAE", "\\u2028\\u202e", "\\u2028\\u202e"},
        {"\xC3(", "\\xc3(", "\xEF\xBF\xBD("},
        {"\xED\xA0\x80", "\\xed\\xa0\\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE2\x82", "\\xe2\\x82", "\xEF\xBF\xBD"},
    };
    char out[FA__LOG_LINE_MAX], expected[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); ++i) {
        fa_slice in = exact_copy(cases[i].in);

        snprintf(expected, sizeof(expected),
                 "2026-01-31 02:16:30.831 [INFO] [Server] %s\n", cases[i].text);
        CHECK_SLICE(line_of(out, FA_LOG_INFO, in, false), expected);
        snprintf(expected, sizeof(expected),
                 "{\"time\":\"2026-01-31T02:16:30.831+00:00\",\"level\":\"INFO\","
                 "\"source\":\"Server\",\"message\":\"%s\"}\n",
                 cases[i].json);
        CHECK_SLICE(line_of(out, FA_LOG_INFO, in, true), expected);
        exact_free(in);
    }
}

/* Whatever comes in, one line of valid UTF-8 of bounded length goes out. */
static void test_any_bytes_make_one_line(void **state)
{
    char out[FA__LOG_LINE_MAX], in[6000];
    uint32_t random = 1;

    (void)state;
    for (int round = 0; round < 300; ++round) {
        size_t n = (size_t)round * 20;
        fa_slice v;

        for (size_t i = 0; i < n; ++i) {
            random = random * 1664525 + 1013904223;
            in[i] = (char)(round % 3 == 0 ? 0x01 : random >> 24);
        }
        for (int json = 0; json < 2; ++json) {
            fa_log_record record = {.level = FA_LOG_ERROR,
                                    .time_ms = MOMENT_MS,
                                    .source = {in, n},
                                    .message = {in, n}};

            v = (fa_slice){out, fa__log_line(out, &record, json != 0)};
            CHECK(v.len <= FA__LOG_LINE_MAX);
            CHECK(memchr(v.p, '\n', v.len) == v.p + v.len - 1);
            CHECK_U64(fa__utf8_valid_prefix(v.p, v.len), ==, v.len);
            for (size_t i = 0; i + 1 < v.len; ++i)
                CHECK((unsigned char)v.p[i] >= 0x20 && v.p[i] != 0x7F);
            if (n >= 4096)
                CHECK(memmem(v.p, v.len, "...", 3) != NULL);
        }
    }
}

static void read_all(int fd, char *out, size_t room)
{
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, out + n, room - 1 - n)) > 0)
        n += (size_t)got;
    out[n] = '\0';
}

static void test_levels(void **state)
{
    char out[1024];
    int fds[2];
    fa_logger *logger = NULL;

    (void)state;
    CHECK_INT(pipe(fds), ==, 0);
    CHECK_INT(fa_logger_new(&logger, &(fa_log_options){.fd = fds[1]}), ==, 0);
    errno = 123;
    fa_log(logger, FA_LOG_DEBUG, "Test", "quiet %d", 1);
    fa_log(logger, FA_LOG_INFO, "Test", "first %d", 2);
    fa_logger_set_level(logger, FA_LOG_ERROR);
    fa_log(logger, FA_LOG_WARNING, "Test", "quiet");
    fa_log(logger, FA_LOG_ERROR, "Test", "second");
    fa_logger_set_level(logger, (fa_log_level)99); /* ignored */
    CHECK(fa_log_enabled(logger, FA_LOG_ERROR));
    CHECK(!fa_log_enabled(logger, FA_LOG_WARNING));
    fa_logger_set_level(logger, FA_LOG_OFF);
    fa_log(logger, FA_LOG_ERROR, "Test", "quiet");
    CHECK(!fa_log_enabled(logger, FA_LOG_ERROR));
    CHECK(!fa_log_enabled(logger, FA_LOG_OFF));
    CHECK_INT(errno, ==, 123);
    fa_log(NULL, FA_LOG_ERROR, "Test", "quiet");
    CHECK(!fa_log_enabled(NULL, FA_LOG_ERROR));
    CHECK_U64(fa_logger_lost(logger), ==, 0);
    fa_logger_del(logger);
    fa_logger_del(NULL);
    close(fds[1]);
    read_all(fds[0], out, sizeof(out));
    close(fds[0]);
    CHECK(strstr(out, "[INFO] [Test] first 2\n") != NULL);
    CHECK(strstr(out, "[ERROR] [Test] second\n") != NULL);
    CHECK(strstr(out, "quiet") == NULL);
}

static void test_long_messages_are_cut(void **state)
{
    static char long_text[20000];
    char out[8192];
    int fds[2];
    fa_logger *logger = NULL;

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    CHECK_INT(pipe(fds), ==, 0);
    CHECK_INT(fa_logger_new(&logger, &(fa_log_options){.fd = fds[1], .json = true}), ==,
              0);
    fa_log(logger, FA_LOG_INFO, "Test", "%s", long_text);
    fa_logger_del(logger);
    close(fds[1]);
    read_all(fds[0], out, sizeof(out));
    close(fds[0]);
    CHECK_U64(strlen(out), <=, FA__LOG_LINE_MAX);
    CHECK(strcmp(out + strlen(out) - 8, "xx...\"}\n") == 0);
}

/* SIGPIPE has its default action here: not blocking it would end the test. */
static void test_closed_descriptors(void **state)
{
    int fds[2];
    sigset_t pending;
    fa_logger *logger = NULL;

    (void)state;
    signal(SIGPIPE, SIG_DFL);
    CHECK_INT(pipe(fds), ==, 0);
    CHECK_INT(fa_logger_new(&logger, &(fa_log_options){.fd = fds[1]}), ==, 0);
    close(fds[0]);
    fa_log(logger, FA_LOG_INFO, "Test", "nobody reads");
    CHECK_U64(fa_logger_lost(logger), ==, 1);
    close(fds[1]);
    fa_log(logger, FA_LOG_INFO, "Test", "no descriptor");
    CHECK_U64(fa_logger_lost(logger), ==, 2);
    CHECK_INT(sigpending(&pending), ==, 0);
    CHECK_INT(sigismember(&pending, SIGPIPE), ==, 0);
    fa_logger_del(logger);
}

static void test_full_pipe_does_not_block(void **state)
{
    int fds[2];
    fa_logger *logger = NULL;

    (void)state;
    CHECK_INT(pipe2(fds, O_NONBLOCK), ==, 0);
    CHECK_INT(fa_logger_new(&logger, &(fa_log_options){.fd = fds[1]}), ==, 0);
    for (int i = 0; i < 5000; ++i)
        fa_log(logger, FA_LOG_INFO, "Test", "%0100d", i);
    CHECK_U64(fa_logger_lost(logger), >, 0);
    CHECK_U64(fa_logger_lost(logger), <, 5000);
    fa_logger_del(logger);
    close(fds[0]);
    close(fds[1]);
}

static void remember(void *ctx, const fa_log_record *record)
{
    char *out = ctx;

    snprintf(out, 256, "%d|%.*s|%.*s|%.*s", (int)record->level, (int)record->source.len,
             record->source.p, (int)record->message.len, record->message.p,
             (int)record->line.len, record->line.p);
}

static void test_function(void **state)
{
    char out[256] = "";
    fa_logger *logger = NULL;

    (void)state;
    CHECK_INT(fa_logger_new(
                  &logger,
                  &(fa_log_options){.fn = remember, .ctx = out, .level = FA_LOG_DEBUG}),
              ==, 0);
    fa_log(logger, FA_LOG_DEBUG, NULL, "a\n%s", "b");
    CHECK(strncmp(out, "1||a\nb|", 7) == 0);
    CHECK(strstr(out, "[DEBUG] [] a\\nb") != NULL);
    CHECK_INT(out[strlen(out) - 1], ==, 'b');
    fa_logger_del(logger);
}

static void test_new_fails(void **state)
{
    failing_alloc f;
    fa_logger *logger = NULL;

    (void)state;
    failing_alloc_init(&f, 1);
    CHECK_INT(fa_logger_new(&logger, &(fa_log_options){.alloc = &f.alloc}), ==,
              FA_ERR_NOMEM);
    CHECK_INT(fa_logger_new(&logger, &(fa_log_options){.level = (fa_log_level)6}), ==,
              FA_ERR_INVALID);
    CHECK_INT(fa_logger_new(&logger, &(fa_log_options){.fd = -1}), ==, FA_ERR_INVALID);
    CHECK(logger == NULL);
    CHECK_INT(fa_logger_new(&logger, &(fa_log_options){.alloc = &f.alloc}), ==, 0);
    fa_logger_del(logger);
    CHECK_INT(f.held, ==, 0);
    CHECK_INT(fa_logger_new(&logger, NULL), ==, 0);
    fa_logger_del(logger);
}

enum { THREADS = 4, LINES = 500 };

static void *log_many(void *logger)
{
    for (int i = 0; i < LINES; ++i)
        fa_log(logger, FA_LOG_INFO, "Thread", "%s", "one whole line of text");
    return NULL;
}

/* Lines of several threads come whole, one after the other. */
static void test_threads(void **state)
{
    pthread_t threads[THREADS];
    FILE *file = tmpfile();
    fa_logger *logger = NULL;
    char line[256];
    int count = 0;

    (void)state;
    CHECK(file != NULL);
    CHECK_INT(fcntl(fileno(file), F_SETFL, O_APPEND), ==, 0);
    CHECK_INT(fa_logger_new(&logger, &(fa_log_options){.fd = fileno(file)}), ==, 0);
    for (int i = 0; i < THREADS; ++i)
        CHECK_INT(pthread_create(&threads[i], NULL, log_many, logger), ==, 0);
    for (int i = 0; i < THREADS; ++i)
        pthread_join(threads[i], NULL);
    fa_logger_del(logger);
    rewind(file);
    for (; fgets(line, sizeof(line), file) != NULL; ++count)
        CHECK(strcmp(line + 23, " [INFO] [Thread] one whole line of text\n") == 0);
    CHECK_INT(count, ==, THREADS * LINES);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_any_bytes_make_one_line),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_closed_descriptors),
        cmocka_unit_test(test_full_pipe_does_not_block),
        cmocka_unit_test(test_function),
        cmocka_unit_test(test_new_fails),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
