#include "message.h"

PyObject *
message_item(PyObject *message, PyObject *key)
{
    PyObject *value = PyDict_GetItemWithError(message, key);

    if (value == NULL && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, key);
    return value;
}

PyObject *
message_new(core_state *core, PyObject *type)
{
    PyObject *message = PyDict_New();

    if (message != NULL && PyDict_SetItem(message, core->str_type, type) < 0)
        Py_CLEAR(message);
    return message;
}

/* The pair of bytes that a header is. */
static int
field_of(fa_field *field, PyObject *pair)
{
    PyObject *name, *value;

    if (!PyTuple_Check(pair) && !PyList_Check(pair)) {
        PyErr_SetString(PyExc_TypeError, "a header is a pair of bytes");
        return -1;
    }
    if (PySequence_Fast_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_ValueError, "a header is a pair of bytes");
        return -1;
    }
    name = PySequence_Fast_GET_ITEM(pair, 0);
    value = PySequence_Fast_GET_ITEM(pair, 1);
    if (!PyBytes_Check(name) || !PyBytes_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "header names and values are bytes");
        return -1;
    }
    field->name = (fa_slice){PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name)};
    field->value = (fa_slice){PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)};
    return 0;
}

int
message_fields_init(message_fields *fields, PyObject *headers, size_t spare)
{
    enum { FEW = sizeof(fields->few) / sizeof(fields->few[0]) };
    size_t n;
    int rv = 0;

    fields->list = PySequence_Fast(headers, "headers must be iterable");
    if (fields->list == NULL)
        return -1;
    n = (size_t)PySequence_Fast_GET_SIZE(fields->list);
    fields->at = n + spare <= FEW ? fields->few : PyMem_New(fa_field, n + spare);
    fields->count = n;
    if (fields->at == NULL) {
        PyErr_NoMemory();
        rv = -1;
    }
    for (size_t i = 0; rv == 0 && i < n; ++i)
        rv = field_of(&fields->at[i],
                      PySequence_Fast_GET_ITEM(fields->list, (Py_ssize_t)i));
    if (rv < 0)
        message_fields_free(fields);
    return rv;
}

void
message_fields_free(message_fields *fields)
{
    if (fields->at != fields->few)
        PyMem_Free(fields->at);
    Py_DECREF(fields->list);
}

int
message_raise(int rv)
{
    switch (rv) {
    case FA_ERR_FIELD_NAME:
        PyErr_SetString(PyExc_RuntimeError, "Invalid HTTP header name.");
        break;
    case FA_ERR_FIELD_VALUE:
        PyErr_SetString(PyExc_RuntimeError, "Invalid HTTP header value.");
        break;
    case FA_ERR_NOMEM: PyErr_NoMemory(); break;
    default: PyErr_SetString(PyExc_RuntimeError, fa_strerror(rv));
    }
    return -1;
}
