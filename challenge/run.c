#include "run.h"

#include <errno.h>
#include <signal.h>

#include <fasterapi/error.h>

#include "format.h"
#include "worker.h"

/* Those that a signal must wake; set before the threads start and cleared after. */
static fa__ch_worker *_Atomic live_workers;
static atomic_uint live_worker_count;

void fa__ch_run_interrupt(fa__ch_run *run)
{
    fa__ch_worker *workers = atomic_load(&live_workers);

    atomic_store(&run->stop, true);
    for (unsigned i = 0; workers != NULL && i < atomic_load(&live_worker_count); ++i)
        fa__loop_wake(workers[i].loop);
}

uint64_t fa__ch_run_wait_start(fa__ch_run *run)
{
    uint64_t start_ns;

    pthread_mutex_lock(&run->lock);
    if (++run->arrived == run->options->threads) {
        run->start_ns = run->interval_start_ns = fa__clock_monotonic_ns();
        pthread_cond_broadcast(&run->gate);
    }
    while (run->start_ns == 0)
        pthread_cond_wait(&run->gate, &run->lock);
    start_ns = run->start_ns;
    pthread_mutex_unlock(&run->lock);
    return start_ns;
}

static void progress_line(fa__ch_run *run, uint64_t now_ns)
{
    char done[FA__CH_TEXT], all[FA__CH_TEXT], rate[FA__CH_TEXT], mean[FA__CH_TEXT],
        p99[FA__CH_TEXT];
    uint64_t took_ns = now_ns - run->interval_start_ns;

    (void)fprintf(
        run->out, "%13s / %s  %3u%%  %9s/s  latency mean %8s  p99 %8s\n",
        fa__ch_count_text(done, run->total.count),
        fa__ch_count_text(all, run->options->requests),
        (unsigned)(run->total.count * 100 / run->options->requests),
        fa__ch_count_text(rate, fa__ch_per_second(run->interval.count, took_ns)),
        fa__ch_time_text(mean, fa__ch_histogram_mean(&run->interval)),
        fa__ch_time_text(p99, fa__ch_histogram_at(&run->interval, 990000)));
    (void)fflush(run->out);
}

void fa__ch_run_flush(fa__ch_run *run, fa__ch_histogram *h)
{
    uint64_t now_ns = fa__clock_monotonic_ns();

    pthread_mutex_lock(&run->lock);
    fa__ch_histogram_merge(&run->total, h);
    run->end_ns = now_ns;
    if (run->out != NULL) {
        fa__ch_histogram_merge(&run->interval, h);
        if (run->interval.count >= run->options->progress) {
            progress_line(run, now_ns);
            fa__ch_histogram_init(&run->interval);
            run->interval_start_ns = now_ns;
        }
    }
    pthread_mutex_unlock(&run->lock);
    fa__ch_histogram_init(h);
}

/* Often enough for the progress lines to fall on round numbers, seldom enough for
   the lock and the merge to cost nothing. */
static uint64_t flush_interval(const fa__ch_options *o)
{
    uint64_t n = 1000;

    while (o->progress != 0 && o->progress % n != 0)
        n /= 10;
    return n;
}

static void add_tally(fa__ch_tally *to, const fa__ch_tally *from)
{
    to->acknowledged += from->acknowledged;
    to->refused += from->refused;
    to->lost += from->lost;
    to->unsent += from->unsent;
    to->in_doubt += from->in_doubt;
    to->in_doubt_sum += from->in_doubt_sum;
    to->resent += from->resent;
    to->resets += from->resets;
    to->closed_early += from->closed_early;
    to->timeouts += from->timeouts;
    to->malformed += from->malformed;
    to->connect_failed += from->connect_failed;
    to->connect_timeouts += from->connect_timeouts;
    to->opened += from->opened;
    to->reopened += from->reopened;
    if (to->malformed_error == 0)
        to->malformed_error = from->malformed_error;
    if (to->connect_errno == 0)
        to->connect_errno = from->connect_errno;
    to->run_timed_out |= from->run_timed_out;
    for (unsigned i = 0; i < FA__CH_STATUS_END; ++i)
        to->statuses[i] += from->statuses[i];
}

static void *thread_main(void *arg)
{
    fa__ch_worker_run(arg);
    return NULL;
}

/* The first worker runs here, the others in threads of their own. */
static int run_workers(fa__ch_run *run, fa__ch_worker *workers, pthread_t *threads)
{
    uint32_t n = run->options->threads, started = 1;
    int rv = 0;

    for (; started < n; ++started) {
        int error =
            pthread_create(&threads[started], NULL, thread_main, &workers[started]);

        if (error != 0) {
            errno = error;
            rv = FA_ERR_SYSTEM;
            break;
        }
    }
    if (rv != 0) { /* the rest must not wait at the gate for those that are missing */
        fa__ch_run_interrupt(run);
        pthread_mutex_lock(&run->lock);
        run->arrived += n - started;
        pthread_mutex_unlock(&run->lock);
    }
    fa__ch_worker_run(&workers[0]);
    for (uint32_t i = 1; i < started; ++i)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < started; ++i) {
        add_tally(&run->tally, &workers[i].tally);
        if (rv == 0)
            rv = workers[i].fatal;
    }
    return rv;
}

static int init_workers(fa__ch_run *run, fa__ch_worker *workers)
{
    const fa__ch_options *o = run->options;
    uint32_t n = o->threads;
    uint64_t begin = 0;

    for (uint32_t i = 0; i < n; ++i) {
        uint64_t share = o->requests / n + (i < o->requests % n ? 1 : 0);
        uint32_t conns = o->connections / n + (i < o->connections % n ? 1 : 0);
        int rv = fa__ch_worker_init(&workers[i], run, begin, begin + share, conns);

        if (rv == 0)
            rv = fa__ch_pace_init(&workers[i].pace, workers[i].loop, o->rate, n, i);
        if (rv != 0)
            return rv;
        begin += share;
    }
    return 0;
}

int fa__ch_run_all(fa__ch_run *run)
{
    uint32_t n = run->options->threads;
    fa__ch_worker *workers = fa__calloc(&fa__malloc, n, sizeof(*workers));
    pthread_t *threads = fa__calloc(&fa__malloc, n, sizeof(*threads));
    int rv = FA_ERR_NOMEM;

    if (workers == NULL || threads == NULL)
        goto done;
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->gate, NULL);
    fa__ch_histogram_init(&run->total);
    fa__ch_histogram_init(&run->interval);
    run->flush_every = flush_interval(run->options);
    run->open_ns = fa__clock_monotonic_ns();
    rv = init_workers(run, workers);
    if (rv == 0) {
        atomic_store(&live_worker_count, n);
        atomic_store(&live_workers, workers);
        rv = run_workers(run, workers, threads);
        atomic_store(&live_workers, NULL);
    }
    for (uint32_t i = 0; i < n; ++i) {
        if (workers[i].loop != NULL)
            fa__ch_worker_free(&workers[i]);
    }
    pthread_cond_destroy(&run->gate);
    pthread_mutex_destroy(&run->lock);

done:
    fa__release(&fa__malloc, workers);
    fa__release(&fa__malloc, threads);
    return rv;
}
