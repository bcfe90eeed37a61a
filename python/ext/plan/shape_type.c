/* The type Shape: a schema as fasterapi/_compile/_shapes.py has read it. */
#include "plan/shape.h"

#include <structmember.h>

static int take(plan_shape *shape, PyObject *row, int depth);

/* (name, shape, required, default) */
static int
take_field(plan_shape *field, PyObject *row, int depth)
{
    PyObject *name, *inner, *fallback;
    Py_ssize_t n;
    int required;

    if (!PyArg_ParseTuple(row, "UO!pO:field", &name, &PyTuple_Type, &inner, &required,
                          &fallback) ||
        take(field, inner, depth) < 0)
        return -1;
    field->name = name;
    field->key.p = PyUnicode_AsUTF8AndSize(name, &n); /* kept in the str */
    field->key.len = (size_t)n;
    field->fallback = required ? NULL : fallback;
    field->fresh = !required && PyList_CheckExact(fallback);
    return field->key.p != NULL ? 0 : -1;
}

/* Where instances of `type` have what `member` stands for: one of __slots__, NULL in a
   new instance. -1: it is none. */
static Py_ssize_t
offset_of(PyTypeObject *type, PyObject *member)
{
    const PyMemberDescrObject *descr = (const PyMemberDescrObject *)member;

    if (!Py_IS_TYPE(member, &PyMemberDescr_Type) ||
        !PyType_IsSubtype(type, descr->d_common.d_type) ||
        descr->d_member->type != T_OBJECT_EX || descr->d_member->flags != 0)
        return -1;
    return descr->d_member->offset;
}

static int
take_model(plan_shape *shape, PyObject *type, PyObject *members)
{
    bool all = PyType_Check(type) && PyTuple_Check(members) &&
               PyTuple_GET_SIZE(members) == MODEL_MEMBERS;

    shape->type = (PyTypeObject *)type;
    for (int i = 0; all && i < MODEL_MEMBERS; ++i) {
        shape->members[i] = offset_of(shape->type, PyTuple_GET_ITEM(members, i));
        all = shape->members[i] > 0;
    }
    if (!all)
        PyErr_SetString(PyExc_TypeError, "a model is a type with its members");
    return all ? 0 : -1;
}

/* (kind, nullable, parts, type, members) */
static int
take(plan_shape *shape, PyObject *row, int depth)
{
    PyObject *parts, *type, *members;
    int kind, nullable;
    Py_ssize_t n;

    if (!PyArg_ParseTuple(row, "ipO!OO:shape", &kind, &nullable, &PyTuple_Type, &parts,
                          &type, &members))
        return -1;
    n = PyTuple_GET_SIZE(parts);
    if (kind < 0 || kind >= SHAPE_KINDS || n > SHAPE_FIELDS_MAX ||
        depth >= SHAPE_DEPTH_MAX || (kind == SHAPE_LIST && n != 1)) {
        PyErr_SetString(PyExc_ValueError, "a shape is out of range");
        return -1;
    }
    shape->kind = (shape_kind)kind;
    shape->nullable = nullable != 0;
    if (shape->kind == SHAPE_MODEL && take_model(shape, type, members) < 0)
        return -1;
    shape->parts = PyMem_Calloc((size_t)n + 1, sizeof(*shape->parts));
    if (shape->parts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (; shape->count < n; ++shape->count) {
        if (take_field(&shape->parts[shape->count], PyTuple_GET_ITEM(parts, shape->count),
                       depth + 1) < 0) {
            ++shape->count; /* what it has taken is freed with it */
            return -1;
        }
    }
    return 0;
}

static void
free_parts(plan_shape *shape)
{
    for (Py_ssize_t i = 0; i < shape->count; ++i)
        free_parts(&shape->parts[i]);
    PyMem_Free(shape->parts);
}

static PyObject *
shape_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *row;
    Shape *self;

    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Shape() takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O!:Shape", &PyTuple_Type, &row))
        return NULL;
    self = (Shape *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->row = Py_NewRef(row);
    if (take(&self->top, row, 0) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

/* NotImplemented: pydantic-core has to be asked. */
static PyObject *
shape_make(PyObject *op, PyObject *json)
{
    PyObject *made;

    if (!PyBytes_Check(json)) {
        PyErr_SetString(PyExc_TypeError, "JSON is bytes");
        return NULL;
    }
    made =
        plan_shape_make(&((Shape *)op)->top, (fa_slice){PyBytes_AS_STRING(json),
                                                        (size_t)PyBytes_GET_SIZE(json)});
    if (made == NULL && !PyErr_Occurred())
        Py_RETURN_NOTIMPLEMENTED;
    return made;
}

static int
shape_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((Shape *)op)->row);
    return 0;
}

static void
shape_dealloc(PyObject *op)
{
    Shape *self = (Shape *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    free_parts(&self->top);
    Py_CLEAR(self->row);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef shape_methods[] = {
    {"make", shape_make, METH_O,
     PyDoc_STR("make(json): what validate_json() gives; NotImplemented: ask it.")},
    {NULL, NULL, 0, NULL},
};

/* Nothing is cleared: the row is a tuple, and what is in it can be. */
static PyType_Slot shape_slots[] = {
    {Py_tp_doc, "What a body must be like to be read without pydantic-core."},
    {Py_tp_new, shape_new},
    {Py_tp_traverse, shape_traverse},
    {Py_tp_dealloc, shape_dealloc},
    {Py_tp_methods, shape_methods},
    {0, NULL},
};

PyType_Spec shape_spec = {
    .name = "fasterapi._core.Shape",
    .basicsize = sizeof(Shape),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = shape_slots,
};
