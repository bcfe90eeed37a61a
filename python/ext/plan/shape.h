/* Models of pydantic that a body of the usual kind becomes without pydantic-core. */
#ifndef FA_EXT_PLAN_SHAPE_H
#define FA_EXT_PLAN_SHAPE_H

#include "core.h"

/* Likewise in fasterapi/_compile/_shapes.py. */
typedef enum shape_kind {
    SHAPE_STR,
    SHAPE_INT,
    SHAPE_FLOAT,
    SHAPE_BOOL,
    SHAPE_LIST,
    SHAPE_MODEL,
    SHAPE_KINDS,
} shape_kind;

enum { SHAPE_FIELDS_MAX = 32, SHAPE_DEPTH_MAX = 8, MODEL_MEMBERS = 3 };

typedef struct plan_shape plan_shape;

/* What a value must be like. All objects are borrowed from the row of its Shape. */
struct plan_shape {
    shape_kind kind;
    bool nullable;
    plan_shape *parts; /* of a list, one: its items; of a model: its fields */
    Py_ssize_t count;

    /* Of a model. */
    PyTypeObject *type;
    Py_ssize_t members[MODEL_MEMBERS]; /* where its instances have, beside the dict: the
                                          names that were set, what is extra, what is
                                          private */

    /* Of a field. */
    PyObject *name;
    fa_slice key;
    PyObject *fallback; /* the default; NULL: it must be there */
    bool fresh;         /* the default is an empty list, a new one each time */
};

/* What Python sees of one. */
typedef struct Shape {
    PyObject_HEAD PyObject *row; /* what it was made from */
    plan_shape top;
} Shape;

/* What validate_json() of pydantic-core makes of `json`. NULL without an exception: that
   is for it to find out, as something is spelled in another way, missing or not valid. */
PyObject *plan_shape_make(const plan_shape *shape, fa_slice json);

#endif
