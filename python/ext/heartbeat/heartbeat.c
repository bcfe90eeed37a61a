/* A board that a supervisor shares with its workers, a record each, in which a worker
   shows that it lives, and how many connections it has.

   Two hands write the times: a thread of C, which never takes the GIL, for the process;
   the event loop, by turn(), for itself. So a handler that holds the GIL for long stops
   the second beat and not the first, and a process that is stopped or gone stops both. A
   thread of Python could tell neither apart: it cannot answer while the GIL is held, and
   answers as ever while the loop is stuck.

   The connections are for each other. A listening socket that processes share wakes them
   all, and who is awake already takes everything; by the board they take turns. */
#include "heartbeat/heartbeat.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { SLACK = 1 }; /* connections that a worker may have more than another */

/* How old the beat of a loop is that will not take a connection soon. */
static const uint64_t BUSY_NS = 600 * 1000 * 1000;

/* Maps the whole file. */
static int
map_board(Heartbeat *self, int fd, Py_ssize_t slot)
{
    struct stat st;
    void *mapped;

    if (fstat(fd, &st) != 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (slot < 0 || st.st_size / (off_t)sizeof(record) <= slot) {
        PyErr_SetString(PyExc_ValueError, "the board has no such slot");
        return -1;
    }
    self->board_bytes = (size_t)st.st_size;
    mapped = mmap(NULL, self->board_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    self->board = mapped;
    self->own = self->board + slot;
    return 0;
}

static int
heartbeat_init(PyObject *op, PyObject *args, PyObject *keywords)
{
    Heartbeat *self = (Heartbeat *)op;
    Py_ssize_t slot;
    int fd;

    if (keywords != NULL && PyDict_GET_SIZE(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "Heartbeat() takes no keywords");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "in:Heartbeat", &fd, &slot))
        return -1;
    if (self->board != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "already initialised");
        return -1;
    }
    return map_board(self, fd, slot);
}

static record *
record_of(PyObject *op)
{
    record *own = ((Heartbeat *)op)->own;

    if (own == NULL)
        PyErr_SetString(PyExc_ValueError, "the heartbeat has no board");
    return own;
}

static PyObject *
heartbeat_clear(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Heartbeat *self = (Heartbeat *)op;
    uint64_t slots;

    if (record_of(op) == NULL)
        return NULL;
    atomic_store(&self->own->process_ns, 0);
    atomic_store(&self->own->loop_ns, 0);
    atomic_store(&self->own->connections, 0);
    slots = (uint64_t)(self->own - self->board) + 1;
    if (atomic_load(&self->board->slots) < slots)
        atomic_store(&self->board->slots, slots);
    Py_RETURN_NONE;
}

/* ---- turns ---- */

static void
show_connections(Heartbeat *self)
{
    if (self->worker != NULL && self->worker->worker != NULL)
        atomic_store(&self->own->connections,
                     fa_worker_connections(self->worker->worker) + 1);
}

/* An fa_accept_fn: not while another, whose loop turns, has clearly fewer. To be exact
   would cost more than it gives: connections that come and go are never even. */
static bool
is_our_turn(void *user_data)
{
    Heartbeat *self = user_data;
    size_t slots = (size_t)atomic_load(&self->board->slots), most;
    uint64_t now = heartbeat_now_ns(), own;

    show_connections(self);
    own = atomic_load(&self->own->connections);
    most = self->board_bytes / sizeof(record);
    for (size_t i = 0; i < (slots < most ? slots : most); ++i) {
        record *other = &self->board[i];
        uint64_t has = atomic_load(&other->connections);

        if (has != 0 && has + has / 4 + SLACK < own &&
            now < atomic_load(&other->loop_ns) + BUSY_NS)
            return false;
    }
    return true;
}

static void
leave_turns(Heartbeat *self)
{
    Worker *worker = self->worker;

    if (worker == NULL)
        return;
    self->worker = NULL;
    atomic_store(&self->own->connections, 0);
    if (worker->worker != NULL)
        fa_worker_on_accept(worker->worker, NULL, NULL);
    Py_DECREF(worker);
}

static PyObject *
heartbeat_take_turns(PyObject *op, PyObject *arg)
{
    Heartbeat *self = (Heartbeat *)op;
    Worker *worker = (Worker *)arg;

    if (record_of(op) == NULL)
        return NULL;
    if (arg != Py_None &&
        !PyObject_TypeCheck(arg, core_of_type(Py_TYPE(op))->worker_type)) {
        PyErr_SetString(PyExc_TypeError, "take_turns() takes a Worker or None");
        return NULL;
    }
    leave_turns(self);
    if (arg == Py_None)
        Py_RETURN_NONE;
    if (worker->worker == NULL) {
        PyErr_SetString(PyExc_ValueError, "the worker is closed");
        return NULL;
    }
    Py_INCREF(arg);
    self->worker = worker;
    fa_worker_on_accept(worker->worker, is_our_turn, self);
    show_connections(self);
    Py_RETURN_NONE;
}

/* ---- the process, and its loop ---- */

