/* Reads and writes JSON for tests/property/test_json*.py. Reads commands, one a line,
   and answers each with a line; texts are in hexadecimal, "-" for the empty one.

     copy FLAGS HEX   -> ok HEX, the value written anew: integers as they were,
                         other numbers by way of double; or error CODE POSITION
     string FLAGS HEX -> ok HEX, one string decoded; or error CODE POSITION
     quote FLAGS HEX  -> ok HEX, one string written; or error CODE 0
     double TEXT      -> the bits of the number, 16 hex digits, or error
     repr BITS        -> the double of these bits written

   FLAGS: n allow_nan, s allow_lone_surrogates, d report_duplicates, a ensure_ascii, or
   "-". Every text is also skipped, and by fa_json_valid() if there are no flags: a
   difference ends the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fasterapi/json.h>

#include "base/memory.h"

#include "hex.h"
#include "json_copy.h"

static void put_answer(int error, size_t at, fa_slice v)
{
    if (error != 0) {
        printf("error %d %zu\n", error, at);
        return;
    }
    fputs(v.len == 0 ? "ok -" : "ok ", stdout);
    for (size_t i = 0; i < v.len; ++i)
        printf("%02x", (unsigned)(unsigned char)v.p[i]);
    putchar('\n');
}

static bool is_integer(fa_slice text)
{
    size_t digits = 0;

    for (size_t i = 0; i < text.len; ++i)
        digits += text.p[i] >= '0' && text.p[i] <= '9';
    return digits > 0 && digits + (text.p[0] == '-') == text.len;
}

static void copy_number(fa_json_writer *w, fa_json_reader *r)
{
    fa_json_reader ahead = *r; /* to see whether it is an integer */
    fa_slice text;
    double v;

    if (fa_json_read_number(&text, &ahead) == 0 && is_integer(text)) {
        fa_json_read_number(&text, r);
        fa_json_write_raw(w, text);
    } else if (fa_json_read_double(&v, r) == 0) {
        fa_json_write_double(w, v);
    }
}

/* `error` is what reading found; a number out of range is not an error of the text. */
static void check_skip(fa_slice text, const fa_json_reader_options *o, bool strict,
                       int error, size_t at)
{
    fa_json_reader r;

    fa_json_reader_init(&r, text, o);
    fa_json_skip(&r);
    if (error == FA_ERR_JSON_RANGE)
        return;
    if (fa_json_end(&r) != error || (error != 0 && fa_json_position(&r) != at))
        die("skipping and reading disagree");
    if (strict && fa_json_valid(text) != (error == 0))
        die("fa_json_valid() and reading disagree");
}

static void do_copy(fa_slice text, const fa_json_reader_options *o, const char *flags)
{
    fa_json_writer_options wo = {.ensure_ascii = strchr(flags, 'a') != NULL,
                                 .nan =
                                     o->allow_nan ? FA_JSON_NAN_NAME : FA_JSON_NAN_ERROR,
                                 .first_bytes = 1};
    fa_json_reader r;
    fa_json_writer w;
    fa_slice out = {NULL, 0};
    int error;

    fa_json_reader_init(&r, text, o);
    fa_json_writer_init(&w, &wo);
    error = json_copy(&w, &r, copy_number);
    check_skip(text, o, strcmp(flags, "-") == 0, error, fa_json_position(&r));
    if (error == 0)
        error = fa_json_writer_finish(&out, &w);
    put_answer(error, fa_json_position(&r), out);
    if (error == 0 && !o->allow_nan && !fa_json_valid(out))
        die("what was written is not JSON");
    fa_json_writer_free(&w);
}

static void do_string(fa_slice text, const fa_json_reader_options *o)
{
    fa_slice v = {NULL, 0};
    fa_json_reader r;
    int error;

    fa_json_reader_init(&r, text, o);
    fa_json_read_string(&v, &r);
    error = fa_json_end(&r);
    put_answer(error, fa_json_position(&r), v);
}

static void do_quote(fa_slice v, const char *flags)
{
    fa_json_writer_options wo = {.ensure_ascii = strchr(flags, 'a') != NULL};
    fa_slice out = {NULL, 0};
    fa_json_writer w;
    int error;

    fa_json_writer_init(&w, &wo);
    fa_json_write_string(&w, v);
    error = fa_json_writer_finish(&out, &w);
    put_answer(error, 0, out);
    fa_json_writer_free(&w);
}

static void do_double(const char *text)
{
    fa_json_reader_options options = {.allow_nan = true};
    fa_json_reader r;
    uint64_t bits = 0;
    double v;

    fa_json_reader_init(&r, fa_slice_of(text), &options);
    if (fa_json_read_double(&v, &r) != 0 || fa_json_end(&r) != 0) {
        puts("error");
        return;
    }
    memcpy(&bits, &v, sizeof(bits));
    printf("%016llx\n", (unsigned long long)bits);
}

static void do_repr(const char *hex)
{
    uint64_t bits = strtoull(hex, NULL, 16);
    fa_slice out = {NULL, 0};
    fa_json_writer w;
    double v;

    memcpy(&v, &bits, sizeof(v));
    fa_json_writer_init(&w, NULL);
    fa_json_write_double(&w, v);
    if (fa_json_writer_finish(&out, &w) != 0)
        puts("error");
    else
        printf("%.*s\n", (int)out.len, out.p);
    fa_json_writer_free(&w);
}

static void run_text(const char *command, const char *flags, const char *hex)
{
    fa_arena arena;
    fa_json_reader_options o = {.arena = &arena,
                                .allow_nan = strchr(flags, 'n') != NULL,
                                .allow_lone_surrogates = strchr(flags, 's') != NULL,
                                .report_duplicates = strchr(flags, 'd') != NULL};
    fa_slice text;
    char *copy_of_text = unhex(hex, &text.len);

    text.p = copy_of_text;
    fa__arena_init(&arena, &fa__malloc, 1024);
    if (strcmp(command, "copy") == 0)
        do_copy(text, &o, flags);
    else if (strcmp(command, "string") == 0)
        do_string(text, &o);
    else if (strcmp(command, "quote") == 0)
        do_quote(text, flags);
    else
        die("unknown command");
    fa__arena_free(&arena);
    free(copy_of_text);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;

    while (getline(&line, &cap, stdin) > 0) {
        char *save = NULL;
        const char *command = strtok_r(line, " \n", &save);
        const char *first = strtok_r(NULL, " \n", &save);
        const char *second = strtok_r(NULL, " \n", &save);

        if (command == NULL || first == NULL)
            die("malformed command");
        else if (strcmp(command, "double") == 0)
            do_double(first);
        else if (strcmp(command, "repr") == 0)
            do_repr(first);
        else if (second != NULL)
            run_text(command, first, second);
        else
            die("malformed command");
    }
    free(line);
    return 0;
}
