/* The server that the tests of limits, faults and life start as a process of its own.

   Any field of fa_limits is set with --limit NAME=VALUE. Says "ready PORT" on standard
   output when it listens, and at its end what fa_server_run() returned. */
#include <fasterapi/server.h>

#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- answers from other threads ---- */

typedef struct job {
    struct job *next;
    fa_deferred *deferred;
    int64_t due_ms;
} job;

static struct {
    pthread_mutex_t mutex;
    job *first;
    atomic_bool stop;
    fa_server *server;
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&pause, NULL);
}

static void answer_later(fa_request *req, void *user_data)
{
    (void)user_data;
    if (req != NULL)
        (void)fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("later"));
}

static job *take_due(void)
{
    job **at = &pool.first, *j;

    pthread_mutex_lock(&pool.mutex);
    while (*at != NULL && (*at)->due_ms > now_ms())
        at = &(*at)->next;
    j = *at;
    if (j != NULL)
        *at = j->next;
    pthread_mutex_unlock(&pool.mutex);
    return j;
}

static void *answer_due(void *arg)
{
    (void)arg;
    while (!atomic_load(&pool.stop)) {
        job *j = take_due();

        if (j == NULL) {
            sleep_ms(1);
            continue;
        }
        (void)fa_deferred_run(j->deferred, answer_later, NULL);
        fa_deferred_release(j->deferred);
        free(j);
    }
    return NULL;
}

/* The counters may be read while all else goes on. */
static void *watch_counters(void *arg)
{
    fa_counters n;

    (void)arg;
    while (!atomic_load(&pool.stop)) {
        fa_server_counters(pool.server, &n);
        sleep_ms(1);
    }
    return NULL;
}

/* ---- handlers ---- */

static int64_t query_number(fa_request *req, fa_slice name, int64_t otherwise)
{
    fa_slice text;
    int64_t n = 0;

    if (fa_request_query_value(req, name, &text) != 1)
        return otherwise;
    for (size_t i = 0; i < text.len && i < 18; ++i)
        n = n * 10 + (text.p[i] - '0');
    return n;
}

static int plain(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond(req, 200, FA_SLICE("text/plain"), FA_SLICE("ok"));
}

static int deferred(fa_request *req, void *user_data)
{
    job *j = malloc(sizeof(*j));

    (void)user_data;
    if (j == NULL)
        return FA_ERR_NOMEM;
    j->deferred = fa_request_defer(req);
    if (j->deferred == NULL) {
        free(j);
        return FA_ERR_NOMEM;
    }
    j->due_ms = now_ms() + query_number(req, FA_SLICE("ms"), 0);
    pthread_mutex_lock(&pool.mutex);
    j->next = pool.first;
    pool.first = j;
    pthread_mutex_unlock(&pool.mutex);
    return 0;
}

static int respond_number(fa_request *req, uint64_t n)
{
    fa_slice text = fa_arena_format(fa_request_arena(req), "%llu", (unsigned long long)n);

    return text.p != NULL ? fa_respond(req, 200, FA_SLICE("text/plain"), text)
                          : FA_ERR_NOMEM;
}

static int count_body(fa_request *req, void *user_data)
{
    (void)user_data;
    return respond_number(req, fa_request_body(req).len);
}

static void on_piece(fa_request *req, fa_slice data, int error, void *user_data)
{
    uint64_t *sum = fa_request_data(req);

    (void)user_data;
    *sum += data.len;
    if (error == 0 && data.len == 0)
        (void)respond_number(req, *sum);
}

static int upload(fa_request *req, void *user_data)
{
    uint64_t *sum = fa_arena_alloc(fa_request_arena(req), sizeof(*sum));

    (void)user_data;
    if (sum == NULL)
        return FA_ERR_NOMEM;
    *sum = 0;
    fa_request_set_data(req, sum);
    return fa_request_read(req, on_piece, NULL);
}

static char block[64 * 1024];