static PyObject *
heartbeat_start(PyObject *op, PyObject *args)
{
    Heartbeat *self = (Heartbeat *)op;
    double grace;
    int lifeline, error;

    if (!PyArg_ParseTuple(args, "id:start", &lifeline, &grace) || record_of(op) == NULL)
        return NULL;
    if (self->running || !(grace >= 0 && grace < 86400)) {
        PyErr_SetString(PyExc_ValueError,
                        self->running ? "it beats already" : "grace is out of range");
        return NULL;
    }
    if (pipe(self->stop_pipe) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    (void)fcntl(self->stop_pipe[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(self->stop_pipe[1], F_SETFD, FD_CLOEXEC);
    self->lifeline = lifeline;
    self->grace_ns = (uint64_t)(grace * 1e9);
    self->pid = getpid();
    atomic_store(&self->own->process_ns, heartbeat_now_ns());
    error = heartbeat_start_thread(self);
    if (error != 0) {
        (void)close(self->stop_pipe[0]);
        (void)close(self->stop_pipe[1]);
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    self->running = true;
    Py_RETURN_NONE;
}

static PyObject *
heartbeat_stop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    heartbeat_stop_thread((Heartbeat *)op);
    Py_RETURN_NONE;
}

static PyObject *
heartbeat_turn(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    record *own = record_of(op);

    if (own == NULL)
        return NULL;
    atomic_store(&own->loop_ns, heartbeat_now_ns());
    show_connections((Heartbeat *)op);
    Py_RETURN_NONE;
}

/* Seconds since the time at `at`, or None. */
static PyObject *
age(_Atomic uint64_t *at)
{
    uint64_t then = atomic_load(at), now = heartbeat_now_ns();

    if (then == 0)
        Py_RETURN_NONE;
    return PyFloat_FromDouble(now > then ? (double)(now - then) / 1e9 : 0.0);
}

static PyObject *
heartbeat_process_age(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    record *own = record_of(op);

    return own != NULL ? age(&own->process_ns) : NULL;
}

static PyObject *
heartbeat_loop_age(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    record *own = record_of(op);

    return own != NULL ? age(&own->loop_ns) : NULL;
}

static void
heartbeat_dealloc(PyObject *op)
{
    Heartbeat *self = (Heartbeat *)op;
    PyTypeObject *type = Py_TYPE(op);

    heartbeat_stop_thread(self);
    leave_turns(self);
    if (self->board != NULL)
        (void)munmap(self->board, self->board_bytes);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
heartbeat_die_with_parent(PyObject *Py_UNUSED(type), PyObject *arg)
{
    long number = PyLong_AsLong(arg);

    if (number == -1 && PyErr_Occurred())
        return NULL;
#ifdef __linux__
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)number, 0ul, 0ul, 0ul) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_TRUE;
#else
    Py_RETURN_FALSE;
#endif
}

static PyMethodDef heartbeat_methods[] = {
    {"start", heartbeat_start, METH_VARARGS,
     PyDoc_STR("start(lifeline, grace): the process beats from now on, by a thread that "
               "needs no GIL. When the descriptor `lifeline` hangs up and the loop does "
               "not turn within `grace` seconds, the process is killed.")},
    {"stop", heartbeat_stop, METH_NOARGS, PyDoc_STR("Ends what start() began.")},
    {"turn", heartbeat_turn, METH_NOARGS, PyDoc_STR("The event loop beats.")},
    {"take_turns", heartbeat_take_turns, METH_O,
     PyDoc_STR("From now on the worker leaves connections to others on the board that "
               "have fewer. None: as before.")},
    {"clear", heartbeat_clear, METH_NOARGS,
     PyDoc_STR("The slot is for a new worker; the supervisor says so.")},
    {"process_age", heartbeat_process_age, METH_NOARGS,
     PyDoc_STR("Seconds since the process beat, None if it never did.")},
    {"loop_age", heartbeat_loop_age, METH_NOARGS,
     PyDoc_STR("Seconds since the loop beat, None if it never did.")},
    {"die_with_parent", heartbeat_die_with_parent, METH_O | METH_STATIC,
     PyDoc_STR("This process gets the signal when the thread that started it ends. False "
               "where the system cannot do that.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot heartbeat_slots[] = {
    {Py_tp_doc, "A record on the board of a supervisor: Heartbeat(descriptor, slot)."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, heartbeat_init},
    {Py_tp_dealloc, heartbeat_dealloc},
    {Py_tp_methods, heartbeat_methods},
    {0, NULL},
};

static PyType_Spec heartbeat_spec = {
    .name = "fasterapi._core.Heartbeat",
    .basicsize = sizeof(Heartbeat),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = heartbeat_slots,
};

int
heartbeat_exec(PyObject *mod)
{
    PyObject *type = PyType_FromModuleAndSpec(mod, &heartbeat_spec, NULL);
    int rv;

    if (type == NULL)
        return -1;
    rv = PyModule_AddType(mod, (PyTypeObject *)type);
    Py_DECREF(type);
    return rv;
}
