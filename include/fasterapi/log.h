/** Logging: leveled lines to a descriptor or to the program's own function. */
#ifndef FASTERAPI_LOG_H
#define FASTERAPI_LOG_H

#include <stdint.h>

#include <fasterapi/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fa_log_level {
    FA_LOG_DEBUG = 1,
    FA_LOG_INFO,
    FA_LOG_WARNING,
    FA_LOG_ERROR,
    FA_LOG_OFF, /* as a logger's level: nothing is logged */
} fa_log_level;

/**
 * Takes messages from any thread and hands each on as one line of at most 4096 bytes;
 * what is longer is cut and ends in "...". Whatever a message contains, its line is
 * one line of valid UTF-8: control characters, invalid bytes, and the Unicode
 * characters that break or reorder lines are written as escapes.
 *
 * Text:  2026-01-31 03:16:30.831 [INFO] [Server] listening on port 8000
 * JSON:  {"time":"2026-01-31T03:16:30.831+01:00","level":"INFO","source":"Server",
 *         "message":"listening on port 8000"}   (in one line)
 *
 * Times are local, in the time zone (TZ, /etc/localtime) that the process had when
 * it made its first logger; daylight saving is followed.
 */
typedef struct fa_logger fa_logger;

/** One message, borrowed until the function that is given it returns. */
typedef struct fa_log_record {
    fa_log_level level;
    int64_t time_ms;  /* since 1970-01-01 UTC */
    fa_slice source;  /* as it came */
    fa_slice message; /* as it came, perhaps cut */
    fa_slice line;    /* the whole line as a descriptor would get it, without newline */
} fa_log_record;

/**
 * Receives the messages of a logger instead of a descriptor.
 *
 * Threads: called on the thread that logs, and so perhaps on several at once.
 */
typedef void fa_log_fn(void *ctx, const fa_log_record *record);

/** All zero is a fine default. */
typedef struct fa_log_options {
    const fa_allocator *alloc; /* copied; NULL: malloc() */
    fa_log_level level;        /* the lowest that is logged; 0: FA_LOG_INFO */
    bool json;                 /* JSON lines rather than text */
    int fd;                    /* borrowed, never closed; 0: standard error */
    fa_log_fn *fn;             /* called instead of writing to `fd` */
    void *ctx;                 /* for `fn`; borrowed */
} fa_log_options;

/** `options` may be NULL. Returns 0, FA_ERR_INVALID for an unknown level or a negative
    `fd`, or FA_ERR_NOMEM. */
FA_API int fa_logger_new(fa_logger **out, const fa_log_options *options);

/** No thread may be logging to it. NULL does nothing. */
FA_API void fa_logger_del(fa_logger *logger);

/** Any thread. FA_LOG_DEBUG to FA_LOG_OFF; other values are ignored. */
FA_API void fa_logger_set_level(fa_logger *logger, fa_log_level level);

/** Lines that the descriptor did not take, or not wholly: it is full and
    non-blocking, closed, or its disk is full. Logging goes on regardless. */
FA_API uint64_t fa_logger_lost(const fa_logger *logger);

/** A message of that level would be logged: for callers whose arguments cost much. */
FA_API bool fa_log_enabled(const fa_logger *logger, fa_log_level level);

/**
 * Logs one message formatted as by printf(); when `level` is below the logger's,
 * returns before formatting. A NULL `logger` logs nothing. `source` names the part
 * of the program that speaks: "Server".
 *
 * One write(2) a line, without a lock. errno is left as it was; SIGPIPE is not raised.
 * Threads: any. Not from signal handlers.
 */
FA_API void fa_log(fa_logger *logger, fa_log_level level, const char *source,
                   const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;

#ifdef __cplusplus
}
#endif
#endif
