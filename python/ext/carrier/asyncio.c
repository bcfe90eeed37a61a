/* What is asked of asyncio for every request, without a Python call where its own C code
   can be asked directly. Each short cut is tried when the module is loaded; where it does
   not hold (another Python, tasks written in Python), the function itself is called. */
#include "core.h"

/* The C function behind a method without arguments, or NULL. It is right for objects of
   exactly `type` only. */
static PyCFunction
direct_method(PyTypeObject *type, PyObject *name)
{
    PyObject *found = PyObject_GetAttr((PyObject *)type, name);
    const PyMethodDef *def = NULL;
    PyCFunction function = NULL;

    if (found != NULL && Py_IS_TYPE(found, &PyMethodDescr_Type))
        def = ((PyMethodDescrObject *)found)->d_method;
    if (def != NULL && def->ml_flags == METH_NOARGS)
        function = def->ml_meth; /* static: outlives the descriptor */
    Py_XDECREF(found);
    return function;
}

/* Whether entering a task does no more than to write it down in that dict. */
static bool
is_written_down(core_state *core, PyObject *tasks)
{
    PyObject *task = PyTuple_Pack(1, Py_None), *loop = core->empty_bytes, *done;
    bool written = false;

    if (task == NULL || !PyDict_CheckExact(tasks) || PyDict_GET_SIZE(tasks) != 0) {
        Py_XDECREF(task);
        return false;
    }
    done = PyObject_CallFunctionObjArgs(core->enter_task, loop, task, NULL);
    if (done != NULL) {
        written =
            PyDict_GET_SIZE(tasks) == 1 && PyDict_GetItemWithError(tasks, loop) == task;
        Py_SETREF(done, PyObject_CallFunctionObjArgs(core->leave_task, loop, task, NULL));
        written = written && done != NULL && PyDict_GET_SIZE(tasks) == 0;
        Py_XDECREF(done);
    }
    PyErr_Clear();
    Py_DECREF(task);
    return written;
}

static void
take_short_cuts(core_state *core)
{
    PyObject *native = PyImport_ImportModule("_asyncio");
    PyObject *tasks = NULL, *future = NULL;

    if (native != NULL) {
        tasks = PyObject_GetAttrString(native, "_current_tasks");
        if (tasks != NULL && is_written_down(core, tasks))
            core->current_tasks = Py_NewRef(tasks);
        PyErr_Clear();
        future = PyObject_GetAttrString(native, "Future");
    }
    if (future != NULL && PyType_Check(future)) {
        core->future_done = direct_method((PyTypeObject *)future, core->str_done);
        core->future_type = (PyTypeObject *)Py_NewRef(future);
    }
    PyErr_Clear();
    Py_XDECREF(native);
    Py_XDECREF(tasks);
    Py_XDECREF(future);
}

static PyObject *
cancelled_error(void)
{
    PyObject *exceptions = PyImport_ImportModule("asyncio.exceptions");
    PyObject *found =
        exceptions != NULL ? PyObject_GetAttrString(exceptions, "CancelledError") : NULL;

    Py_XDECREF(exceptions);
    return found;
}

int
asyncio_take(core_state *core)
{
    PyObject *tasks = PyImport_ImportModule("asyncio.tasks");

    if (tasks == NULL)
        return -1;
    core->enter_task = PyObject_GetAttrString(tasks, "_enter_task");
    core->leave_task = PyObject_GetAttrString(tasks, "_leave_task");
    core->current_task = PyObject_GetAttrString(tasks, "current_task");
    core->task_type = PyObject_GetAttrString(tasks, "Task");
    core->cancelled_error = cancelled_error();
    Py_DECREF(tasks);
    if (core->enter_task == NULL || core->leave_task == NULL ||
        core->current_task == NULL || core->task_type == NULL ||
        core->cancelled_error == NULL)
        return -1;
    take_short_cuts(core);
    core->context_name = PyTuple_Pack(1, core->str_context);
    core->msg_name = PyTuple_Pack(1, core->str_msg);
    return core->context_name != NULL && core->msg_name != NULL ? 0 : -1;
}

int
asyncio_is_done(core_state *core, PyObject *future)
{
    PyObject *done = Py_IS_TYPE(future, core->future_type) && core->future_done != NULL
                         ? core->future_done(future, NULL)
                         : PyObject_CallMethodNoArgs(future, core->str_done);
    int res;

    if (done == Py_False || done == Py_True)
        res = done == Py_True;
    else
        res = done != NULL ? PyObject_IsTrue(done) : -1;
    Py_XDECREF(done);
    return res;
}

/* The only one that is to be called when the future is done: (callback, context), a
   reference to a tuple. NULL: there is none, or more; or with an exception. */
