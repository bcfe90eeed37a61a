/* Runs the wire fixtures: Markdown files with a heading that states the rule, an `http`
   block of input and a `log` block of what must come of it.

   In an `http` block the ends of lines mean nothing: bytes that cannot be seen are
   written \r \n \t \\ \xNN, and \{N:text} is `text` N times. Words after ```http set
   limits (request-line=N header=N fields=N extension=N extensions=N trailer=N), and
   `body` says that the input is a chunked body alone.

   Every fixture is fed byte by byte, which also shows at which byte an error is seen
   first, then whole, then in all pairs of pieces; the first two with every scanner.

   The offset of an error is how many bytes had come when it was seen.

     run FILE...           runs them as cmocka tests
     run --print FILE      prints the file with the logs as they are now, to be read
                           against the RFC before they are taken over */
#include <stdio.h>

#include "check.h"
#include "trace.h"

typedef struct fixture {
    char name[200];
    trace_options options;
    fa__buf input;
    fa__buf expected;
} fixture;

typedef enum { PROSE, HTTP, LOG } block;

typedef struct reader {
    fixture *fixtures;
    size_t count;
    block in;
    char heading[160];
    const char *file;
    bool print;
} reader;

static void stop(const reader *r, const char *what, const char *line)
{
    fprintf(stderr, "%s: %s: %s\n", r->file, what, line);
    exit(2);
}

static void append(fa__buf *b, const char *p, size_t n)
{
    if (fa__buf_append(b, p, n) != 0)
        exit(2);
}

/* \{N:text} at `p`; returns what follows it. */
static const char *unescape_repeat(const reader *r, fa__buf *out, const char *p)
{
    char *text;
    unsigned long n = strtoul(p + 2, &text, 10);
    const char *close = strchr(text, '}');

    if (*text != ':' || close == NULL)
        stop(r, "malformed repetition", p);
    for (; n > 0; --n)
        append(out, text + 1, (size_t)(close - text - 1));
    return close + 1;
}

static void unescape(const reader *r, fa__buf *out, const char *p)
{
    static const char letters[] = "rnt\\", bytes[] = "\r\n\t\\";

    while (*p != '\0') {
        const char *letter;
        unsigned hex;
        char byte;

        if (*p != '\\') {
            append(out, p++, 1);
        } else if (p[1] == '{') {
            p = unescape_repeat(r, out, p);
        } else if (p[1] == 'x' && sscanf(p + 2, "%2x", &hex) == 1) {
            byte = (char)hex;
            append(out, &byte, 1);
            p += 4;
        } else if (p[1] != '\0' && (letter = strchr(letters, p[1])) != NULL) {
            append(out, &bytes[letter - letters], 1);
            p += 2;
        } else {
            stop(r, "unknown escape", p);
        }
    }
}

static void set_option(const reader *r, trace_options *o, const char *word)
{
    struct {
        const char *name;
        uint32_t *value;
    } numbers[] = {
        {"request-line=", &o->limits.max_request_line_bytes},
        {"header=", &o->limits.max_header_bytes},
        {"fields=", &o->field_cap},
        {"extension=", &o->chunked_limits.max_chunk_extension_bytes},
        {"extensions=", &o->chunked_limits.max_chunk_extensions_bytes},
        {"trailer=", &o->chunked_limits.max_trailer_bytes},
    };

    if (strcmp(word, "body") == 0) {
        o->body_only = true;
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); ++i) {
        size_t n = strlen(numbers[i].name);

        if (strncmp(word, numbers[i].name, n) == 0) {
            *numbers[i].value = (uint32_t)strtoul(word + n, NULL, 10);
            return;
        }
    }
    stop(r, "unknown option", word);
}

static void begin_fixture(reader *r, char *words)
{
    fixture *f;
    char *save = NULL;

    r->fixtures = realloc(r->fixtures, (r->count + 1) * sizeof(*r->fixtures));
    if (r->fixtures == NULL)
        exit(2);
    f = &r->fixtures[r->count++];
    *f = (fixture){.options = trace_defaults()};
    snprintf(f->name, sizeof(f->name), "%.150s #%zu", r->heading, r->count);
    fa__buf_init(&f->input, &fa__malloc);
    fa__buf_init(&f->expected, &fa__malloc);
    for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        set_option(r, &f->options, w);
}

/* Byte by byte, with the error and the byte that proved it as a last line. */
static void run_bytes(trace *t, const fixture *f, const fa__http1_scan *scan)
{
    size_t *cuts = calloc(f->input.len + 1, sizeof(*cuts));
    trace_options options = f->options;

    if (cuts == NULL)
        exit(2);
    for (size_t i = 0; i < f->input.len; ++i)
        cuts[i] = i + 1;
    options.scan = scan;
    trace_run(t, &options, f->input.p, f->input.len, cuts, f->input.len);
    free(cuts);
}

