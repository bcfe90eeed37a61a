#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "workload.h"

static const char help[] =
    "Usage: fasterapi-challenge [OPTION]... [URL]\n"
    "\n"
    "Sends a million events to a server of the one million request challenge and\n"
    "judges its totals. Request i is POST /event {\"userId\":\"user_<i % users>\",\n"
    "\"value\":<i % values>}; at the end GET /stats must tell exactly what was sent.\n"
    "\n"
    "URL is http://HOST:PORT, http://[V6]:PORT or unix:/PATH\n"
    "(default http://127.0.0.1:8000).\n"
    "\n"
    "Load:\n"
    "  -n, --requests N         requests to send (default 1000000)\n"
    "  -c, --connections N      connections kept open (default 1000)\n"
    "  -u, --users N            different users (default 75000)\n"
    "  -v, --values N           values go from 0 to N - 1 (default 1000)\n"
    "  -p, --pipeline N         requests in flight on a connection (default 1)\n"
    "  -r, --rate N             requests a second, evenly paced; latency then counts\n"
    "                           from the moment a request was due (default 0: no limit)\n"
    "  -t, --threads N          threads (default 1)\n"
    "      --path PATH          where events go (default /event)\n"
    "      --stats-path PATH    where totals are (default /stats)\n"
    "      --retry              send again what got no answer; the totals may then be\n"
    "                           higher by as many as are in doubt\n"
    "Numbers may be written as 1000000, 1_000_000, 1000k or 1M.\n"
    "\n"
    "Time limits, such as 500ms, 10s, 10 (seconds) or 2m; 0 is none:\n"
    "      --timeout TIME           for an answer (default 10s)\n"
    "      --connect-timeout TIME   for a connection (default 5s)\n"
    "      --run-timeout TIME       for the whole run (default 0)\n"
    "\n"
    "Verdict:\n"
    "      --expect-fresh       read the totals first; unless they are zero, send "
    "nothing\n"
    "      --baseline           read the totals first and take them off; users counted\n"
    "                           before cannot be told from ours, so uniqueUsers is then\n"
    "                           judged by its bounds\n"
    "\n"
    "Output:\n"
    "      --progress N         a line every N answers, 0 for none (default 100000)\n"
    "      --json               the result as one JSON object on standard output, all\n"
    "                           else on standard error\n"
    "  -q, --quiet              the verdict only\n"
    "  -h, --help               this text\n"
    "      --version            the version\n"
    "\n"
    "Exit codes: 0 all totals exact and no error; 1 a total differs or an error\n"
    "occurred; 2 wrong usage; 3 no connection to the server.\n"
    "\n"
    "Examples:\n"
    "  fasterapi-challenge http://127.0.0.1:8000\n"
    "  fasterapi-challenge -n 100k -c 64 -p 16 http://[::1]:8000\n"
    "  fasterapi-challenge -r 20k --json unix:/run/server.sock > result.json\n";

enum {
    OPT_PATH = 256,
    OPT_STATS_PATH,
    OPT_TIMEOUT,
    OPT_CONNECT_TIMEOUT,
    OPT_RUN_TIMEOUT,
    OPT_FRESH,
    OPT_BASELINE,
    OPT_RETRY,
    OPT_PROGRESS,
    OPT_JSON,
    OPT_VERSION,
};

static const struct option long_options[] = {
    {"requests", required_argument, NULL, 'n'},
    {"connections", required_argument, NULL, 'c'},
    {"users", required_argument, NULL, 'u'},
    {"values", required_argument, NULL, 'v'},
    {"pipeline", required_argument, NULL, 'p'},
    {"rate", required_argument, NULL, 'r'},
    {"threads", required_argument, NULL, 't'},
    {"path", required_argument, NULL, OPT_PATH},
    {"stats-path", required_argument, NULL, OPT_STATS_PATH},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
    {"run-timeout", required_argument, NULL, OPT_RUN_TIMEOUT},
    {"expect-fresh", no_argument, NULL, OPT_FRESH},
    {"baseline", no_argument, NULL, OPT_BASELINE},
    {"retry", no_argument, NULL, OPT_RETRY},
    {"progress", required_argument, NULL, OPT_PROGRESS},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static const char *option_name(int code)
{
    for (const struct option *o = long_options; o->name != NULL; ++o) {
        if (o->val == code)
            return o->name;
    }
    return "?";
}

static int wrong(int code, const char *must_be)
{
    (void)fprintf(stderr,
                  "fasterapi-challenge: --%s must be %s\n"
                  "Try 'fasterapi-challenge --help'.\n",
                  option_name(code), must_be);
    return FA__CH_EXIT_USAGE;
}

/* Digits, with _ or , between them. Returns where they end, NULL if there are none
   or the number is above `max`. */
static const char *read_digits(uint64_t *out, const char *p, uint64_t max)
{
    uint64_t n = 0;

    if (*p < '0' || *p > '9')
        return NULL;
    for (; (*p >= '0' && *p <= '9') || *p == '_' || *p == ','; ++p) {
        if (*p == '_' || *p == ',')
            continue;
        if (n > (max - (uint64_t)(*p - '0')) / 10)
            return NULL;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    *out = n;
    return p;
}

static int number(uint64_t *out, int code, const char *text, uint64_t min, uint64_t max)
{
    uint64_t n = 0, unit = 1;
    const char *p = read_digits(&n, text, UINT64_C(1000000000000000000));

    if (p != NULL && (*p | 0x20) == 'k')
        unit = 1000;
    else if (p != NULL && (*p | 0x20) == 'm')
        unit = 1000000;
    if (p == NULL || strlen(p) > (unit > 1 ? 1u : 0u) || n > max / unit ||
        n * unit < min) {
        char range[64];

        (void)snprintf(range, sizeof(range), "a number from %llu to %llu",
                       (unsigned long long)min, (unsigned long long)max);
        return wrong(code, range);
    }
    *out = n * unit;
    return 0;
}

static int number32(uint32_t *out, int code, const char *text, uint32_t min, uint32_t max)
{
    uint64_t n = 0;
    int rv = number(&n, code, text, min, max);

    if (rv == 0)
        *out = (uint32_t)n;
    return rv;
}

static int duration(uint32_t *out_ms, int code, const char *text)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}};
    uint64_t n = 0;
    const char *p = read_digits(&n, text, UINT32_MAX);

    for (size_t i = 0; p != NULL && i < sizeof(units) / sizeof(units[0]); ++i) {
        if (strcmp(p, units[i].unit) == 0 && n <= 86400000 / units[i].ms) {
            *out_ms = (uint32_t)(n * units[i].ms);
            return 0;
        }
    }
    return wrong(code, "a time of at most a day, such as 500ms, 10s or 2m");
}

