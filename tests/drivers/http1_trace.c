/* Traces HTTP/1 input for the differential test: each line of stdin is an input in
   hexadecimal; its events come back a line each, then the error if there was one, then
   an empty line. The words on the command line pick a scanner by its name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* In place; returns the length, or -1. */
static long decode_hex(char *line)
{
    size_t n = strlen(line);

    if (n % 2 != 0)
        return -1;
    for (size_t i = 0; i < n / 2; ++i) {
        int high = hex_value(line[2 * i]), low = hex_value(line[2 * i + 1]);

        if (high < 0 || low < 0)
            return -1;
        line[i] = (char)(high << 4 | low);
    }
    return (long)(n / 2);
}

static const fa__http1_scan *scan_named(const char *name)
{
    for (const fa__http1_scan *const *scan = fa__http1_scan_all(); *scan != NULL; ++scan)
        if (strcmp((*scan)->name, name) == 0)
            return *scan;
    return NULL;
}

int main(int argc, char **argv)
{
    trace_options options = trace_defaults();
    char *line = NULL;
    size_t cap = 0;

    if (argc > 1) {
        options.scan = scan_named(argv[1]);
        if (options.scan == NULL)
            return 2;
    }
    while (getline(&line, &cap, stdin) >= 0) {
        long n;
        trace t;

        line[strcspn(line, "\n")] = '\0';
        n = decode_hex(line);
        if (n < 0)
            return 2;
        trace_run(&t, &options, line, (size_t)n, NULL, 0);
        fwrite(t.text.p, 1, t.text.len, stdout);
        if (t.error != 0)
            printf("error %s\n", trace_error_name(t.error));
        printf("\n");
        trace_free(&t);
    }
    free(line);
    return 0;
}
