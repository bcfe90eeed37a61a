/* Reads a JSON text value by value and writes each as it comes. */
#ifndef FA_TESTS_JSON_COPY_H
#define FA_TESTS_JSON_COPY_H

#include <fasterapi/json.h>

/* Numbers have several ways. */
typedef void json_copy_number_fn(fa_json_writer *w, fa_json_reader *r);

static inline void json_copy_scalar(fa_json_writer *w, fa_json_reader *r,
                                    fa_json_type type, json_copy_number_fn *number)
{
    fa_slice v;
    bool truth;

    if (type == FA_JSON_STRING && fa_json_read_string(&v, r) == 0)
        fa_json_write_string(w, v);
    else if (type == FA_JSON_NUMBER)
        number(w, r);
    else if (type == FA_JSON_BOOL && fa_json_read_bool(&truth, r) == 0)
        fa_json_write_bool(w, truth);
    else if (type == FA_JSON_NULL && fa_json_read_null(r) == 0)
        fa_json_write_null(w);
}

/* Leaves the containers that end here, up to the next value. False: no more values. */
static inline bool json_copy_next(fa_json_writer *w, fa_json_reader *r,
                                  const bool *in_object, size_t *depth)
{
    fa_slice key;

    while (*depth > 0) {
        bool object = in_object[*depth - 1];

        if (object ? fa_json_next_key(&key, r) : fa_json_next_element(r)) {
            if (object)
                fa_json_write_key(w, key);
            return true;
        }
        if (fa_json_error(r) != 0)
            return false;
        if (object)
            fa_json_end_object(w);
        else
            fa_json_end_array(w);
        --*depth;
    }
    return false;
}

/* Returns the reader's verdict on the whole text. */
static inline int json_copy(fa_json_writer *w, fa_json_reader *r,
                            json_copy_number_fn *number)
{
    bool in_object[FA_JSON_DEPTH_MAX];
    size_t depth = 0;

    do {
        fa_json_type type = fa_json_peek(r);

        if (type == FA_JSON_OBJECT && fa_json_enter_object(r) == 0) {
            in_object[depth++] = true;
            fa_json_begin_object(w);
        } else if (type == FA_JSON_ARRAY && fa_json_enter_array(r) == 0) {
            in_object[depth++] = false;
            fa_json_begin_array(w);
        } else {
            json_copy_scalar(w, r, type, number);
        }
    } while (fa_json_error(r) == 0 && json_copy_next(w, r, in_object, &depth));
    return fa_json_end(r);
}

#endif
