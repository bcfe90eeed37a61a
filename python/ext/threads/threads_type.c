/* The type Threads: what its threads are made with, and what Python sees of them. */
#include "threads/hop.h"
#include "threads/threads.h"

#include <stddef.h>

static PyObject **
objects_of(Threads *pool, size_t i)
{
    static const size_t offsets[] = {
        offsetof(Threads, loop),         offsetof(Threads, context),
        offsetof(Threads, call_soon),    offsetof(Threads, call_soon_threadsafe),
        offsetof(Threads, variables),    offsetof(Threads, variable),
        offsetof(Threads, limiter_type), offsetof(Threads, would_block),
        offsetof(Threads, scoped),       offsetof(Threads, library),
        offsetof(Threads, start),        offsetof(Threads, context_name),
    };

    if (i >= sizeof(offsets) / sizeof(offsets[0]))
        return NULL;
    return (PyObject **)((char *)pool + offsets[i]);
}

static PyObject *
threads_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"loop",         "context",     "variables", "variable",
                               "limiter_type", "would_block", "scoped",    "library",
                               "start",        NULL};
    PyObject *loop, *context, *variables, *variable, *limiter_type, *would_block, *scoped,
        *library, *begin;
    Threads *pool;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$OO!O!OOOOOO:Threads", keywords,
                                     &loop, &PyContext_Type, &context, &PyDict_Type,
                                     &variables, &variable, &limiter_type, &would_block,
                                     &scoped, &library, &begin))
        return NULL;
    pool = (Threads *)type->tp_alloc(type, 0);
    if (pool == NULL)
        return NULL;
    pool->loop = Py_NewRef(loop);
    pool->context = Py_NewRef(context);
    pool->variables = Py_NewRef(variables);
    pool->variable = Py_NewRef(variable);
    pool->limiter_type = Py_NewRef(limiter_type);
    pool->would_block = Py_NewRef(would_block);
    pool->scoped = Py_NewRef(scoped);
    pool->library = Py_NewRef(library);
    pool->start = Py_NewRef(begin);
    pool->call_soon = PyObject_GetAttrString(loop, "call_soon");
    pool->call_soon_threadsafe = PyObject_GetAttrString(loop, "call_soon_threadsafe");
    pool->context_name = Py_BuildValue("(s)", "context");
    if (pool->call_soon == NULL || pool->call_soon_threadsafe == NULL ||
        pool->context_name == NULL)
        Py_CLEAR(pool);
    return (PyObject *)pool;
}

static int
threads_traverse(PyObject *op, visitproc visit, void *arg)
{
    PyObject **object;

    Py_VISIT(Py_TYPE(op));
    for (size_t i = 0; (object = objects_of((Threads *)op, i)) != NULL; ++i)
        Py_VISIT(*object);
    for (Hop *hop = ((Threads *)op)->first; hop != NULL; hop = hop->next)
        Py_VISIT((PyObject *)hop);
    return 0;
}

static int
threads_clear(PyObject *op)
{
    PyObject **object;
    Hop *hop;

    for (size_t i = 0; (object = objects_of((Threads *)op, i)) != NULL; ++i)
        Py_CLEAR(*object);
    while ((hop = threads_pop((Threads *)op)) != NULL)
        Py_DECREF((PyObject *)hop);
    return 0;
}

static void
threads_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)threads_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
threads_get_count(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(((Threads *)op)->count);
}

static PyObject *
threads_get_unfinished(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(((Threads *)op)->unfinished);
}

static PyGetSetDef threads_getset[] = {
    {"count", threads_get_count, NULL, PyDoc_STR("Threads that call work()."), NULL},
    {"unfinished", threads_get_unfinished, NULL,
     PyDoc_STR("Calls of whose end the loop has not been told."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef threads_methods[] = {
    {"failed", threads_failed, METH_NOARGS,
     PyDoc_STR("Told by a thread that cannot call work().")},
    {"grow", threads_grow, METH_NOARGS,
     PyDoc_STR("Starts a thread if none is there for what waits.")},
    {"stop", threads_stop_method, METH_NOARGS,
     PyDoc_STR("Its threads end when nothing waits for them.")},
    {"work", threads_work, METH_NOARGS,
     PyDoc_STR("What a thread of it does all its life.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot threads_slots[] = {
    {Py_tp_doc, "Threads in which the calls of runners are made."},
    {Py_tp_new, threads_new},
    {Py_tp_traverse, threads_traverse},
    {Py_tp_clear, threads_clear},
    {Py_tp_dealloc, threads_dealloc},
    {Py_tp_methods, threads_methods},
    {Py_tp_getset, threads_getset},
    {0, NULL},
};

PyType_Spec threads_spec = {
    .name = "fasterapi._core.Threads",
    .basicsize = sizeof(Threads),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = threads_slots,
};