/* As much as the client takes, and no more in memory than the limit allows. */
static void stream_on(fa_request *req, void *user_data)
{
    int64_t *left = fa_request_data(req);

    (void)user_data;
    while (*left > 0) {
        size_t n = *left < (int64_t)sizeof(block) ? (size_t)*left : sizeof(block);
        int rv = fa_response_write(req, (fa_slice){block, n});

        if (rv < 0 && rv != FA_ERR_FULL)
            return;
        *left -= (int64_t)n;
        if (rv == FA_ERR_FULL)
            return;
    }
    (void)fa_response_end(req);
}

static int stream(fa_request *req, void *user_data)
{
    int64_t *left = fa_arena_alloc(fa_request_arena(req), sizeof(*left));
    int rv;

    if (left == NULL)
        return FA_ERR_NOMEM;
    *left = query_number(req, FA_SLICE("bytes"), 0);
    rv = fa_response_start(req, 200, -1);
    if (rv != 0)
        return rv;
    fa_request_set_data(req, left);
    fa_response_on_drain(req, stream_on, NULL);
    stream_on(req, user_data);
    return 0;
}

/* All at once, whether the client takes it or not. */
static int large(fa_request *req, void *user_data)
{
    size_t n = (size_t)query_number(req, FA_SLICE("bytes"), 0);
    char *body = n > 0 ? fa_arena_alloc(fa_request_arena(req), n) : block;

    (void)user_data;
    if (body == NULL)
        return FA_ERR_NOMEM;
    memset(body, 'l', n);
    return fa_respond(req, 200, FA_SLICE("text/plain"), (fa_slice){body, n});
}

static void on_data(fa_stream *s, fa_slice data, void *user_data)
{
    (void)user_data;
    (void)fa_stream_write(s, data);
}

static int upgrade(fa_request *req, void *user_data)
{
    const fa_stream_handler handler = {.on_data = on_data};
    fa_stream *s;

    (void)user_data;
    return fa_request_upgrade(req, FA_SLICE("echo"), &handler, NULL, &s);
}

static int counters(fa_request *req, void *user_data)
{
    fa_json_writer_options options = {.arena = fa_request_arena(req)};
    fa_json_writer w;
    fa_counters n;

    (void)user_data;
    fa_server_counters(pool.server, &n);
    fa_json_writer_init(&w, &options);
    fa_json_begin_object(&w);
#define PUT(name) fa_json_write_key(&w, FA_SLICE(#name)), fa_json_write_uint64(&w, n.name)
    PUT(connections);
    PUT(connections_open);
    PUT(connections_shed);
    PUT(requests);
    PUT(active);
    PUT(responses_2xx);
    PUT(responses_4xx);
    PUT(responses_5xx);
    PUT(malformed);
    PUT(timeouts);
#undef PUT
    fa_json_end_object(&w);
    return fa_respond_writer(req, 200, &w);
}

static int build(fa_app *app)
{
    const fa_route upload_route = {.pattern = "/upload",
                                   .methods = FA_METHOD_BIT(FA_POST),
                                   .handler = upload,
                                   .stream_body = true};
    static const struct {
        fa_method method;
        const char *pattern;
        fa_handler *handler;
    } routes[] = {
        {FA_GET, "/", plain},          {FA_GET, "/deferred", deferred},
        {FA_POST, "/", count_body},    {FA_GET, "/stream", stream},
        {FA_GET, "/large", large},     {FA_GET, "/counters", counters},
        {FA_GET, "/upgrade", upgrade},
    };
    int rv = fa_app_add_route(app, &upload_route);

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rv == 0; ++i)
        rv = fa_app_route(app, routes[i].method, routes[i].pattern, routes[i].handler,
                          NULL);
    return rv;
}

/* ---- options ---- */

#define LIMIT(name)                                                                      \
    {                                                                                    \
#name, offsetof(fa_limits, name), sizeof(((fa_limits *)0)->name)                 \
    }