static PyObject *
only_callback(core_state *core, PyObject *future)
{
    PyObject *all, *only = NULL;

    if (!Py_IS_TYPE(future, core->future_type))
        return NULL;
    all = PyObject_GetAttr(future, core->str__callbacks); /* a list of its own, or None */
    if (all != NULL && PyList_CheckExact(all) && PyList_GET_SIZE(all) == 1)
        only = Py_NewRef(PyList_GET_ITEM(all, 0));
    Py_XDECREF(all);
    if (only != NULL && !(PyTuple_CheckExact(only) && PyTuple_GET_SIZE(only) == 2))
        Py_CLEAR(only);
    return only;
}

static int
set_result(core_state *core, PyObject *future)
{
    PyObject *res = PyObject_CallMethodOneArg(future, core->str_set_result, Py_None);

    Py_XDECREF(res);
    return res != NULL ? 0 : -1;
}

int
asyncio_call_soon(core_state *core, PyObject *loop, PyObject *callback, PyObject *arg,
                  PyObject *context)
{
    PyObject *args[4] = {loop, callback, arg != NULL ? arg : context, context};
    PyObject *handle = PyObject_VectorcallMethod(core->str_call_soon, args,
                                                 arg != NULL ? 3 : 2, core->context_name);

    Py_XDECREF(handle);
    return handle != NULL ? 0 : -1;
}

int
asyncio_cancel(core_state *core, PyObject *future, PyObject *message)
{
    PyObject *args[2] = {future, message != NULL ? message : Py_None};
    PyObject *done = PyObject_VectorcallMethod(core->str_cancel, args, 1, core->msg_name);
    int res = done != NULL ? PyObject_IsTrue(done) : -1;

    Py_XDECREF(done);
    return res;
}

/* Whether it has been yielded by its own __await__(), and is of that loop. */
static int
is_to_be_awaited(core_state *core, PyObject *loop, PyObject *future)
{
    PyObject *found = PyObject_GetAttr(future, core->str__asyncio_future_blocking);
    bool blocking = found == Py_True;

    Py_XDECREF(found);
    if (found == NULL || !blocking)
        return found != NULL || PyErr_ExceptionMatches(PyExc_AttributeError) ? 0 : -1;
    found = PyObject_CallMethodNoArgs(future, core->str_get_loop);
    Py_XDECREF(found);
    return found != NULL ? found == loop : -1;
}

int
asyncio_await(core_state *core, PyObject *loop, PyObject *future, PyObject *callback,
              PyObject *context)
{
    PyObject *args[3] = {future, callback, context}, *added;
    int res = is_to_be_awaited(core, loop, future);

    if (res == 0)
        PyErr_Clear(); /* no such attribute */
    if (res != 1)
        return res;
    if (PyObject_SetAttr(future, core->str__asyncio_future_blocking, Py_False) < 0)
        return -1;
    added = PyObject_VectorcallMethod(core->str_add_done_callback, args, 2,
                                      core->context_name);
    Py_XDECREF(added);
    return added != NULL ? 1 : -1;
}

/* As set_result() does it, but for the order. */
static int
call_and_set(core_state *core, PyObject *loop, PyObject *future, PyObject *only)
{
    PyObject *callback = PyTuple_GET_ITEM(only, 0);
    PyObject *removed;

    if (asyncio_call_soon(core, loop, callback, future, PyTuple_GET_ITEM(only, 1)) < 0)
        return -1;
    removed = PyObject_CallMethodOneArg(future, core->str_remove_done_callback, callback);
    if (removed == NULL)
        return -1;
    Py_DECREF(removed);
    return set_result(core, future);
}

/* A future is done first, and then calls those that wait for it; if it has no memory to
   do so, they are forgotten, and wait for ever. So the one that waits, a task mostly, is
   called before. */
int
asyncio_wake(core_state *core, PyObject *loop, PyObject *future)
{
    PyObject *only = only_callback(core, future);
    int rv;

    if (only == NULL)
        return PyErr_Occurred() ? -1 : set_result(core, future);
    rv = call_and_set(core, loop, future, only);
    Py_DECREF(only);
    return rv;
}

static int
call(PyObject *function, PyObject *loop, PyObject *task)
{
    PyObject *args[2] = {loop, task};
    PyObject *done = PyObject_Vectorcall(function, args, 2, NULL);

    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

int
asyncio_enter(core_state *core, PyObject *loop, PyObject *task)
{
    PyObject *tasks = core->current_tasks, *current;

    if (tasks == NULL)
        return call(core->enter_task, loop, task);
    current = PyDict_SetDefault(tasks, loop, task); /* borrowed */
    if (current == task)
        return 0;
    /* What is in the way is an error that asyncio itself has words for. */
    return current != NULL ? call(core->enter_task, loop, task) : -1;
}

int
asyncio_leave(core_state *core, PyObject *loop, PyObject *task)
{
    PyObject *tasks = core->current_tasks;

    if (tasks == NULL || PyDict_GetItemWithError(tasks, loop) != task)
        return call(core->leave_task, loop, task);
    return PyDict_DelItem(tasks, loop);
}
