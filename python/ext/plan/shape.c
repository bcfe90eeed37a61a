/* Bodies of the usual kind as models: objects of which all fields are simple, with what
   JSON has for them. Anything else is pydantic-core's, from the beginning: until then no
   code of the application has run, and nothing is left behind. */
#include "plan/shape.h"

#include "plan/plan.h"

static PyObject *make(const plan_shape *shape, fa_json_reader *r);

/* ---- a model ---- */

/* As pydantic-core leaves an instance. Nothing of the class is called. */
static PyObject *
instance_of(const plan_shape *shape, PyObject *dict, PyObject *given)
{
    PyTypeObject *type = shape->type;
    PyObject *values[MODEL_MEMBERS] = {given, Py_None, Py_None};
    PyObject *made;

    if (type->tp_new != PyBaseObject_Type.tp_new ||
        PyType_HasFeature(type, Py_TPFLAGS_IS_ABSTRACT))
        return NULL;
    made = type->tp_alloc(type, 0);
    if (made == NULL || PyObject_GenericSetDict(made, dict, NULL) < 0) {
        Py_XDECREF(made);
        return NULL;
    }
    for (int i = 0; i < MODEL_MEMBERS; ++i)
        *(PyObject **)((char *)made + shape->members[i]) = Py_NewRef(values[i]);
    return made;
}

static int
put_default(PyObject *dict, const plan_shape *field)
{
    PyObject *value = field->fresh ? PyList_New(0) : Py_XNewRef(field->fallback);
    int rv = value != NULL ? PyDict_SetItem(dict, field->name, value) : -1;

    Py_XDECREF(value);
    return rv;
}

/* Both in the order of the fields, as in pydantic-core. */
static int
put_fields(const plan_shape *shape, PyObject *const *values, PyObject *dict,
           PyObject *given)
{
    for (Py_ssize_t i = 0; i < shape->count; ++i) {
        const plan_shape *field = &shape->parts[i];

        if (values[i] == NULL) {
            if (put_default(dict, field) < 0)
                return -1;
        } else if (PyDict_SetItem(dict, field->name, values[i]) < 0 ||
                   PySet_Add(given, field->name) < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *
model_of(const plan_shape *shape, PyObject *const *values)
{
    PyObject *dict = PyDict_New(), *given = PySet_New(NULL), *made = NULL;

    if (dict != NULL && given != NULL && put_fields(shape, values, dict, given) == 0)
        made = instance_of(shape, dict, given);
    Py_XDECREF(dict);
    Py_XDECREF(given);
    return made;
}

/* That of `key`; clients mostly write the fields in the order of the model: `next` is
   looked at first. -1: there is none. */
static Py_ssize_t
field_of(const plan_shape *shape, fa_slice key, Py_ssize_t next)
{
    if (next < shape->count && fa_slice_equal(shape->parts[next].key, key))
        return next;
    for (Py_ssize_t i = 0; i < shape->count; ++i) {
        if (fa_slice_equal(shape->parts[i].key, key))
            return i;
    }
    return -1;
}

/* False: a key is not known or comes twice, or a value is not simple. */
static bool
read_fields(const plan_shape *shape, fa_json_reader *r, PyObject **values)
{
    Py_ssize_t i = -1;
    fa_slice key;

    if (fa_json_enter_object(r) != 0)
        return false;
    while (fa_json_next_key(&key, r)) {
        i = field_of(shape, key, i + 1);
        if (i < 0 || values[i] != NULL)
            return false;
        values[i] = make(&shape->parts[i], r);
        if (values[i] == NULL)
            return false;
    }
    for (i = 0; i < shape->count; ++i) {
        if (values[i] == NULL && shape->parts[i].fallback == NULL)
            return false;
    }
    return fa_json_error(r) == 0;
}

static PyObject *
make_model(const plan_shape *shape, fa_json_reader *r)
{
    PyObject *values[SHAPE_FIELDS_MAX], *made = NULL;

    for (Py_ssize_t i = 0; i < shape->count; ++i)
        values[i] = NULL;
    if (read_fields(shape, r, values))
        made = model_of(shape, values);
    for (Py_ssize_t i = 0; i < shape->count; ++i)
        Py_XDECREF(values[i]);
    return made;
}

/* ---- other values ---- */

static PyObject *
make_list(const plan_shape *shape, fa_json_reader *r)
{
    PyObject *list;

    if (fa_json_enter_array(r) != 0)
        return NULL;
    list = PyList_New(0);
    while (list != NULL && fa_json_next_element(r)) {
        PyObject *item = make(&shape->parts[0], r);

        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    if (list != NULL && fa_json_error(r) != 0)
        Py_CLEAR(list);
    return list;
}

static PyObject *
make_str(fa_json_reader *r)
{
    fa_slice text;

    return fa_json_read_string(&text, r) == 0 ? plan_text(text, NULL) : NULL;
}

static PyObject *
make_number(param_form form, fa_json_reader *r)
{
    fa_slice text;

    return fa_json_read_number(&text, r) == 0 ? plan_usual(form, text) : NULL;
}

static PyObject *
make_bool(fa_json_reader *r)
{
    bool truth;

    return fa_json_read_bool(&truth, r) == 0 ? PyBool_FromLong(truth) : NULL;
}

static PyObject *
make(const plan_shape *shape, fa_json_reader *r)
{
    if (shape->nullable && fa_json_peek(r) == FA_JSON_NULL)
        return fa_json_read_null(r) == 0 ? Py_NewRef(Py_None) : NULL;
    switch (shape->kind) {
    case SHAPE_STR: return make_str(r);
    case SHAPE_INT: return make_number(FORM_INT, r);
    case SHAPE_FLOAT: return make_number(FORM_FLOAT, r);
    case SHAPE_BOOL: return make_bool(r);
    case SHAPE_LIST: return make_list(shape, r);
    default: return make_model(shape, r);
    }
}

PyObject *
plan_shape_make(const plan_shape *shape, fa_slice json)
{
    fa_json_reader r;
    PyObject *made;

    fa_json_reader_init(&r, json, NULL);
    made = make(shape, &r);
    if (made != NULL && fa_json_end(&r) != 0)
        Py_CLEAR(made);
    return made;
}
