#include <string.h>

#include <fasterapi/error.h>
#include <fasterapi/json.h>

#include "format.h"
#include "report.h"

static void put_count(fa_json_writer *w, const char *name, uint64_t n)
{
    (void)fa_json_write_key(w, fa_slice_of(name));
    (void)fa_json_write_uint64(w, n);
}

static void put_double(fa_json_writer *w, const char *name, double v)
{
    (void)fa_json_write_key(w, fa_slice_of(name));
    (void)fa_json_write_double(w, v);
}

static void put_bool(fa_json_writer *w, const char *name, bool v)
{
    (void)fa_json_write_key(w, fa_slice_of(name));
    (void)fa_json_write_bool(w, v);
}

static void put_text(fa_json_writer *w, const char *name, const char *text)
{
    (void)fa_json_write_key(w, fa_slice_of(name));
    (void)fa_json_write_string(w, fa_slice_of(text));
}

static void begin(fa_json_writer *w, const char *name)
{
    (void)fa_json_write_key(w, fa_slice_of(name));
    (void)fa_json_begin_object(w);
}

static void put_options(fa_json_writer *w, const fa__ch_options *o)
{
    begin(w, "options");
    put_count(w, "requests", o->requests);
    put_count(w, "connections", o->connections);
    put_count(w, "users", o->users);
    put_count(w, "values", o->values);
    put_count(w, "pipeline", o->pipeline);
    put_count(w, "rate", o->rate);
    put_count(w, "threads", o->threads);
    put_bool(w, "retry", o->retry);
    (void)fa_json_end_object(w);
}

static void put_latency(fa_json_writer *w, const fa__ch_histogram *h)
{
    begin(w, "latency_us");
    put_double(w, "min", h->count != 0 ? (double)h->min / 1e3 : 0.0);
    put_double(w, "mean", (double)fa__ch_histogram_mean(h) / 1e3);
    put_double(w, "p50", (double)fa__ch_histogram_at(h, 500000) / 1e3);
    put_double(w, "p90", (double)fa__ch_histogram_at(h, 900000) / 1e3);
    put_double(w, "p99", (double)fa__ch_histogram_at(h, 990000) / 1e3);
    put_double(w, "p99.9", (double)fa__ch_histogram_at(h, 999000) / 1e3);
    put_double(w, "max", (double)h->max / 1e3);
    (void)fa_json_end_object(w);
}

static void put_errors(fa_json_writer *w, const fa__ch_options *o, const fa__ch_tally *t)
{
    begin(w, "errors");
    put_count(w, "total", fa__ch_error_count(o, t));
    put_count(w, "connect", t->connect_failed);
    put_count(w, "connect_timeout", t->connect_timeouts);
    put_count(w, "reset", t->resets);
    put_count(w, "closed_early", t->closed_early);
    put_count(w, "timeout", t->timeouts);
    put_count(w, "malformed", t->malformed);
    put_count(w, "refused", t->refused);
    put_bool(w, "run_timeout", t->run_timed_out);
    (void)fa_json_end_object(w);
    begin(w, "statuses");
    for (unsigned i = 0; i < FA__CH_STATUS_END; ++i) {
        char name[FA__CH_TEXT];

        (void)snprintf(name, sizeof(name), "%u", i);
        if (t->statuses[i] != 0)
            put_count(w, name, t->statuses[i]);
    }
    (void)fa_json_end_object(w);
}

static void put_totals(fa_json_writer *w, const fa__ch_result *r)
{
    begin(w, "totals");
    for (unsigned i = 0; i < FA__CH_STATS; ++i) {
        begin(w, fa__ch_stat_names[i]);
        if (i == FA__CH_AVG) {
            put_double(w, "expected", r->verdict->of[i].avg);
        } else {
            put_count(w, "expected", r->verdict->of[i].low);
            if (r->verdict->of[i].high != r->verdict->of[i].low)
                put_count(w, "expected_at_most", r->verdict->of[i].high);
        }
        if (i != FA__CH_AVG && r->after->of[i].is_whole)
            put_count(w, "got", r->after->of[i].whole);
        else if (r->after->of[i].is_number)
            put_double(w, "got", r->after->of[i].number);
        else
            put_text(w, "got", r->after->of[i].text);
        put_bool(w, "ok", r->verdict->of[i].ok);
        (void)fa_json_end_object(w);
    }
    (void)fa_json_end_object(w);
}

int fa__ch_report_json(FILE *out, const fa__ch_result *r)
{
    const fa__ch_run *run = r->run;
    uint64_t took_ns = run->end_ns > run->start_ns ? run->end_ns - run->start_ns : 0;
    uint64_t n = run->total.count;
    fa_json_writer w;
    fa_slice text;
    int rv;

    fa_json_writer_init(&w, NULL);
    (void)fa_json_begin_object(&w);
    put_text(&w, "verdict", r->passed ? "exact" : "failed");
    put_text(&w, "host", run->endpoint->host);
    put_options(&w, r->options);
    put_count(&w, "answered", n);
    put_count(&w, "acknowledged", run->tally.acknowledged);
    put_count(&w, "in_doubt", run->tally.in_doubt);
    put_count(&w, "resent", run->tally.resent);
    put_count(&w, "unanswered", run->tally.lost);
    put_count(&w, "unsent", run->tally.unsent);
    put_count(&w, "opened", run->tally.opened);
    put_count(&w, "reopened", run->tally.reopened);
    put_double(&w, "open_seconds", (double)(run->start_ns - run->open_ns) / 1e9);
    put_double(&w, "seconds", (double)took_ns / 1e9);
    put_double(&w, "per_second", took_ns != 0 ? (double)n * 1e9 / (double)took_ns : 0.0);
    put_double(&w, "client_cpu_us", n != 0 ? r->cpu_seconds * 1e6 / (double)n : 0.0);
    put_latency(&w, &run->total);
    put_errors(&w, r->options, &run->tally);
    if (r->after != NULL)
        put_totals(&w, r);
    else
        put_text(&w, "stats_error", r->why);
    (void)fa_json_end_object(&w);
    rv = fa_json_writer_finish(&text, &w);
    if (rv == 0 &&
        (fwrite(text.p, 1, text.len, out) != text.len || fputc('\n', out) == EOF))
        rv = FA_ERR_SYSTEM;
    fa_json_writer_free(&w);
    return rv;
}
