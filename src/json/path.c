#include "json/reader.h"
#include "json/scan.h"

/* What leads from a container to the value inside it that is being read. */
typedef struct step {
    bool object;
    fa_slice key;
    size_t elements; /* begun so far */
} step;

static void enter(step *steps, fa_json_reader *r)
{
    bool object = *r->at == '{';

    if ((object ? fa_json_enter_object(r) : fa_json_enter_array(r)) == 0)
        steps[r->depth - 1] = (step){.object = object};
}

/* The text ends where an element of an array should begin. */
static bool element_due(const fa_json_reader *r)
{
    const char *p = r->end;

    while (fa__json_is_space(p[-1]))
        --p;
    return p[-1] == ',' || p[-1] == '[';
}

/* Reads until an error and returns how many steps lead to it. `in_value`: an error
   right after a value is the value's. */
static uint32_t walk(step *steps, fa_json_reader *r, bool in_value)
{
    for (;;) {
        fa_json_type type;

        if (r->state == FA__JSON_VALUE) {
            type = fa_json_peek(r);
            if (type == FA_JSON_OBJECT || type == FA_JSON_ARRAY)
                enter(steps, r);
            else
                fa_json_skip(r);
            if (r->state == FA__JSON_FAILED)
                return r->depth;
        } else if (r->depth == 0) {
            return 0;
        } else {
            step *s = &steps[r->depth - 1];

            if (s->object ? fa_json_next_key(&s->key, r) : fa_json_next_element(r)) {
                ++s->elements;
            } else if (r->state == FA__JSON_FAILED) {
                if (!s->object && element_due(r)) {
                    ++s->elements;
                    return r->depth;
                }
                return in_value && s->elements > 0 ? r->depth : r->depth - 1;
            }
        }
    }
}

/* RFC 6901, section 3: ~ is written ~0, and / is written ~1. */
static char *put_key(char *p, fa_slice key)
{
    for (size_t i = 0; i < key.len; ++i) {
        if (key.p[i] == '~' || key.p[i] == '/') {
            *p++ = '~';
            *p++ = key.p[i] == '~' ? '0' : '1';
        } else {
            *p++ = key.p[i];
        }
    }
    return p;
}

static char *put_element(char *p, size_t i)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + i % 10);
    while ((i /= 10) > 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static fa_slice join(const step *steps, uint32_t count, fa_arena *arena)
{
    size_t room = 0;
    char *text, *p;

    /* All keys lie in the text one after the other, so this cannot overflow. */
    for (uint32_t i = 0; i < count; ++i)
        room += 1 + (steps[i].object ? 2 * steps[i].key.len : 20);
    text = p = fa_arena_alloc(arena, room);
    if (text == NULL)
        return (fa_slice){NULL, 0};
    for (uint32_t i = 0; i < count; ++i) {
        *p++ = '/';
        p = steps[i].object ? put_key(p, steps[i].key)
                            : put_element(p, steps[i].elements - 1);
    }
    return (fa_slice){text, (size_t)(p - text)};
}

/* What lies before the position is read once more; it ends, at the latest, where the
   first reader stopped, with the same containers open. */
fa_slice fa_json_path(const fa_json_reader *r, fa_arena *arena)
{
    fa_json_reader_options options = {
        .arena = arena,
        .max_depth = r->max_depth,
        .allow_nan = r->allow_nan,
        .allow_lone_surrogates = r->allow_lone_surrogates,
    };
    fa_json_reader again;
    step *steps;
    uint32_t count;

    if (r->error == FA_ERR_INVALID)
        return (fa_slice){"", 0};
    steps = fa_arena_alloc(arena, r->max_depth * sizeof(*steps));
    if (steps == NULL)
        return (fa_slice){NULL, 0};
    fa_json_reader_init(&again, (fa_slice){r->start, fa_json_position(r)}, &options);
    count = walk(steps, &again, r->error == FA_ERR_JSON_NUMBER);
    if (again.error == FA_ERR_NOMEM)
        return (fa_slice){NULL, 0};
    return join(steps, count, arena);
}

fa_slice fa_json_message(const fa_json_reader *r, fa_arena *arena)
{
    fa_slice path = fa_json_path(r, arena);
    fa_slice what = {NULL, 0};
    char *text;

    if (path.p != NULL)
        what = fa_arena_format(arena, "%s at byte %zu%s", fa_strerror(r->error),
                               fa_json_position(r), path.len > 0 ? ", in " : "");
    if (what.p == NULL)
        return what;
    text = fa_arena_alloc(arena, what.len + path.len);
    if (text == NULL)
        return (fa_slice){NULL, 0};
    memcpy(text, what.p, what.len);
    /* Keys are a stranger's: they shall not begin a new line in somebody's log. */
    for (size_t i = 0; i < path.len; ++i)
        text[what.len + i] =
            (unsigned char)path.p[i] < 0x20 || path.p[i] == 0x7f ? '?' : path.p[i];
    return (fa_slice){text, what.len + path.len};
}
