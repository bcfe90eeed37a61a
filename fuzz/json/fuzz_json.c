/* Any bytes as JSON. The first byte chooses the options. Then:

   - reading value by value and skipping agree on the error and its place;
   - what is written from what was read is accepted, and read and written once more
     is the same;
   - explaining an error works wherever it is. */
#include <stdint.h>
#include <stdlib.h>

#include <fasterapi/json.h>

#include "base/memory.h"
#include "json_copy.h"

enum {
    ALLOW_NAN = 1,
    LONE_SURROGATES = 2,
    DUPLICATES = 4,
    SHALLOW = 8,
    ASCII = 16,
    SCRATCH = 32,
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void copy_number(fa_json_writer *w, fa_json_reader *r)
{
    fa_json_reader other = *r;
    fa_slice text;
    double v;
    int64_t i;
    uint64_t u;

    if (fa_json_read_int64(&i, &other) == 0) {
        fa_json_read_int64(&i, r);
        fa_json_write_int64(w, i);
        return;
    }
    other = *r;
    if (fa_json_read_uint64(&u, &other) == 0) {
        fa_json_read_uint64(&u, r);
        fa_json_write_uint64(w, u);
        return;
    }
    other = *r;
    if (fa_json_read_double(&v, &other) == 0) {
        fa_json_read_double(&v, r);
        fa_json_write_double(w, v);
        return;
    }
    /* Too large for a double, or malformed. */
    if (fa_json_read_number(&text, r) == 0)
        fa_json_write_raw(w, text);
}

/* Copies `text` and checks what skipping says to it. Returns what finishing the copy
   does, or the reader's error. */
static int copy_text(fa_slice *out, fa_json_writer *w, fa_slice text,
                     const fa_json_reader_options *options, fa_arena *arena)
{
    fa_json_reader r, skipper;
    fa_slice path, message;
    int error;

    fa_json_reader_init(&r, text, options);
    error = json_copy(w, &r, copy_number);
    if (options->arena == NULL)
        return error != 0 ? error : fa_json_writer_finish(out, w); /* too little room */
    fa_json_reader_init(&skipper, text, options);
    fa_json_skip(&skipper);
    require(fa_json_end(&skipper) == error);
    require(fa_json_position(&skipper) == fa_json_position(&r));
    require(fa_json_position(&r) <= text.len);
    if (error == 0)
        return fa_json_writer_finish(out, w);
    path = fa_json_path(&r, arena);
    message = fa_json_message(&r, arena);
    require(path.p != NULL && message.p != NULL && message.len > path.len);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned flags = size > 0 ? data[0] : 0;
    fa_slice text = {(const char *)data + (size > 0), size - (size > 0)};
    char scratch[64];
    fa_arena arena;
    fa_json_reader_options options = {
        .arena = (flags & SCRATCH) != 0 ? NULL : &arena,
        .scratch = scratch,
        .scratch_bytes = sizeof(scratch),
        .max_depth = (flags & SHALLOW) != 0 ? 3 : FA_JSON_DEPTH_MAX,
        .report_duplicates = (flags & DUPLICATES) != 0,
        .allow_nan = (flags & ALLOW_NAN) != 0,
        .allow_lone_surrogates = (flags & LONE_SURROGATES) != 0,
    };
    fa_json_writer_options how = {
        .nan = FA_JSON_NAN_NAME, .ensure_ascii = (flags & ASCII) != 0, .first_bytes = 1};
    fa_json_writer first, second;
    fa_slice once = {NULL, 0}, twice = {NULL, 0};
    int error;

    fa__arena_init(&arena, &fa__malloc, 512);
    fa_json_writer_init(&first, &how);
    fa_json_writer_init(&second, &how);
    error = copy_text(&once, &first, text, &options, &arena);
    if (error == 0) {
        options.arena = &arena;
        require((flags & ALLOW_NAN) != 0 || fa_json_valid(once));
        require(copy_text(&twice, &second, once, &options, &arena) == 0);
        require(fa_slice_equal(once, twice));
    } else {
        /* Only halves of surrogate pairs can be read and not written. */
        require(error != FA_ERR_STATE);
        require(error != FA_ERR_JSON_UTF8 || !fa_json_valid(text));
        require(error != FA_ERR_NOMEM || (flags & SCRATCH) != 0);
    }
    if (error == 0 && (flags & (ALLOW_NAN | LONE_SURROGATES)) == 0)
        require(fa_json_valid(text) || (flags & SHALLOW) == 0);
    fa_json_writer_free(&first);
    fa_json_writer_free(&second);
    fa__arena_free(&arena);
    return 0;
}
