/* What a plan has in hand of one request, and what runners in Python ask of it. */
#include "threads/hop.h"
#include "plan/plan.h"

/* ---- life ---- */

Run *
run_new(Worker *worker, Plan *plan, fa_request *req)
{
    PyTypeObject *type = plan->core->run_type;
    Run *run = worker->spare_run;

    if (run != NULL) {
        worker->spare_run = NULL;
        memset((char *)run + sizeof(PyObject), 0, sizeof(*run) - sizeof(PyObject));
        (void)PyObject_Init((PyObject *)run, type);
        PyObject_GC_Track((PyObject *)run);
    } else {
        run = (Run *)type->tp_alloc(type, 0);
    }
    if (run == NULL)
        return NULL;
    run->worker = (Worker *)Py_NewRef((PyObject *)worker);
    run->plan = (Plan *)Py_NewRef((PyObject *)plan);
    run->req = req;
    return run;
}

static int
run_traverse(PyObject *op, visitproc visit, void *arg)
{
    Run *run = (Run *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT((PyObject *)run->worker);
    Py_VISIT((PyObject *)run->plan);
    Py_VISIT((PyObject *)run->cycle);
    Py_VISIT(run->scope);
    Py_VISIT(run->body);
    return 0;
}

static int
run_clear(PyObject *op)
{
    Run *run = (Run *)op;

    Py_CLEAR(run->cycle);
    Py_CLEAR(run->scope);
    Py_CLEAR(run->body);
    return 0;
}

static void
run_dealloc(PyObject *op)
{
    Run *run = (Run *)op;
    PyTypeObject *type = Py_TYPE(op);
    Worker *worker = run->worker;

    PyObject_GC_UnTrack(op);
    (void)run_clear(op);
    if (run->deferred != NULL)
        fa_deferred_release(run->deferred);
    Py_CLEAR(run->plan);
    run->worker = NULL;
    /* Most requests end before the next one begins: they take turns with one object. */
    if (worker != NULL && worker->spare_run == NULL && worker->worker != NULL)
        worker->spare_run = run;
    else
        type->tp_free(op);
    Py_DECREF(type);
    Py_XDECREF((PyObject *)worker); /* last: it frees the spare one */
}

void
run_free_spare(Worker *worker)
{
    PyObject *spare = (PyObject *)worker->spare_run;

    worker->spare_run = NULL;
    if (spare != NULL)
        PyObject_GC_Del(spare);
}

/* ---- methods ---- */

/* (scope, receive, send) */
static PyObject *
run_asgi(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Cycle *cycle = run_cycle((Run *)op);

    return cycle != NULL ? cycle_triple(cycle) : NULL;
}

/* All of the body; for receive() it is read. */
static PyObject *
run_body(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Run *run = (Run *)op;
    Cycle *cycle = run_cycle(run);
    PyObject *body;

    if (cycle == NULL)
        return NULL;
    if (cycle->more_body) {
        PyErr_SetString(PyExc_RuntimeError, "the body has not come yet");
        return NULL;
    }
    body =
        cycle->body != NULL ? cycle->body : Py_NewRef(cycle->worker->core->empty_bytes);
    cycle->body = NULL;
    cycle->handed_out = true;
    Py_XSETREF(run->body, Py_NewRef(body));
    return body;
}

/* Function by function of fasterapi/_threads.py what anyio itself does. */
static PyObject *
call_elsewhere(const char *name, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *module = PyImport_ImportModule("fasterapi._threads");
    PyObject *function = module != NULL ? PyObject_GetAttrString(module, name) : NULL;
    PyObject *made =
        function != NULL ? PyObject_Vectorcall(function, args, (size_t)n, names) : NULL;

    Py_XDECREF(module);
    Py_XDECREF(function);
    return made;
}

static PyObject *
in_thread(PyObject *op, hop_kind kind, PyObject *const *args, Py_ssize_t n,
          PyObject *names)
{
    PyObject *hop;

    if (n < 1) {
        PyErr_SetString(PyExc_TypeError, "what is to be called in a thread?");
        return NULL;
    }
    hop = hop_new(((Run *)op)->worker, op, kind, args, n, names);
    if (hop != NULL || PyErr_Occurred())
        return hop;
    return call_elsewhere(kind.limited ? "in_thread" : "at_exit", args, n, names);
}

static PyObject *
run_thread(PyObject *op, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    return in_thread(op, (hop_kind){.limited = true}, args, n, names);
}

static PyObject *
run_thread_later(PyObject *op, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    return in_thread(op, (hop_kind){.later = true, .limited = true}, args, n, names);
}

static PyObject *
run_thread_exit(PyObject *op, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    return in_thread(op, (hop_kind){.later = true}, args, n, names);
}

static PyObject *
run_get_method(PyObject *op, void *Py_UNUSED(closure))
{
    Run *run = (Run *)op;
    PyObject *scope = run->cycle != NULL ? run->cycle->scope : run->scope;
    fa_slice name;

    if (run->req == NULL && scope != NULL)
        return PyObject_GetItem(scope, run->worker->core->str_method);
    if (run->req == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the request is answered");
        return NULL;
    }
    name = fa_method_name(fa_request_method(run->req));
    return PyUnicode_FromStringAndSize(name.p, (Py_ssize_t)name.len);
}

/* Whether the answer has begun. */
static PyObject *
run_get_started(PyObject *op, void *Py_UNUSED(closure))
{
    Run *run = (Run *)op;

    return PyBool_FromLong(run->answered || (run->cycle != NULL && run->cycle->started));
}

/* As the scope of the application has it that the plan is of. */
static PyObject *
run_get_root_path(PyObject *op, void *Py_UNUSED(closure))
{
    Run *run = (Run *)op;

    return PyUnicode_Concat(run->worker->root_path, run->plan->root);
}

static PyGetSetDef run_getset[] = {
    {"method", run_get_method, NULL, NULL, NULL},
    {"root_path", run_get_root_path, NULL, NULL, NULL},
    {"started", run_get_started, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define FAST(function)                                                                   \
    (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef run_methods[] = {
    {"answer", run_answer, METH_O, NULL},
    {"asgi", run_asgi, METH_NOARGS, NULL},
    {"body", run_body, METH_NOARGS, NULL},
    {"prepare", run_prepare, METH_O, NULL},
    {"thread", FAST(run_thread), NULL},
    {"thread_exit", FAST(run_thread_exit), NULL},
    {"thread_later", FAST(run_thread_later), NULL},
    {"respond", (PyCFunction)(void (*)(void))run_respond, METH_VARARGS | METH_KEYWORDS,
     NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot run_slots[] = {
    {Py_tp_doc, "One request that a plan serves."},
    {Py_tp_traverse, run_traverse},
    {Py_tp_clear, run_clear},
    {Py_tp_dealloc, run_dealloc},
    {Py_tp_methods, run_methods},
    {Py_tp_getset, run_getset},
    {0, NULL},
};

PyType_Spec run_spec = {
    .name = "fasterapi._core.Run",
    .basicsize = sizeof(Run),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = run_slots,
};
