/* Matches paths for tests/property/test_route.py. Reads commands, one a line, and
   answers each with a line; texts are in hexadecimal, "-" for the empty one.

     table N REDIRECT     forget table N, begin it anew, and use it; -> ok
     route METHODS HEX    METHODS joined by commas, "*" for any; -> 0 or FA_ERR_*
     mount HEX            -> 0 or FA_ERR_*
     build                -> 0 or FA_ERR_*
     params ORDINAL       -> name:convertor...
     match N METHOD HEX   in table N -> KIND ORDINAL ALLOW ROOT REST LOCATION VALUE... */
#include <stdio.h>
#include <stdlib.h>

#include "route/router.h"

enum {
    TABLES = 16,
    MAX_METHODS = 32,
};

static fa__router *tables[TABLES];
static fa__router *current;

static void die(const char *why)
{
    fprintf(stderr, "route_driver: %s\n", why);
    exit(2);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    die("bad hexadecimal");
    return 0;
}

/* On the heap, exactly as long as the text, so that ASan sees one byte too far. */
static fa_slice unhex(const char *hex)
{
    size_t n = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    char *p = malloc(n != 0 ? n : 1);

    if (p == NULL)
        die("no memory");
    for (size_t i = 0; i < n; ++i)
        p[i] = (char)(digit(hex[2 * i]) * 16 + digit(hex[2 * i + 1]));
    return (fa_slice){p, n};
}

static void unhex_free(fa_slice v)
{
    union {
        const char *in;
        void *out;
    } u = {v.p};

    free(u.out);
}

static void put_hex(fa_slice v)
{
    if (v.len == 0)
        fputs(" -", stdout);
    else
        putchar(' ');
    for (size_t i = 0; i < v.len; ++i)
        printf("%02x", (unsigned char)v.p[i]);
}

static char *word(char **rest)
{
    char *w = strtok_r(NULL, " \n", rest);

    if (w == NULL)
        die("a word is missing");
    return w;
}

static fa__router **table(char **rest)
{
    unsigned long n = strtoul(word(rest), NULL, 10);

    if (n >= TABLES)
        die("no such table");
    return &tables[n];
}

static void run_table(char **rest)
{
    fa__router **t = table(rest);

    fa__router_del(*t);
    if (fa__router_new(t, NULL) != 0)
        die("no memory");
    fa__router_redirect_slashes(*t, strcmp(word(rest), "1") == 0);
    current = *t;
    puts("ok");
}

static void run_route(char **rest)
{
    fa_slice methods[MAX_METHODS], pattern;
    char *list = word(rest), *save = NULL;
    size_t n = 0;

    pattern = unhex(word(rest));
    if (strcmp(list, "*") != 0) {
        for (char *m = strtok_r(list, ",", &save); m != NULL && n < MAX_METHODS;
             m = strtok_r(NULL, ",", &save))
            methods[n++] = fa_slice_of(m);
    }
    printf("%d\n",
           fa__router_add(current, methods, n, pattern, NULL, FA__ROUTE_LOOSE_BRACES));
    unhex_free(pattern);
}

static void run_mount(char **rest)
{
    fa_slice prefix = unhex(word(rest));

    printf("%d\n", fa__router_mount(current, prefix, NULL, FA__ROUTE_LOOSE_BRACES));
    unhex_free(prefix);
}

static void run_params(char **rest)
{
    static const char *const convertors[] = {"int", "float", "uuid", "str", "path"};
    const fa__route *route =
        fa__router_at(current, (uint32_t)strtoul(word(rest), NULL, 10));

    if (route == NULL)
        die("no such route");
    for (uint32_t i = 0; i < route->param_count; ++i) {
        const fa__route_param *p = &route->pattern.params[i];

        printf("%.*s:%s ", (int)p->name.len, p->name.p, convertors[p->convertor]);
    }
    puts("");
}

/* Where to redirect, whole. */
static void put_location(const fa__route_match *m)
{
    if (m->kind != FA__ROUTE_REDIRECT || !m->append_slash) {
        put_hex(m->kind == FA__ROUTE_REDIRECT ? m->location : (fa_slice){NULL, 0});
    } else {
        if (m->location.len != 0)
            put_hex(m->location);
        else
            putchar(' ');
        fputs("2f", stdout);
    }
}

static void run_match(char **rest)
{
    static const char *const kinds[] = {"not_found", "found", "mount", "partial",
                                        "redirect"};
    const fa__router *t = *table(rest);
    fa_slice method = fa_slice_of(word(rest)), path = unhex(word(rest)), none = {NULL, 0};
    fa__route_match m;

    fa__router_match(t, fa_method_of(method), method, path, &m);
    printf("%s %ld", kinds[m.kind], m.route != NULL ? (long)m.route->ordinal : -1L);
    put_hex(m.kind == FA__ROUTE_METHOD_NOT_ALLOWED ? m.route->allow : none);
    put_hex(m.kind == FA__ROUTE_MOUNT ? m.root_path : none);
    put_hex(m.kind == FA__ROUTE_MOUNT ? m.rest : none);
    put_location(&m);
    for (uint32_t i = 0; m.route != NULL && i < m.route->param_count; ++i)
        put_hex(m.values[i]);
    puts("");
    unhex_free(path);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 0) {
        char *rest = NULL, *command = strtok_r(line, " \n", &rest);

        if (command == NULL)
            die("an empty line");
        if (strcmp(command, "table") == 0)
            run_table(&rest);
        else if (strcmp(command, "route") == 0)
            run_route(&rest);
        else if (strcmp(command, "mount") == 0)
            run_mount(&rest);
        else if (strcmp(command, "build") == 0)
            printf("%d\n", fa__router_build(current));
        else if (strcmp(command, "params") == 0)
            run_params(&rest);
        else if (strcmp(command, "match") == 0)
            run_match(&rest);
        else
            die("unknown command");
        fflush(stdout);
    }
    free(line);
    for (size_t i = 0; i < TABLES; ++i)
        fa__router_del(tables[i]);
    return 0;
}
