/* Decodes for tests/property/test_target.py. Reads commands, one a line, and answers
   each with a line; texts are in hexadecimal, "-" for the empty one.

     path HEX     -> HEX decoded
     form HEX     -> HEX decoded, '+' a space
     query HEX    -> HEX=HEX, a pair each, decoded; "none" when there are none
     utf8 HEX     -> N HEX: the length of the valid prefix, and the text replaced */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "http/target.h"

#include "hex.h"

static void put_hex(fa_slice v)
{
    if (v.len == 0)
        putchar('-');
    for (size_t i = 0; i < v.len; ++i)
        printf("%02x", (unsigned)(unsigned char)v.p[i]);
}

static void put_pairs(fa_slice query, fa_arena *arena)
{
    fa__query_iter it = fa__query_begin(query);
    fa_slice name, value;
    int rv, count = 0;

    while ((rv = fa__query_next_decoded(&it, &name, &value, arena)) == 1) {
        if (count++ > 0)
            putchar(' ');
        put_hex(name);
        putchar('=');
        put_hex(value);
    }
    if (rv != 0)
        die("no memory");
    if (count == 0)
        fputs("none", stdout);
}

static void put_utf8(fa_slice in)
{
    char *replaced = malloc(3 * in.len + 1);

    if (replaced == NULL)
        die("no memory");
    printf("%zu ", fa__utf8_valid_prefix(in.p, in.len));
    put_hex((fa_slice){replaced, fa__utf8_replace(replaced, in.p, in.len)});
    free(replaced);
}

static void answer(const char *command, fa_slice in, fa_arena *arena)
{
    fa_slice out = {NULL, 0};

    if (strcmp(command, "query") == 0) {
        put_pairs(in, arena);
        return;
    }
    if (strcmp(command, "utf8") == 0) {
        put_utf8(in);
        return;
    }
    if (strcmp(command, "path") != 0 && strcmp(command, "form") != 0)
        die("unknown command");
    if ((command[0] == 'p' ? fa__percent_decode : fa__form_decode)(&out, in, arena) != 0)
        die("no memory");
    put_hex(out);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    fa_arena arena;

    fa__arena_init(&arena, &fa__malloc, 4096);
    while (getline(&line, &room, stdin) > 0) {
        char *space = strchr(line, ' ');
        size_t n;
        char *text;

        if (space == NULL)
            die("no argument");
        *space = '\0';
        space[1 + strcspn(space + 1, "\n")] = '\0';
        text = unhex(space + 1, &n);
        answer(line, (fa_slice){text, n}, &arena);
        putchar('\n');
        free(text);
        fa_arena_reset(&arena);
    }
    fa__arena_free(&arena);
    free(line);
    return 0;
}
