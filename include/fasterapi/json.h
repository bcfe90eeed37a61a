/** JSON (RFC 8259): a pull reader that builds no tree, and a writer. */
#ifndef FASTERAPI_JSON_H
#define FASTERAPI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fasterapi/error.h>
#include <fasterapi/memory.h>
#include <fasterapi/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The deepest nesting that any option allows. */
#define FA_JSON_DEPTH_MAX 1024

/** Deep enough for people, shallow enough for what works on the result recursively. */
#define FA_JSON_DEPTH_DEFAULT 256

typedef enum fa_json_type {
    FA_JSON_INVALID = 0, /* no value can start here */
    FA_JSON_NULL,
    FA_JSON_BOOL,
    FA_JSON_NUMBER,
    FA_JSON_STRING,
    FA_JSON_ARRAY,
    FA_JSON_OBJECT,
} fa_json_type;

/** All zero is the strict reader of RFC 8259 without memory of its own. */
typedef struct fa_json_reader_options {
    /* Where strings with escapes and the sets of report_duplicates are kept. A
       string takes no more than its length in the text. */
    fa_arena *arena;
    /* Used in the place of `arena` when that is NULL. As many bytes as the text
       has, and 16 more a string, are enough for strings; report_duplicates takes up
       to 256 an open object, and 256 a key of objects with more than eight. */
    void *scratch;
    size_t scratch_bytes;
    /* Arrays and objects open at the same time; 0: FA_JSON_DEPTH_DEFAULT; at most
       FA_JSON_DEPTH_MAX. */
    uint32_t max_depth;
    /* The same key twice in one object is FA_ERR_JSON_DUPLICATE. Without it both
       are handed out (RFC 8259, section 4, leaves it open). Keys are compared
       after their escapes are decoded; skipped objects are looked at too. */
    bool report_duplicates;
    /* NaN, Infinity and -Infinity are numbers, and a number too large for a double
       is an infinity, as for Python's json. */
    bool allow_nan;
    /* \uD800 to \uDFFF without its other half gives the three bytes of Python's
       "surrogatepass", which are not UTF-8. Without it: FA_ERR_JSON_ESCAPE. */
    bool allow_lone_surrogates;
} fa_json_reader_options;

/**
 * A reader of one complete text. The caller walks the text in its own order of
 * questions:
 *
 *     fa_json_reader_init(&r, text, &options);
 *     fa_json_enter_object(&r);
 *     while (fa_json_next_key(&key, &r)) {
 *         if (fa_slice_equal(key, FA_SLICE("userId")))
 *             fa_json_read_string(&user, &r);
 *         else if (fa_slice_equal(key, FA_SLICE("value")))
 *             fa_json_read_int64(&value, &r);
 *         else
 *             fa_json_skip(&r);
 *     }
 *     rv = fa_json_end(&r);
 *
 * Errors stick: after the first, every function returns it and fa_json_next_key()
 * and fa_json_next_element() return false, so that it is enough to look at the
 * result of fa_json_end(). To go on after a value of the wrong type, ask
 * fa_json_peek() beforehand.
 *
 * All of the text that is passed over is checked: its syntax, its escapes, that
 * its strings are UTF-8. Nothing recurses.
 *
 * Ownership: text, arena and scratch are borrowed for the life of the reader. The
 * slices that it hands out live as long as the text, or, for strings with escapes,
 * as long as what the arena or the scratch holds. The fields are private.
 * Threads: one at a time.
 */
typedef struct fa_json_reader {
    const char *at;
    const char *end;
    const char *start;
    uint8_t state;
    bool in_object;
    bool report_duplicates;
    bool allow_nan;
    bool allow_lone_surrogates;
    int error;
    uint32_t depth;
    uint32_t max_depth;
    size_t error_at;
    fa_arena *arena;
    char *scratch;
    size_t scratch_left;
    struct fa__json_keys *keys;
    struct fa__json_keys *outermost_keys;
    uint64_t objects[FA_JSON_DEPTH_MAX / 64]; /* a bit a level: object or array */
} fa_json_reader;

/** Starts at the first byte of `text`. `options` is copied, NULL: all zero. A
    max_depth that is too large makes the reader fail with FA_ERR_INVALID. */
FA_API void fa_json_reader_init(fa_json_reader *r, fa_slice text,
                                const fa_json_reader_options *options);

