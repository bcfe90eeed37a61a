/* What a micro benchmark sees: a function does its work `b->n` times, sets
   `b->bytes` to the bytes it went through, and sinks its results so that the
   compiler cannot drop the work. bench/micro.c repeats it and prints the spread. */
#ifndef FA_BENCH_MICRO_H
#define FA_BENCH_MICRO_H

#include <stdint.h>

typedef struct fa__bench {
    uint64_t n;     /* iterations to do; set by the runner */
    uint64_t bytes; /* bytes processed in all of them; 0: not meaningful */
} fa__bench;

static inline void fa__bench_sink(const void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

/* Each benchmark file defines one such table, ended by a NULL name; bench/micro.c
   lists the tables. */
typedef struct fa__bench_case {
    const char *name; /* "http1/parse GET, 9 fields" */
    void (*run)(fa__bench *b);
    double limit_ns; /* the figure it is held to, 0: none */
} fa__bench_case;

extern const fa__bench_case fa__bench_http1[];
extern const fa__bench_case fa__bench_json[];
extern const fa__bench_case fa__bench_route[];
extern const fa__bench_case fa__bench_response[];
extern const fa__bench_case fa__bench_websocket[];

#endif
