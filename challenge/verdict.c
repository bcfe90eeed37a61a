#include "verdict.h"

uint64_t fa__ch_error_count(const fa__ch_options *o, const fa__ch_tally *t)
{
    uint64_t passing = t->resets + t->closed_early + t->timeouts + t->connect_failed +
                       t->connect_timeouts;

    return t->refused + t->malformed + (o->retry ? 0 : passing);
}

static bool all_went_well(const fa__ch_options *o, const fa__ch_tally *t)
{
    return fa__ch_error_count(o, t) == 0 && t->acknowledged == o->requests &&
           !t->run_timed_out;
}

/* avg is judged against the server's own totals where they are exact, so that one
   wrong total is not told twice; doubles may differ in the last digits. */
static bool avg_matches(double *expected, const fa__ch_verdict *v,
                        const fa__ch_stats *after)
{
    uint64_t n = v->of[FA__CH_TOTAL_REQUESTS].low, sum = v->of[FA__CH_SUM].low;
    double difference, got = after->of[FA__CH_AVG].number;

    if (v->of[FA__CH_TOTAL_REQUESTS].ok && v->of[FA__CH_SUM].ok) {
        n = after->of[FA__CH_TOTAL_REQUESTS].whole;
        sum = after->of[FA__CH_SUM].whole;
    }
    *expected = n != 0 ? (double)sum / (double)n : 0.0;
    difference = got < *expected ? *expected - got : got - *expected;
    return after->of[FA__CH_AVG].is_number && difference <= *expected * 1e-9;
}

fa__ch_verdict fa__ch_judge(const fa__ch_options *o, const fa__ch_tally *t,
                            const fa__ch_stats *before, const fa__ch_stats *after)
{
    fa__ch_totals sent = fa__ch_totals_of(o->requests, o->users, o->values);
    fa__ch_verdict v = {.no_errors = all_went_well(o, t)};
    /* Sent again, an event may have been counted twice. */
    uint64_t extra = o->retry ? t->in_doubt : 0,
             extra_sum = o->retry ? t->in_doubt_sum : 0;

    v.of[FA__CH_TOTAL_REQUESTS].low = sent.requests;
    v.of[FA__CH_UNIQUE_USERS].low = v.of[FA__CH_UNIQUE_USERS].high = sent.users;
    v.of[FA__CH_SUM].low = sent.sum;
    if (before != NULL) {
        uint64_t users = before->of[FA__CH_UNIQUE_USERS].whole;

        v.of[FA__CH_TOTAL_REQUESTS].low += before->of[FA__CH_TOTAL_REQUESTS].whole;
        v.of[FA__CH_SUM].low += before->of[FA__CH_SUM].whole;
        /* Any of them may or may not be ours. */
        v.of[FA__CH_UNIQUE_USERS].high += users;
        if (users > v.of[FA__CH_UNIQUE_USERS].low)
            v.of[FA__CH_UNIQUE_USERS].low = users;
    }
    v.of[FA__CH_TOTAL_REQUESTS].high = v.of[FA__CH_TOTAL_REQUESTS].low + extra;
    v.of[FA__CH_SUM].high = v.of[FA__CH_SUM].low + extra_sum;
    v.totals_exact = true;
    for (unsigned i = 0; i < FA__CH_AVG; ++i) {
        v.of[i].ok = after->of[i].is_whole && after->of[i].whole >= v.of[i].low &&
                     after->of[i].whole <= v.of[i].high;
        v.totals_exact &= v.of[i].ok;
    }
    v.of[FA__CH_AVG].ok = avg_matches(&v.of[FA__CH_AVG].avg, &v, after);
    v.totals_exact &= v.of[FA__CH_AVG].ok;
    return v;
}