static const struct {
    const char *name;
    size_t offset, size;
} limit_names[] = {
    LIMIT(max_request_line_bytes),
    LIMIT(max_header_bytes),
    LIMIT(max_headers),
    LIMIT(max_body_bytes),
    LIMIT(max_chunk_extension_bytes),
    LIMIT(max_chunk_extensions_bytes),
    LIMIT(max_trailer_bytes),
    LIMIT(min_rate_bytes_per_s),
    LIMIT(header_timeout_ms),
    LIMIT(body_timeout_ms),
    LIMIT(write_timeout_ms),
    LIMIT(idle_timeout_ms),
    LIMIT(drain_timeout_ms),
    LIMIT(drain_grace_ms),
    LIMIT(max_connections),
    LIMIT(max_connections_per_address),
    LIMIT(max_requests_per_connection),
    LIMIT(max_pipelined),
    LIMIT(max_pending_bytes),
};

static bool set_limit(fa_limits *l, const char *setting)
{
    const char *value = strchr(setting, '=');

    for (size_t i = 0; value != NULL && i < sizeof(limit_names) / sizeof(limit_names[0]);
         ++i) {
        uint64_t n = strtoull(value + 1, NULL, 10);
        uint32_t small = (uint32_t)n;

        if (strlen(limit_names[i].name) != (size_t)(value - setting) ||
            strncmp(limit_names[i].name, setting, (size_t)(value - setting)) != 0)
            continue;
        if (limit_names[i].size == sizeof(n))
            memcpy((char *)l + limit_names[i].offset, &n, sizeof(n));
        else
            memcpy((char *)l + limit_names[i].offset, &small, sizeof(small));
        return true;
    }
    return false;
}

static void *stop_later(void *arg)
{
    sleep_ms(*(const long *)arg);
    fa_server_stop(pool.server);
    return NULL;
}

static int serve(fa_app *app, const fa_server_options *options, long stop_ms)
{
    pthread_t answerers[2], watcher, stopper;
    int rv = fa_server_new(&pool.server, app, options);

    if (rv == 0)
        rv = fa_server_listen(pool.server, "127.0.0.1", 0);
    if (rv != 0)
        return rv;
    for (int i = 0; i < 2; ++i)
        pthread_create(&answerers[i], NULL, answer_due, NULL);
    pthread_create(&watcher, NULL, watch_counters, NULL);
    if (stop_ms > 0)
        pthread_create(&stopper, NULL, stop_later, &stop_ms);
    printf("ready %u\n", (unsigned)fa_server_port(pool.server));
    fflush(stdout);
    rv = fa_server_run(pool.server);
    atomic_store(&pool.stop, true);
    for (int i = 0; i < 2; ++i)
        pthread_join(answerers[i], NULL);
    pthread_join(watcher, NULL);
    if (stop_ms > 0)
        pthread_join(stopper, NULL);
    for (job *j = pool.first, *next; j != NULL; j = next) {
        next = j->next;
        fa_deferred_release(j->deferred);
        free(j);
    }
    fa_server_del(pool.server);
    return rv;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"limit", required_argument, NULL, 'l'},
        {"threads", required_argument, NULL, 't'},
        {"stop-ms", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    fa_server_options options;
    long stop_ms = 0;
    fa_app *app;
    int c, rv;

    fa_server_options_init(&options);
    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (c == 't')
            options.threads = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 's')
            stop_ms = strtol(optarg, NULL, 10);
        else if (c != 'l' || !set_limit(&options.limits, optarg))
            return 2;
    }
    memset(block, 's', sizeof(block));
    app = fa_app_new(NULL);
    rv = app != NULL ? build(app) : FA_ERR_NOMEM;
    if (rv == 0)
        rv = serve(app, &options, stop_ms);
    fa_app_del(app);
    printf("returned %d\n", rv);
    return rv == 0 || rv == FA_ERR_TIMEOUT ? 0 : 1;
}