/* Both are put between "POST " and " HTTP/1.1": a blank would end them there. */
static int path(const char **out, int code, const char *text)
{
    if (*text != '/' || strlen(text) > 1024)
        return wrong(code, "a path that begins with /");
    for (const char *p = text; *p != '\0'; ++p) {
        if (*p <= ' ' || *p == 127 || *p == '#')
            return wrong(code, "percent-encoded ASCII");
    }
    *out = text;
    return 0;
}

static int one_url_only(const char *second)
{
    (void)fprintf(stderr, "fasterapi-challenge: one URL is enough; what is '%s'?\n",
                  second);
    return FA__CH_EXIT_USAGE;
}

/* Returns 0 or the exit code. */
static int take_option(fa__ch_options *o, int code, const char *text)
{
    switch (code) {
    case 'n': return number(&o->requests, code, text, 1, FA__CH_MAX_REQUESTS);
    case 'c': return number32(&o->connections, code, text, 1, 1000000);
    case 'u': return number(&o->users, code, text, 1, FA__CH_MAX_USERS);
    case 'v': return number(&o->values, code, text, 1, FA__CH_MAX_VALUES);
    case 'p': return number32(&o->pipeline, code, text, 1, 1024);
    case 'r': return number(&o->rate, code, text, 0, 1000000000);
    case 't': return number32(&o->threads, code, text, 1, 256);
    case OPT_PATH: return path(&o->path, code, text);
    case OPT_STATS_PATH: return path(&o->stats_path, code, text);
    case OPT_TIMEOUT: return duration(&o->reply_timeout_ms, code, text);
    case OPT_CONNECT_TIMEOUT: return duration(&o->connect_timeout_ms, code, text);
    case OPT_RUN_TIMEOUT: return duration(&o->run_timeout_ms, code, text);
    case OPT_PROGRESS: return number(&o->progress, code, text, 0, FA__CH_MAX_REQUESTS);
    case OPT_FRESH: o->before = FA__CH_BEFORE_FRESH; return 0;
    case OPT_BASELINE: o->before = FA__CH_BEFORE_TAKEN; return 0;
    case OPT_RETRY: o->retry = true; return 0;
    case OPT_JSON: o->json = true; return 0;
    case 'q': o->quiet = true; return 0;
    default:
        (void)fputs("Try 'fasterapi-challenge --help'.\n", stderr);
        return FA__CH_EXIT_USAGE; /* getopt has said what is wrong */
    }
}

bool fa__ch_options_parse(fa__ch_options *out, int *exit_code, int argc, char **argv)
{
    fa__ch_options o = {
        .url = "http://127.0.0.1:8000",
        .path = "/event",
        .stats_path = "/stats",
        .requests = 1000000,
        .users = 75000,
        .values = 1000,
        .progress = 100000,
        .connections = 1000,
        .pipeline = 1,
        .threads = 1,
        .connect_timeout_ms = 5000,
        .reply_timeout_ms = 10000,
    };
    int code, rv = 0;

    while (rv == 0 && (code = getopt_long(argc, argv, "n:c:u:v:p:r:t:qh", long_options,
                                          NULL)) != -1) {
        if (code == 'h' || code == OPT_VERSION) {
            (void)fputs(code == 'h' ? help : "fasterapi-challenge " FA_VERSION "\n",
                        stdout);
            *exit_code = 0;
            return false;
        }
        rv = take_option(&o, code, optarg);
    }
    if (rv == 0 && optind < argc)
        o.url = argv[optind++];
    if (rv == 0 && optind < argc)
        rv = one_url_only(argv[optind]);
    if (rv != 0) {
        *exit_code = rv;
        return false;
    }
    /* More would never get anything to do. */
    if (o.connections > o.requests)
        o.connections = (uint32_t)o.requests;
    if (o.threads > o.connections)
        o.threads = o.connections;
    *out = o;
    return true;
}
