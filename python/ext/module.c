#include "core.h"

static int
add_type(PyObject *mod, PyTypeObject **out, PyType_Spec *spec, bool is_public)
{
    *out = (PyTypeObject *)PyType_FromModuleAndSpec(mod, spec, NULL);
    if (*out == NULL)
        return -1;
    return is_public ? PyModule_AddType(mod, *out) : 0;
}

static int
intern_all(core_state *core)
{
#define X(name)                                                                          \
    core->str_##name = PyUnicode_InternFromString(#name);                                \
    if (core->str_##name == NULL)                                                        \
        return -1;
    CORE_STRINGS(X)
#undef X
#define X(name, text)                                                                    \
    core->text_##name = PyUnicode_InternFromString(text);                                \
    if (core->text_##name == NULL)                                                       \
        return -1;
    CORE_TEXTS(X)
#undef X
    for (int i = FA_GET; i <= FA_QUERY; ++i) {
        core->methods[i] = PyUnicode_InternFromString(fa_method_name((fa_method)i).p);
        if (core->methods[i] == NULL)
            return -1;
    }
    core->empty_bytes = PyBytes_FromStringAndSize(NULL, 0);
    return core->empty_bytes != NULL ? 0 : -1;
}

static int
take_for_plans(core_state *core)
{
    PyObject *copy = PyImport_ImportModule("copy");

    core->from_attributes = Py_BuildValue("(s)", "from_attributes");
    core->deepcopy = copy != NULL ? PyObject_GetAttrString(copy, "deepcopy") : NULL;
    Py_XDECREF(copy);
    return core->from_attributes != NULL && core->deepcopy != NULL ? 0 : -1;
}

static int
core_exec(PyObject *mod)
{
    core_state *core = PyModule_GetState(mod);

    if (intern_all(core) < 0 || asyncio_take(core) < 0 || take_for_plans(core) < 0 ||
        add_type(mod, &core->plan_type, &plan_spec, true) < 0 ||
        add_type(mod, &core->run_type, &run_spec, false) < 0 ||
        add_type(mod, &core->plan_table_type, &plan_table_spec, true) < 0 ||
        add_type(mod, &core->threads_type, &threads_spec, true) < 0 ||
        add_type(mod, &core->hop_type, &hop_spec, false) < 0 ||
        add_type(mod, &core->shape_type, &shape_spec, true) < 0 ||
        add_type(mod, &core->misses_type, &misses_spec, true) < 0 ||
        add_type(mod, &core->operation_type, &operation_spec, false) < 0 ||
        add_type(mod, &core->gate_type, &gate_spec, false) < 0 ||
        add_type(mod, &core->carrier_type, &carrier_spec, true) < 0 ||
        add_type(mod, &core->cycle_type, &cycle_spec, false) < 0 ||
        add_type(mod, &core->websocket_type, &websocket_spec, false) < 0 ||
        add_type(mod, &core->worker_type, &worker_spec, true) < 0)
        return -1;
    core->client_disconnected = PyErr_NewExceptionWithDoc(
        "fasterapi._core.ClientDisconnected",
        "Nothing can be sent: the WebSocket is closed.", PyExc_OSError, NULL);
    if (core->client_disconnected == NULL ||
        PyModule_AddObjectRef(mod, "ClientDisconnected", core->client_disconnected) < 0)
        return -1;
    core->sent = operation_nothing(core);
    return core->sent != NULL ? 0 : -1;
}

static int
core_traverse(PyObject *mod, visitproc visit, void *arg)
{
    core_state *core = PyModule_GetState(mod);

    Py_VISIT(core->plan_type);
    Py_VISIT(core->run_type);
    Py_VISIT(core->plan_table_type);
    Py_VISIT(core->threads_type);
    Py_VISIT(core->hop_type);
    Py_VISIT(core->shape_type);
    Py_VISIT(core->misses_type);
    Py_VISIT(core->deepcopy);
    Py_VISIT(core->worker_type);
    Py_VISIT(core->cycle_type);
    Py_VISIT(core->websocket_type);
    Py_VISIT(core->client_disconnected);
    Py_VISIT(core->carrier_type);
    Py_VISIT(core->gate_type);
    Py_VISIT(core->operation_type);
    Py_VISIT(core->enter_task);
    Py_VISIT(core->leave_task);
    Py_VISIT(core->current_task);
    Py_VISIT(core->task_type);
    Py_VISIT(core->cancelled_error);
    Py_VISIT(core->current_tasks);
    Py_VISIT(core->future_type);
    Py_VISIT(core->sent);
    return 0;
}

static int
core_clear(PyObject *mod)
{
    core_state *core = PyModule_GetState(mod);

    Py_CLEAR(core->plan_type);
    Py_CLEAR(core->run_type);
    Py_CLEAR(core->plan_table_type);
    Py_CLEAR(core->threads_type);
    Py_CLEAR(core->hop_type);
    Py_CLEAR(core->shape_type);
    Py_CLEAR(core->misses_type);
    Py_CLEAR(core->deepcopy);
    Py_CLEAR(core->from_attributes);
    Py_CLEAR(core->worker_type);
    Py_CLEAR(core->cycle_type);
    Py_CLEAR(core->websocket_type);
    Py_CLEAR(core->client_disconnected);
    Py_CLEAR(core->carrier_type);
    Py_CLEAR(core->gate_type);
    Py_CLEAR(core->operation_type);
    Py_CLEAR(core->enter_task);
    Py_CLEAR(core->leave_task);
    Py_CLEAR(core->current_task);
    Py_CLEAR(core->task_type);
    Py_CLEAR(core->cancelled_error);
    Py_CLEAR(core->current_tasks);
    Py_CLEAR(core->future_type);
    Py_CLEAR(core->context_name);
    Py_CLEAR(core->msg_name);
    Py_CLEAR(core->empty_bytes);
    Py_CLEAR(core->sent);
#define X(name) Py_CLEAR(core->str_##name);
    CORE_STRINGS(X)
#undef X
#define X(name, text) Py_CLEAR(core->text_##name);
    CORE_TEXTS(X)
#undef X
    for (int i = FA_GET; i <= FA_QUERY; ++i)
        Py_CLEAR(core->methods[i]);
    return 0;
}

static void
core_free(void *mod)
{
    (void)core_clear(mod);
}

static PyModuleDef_Slot core_slots[] = {
    {Py_mod_exec, core_exec},
    {Py_mod_exec, heartbeat_exec},
    {0, NULL},
};

struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "fasterapi._core",
    .m_doc = "The native server for Python applications.",
    .m_size = sizeof(core_state),
    .m_slots = core_slots,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