/** The type of the next value, told from its first byte. FA_JSON_INVALID where
    none can start; the reader has then failed with FA_ERR_JSON_SYNTAX,
    FA_ERR_JSON_END, or FA_ERR_STATE where no value is due. */
FA_API fa_json_type fa_json_peek(fa_json_reader *r);

/**
 * Into the object or array that is the next value.
 *
 * Returns 0, FA_ERR_JSON_TYPE, FA_ERR_JSON_DEPTH, FA_ERR_NOMEM (objects with
 * report_duplicates only), or an error of fa_json_peek().
 */
FA_API int fa_json_enter_object(fa_json_reader *r);
FA_API int fa_json_enter_array(fa_json_reader *r);

/**
 * True: `*key` is the next key of the innermost object, decoded, and its value has
 * to be read, entered or skipped next. False: the object has ended and been left,
 * or the reader has failed: with FA_ERR_STATE where the innermost container is no
 * object or a value is due, with the errors of fa_json_read_string(), or with
 * FA_ERR_JSON_DUPLICATE.
 */
FA_API bool fa_json_next_key(fa_slice *key, fa_json_reader *r);

/** The same for arrays. True: the next element has to be read, entered or skipped. */
FA_API bool fa_json_next_element(fa_json_reader *r);

/**
 * Reads of one value. Each returns 0, FA_ERR_JSON_TYPE, an error of fa_json_peek(),
 * and what its comment names; `*out` is written only on success.
 */

/** Decoded: valid UTF-8, perhaps with NULs inside. FA_ERR_JSON_UTF8,
    FA_ERR_JSON_ESCAPE, FA_ERR_JSON_CONTROL, or FA_ERR_NOMEM when the string has
    escapes and arena or scratch have no room. */
FA_API int fa_json_read_string(fa_slice *out, fa_json_reader *r);

/** A number without fraction and exponent (with them: FA_ERR_JSON_TYPE, be its
    value integral or not). FA_ERR_JSON_NUMBER; FA_ERR_JSON_RANGE. */
FA_API int fa_json_read_int64(int64_t *out, fa_json_reader *r);
FA_API int fa_json_read_uint64(uint64_t *out, fa_json_reader *r);

/** The double next to the number's exact value, ties to even. FA_ERR_JSON_NUMBER;
    FA_ERR_JSON_RANGE when it rounds to infinity and allow_nan is off. */
FA_API int fa_json_read_double(double *out, fa_json_reader *r);

/** Any number as the text has it: no digit is lost. FA_ERR_JSON_NUMBER. */
FA_API int fa_json_read_number(fa_slice *out, fa_json_reader *r);

FA_API int fa_json_read_bool(bool *out, fa_json_reader *r);
FA_API int fa_json_read_null(fa_json_reader *r);

/** Any value, checked as if it were read. Needs memory only with report_duplicates. */
FA_API int fa_json_skip(fa_json_reader *r);

/** The same, and hands out the text of the value without space around it. */
FA_API int fa_json_read_raw(fa_slice *out, fa_json_reader *r);

/** The end of the work: 0 when the whole text was one value and was read, the
    error that stuck, FA_ERR_JSON_TRAILING, or FA_ERR_STATE when part of it is
    still unread. */
FA_API int fa_json_end(fa_json_reader *r);

/** The error that stuck, or 0. */
FA_API int fa_json_error(const fa_json_reader *r);

/**
 * Where the error is, in bytes from the start of the text: the first byte that
 * cannot be there; for FA_ERR_JSON_END the length of the text; for _ESCAPE the
 * backslash; for _DEPTH the bracket; for _RANGE, _TYPE and FA_ERR_NOMEM the start
 * of the value; for _DUPLICATE the opening quote of the second key. Without an
 * error it is how far the text has been read.
 */
FA_API size_t fa_json_position(const fa_json_reader *r);

/**
 * Which value the error (or the reader) is at, as a JSON Pointer (RFC 6901):
 * "/items/3/price", "" for the outermost. Found by reading the text once more, so
 * that readers without errors pay nothing. `.p` is NULL when there is no memory.
 */
FA_API fa_slice fa_json_path(const fa_json_reader *r, fa_arena *arena);

/** "malformed JSON number at byte 17, in /items/3/price", control characters of the
    path replaced by '?'; `.p` is NULL when there is no memory. */
FA_API fa_slice fa_json_message(const fa_json_reader *r, fa_arena *arena);

/** True when `text` is one JSON value as the strict reader takes it. */
FA_API bool fa_json_valid(fa_slice text);

