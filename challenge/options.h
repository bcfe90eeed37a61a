/* What the command line asks for. */
#ifndef FA_CHALLENGE_OPTIONS_H
#define FA_CHALLENGE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Exit codes, as --help tells them. */
enum {
    FA__CH_EXIT_EXACT = 0,
    FA__CH_EXIT_DIFFERS = 1, /* a total differs, or an error occurred */
    FA__CH_EXIT_USAGE = 2,
    FA__CH_EXIT_NO_SERVER = 3, /* nothing could be connected to */
};

typedef enum fa__ch_before {
    FA__CH_BEFORE_UNREAD, /* the server is taken to start from zero */
    FA__CH_BEFORE_FRESH,  /* /stats is read first and must say zero */
    FA__CH_BEFORE_TAKEN,  /* /stats is read first and taken off */
} fa__ch_before;

typedef struct fa__ch_options {
    const char *url;             /* http://127.0.0.1:8000 */
    const char *path;            /* /event */
    const char *stats_path;      /* /stats */
    uint64_t requests;           /* 1,000,000 */
    uint64_t users;              /* 75,000 */
    uint64_t values;             /* 1,000 */
    uint64_t rate;               /* requests a second, 0: as fast as answers come; 0 */
    uint64_t progress;           /* a line every so many answers, 0: none; 100,000 */
    uint32_t connections;        /* 1,000 */
    uint32_t pipeline;           /* requests in flight on one connection; 1 */
    uint32_t threads;            /* 1 */
    uint32_t connect_timeout_ms; /* 5,000 */
    uint32_t reply_timeout_ms;   /* 10,000 */
    uint32_t run_timeout_ms;     /* 0: none */
    fa__ch_before before;
    bool retry;
    bool json;
    bool quiet;
} fa__ch_options;

/* Strings are borrowed from `argv`. Returns true when there is something to run;
   otherwise the program has said why, and is to end with `*exit_code`. */
bool fa__ch_options_parse(fa__ch_options *out, int *exit_code, int argc, char **argv);

#endif
