#include "http/message.h"

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

/* Bytes, which bytearrays become; new reference or NULL. */
static PyObject *
bytes_of(PyObject *text)
{
    if (PyBytes_Check(text))
        return Py_NewRef(text);
    if (PyByteArray_Check(text))
        return PyBytes_FromObject(text);
    PyErr_Format(PyExc_TypeError, "header names and values are bytes, not %.100s",
                 Py_TYPE(text)->tp_name);
    return NULL;
}

/* Pairs of bytes only, of headers among which something else was. New reference or NULL.
 */
static PyObject *
plain_headers(PyObject *list)
{
    PyObject *plain = PyList_New(0);

    for (Py_ssize_t i = 0; plain != NULL && i < PySequence_Fast_GET_SIZE(list); ++i) {
        PyObject *pair = PySequence_Fast(PySequence_Fast_GET_ITEM(list, i),
                                         "a header is a pair of bytes");
        PyObject *name = NULL, *value = NULL, *made = NULL;

        if (pair != NULL && PySequence_Fast_GET_SIZE(pair) != 2)
            PyErr_SetString(PyExc_ValueError, "a header is a pair of bytes");
        else if (pair != NULL)
            name = bytes_of(PySequence_Fast_GET_ITEM(pair, 0));
        if (name != NULL)
            value = bytes_of(PySequence_Fast_GET_ITEM(pair, 1));
        if (value != NULL)
            made = PyTuple_Pack(2, name, value);
        if (made == NULL || PyList_Append(plain, made) < 0)
            Py_CLEAR(plain);
        Py_XDECREF(pair);
        Py_XDECREF(name);
        Py_XDECREF(value);
        Py_XDECREF(made);
    }
    return plain;
}

static bool
is_plain(PyObject *pair)
{
    return (PyTuple_Check(pair) || PyList_Check(pair)) &&
           PySequence_Fast_GET_SIZE(pair) == 2 &&
           PyBytes_Check(PySequence_Fast_GET_ITEM(pair, 0)) &&
           PyBytes_Check(PySequence_Fast_GET_ITEM(pair, 1));
}

/* The pair of bytes that a header is. */
static fa_field
field_of(PyObject *pair)
{
    PyObject *name = PySequence_Fast_GET_ITEM(pair, 0);
    PyObject *value = PySequence_Fast_GET_ITEM(pair, 1);

    return (fa_field){
        {PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name)},
        {PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)},
    };
}

int
message_fields_init(message_fields *fields, PyObject *headers, size_t spare)
{
    enum { FEW = sizeof(fields->few) / sizeof(fields->few[0]) };
    size_t n;
    int rv = 0;

    fields->list = PySequence_Fast(headers, "headers must be iterable");
    for (Py_ssize_t i = 0;
         fields->list != NULL && i < PySequence_Fast_GET_SIZE(fields->list); ++i) {
        if (!is_plain(PySequence_Fast_GET_ITEM(fields->list, i))) {
            Py_SETREF(fields->list, plain_headers(fields->list));
            break;
        }
    }
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
        fields->at[i] = field_of(PySequence_Fast_GET_ITEM(fields->list, (Py_ssize_t)i));
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
