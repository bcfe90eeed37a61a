/* The runner of the micro benchmarks: measures each case of the tables in bench/micro/
   and prints the spread of nanoseconds per operation, beside the figure it is held to. */
#include "micro.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commit.h"

enum {
    REPETITIONS_MIN = 15,
    REPETITIONS_MAX = 999,
};

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

typedef struct options {
    const char *filter; /* cases whose name contains it; NULL: all */
    uint64_t span_ns;   /* length of one repetition */
    int repetitions;
    int core; /* -1: the last one we may use */
    bool json;
    bool list;
    bool check; /* a missed limit is a failure */
} options;

typedef struct result {
    const fa__bench_case *c;
    uint64_t n; /* operations in a repetition */
    double min_ns, median_ns, max_ns;
    double mb_per_s; /* of the median; 0: not meaningful */
} result;

static const fa__bench_case *const tables[] = {
    fa__bench_http1, fa__bench_response,  fa__bench_route,
    fa__bench_json,  fa__bench_websocket, NULL,
};

/* CPU time of this thread: what other processes take of the core is not ours. */
static uint64_t cpu_ns(void)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) != 0)
        abort(); /* Linux always has it */
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t time_run(const fa__bench_case *c, fa__bench *b)
{
    uint64_t start = cpu_ns();

    b->bytes = 0;
    c->run(b);
    return cpu_ns() - start;
}

/* How many operations fill `span_ns`. The growing runs also warm caches, branch
   predictors and the core's clock up. */
static uint64_t calibrate(const fa__bench_case *c, uint64_t span_ns)
{
    fa__bench b = {.n = 1};

    for (;;) {
        uint64_t ns = time_run(c, &b);

        if (ns >= span_ns / 2) {
            double n = (double)b.n * (double)span_ns / (double)ns;

            return n < 1 ? 1 : (uint64_t)n;
        }
        if (b.n > UINT64_MAX / 4)
            return b.n; /* the work was optimised away: the figure will show it */
        b.n *= ns < span_ns / 16 ? 4 : 2;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static result measure(const fa__bench_case *c, const options *o)
{
    double ns[REPETITIONS_MAX];
    size_t count = (size_t)o->repetitions;
    fa__bench b = {.n = calibrate(c, o->span_ns)};
    result r = {.c = c, .n = b.n};

    for (size_t i = 0; i < count; ++i)
        ns[i] = (double)time_run(c, &b) / (double)b.n;
    qsort(ns, count, sizeof(*ns), by_value);
    r.min_ns = ns[0];
    r.median_ns =
        count % 2 != 0 ? ns[count / 2] : (ns[count / 2 - 1] + ns[count / 2]) / 2;
    r.max_ns = ns[count - 1];
    if (b.bytes != 0)
        r.mb_per_s = (double)b.bytes / (double)b.n / r.median_ns * 1e3;
    return r;
}

static bool limit_met(const result *r)
{
    return r->c->limit_ns <= 0 || r->median_ns <= r->c->limit_ns;
}

/* Stays on one core: a move between cores costs more than most cases last. Returns
   the core, or -1 when it cannot be pinned, which widens the spread only. */
static int pin(int core)
{
    cpu_set_t set;

    if (core < 0) {
        if (sched_getaffinity(0, sizeof(set), &set) != 0)
            return -1;
        for (int i = 0; i < CPU_SETSIZE; ++i)
            if (CPU_ISSET((size_t)i, &set))
                core = i;
    }
    if (core < 0 || core >= CPU_SETSIZE)
        return -1;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    return sched_setaffinity(0, sizeof(set), &set) == 0 ? core : -1;
}

static void cpu_model(char *out, size_t size)
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[256];

    snprintf(out, size, "unknown");
    if (f == NULL)
        return;
    while (fgets(line, sizeof(line), f) != NULL) {
        char *colon = strchr(line, ':');

        if (colon != NULL && strncmp(line, "model name", 10) == 0) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(out, size, "%s", colon + 1 + strspn(colon + 1, " "));
            break;
        }
    }
    (void)fclose(f);
}

/* Case names and CPU models hold no control characters; quotes they may. */
static void print_json_string(const char *s)
{
    putchar('"');
    for (; *s != '\0'; ++s) {
        if (*s == '"' || *s == '\\')
            putchar('\\');
        putchar(*s);
    }
    putchar('"');
}

static void print_method(const options *o, int core)
{
    char cpu[256];

    cpu_model(cpu, sizeof(cpu));
    if (o->json) {
        printf("{\"cpu\":");
        print_json_string(cpu);
        printf(",\"core\":%d,\"compiler\":", core);
        print_json_string(COMPILER);
        printf(",\"commit\":\"%s\",\"repetitions\":%d,\"span_ms\":%.1f,\"cases\":[",
               FA_BENCH_COMMIT, o->repetitions, (double)o->span_ns / 1e6);
        return;
    }
    printf("CPU       %s, ", cpu);
    if (core >= 0)
        printf("pinned to core %d\n", core);
    else
        printf("not pinned: expect a wide spread\n");
    printf("compiler  %s\n", COMPILER);
    printf("commit    %s\n", FA_BENCH_COMMIT);
    printf(
        "method    %d repetitions of about %.0f ms each after a warm-up; ns of CPU time\n"
        "          per operation; the limit is held against the median\n\n",
        o->repetitions, (double)o->span_ns / 1e6);
#ifndef NDEBUG
    printf("warning: assertions are on; measure a build made by `make bench`\n\n");
#endif
    printf("%-52s %9s %9s %9s %8s %7s\n", "case", "min", "median", "max", "MB/s",
           "limit");
}

