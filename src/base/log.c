#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fasterapi/error.h>

#include "base/clock.h"
#include "base/memory.h"

struct fa_logger {
    atomic_int level;
    _Atomic uint64_t lost;
    bool json;
    bool may_sigpipe; /* `fd` is a pipe or a socket */
    int fd;
    fa_log_fn *fn;
    void *ctx;
    fa_allocator alloc;
};

static bool can_raise_sigpipe(int fd)
{
    struct stat st;

    return fstat(fd, &st) != 0 || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
}

int fa_logger_new(fa_logger **out, const fa_log_options *options)
{
    static const fa_log_options defaults = {0};
    const fa_log_options *o = options != NULL ? options : &defaults;
    fa_log_level level = o->level != 0 ? o->level : FA_LOG_INFO;
    const fa_allocator *alloc = o->alloc != NULL ? o->alloc : &fa__malloc;
    fa_logger *logger;

    if (level < FA_LOG_DEBUG || level > FA_LOG_OFF || o->fd < 0)
        return FA_ERR_INVALID;
    logger = fa__calloc(alloc, 1, sizeof(*logger));
    if (logger == NULL)
        return FA_ERR_NOMEM;
    tzset(); /* localtime_r() is not bound to */
    atomic_init(&logger->level, (int)level);
    atomic_init(&logger->lost, 0);
    logger->json = o->json;
    logger->fd = o->fd != 0 ? o->fd : STDERR_FILENO;
    logger->fn = o->fn;
    logger->ctx = o->ctx;
    logger->alloc = *alloc;
    logger->may_sigpipe = o->fn == NULL && can_raise_sigpipe(logger->fd);
    *out = logger;
    return 0;
}

void fa_logger_del(fa_logger *logger)
{
    if (logger != NULL) {
        fa_allocator alloc = logger->alloc;

        fa__release(&alloc, logger);
    }
}

void fa_logger_set_level(fa_logger *logger, fa_log_level level)
{
    if (level >= FA_LOG_DEBUG && level <= FA_LOG_OFF)
        atomic_store_explicit(&logger->level, (int)level, memory_order_relaxed);
}

uint64_t fa_logger_lost(const fa_logger *logger)
{
    return atomic_load_explicit(&logger->lost, memory_order_relaxed);
}

bool fa_log_enabled(const fa_logger *logger, fa_log_level level)
{
    return logger != NULL && level < FA_LOG_OFF &&
           (int)level >= atomic_load_explicit(&logger->level, memory_order_relaxed);
}

/* The rest of a line that was written in part follows at once: half a line would
   swallow the next one. */
static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, p, n);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        p += wrote;
        n -= (size_t)wrote;
    }
    return true;
}

/* write() cannot be told not to raise SIGPIPE. It comes to the thread that wrote, so
   block it there, and take away what the write raised, but not what was pending. */
static bool write_without_sigpipe(int fd, const char *p, size_t n)
{
    sigset_t sigpipe, before, pending;
    bool was_pending, ok;
    int error;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &sigpipe, &before) != 0)
        return false;
    sigemptyset(&pending);
    was_pending = sigismember(&before, SIGPIPE) == 1 && sigpending(&pending) == 0 &&
                  sigismember(&pending, SIGPIPE) == 1;
    ok = write_all(fd, p, n);
    error = errno;
    if (!ok && error == EPIPE && !was_pending) {
        int number;

        sigemptyset(&pending);
        if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1)
            sigwait(&sigpipe, &number);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static void deliver(fa_logger *logger, fa_log_record *record)
{
    char line[FA__LOG_LINE_MAX];
    size_t n = fa__log_line(line, record, logger->json);
    bool ok;

    if (logger->fn != NULL) {
        record->line = (fa_slice){line, n - 1};
        logger->fn(logger->ctx, record);
        return;
    }
    ok = logger->may_sigpipe ? write_without_sigpipe(logger->fd, line, n)
                             : write_all(logger->fd, line, n);
    if (!ok)
        atomic_fetch_add_explicit(&logger->lost, 1, memory_order_relaxed);
}

void fa_log(fa_logger *logger, fa_log_level level, const char *source, const char *format,
            ...)
{
    int error = errno;
    char message[FA__LOG_LINE_MAX + 1];
    fa_log_record record;
    va_list args;
    int n;

    if (!fa_log_enabled(logger, level))
        return;
    va_start(args, format);
    n = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (n < 0)
        n = 0; /* an argument that printf() refuses: the line still tells the time */
    if ((size_t)n > sizeof(message) - 1)
        n = sizeof(message) - 1;
    record = (fa_log_record){
        .level = level,
        .time_ms = fa__clock_wall_ms(),
        .source = fa_slice_of(source),
        .message = {message, (size_t)n},
    };
    deliver(logger, &record);
    errno = error;
}
