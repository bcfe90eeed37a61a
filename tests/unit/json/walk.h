/* Reads a whole text value by value through the public interface, each with the type
   that fa_json_peek() tells. */
#ifndef FA_TESTS_JSON_WALK_H
#define FA_TESTS_JSON_WALK_H

#include <fasterapi/json.h>

/* Returns what fa_json_end() does. `last` gets the last key or string. */
static inline int walk(fa_json_reader *r, fa_slice *last)
{
    bool in_object[FA_JSON_DEPTH_MAX];
    size_t depth = 0;
    fa_slice number;
    bool truth;

    do {
        fa_json_type type = fa_json_peek(r);
        int rv = 0;

        switch (type) {
        case FA_JSON_OBJECT: rv = fa_json_enter_object(r); break;
        case FA_JSON_ARRAY: rv = fa_json_enter_array(r); break;
        case FA_JSON_STRING: rv = fa_json_read_string(last, r); break;
        case FA_JSON_NUMBER: rv = fa_json_read_number(&number, r); break;
        case FA_JSON_BOOL: rv = fa_json_read_bool(&truth, r); break;
        case FA_JSON_NULL: rv = fa_json_read_null(r); break;
        case FA_JSON_INVALID: rv = fa_json_error(r); break;
        }
        if (rv != 0)
            return fa_json_end(r);
        if (type == FA_JSON_OBJECT || type == FA_JSON_ARRAY)
            in_object[depth++] = type == FA_JSON_OBJECT;
        while (depth > 0 && !(in_object[depth - 1] ? fa_json_next_key(last, r)
                                                   : fa_json_next_element(r))) {
            if (fa_json_error(r) != 0)
                return fa_json_end(r);
            --depth;
        }
    } while (depth > 0);
    return fa_json_end(r);
}

#endif
