#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <fasterapi/error.h>

#include "format.h"
#include "fetch.h"
#include "report.h"

static fa__ch_run *interruptible;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    fa__ch_run_interrupt(interruptible);
}

static int fail(int exit_code, const char *what, const char *detail)
{
    (void)fprintf(stderr, "fasterapi-challenge: %s: %s\n", what, detail);
    return exit_code;
}

/* Descriptors for all connections, and a few for the loops and the terminal. */
static int raise_file_limit(const fa__ch_options *o)
{
    rlim_t need = (rlim_t)o->connections + 8 * (rlim_t)o->threads + 32;
    struct rlimit limit;
    char text[160];

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
        return 0;
    if (limit.rlim_max < need) {
        struct rlimit higher = {need, need}; /* root may */

        if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
            return 0;
        (void)snprintf(
            text, sizeof(text),
            "%u connections need %llu descriptors, and the limit is %llu (ulimit -Hn)",
            o->connections, (unsigned long long)need, (unsigned long long)limit.rlim_max);
        return fail(FA__CH_EXIT_USAGE, "too many connections", text);
    }
    limit.rlim_cur = need;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return fail(FA__CH_EXIT_USAGE, "cannot raise the limit of descriptors",
                    strerror(errno));
    return 0;
}

/* Reads the totals before the load where that was asked for. Returns an exit code. */
static int read_before(fa__ch_stats *before, const fa__ch_options *o,
                       const fa__ch_endpoint *e)
{
    char why[160];

    if (o->before == FA__CH_BEFORE_UNREAD)
        return 0;
    if (fa__ch_stats_get(before, why, e, o) != 0)
        return fail(FA__CH_EXIT_DIFFERS, "cannot read the totals before the run", why);
    for (unsigned i = 0; i < FA__CH_AVG; ++i) {
        if (!before->of[i].is_whole || before->of[i].whole > INT64_MAX / 4)
            return fail(FA__CH_EXIT_DIFFERS,
                        "cannot start from these totals, no whole number",
                        fa__ch_stat_names[i]);
        if (o->before == FA__CH_BEFORE_FRESH && before->of[i].whole != 0)
            return fail(FA__CH_EXIT_DIFFERS,
                        "the server has counted before (--expect-fresh)",
                        fa__ch_stat_names[i]);
    }
    return 0;
}

static double cpu_seconds(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0.0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Reads the totals, reports, and returns the exit code. */
static int judge(fa__ch_run *run, const fa__ch_stats *before, double cpu, FILE *out)
{
    const fa__ch_options *o = run->options;
    fa__ch_result result = {
        .options = o, .run = run, .before = before, .cpu_seconds = cpu};
    fa__ch_stats after;
    fa__ch_verdict verdict;
    char why[160];

    if (!o->quiet)
        fa__ch_report_run(out, &result);
    if (fa__ch_stats_get(&after, why, run->endpoint, o) == 0) {
        verdict = fa__ch_judge(o, &run->tally, before, &after);
        result.after = &after;
        result.verdict = &verdict;
        result.passed = verdict.totals_exact && verdict.no_errors;
    } else {
        result.why = why;
    }
    fa__ch_report_verdict(out, &result);
    if (o->json) {
        int rv = fa__ch_report_json(stdout, &result);

        if (rv != 0)
            return fail(FA__CH_EXIT_DIFFERS, "cannot write the result", fa_strerror(rv));
    }
    if (fflush(stdout) != 0)
        return fail(FA__CH_EXIT_DIFFERS, "cannot write the result", strerror(errno));
    return result.passed ? FA__CH_EXIT_EXACT : FA__CH_EXIT_DIFFERS;
}

static void announce(FILE *out, const fa__ch_options *o)
{
    char requests[FA__CH_TEXT], users[FA__CH_TEXT], conns[FA__CH_TEXT], rate[FA__CH_TEXT];

    (void)fprintf(out, "%s events of %s users to %s%s, %s connections",
                  fa__ch_count_text(requests, o->requests),
                  fa__ch_count_text(users, o->users), o->url, o->path,
                  fa__ch_count_text(conns, o->connections));
    if (o->pipeline > 1)
        (void)fprintf(out, ", %u in flight on each", o->pipeline);
    if (o->threads > 1)
        (void)fprintf(out, ", %u threads", o->threads);
    if (o->rate != 0)
        (void)fprintf(out, ", %s/s", fa__ch_count_text(rate, o->rate));
    (void)fputs("\n", out);
    (void)fflush(out);
}

/* Everything between the options and the report. */
static int run_load(fa__ch_run *run, const fa__ch_options *o, fa__ch_endpoint *e,
                    FILE *out)
{
    struct sigaction on_signal = {.sa_handler = on_interrupt,
                                  .sa_flags = (int)SA_RESETHAND};
    fa__ch_workload workload;
    fa__ch_stats before;
    double cpu_before;
    int rv;

    if (fa__ch_probe(e, o) != 0)
        return fail(FA__CH_EXIT_NO_SERVER, o->url, strerror(errno));
    rv = read_before(&before, o, e);
    if (rv != 0)
        return rv;
    if (fa__ch_workload_init(&workload, &fa__malloc, o->path, e->host, o->users,
                             o->values) != 0)
        return fail(FA__CH_EXIT_DIFFERS, "cannot start", fa_strerror(FA_ERR_NOMEM));
    if (!o->quiet)
        announce(out, o);
    run->options = o;
    run->endpoint = e;
    run->workload = &workload;
    run->out = o->quiet || o->progress == 0 ? NULL : out;
    interruptible = run;
    (void)sigaction(SIGINT, &on_signal, NULL);
    (void)sigaction(SIGTERM, &on_signal, NULL);
    cpu_before = cpu_seconds();
    rv = fa__ch_run_all(run);
    fa__ch_workload_free(&workload);
    if (rv != 0)
        return fail(FA__CH_EXIT_DIFFERS, "the run broke off",
                    rv == FA_ERR_SYSTEM ? strerror(errno) : fa_strerror(rv));
    if (run->tally.opened == 0)
        return fail(FA__CH_EXIT_NO_SERVER, o->url,
                    strerror(run->tally.connect_errno != 0 ? run->tally.connect_errno
                                                           : ETIMEDOUT));
    return judge(run, o->before != FA__CH_BEFORE_UNREAD ? &before : NULL,
                 cpu_seconds() - cpu_before, out);
}

int main(int argc, char **argv)
{
    fa__ch_options options;
    fa__ch_endpoint endpoint;
    fa__ch_run *run;
    const char *why;
    FILE *out;
    int exit_code;

    if (!fa__ch_options_parse(&options, &exit_code, argc, argv))
        return exit_code;
    if (fa__ch_endpoint_parse(&endpoint, options.url, &why) != 0)
        return fail(FA__CH_EXIT_USAGE, options.url, why);
    exit_code = raise_file_limit(&options);
    if (exit_code != 0)
        return exit_code;
    run = fa__calloc(&fa__malloc, 1, sizeof(*run));
    if (run == NULL)
        return fail(FA__CH_EXIT_DIFFERS, "cannot start", fa_strerror(FA_ERR_NOMEM));
    out = options.json ? stderr : stdout;
    exit_code = run_load(run, &options, &endpoint, out);
    fa__release(&fa__malloc, run);
    return exit_code;
}
