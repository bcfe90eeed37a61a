#include "report.h"

#include <string.h>

#include <fasterapi/error.h>

#include "format.h"

static void latency_line(FILE *out, const fa__ch_histogram *h)
{
    static const struct {
        const char *name;
        uint32_t parts;
    } points[] = {{"p50", 500000},
                  {"p90", 900000},
                  {"p99", 990000},
                  {"p99.9", 999000},
                  {"max", 1000000}};
    char text[FA__CH_TEXT];

    (void)fprintf(out, "Latency    min %s", fa__ch_time_text(text, h->min));
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); ++i)
        (void)fprintf(out, "   %s %s", points[i].name,
                      fa__ch_time_text(text, fa__ch_histogram_at(h, points[i].parts)));
    (void)fprintf(out, "   mean %s\n", fa__ch_time_text(text, fa__ch_histogram_mean(h)));
}

/* 1, 2, 5, 10, 20, 50 ... ns: the ends of the rows. */
static uint64_t next_edge(uint64_t edge)
{
    uint64_t decade = 1;

    while (edge / decade >= 10)
        decade *= 10;
    return edge / decade == 2 ? 5 * decade : 2 * edge;
}

static void bar(FILE *out, uint64_t n, uint64_t most)
{
    enum { WIDTH = 40 };
    uint64_t length = (uint64_t)((double)n * WIDTH / (double)most + 0.5);

    if (length == 0 && n > 0)
        length = 1; /* an outlier shall be seen */
    if (length > 0)
        (void)fputc(' ', out);
    for (uint64_t i = 0; i < length; ++i)
        (void)fputc('#', out);
}

static void chart(FILE *out, const fa__ch_histogram *h)
{
    uint64_t first = 1, most = 1;

    while (next_edge(first) <= h->min)
        first = next_edge(first);
    for (uint64_t from = first; from <= h->max; from = next_edge(from)) {
        uint64_t n =
            fa__ch_histogram_below(h, next_edge(from)) - fa__ch_histogram_below(h, from);

        most = n > most ? n : most;
    }
    for (uint64_t from = first; from <= h->max; from = next_edge(from)) {
        uint64_t to = next_edge(from);
        uint64_t n = fa__ch_histogram_below(h, to) - fa__ch_histogram_below(h, from);
        char text[FA__CH_TEXT], count[FA__CH_TEXT];

        (void)fprintf(out, "  < %-8s %12s %6.2f%%", fa__ch_time_text(text, to),
                      fa__ch_count_text(count, n), (double)n * 100.0 / (double)h->count);
        bar(out, n, most);
        (void)fputc('\n', out);
    }
}

static void error_line(FILE *out, const char *what, uint64_t n, const char *detail)
{
    char count[FA__CH_TEXT];

    if (n != 0)
        (void)fprintf(out, "  %-22s %12s%s%s\n", what, fa__ch_count_text(count, n),
                      *detail != '\0' ? "   first: " : "", detail);
}

static bool any_trouble(const fa__ch_tally *t)
{
    return (t->refused | t->lost | t->unsent | t->in_doubt | t->resets | t->closed_early |
            t->timeouts | t->malformed | t->connect_failed | t->connect_timeouts) != 0 ||
           t->run_timed_out;
}

static void errors(FILE *out, const fa__ch_tally *t)
{
    if (!any_trouble(t)) {
        (void)fputs("Errors     none\n", out);
        return;
    }
    (void)fputs("Errors\n", out);
    error_line(out, "connect failed", t->connect_failed,
               t->connect_errno != 0 ? strerror(t->connect_errno) : "");
    error_line(out, "connect timeout", t->connect_timeouts, "");
    error_line(out, "reset", t->resets, "");
    error_line(out, "closed early", t->closed_early, "");
    error_line(out, "reply timeout", t->timeouts, "");
    error_line(out, "malformed reply", t->malformed,
               t->malformed_error != 0 ? fa_strerror(t->malformed_error) : "");
    for (unsigned i = 0; i < FA__CH_STATUS_END; ++i) {
        char what[FA__CH_TEXT];

        (void)snprintf(what, sizeof(what), "status %u", i);
        if (i / 100 != 2)
            error_line(out, what, t->statuses[i], "");
    }
    error_line(out, "in doubt", t->in_doubt, "");
    error_line(out, "sent again", t->resent, "");
    error_line(out, "requests unanswered", t->lost, "");
    error_line(out, "requests not sent", t->unsent, "");
    if (t->run_timed_out)
        (void)fputs("  the run took longer than --run-timeout\n", out);
}