/** What the writer does with NaN and infinities, which JSON cannot say. */
typedef enum fa_json_nan {
    FA_JSON_NAN_ERROR = 0, /* FA_ERR_JSON_RANGE */
    FA_JSON_NAN_NULL,      /* null */
    FA_JSON_NAN_NAME,      /* NaN, Infinity, -Infinity, as Python's json: not JSON */
} fa_json_nan;

typedef struct fa_json_writer_options {
    fa_arena *arena;           /* where the text grows; NULL: `alloc` */
    const fa_allocator *alloc; /* copied; NULL: malloc() */
    size_t first_bytes;        /* room taken at the first write; 0: 256 */
    fa_json_nan nan;
    bool ensure_ascii; /* \u escapes for all but printable ASCII */
} fa_json_writer_options;

/**
 * A writer of one value, without spaces: the bytes of Python's
 * json.dumps(value, ensure_ascii=..., separators=(",", ":")). Commas and colons
 * come by themselves.
 *
 *     fa_json_writer_init(&w, &options);
 *     fa_json_begin_object(&w);
 *     fa_json_write_key(&w, FA_SLICE("sum"));
 *     fa_json_write_int64(&w, 499500);
 *     fa_json_end_object(&w);
 *     rv = fa_json_writer_finish(&text, &w);
 *
 * Errors stick: after the first, every function returns it and nothing more is
 * written, so that it is enough to look at the result of fa_json_writer_finish().
 * Besides what their comments name, all functions return 0, FA_ERR_NOMEM, or
 * FA_ERR_STATE where such a thing is not due: a value of an object without its key,
 * a key outside of an object, an end that matches no begin, a second value.
 *
 * Ownership: the arena is borrowed for the life of the writer; what is written is
 * copied. The fields are private.
 * Threads: one at a time.
 */
typedef struct fa_json_writer {
    char *p;
    size_t len;
    size_t cap;
    uint8_t state;
    bool in_object;
    bool ensure_ascii;
    uint8_t nan;
    int error;
    uint32_t depth;
    fa_arena *arena;
    fa_allocator alloc;
    size_t first_bytes;
    uint64_t objects[FA_JSON_DEPTH_MAX / 64]; /* a bit a level: object or array */
} fa_json_writer;

/** Allocates nothing yet. `options` is copied; NULL: all zero. */
FA_API void fa_json_writer_init(fa_json_writer *w, const fa_json_writer_options *options);

/** Gives the text back, unless it is an arena's. `w` may be initialised anew. */
FA_API void fa_json_writer_free(fa_json_writer *w);

/** Forgets text and error but keeps the memory: for the next value. */
FA_API void fa_json_writer_reset(fa_json_writer *w);

/** FA_ERR_JSON_DEPTH above FA_JSON_DEPTH_MAX. */
FA_API int fa_json_begin_object(fa_json_writer *w);
FA_API int fa_json_begin_array(fa_json_writer *w);
FA_API int fa_json_end_object(fa_json_writer *w);
FA_API int fa_json_end_array(fa_json_writer *w);

/** FA_ERR_JSON_UTF8 unless `v` is UTF-8. Keys are not looked at for duplicates. */
FA_API int fa_json_write_key(fa_json_writer *w, fa_slice v);
FA_API int fa_json_write_string(fa_json_writer *w, fa_slice v);

FA_API int fa_json_write_int64(fa_json_writer *w, int64_t v);
FA_API int fa_json_write_uint64(fa_json_writer *w, uint64_t v);

/** The shortest digits that read back as `v`, as Python's repr() has them: "0.1",
    "1.0", "1e+16", "5e-324". FA_ERR_JSON_RANGE for NaN and infinities, by option. */
FA_API int fa_json_write_double(fa_json_writer *w, double v);

FA_API int fa_json_write_bool(fa_json_writer *w, bool v);
FA_API int fa_json_write_null(fa_json_writer *w);

/** `v` is one JSON value and goes out as it is, unchecked. FA_ERR_INVALID when it
    is empty. */
FA_API int fa_json_write_raw(fa_json_writer *w, fa_slice v);

/** The error that stuck, FA_ERR_STATE unless one whole value was written, or 0 and
    its text in `*out`, borrowed until the writer is reset or freed (an arena's text:
    as long as the arena holds it, if the writer is not reset). */
FA_API int fa_json_writer_finish(fa_slice *out, fa_json_writer *w);

#ifdef __cplusplus
}
#endif
#endif