static void append_error(trace *t)
{
    char line[100];

    if (t->error == 0)
        return;
    snprintf(line, sizeof(line), "off=%zu error %s\n", t->offset,
             trace_error_name(t->error));
    append(&t->text, line, strlen(line));
}

static void print_actual(const fixture *f)
{
    trace t;

    run_bytes(&t, f, NULL);
    append_error(&t);
    printf("%.*s", (int)t.text.len, t.text.p != NULL ? t.text.p : "");
    trace_free(&t);
}

static void read_line(reader *r, char *line)
{
    fixture *f = r->count > 0 ? &r->fixtures[r->count - 1] : NULL;
    bool fence = strncmp(line, "```", 3) == 0;

    if (r->print && (r->in != LOG || fence))
        printf("%s\n", line);
    if (fence && r->in != PROSE) {
        r->in = PROSE;
    } else if (fence && strncmp(line, "```http", 7) == 0) {
        r->in = HTTP;
        begin_fixture(r, line + 7);
    } else if (fence && strcmp(line, "```log") == 0 && f != NULL) {
        r->in = LOG;
        if (r->print)
            print_actual(f);
    } else if (fence) {
        stop(r, "unknown block", line);
    } else if (r->in == HTTP) {
        unescape(r, &f->input, line);
    } else if (r->in == LOG) {
        append(&f->expected, line, strlen(line));
        append(&f->expected, "\n", 1);
    } else if (line[0] == '#') {
        snprintf(r->heading, sizeof(r->heading), "%.150s", line + strspn(line, "# "));
    }
}

static void read_file(reader *r, const char *path)
{
    FILE *in = fopen(path, "r");
    char line[4096];

    r->file = path;
    if (in == NULL)
        stop(r, "cannot be read", path);
    while (fgets(line, sizeof(line), in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        read_line(r, line);
    }
    fclose(in);
    if (r->in != PROSE)
        stop(r, "a block without end", r->heading);
}

static void check_split(const fixture *f, const trace *bytes, const fa__http1_scan *scan,
                        const size_t *cuts, size_t cut_count)
{
    size_t end = trace_feed_end(bytes->offset, f->input.len, cuts, cut_count);
    trace_options options = f->options;
    trace t;

    options.scan = scan;
    trace_run(&t, &options, f->input.p, f->input.len, cuts, cut_count);
    if (!trace_same(bytes, &t))
        fail_msg("cut at %zu: %s, %.*s", cut_count > 0 ? cuts[0] : f->input.len,
                 trace_error_name(t.error), (int)t.text.len,
                 t.text.p != NULL ? t.text.p : "");
    if (t.error != 0)
        CHECK_U64(t.offset, ==, end);
    trace_free(&t);
}

static void run_fixture(void **state)
{
    const fixture *f = *state;
    trace bytes, other;

    run_bytes(&bytes, f, NULL);
    for (const fa__http1_scan *const *scan = fa__http1_scan_all(); *scan != NULL;
         ++scan) {
        run_bytes(&other, f, *scan);
        CHECK(trace_same(&bytes, &other) && bytes.offset == other.offset);
        trace_free(&other);
        check_split(f, &bytes, *scan, NULL, 0);
    }
    for (size_t cut = 0; cut <= f->input.len; ++cut)
        check_split(f, &bytes, NULL, &cut, 1);
    append_error(&bytes);
    if (bytes.text.len != f->expected.len ||
        memcmp(bytes.text.p, f->expected.p, bytes.text.len) != 0)
        fail_msg("got:\n%.*swanted:\n%.*s", (int)bytes.text.len, bytes.text.p,
                 (int)f->expected.len, f->expected.p != NULL ? f->expected.p : "");
    trace_free(&bytes);
}

static int run_all(const reader *r)
{
    struct CMUnitTest *tests = calloc(r->count, sizeof(*tests));
    int failed;

    if (tests == NULL)
        exit(2);
    for (size_t i = 0; i < r->count; ++i)
        tests[i] = (struct CMUnitTest){
            r->fixtures[i].name, run_fixture, NULL, NULL, &r->fixtures[i],
        };
    failed = _cmocka_run_group_tests("http1 wire fixtures", tests, r->count, NULL, NULL);
    free(tests);
    return failed;
}

int main(int argc, char **argv)
{
    reader r = {.print = argc > 1 && strcmp(argv[1], "--print") == 0};
    int failed = 0;

    for (int i = r.print ? 2 : 1; i < argc; ++i)
        read_file(&r, argv[i]);
    if (r.count == 0)
        stop(&r, "no fixtures", argc > 1 ? argv[1] : "");
    if (!r.print)
        failed = run_all(&r);
    for (size_t i = 0; i < r.count; ++i) {
        fa__buf_free(&r.fixtures[i].input);
        fa__buf_free(&r.fixtures[i].expected);
    }
    free(r.fixtures);
    return failed;
}
