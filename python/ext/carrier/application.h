/* Calling the application, and what may come of it. */
#ifndef FA_EXT_CARRIER_APPLICATION_H
#define FA_EXT_CARRIER_APPLICATION_H

#include "core.h"

/* app(scope, receive, send), the latter two methods of `owner` by these definitions.
   Gives the coroutine, or the iterator that drives what was returned; NULL with an
   exception. */
PyObject *application_call(Worker *worker, PyObject *scope, PyObject *owner,
                           PyMethodDef *receive, PyMethodDef *send);

/* The iterator that drives `awaitable` (taken over, may be NULL), or NULL with an
   exception. */
PyObject *application_iterator(PyObject *awaitable);

/* The exception that is set, with its traceback: no longer set, a new reference. */
PyObject *application_take_error(void);

/* Logs that it has returned something. */
void application_report_result(Worker *worker, PyObject *result);

#endif