static void print_result(const options *o, const result *r, bool first)
{
    if (o->json) {
        printf("%s\n{\"name\":", first ? "" : ",");
        print_json_string(r->c->name);
        printf(",\"n\":%llu,\"min_ns\":%.2f,\"median_ns\":%.2f,\"max_ns\":%.2f"
               ",\"mb_per_s\":%.1f,\"limit_ns\":%.1f,\"met\":%s}",
               (unsigned long long)r->n, r->min_ns, r->median_ns, r->max_ns, r->mb_per_s,
               r->c->limit_ns, limit_met(r) ? "true" : "false");
        return;
    }
    printf("%-52s %9.1f %9.1f %9.1f ", r->c->name, r->min_ns, r->median_ns, r->max_ns);
    if (r->mb_per_s > 0)
        printf("%8.0f ", r->mb_per_s);
    else
        printf("%8s ", "-");
    if (r->c->limit_ns > 0)
        printf("%7.0f %s\n", r->c->limit_ns, limit_met(r) ? "met" : "MISSED");
    else
        printf("%7s\n", "-");
    (void)fflush(stdout);
}

static void print_usage(FILE *f)
{
    fprintf(f, "usage: micro [options]\n"
               "Measures the hot functions one by one.\n\n"
               "  --filter TEXT     only cases whose name contains TEXT\n"
               "  --repetitions N   measured runs of each case (15 to 999; default 21)\n"
               "  --span MS         length of one run (1 to 10000; default 20)\n"
               "  --core N          the core to run on (default: the last one allowed)\n"
               "  --check           exit 1 when a limit is missed\n"
               "  --json            one JSON object instead of the table\n"
               "  --list            print the names of the cases and stop\n"
               "  --help            this text\n\n"
               "example: micro --filter http1/ --repetitions 51\n");
}

/* Returns 0 and sets `*out` only for a whole decimal number in the range. */
static int parse_int(int *out, const char *text, int min, int max)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || v < min || v > max)
        return -1;
    *out = (int)v;
    return 0;
}

/* Returns -1 to go on, else the exit status. */
static int parse_options(options *o, int argc, char **argv)
{
    static const struct option names[] = {
        {"filter", required_argument, NULL, 'f'},
        {"repetitions", required_argument, NULL, 'r'},
        {"span", required_argument, NULL, 's'},
        {"core", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"json", no_argument, NULL, 'j'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c, span_ms = 20, rv = 0;

    while (rv == 0 && (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 'f': o->filter = optarg; break;
        case 'r':
            rv = parse_int(&o->repetitions, optarg, REPETITIONS_MIN, REPETITIONS_MAX);
            break;
        case 's': rv = parse_int(&span_ms, optarg, 1, 10000); break;
        case 'c': rv = parse_int(&o->core, optarg, 0, CPU_SETSIZE - 1); break;
        case 'k': o->check = true; break;
        case 'j': o->json = true; break;
        case 'l': o->list = true; break;
        case 'h': print_usage(stdout); return 0;
        default: return 2; /* getopt_long() has said why */
        }
    }
    if (rv != 0) {
        fprintf(stderr, "micro: '%s' is not a number in range; see micro --help\n",
                optarg);
        return 2;
    }
    if (optind != argc) {
        fprintf(stderr, "micro: unexpected '%s'; see micro --help\n", argv[optind]);
        return 2;
    }
    o->span_ns = (uint64_t)span_ms * 1000000;
    return -1;
}

int main(int argc, char **argv)
{
    options o = {.repetitions = 21, .core = -1};
    size_t ran = 0, missed = 0;
    int status = parse_options(&o, argc, argv);

    if (status >= 0)
        return status;
    if (!o.list)
        print_method(&o, pin(o.core));
    for (size_t t = 0; tables[t] != NULL; ++t) {
        for (const fa__bench_case *c = tables[t]; c->name != NULL; ++c) {
            if (o.filter != NULL && strstr(c->name, o.filter) == NULL)
                continue;
            if (o.list) {
                puts(c->name);
            } else {
                result r = measure(c, &o);

                print_result(&o, &r, ran == 0);
                missed += limit_met(&r) ? 0 : 1;
            }
            ++ran;
        }
    }
    if (o.json && !o.list)
        printf("\n]}\n");
    if (ran == 0) {
        fprintf(stderr, "micro: no case matches\n");
        return 2;
    }
    if (!o.json && !o.list)
        printf("\n%zu cases, limits missed: %zu\n", ran, missed);
    return o.check && missed != 0 ? 1 : 0;
}
