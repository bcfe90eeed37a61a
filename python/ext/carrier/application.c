#include "carrier/application.h"

PyObject *
application_iterator(PyObject *awaitable)
{
    PyObject *iterator;

    if (awaitable == NULL || PyCoro_CheckExact(awaitable))
        return awaitable;
    iterator = PyObject_CallMethod(awaitable, "__await__", NULL);
    if (iterator == NULL && PyErr_ExceptionMatches(PyExc_AttributeError) &&
        Py_TYPE(awaitable)->tp_as_async == NULL)
        PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression",
                     Py_TYPE(awaitable)->tp_name);
    Py_DECREF(awaitable);
    return iterator;
}

PyObject *
application_call(Worker *worker, PyObject *scope, PyObject *owner,
                 PyMethodDef *receive_def, PyMethodDef *send_def)
{
    PyObject *receive = PyCFunction_New(receive_def, owner);
    PyObject *send = PyCFunction_New(send_def, owner);
    PyObject *awaitable = NULL;

    if (receive != NULL && send != NULL) {
        PyObject *args[4] = {NULL, scope, receive, send};

        awaitable = PyObject_Vectorcall(worker->asgi, args + 1,
                                        3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_XDECREF(receive);
    Py_XDECREF(send);
    return application_iterator(awaitable);
}

PyObject *
application_take_error(void)
{
    PyObject *type, *value, *traceback;

    if (!PyErr_Occurred())
        PyErr_NoMemory(); /* CPython 3.12 may raise without an exception then */
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        (void)PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

void
application_report_result(Worker *worker, PyObject *result)
{
    PyObject *text = PyUnicode_FromFormat(
        "ASGI callable should return None, but returned '%S'.", result);
    const char *utf8 = text != NULL ? PyUnicode_AsUTF8(text) : NULL;

    if (utf8 == NULL) {
        PyErr_Clear(); /* its __str__() raised */
        utf8 = "ASGI callable should return None, but returned a value.";
    }
    worker_report(worker, utf8, NULL);
    Py_XDECREF(text);
}