void fa__ch_report_run(FILE *out, const fa__ch_result *r)
{
    const fa__ch_run *run = r->run;
    uint64_t took_ns = run->end_ns > run->start_ns ? run->end_ns - run->start_ns : 0;
    char a[FA__CH_TEXT], b[FA__CH_TEXT], c[FA__CH_TEXT], d[FA__CH_TEXT];

    (void)fprintf(out, "\nOpened     %s connections in %s",
                  fa__ch_count_text(a, run->tally.opened),
                  fa__ch_time_text(b, run->start_ns - run->open_ns));
    if (run->tally.reopened != 0)
        (void)fprintf(out, ", %s of them after the server had closed",
                      fa__ch_count_text(c, run->tally.reopened));
    (void)fprintf(out, "\nAnswered   %s of %s in %s, %s/s\n",
                  fa__ch_count_text(a, run->total.count),
                  fa__ch_count_text(b, r->options->requests),
                  fa__ch_time_text(c, took_ns),
                  fa__ch_count_text(d, fa__ch_per_second(run->total.count, took_ns)));
    if (run->total.count != 0) {
        (void)fprintf(out, "Client     %.2f us of CPU a request\n",
                      r->cpu_seconds * 1e6 / (double)run->total.count);
        latency_line(out, &run->total);
        if (r->options->rate != 0)
            (void)fputs(
                "           counted from when each request was due, so that a stalled "
                "server\n           cannot hide the waiting behind it (coordinated "
                "omission)\n",
                out);
        chart(out, &run->total);
    }
    errors(out, &run->tally);
}

static void expected_text(char text[96], const fa__ch_verdict *v, unsigned i)
{
    char low[FA__CH_TEXT], high[FA__CH_TEXT];

    if (i == FA__CH_AVG)
        (void)snprintf(text, 96, "%.10g", v->of[i].avg);
    else if (v->of[i].low == v->of[i].high)
        (void)snprintf(text, 96, "%s", fa__ch_count_text(low, v->of[i].low));
    else
        (void)snprintf(text, 96, "%s to %s", fa__ch_count_text(low, v->of[i].low),
                       fa__ch_count_text(high, v->of[i].high));
}

static void table(FILE *out, const fa__ch_result *r)
{
    (void)fprintf(out, "\n%-14s %26s %26s\n", "", "expected", "got");
    for (unsigned i = 0; i < FA__CH_STATS; ++i) {
        char expected[96], got[FA__CH_TEXT];
        bool whole = i != FA__CH_AVG && r->after->of[i].is_whole;

        expected_text(expected, r->verdict, i);
        (void)fprintf(out, "%-14s %26s %26s  %s\n", fa__ch_stat_names[i], expected,
                      whole ? fa__ch_count_text(got, r->after->of[i].whole)
                            : r->after->of[i].text,
                      r->verdict->of[i].ok ? "ok" : "DIFFERS");
    }
}

static void sentence_part(FILE *out, const char *what, uint64_t n)
{
    char count[FA__CH_TEXT];

    if (n != 0)
        (void)fprintf(out, ", %s: %s", what, fa__ch_count_text(count, n));
}

void fa__ch_report_verdict(FILE *out, const fa__ch_result *r)
{
    uint64_t n = fa__ch_error_count(r->options, &r->run->tally);

    if (r->after == NULL) {
        (void)fprintf(out,
                      "\nVerdict    FAILED: the totals could not be read from %s: %s\n",
                      r->options->stats_path, r->why);
        return;
    }
    if (!r->options->quiet)
        table(out, r);
    if (r->passed) {
        (void)fputs("\nVerdict    EXACT: every total matches and no error occurred\n",
                    out);
        return;
    }
    (void)fprintf(out, "\nVerdict    FAILED: %s",
                  r->verdict->totals_exact ? "every total matches" : "the totals differ");
    sentence_part(out, "errors", n);
    sentence_part(out, "requests unanswered", r->run->tally.lost);
    sentence_part(out, "not sent", r->run->tally.unsent);
    (void)fputc('\n', out);
    if (r->before == NULL && n == 0 && r->after->of[FA__CH_TOTAL_REQUESTS].is_whole &&
        r->after->of[FA__CH_TOTAL_REQUESTS].whole > r->options->requests)
        (void)fputs(
            "           the server had counted before: restart it, or use --baseline\n",
            out);
}
