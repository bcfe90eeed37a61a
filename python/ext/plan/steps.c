#include "plan/steps.h"

#include "http/forwarded.h"

/* (kind, fields, allows, minimum, threaded, encode, hosts) */
int
plan_step_take(plan_step *step, PyObject *row)
{
    int kind;

    if (!PyArg_ParseTuple(row, "iO!OiiOO!:step", &kind, &PyTuple_Type, &step->fields,
                          &step->allows, &step->minimum, &step->threaded, &step->encode,
                          &PyTuple_Type, &step->hosts))
        return -1;
    step->kind = (plan_step_kind)kind;
    if (kind < 0 || kind >= STEP_KINDS || PyTuple_GET_SIZE(step->fields) > 4) {
        PyErr_SetString(PyExc_ValueError, "a step is out of range");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(step->fields); ++i) {
        PyObject *pair = PyTuple_GET_ITEM(step->fields, i);

        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2 ||
            !PyBytes_Check(PyTuple_GET_ITEM(pair, 0)) ||
            !PyBytes_Check(PyTuple_GET_ITEM(pair, 1))) {
            PyErr_SetString(PyExc_TypeError, "a field is a pair of bytes");
            return -1;
        }
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(step->hosts); ++i) {
        if (!PyBytes_Check(PyTuple_GET_ITEM(step->hosts, i))) {
            PyErr_SetString(PyExc_TypeError, "a host is bytes");
            return -1;
        }
    }
    return 0;
}

static fa_slice
slice_of(PyObject *bytes)
{
    return (fa_slice){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
}

/* ---- on the way in ---- */

static char
lower_of(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool
ends_with(fa_slice v, fa_slice end)
{
    return v.len >= end.len &&
           fa_slice_equal((fa_slice){v.p + v.len - end.len, end.len}, end);
}

/* Names of letters, digits, dots and hyphens, and a port of up to four digits: what Hosts
   usually are, and valid in any case. */
static bool
admits_host(const plan_step *step, fa_slice host)
{
    char lower[64];
    size_t n = 0, digits;

    for (; n < host.len && host.p[n] != ':'; ++n) {
        char c = lower_of(host.p[n]);

        if (n == sizeof(lower) ||
            !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
            return false;
        lower[n] = c;
    }
    digits = n < host.len ? host.len - n - 1 : 1;
    if (n == 0 || digits == 0 || digits > 4)
        return false;
    for (size_t i = n + 1; i < host.len; ++i) {
        if (host.p[i] < '0' || host.p[i] > '9')
            return false;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(step->hosts); ++i) {
        fa_slice known = slice_of(PyTuple_GET_ITEM(step->hosts, i)), name = {lower, n};

        if (fa_slice_equal(name, known))
            return true;
        if (known.len > 0 && known.p[0] == '*' &&
            ends_with(name, (fa_slice){known.p + 1, known.len - 1}))
            return true;
    }
    return false;
}

static bool
is_secure(fa_slice scheme)
{
    return fa_slice_equal(scheme, FA_SLICE("https")) ||
           fa_slice_equal(scheme, FA_SLICE("wss"));
}

bool
plan_steps_admit(const plan_step *steps, Py_ssize_t count, const Worker *worker,
                 fa_request *req)
{
    for (Py_ssize_t i = 0; i < count; ++i) {
        const plan_step *step = &steps[i];

        switch (step->kind) {
        case STEP_CORS: /* perhaps a preflight */
            if (fa_request_method(req) == FA_OPTIONS)
                return false;
            break;
        case STEP_HOSTS:
            if (!admits_host(step, fa_request_header(req, FA_SLICE("host"))))
                return false;
            break;
        case STEP_HTTPS:
            if (!is_secure(forwarded_scheme(worker, req)))
                return false;
            break;
        default: break;
        }
    }
    return true;
}

/* ---- on the way out ---- */

/* As headers[name] = value of Starlette. */
static void
set(plan_answered *out, fa_slice name, fa_slice value)
{
    size_t i = 0;

    while (i < out->count && !fa_slice_equal(out->at[i].name, name))
        ++i;
    if (i == out->count)
        ++out->count;
    out->at[i] = (fa_field){name, value};
}

static void
add_vary(plan_answered *out, const char *more)
{
    size_t n = strlen(out->vary);

    (void)PyOS_snprintf(out->vary + n, sizeof(out->vary) - n, "%s%s", n > 0 ? ", " : "",
                        more);
    set(out, FA_SLICE("vary"), fa_slice_of(out->vary));
}

/* 1: yes, 0: no, -1: it cannot be told. */
static int
allows(const plan_step *step, fa_slice origin)
{
    PyObject *text, *answer;
    int yes;

    if (step->allows == Py_None)
        return 0; /* "*" is said already */
    text = PyUnicode_DecodeLatin1(origin.p, (Py_ssize_t)origin.len, NULL);
    answer = text != NULL ? PyObject_CallOneArg(step->allows, text) : NULL;
    yes = answer != NULL ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(text);
    Py_XDECREF(answer);
    if (yes < 0)
        PyErr_Clear();
    return yes;
}

static bool
cross_origin(const plan_step *step, fa_request *req, plan_answered *out)
{
    fa_slice origin = fa_request_header(req, FA_SLICE("origin"));
    int allowed = origin.p != NULL ? allows(step, origin) : 0;

    if (allowed < 0)
        return false;
    for (Py_ssize_t i = 0; origin.p != NULL && i < PyTuple_GET_SIZE(step->fields); ++i) {
        PyObject *pair = PyTuple_GET_ITEM(step->fields, i);

        set(out, slice_of(PyTuple_GET_ITEM(pair, 0)),
            slice_of(PyTuple_GET_ITEM(pair, 1)));
    }
    if (allowed == 1)
        set(out, FA_SLICE("access-control-allow-origin"), origin);
    add_vary(out, "Origin");
    return true;
}

static bool
has_gzip(fa_slice v)
{
    for (size_t i = 0; i + 4 <= v.len; ++i) {
        if (memcmp(v.p + i, "gzip", 4) == 0)
            return true;
    }
    return false;
}

static bool
encode(const plan_step *step, plan_answered *out)
{
    PyObject *body = PyBytes_FromStringAndSize(out->body.p, (Py_ssize_t)out->body.len);
    PyObject *made = body != NULL ? PyObject_CallOneArg(step->encode, body) : NULL;

    Py_XDECREF(body);
    if (made == NULL || !PyBytes_CheckExact(made)) {
        PyErr_Clear();
        Py_XDECREF(made);
        return false;
    }
    out->encoded = made;
    out->body = slice_of(made);
    (void)PyOS_snprintf(out->length, sizeof(out->length), "%zu", out->body.len);
    set(out, FA_SLICE("content-encoding"), FA_SLICE("gzip"));
    set(out, FA_SLICE("content-length"), fa_slice_of(out->length));
    return true;
}

static bool
compress(const plan_step *step, fa_request *req, plan_answered *out)
{
    if (out->body.len < (size_t)step->minimum)
        return true;
    add_vary(out, "Accept-Encoding");
    if (!has_gzip(fa_request_header(req, FA_SLICE("accept-encoding"))))
        return true;
    return out->body.len < (size_t)step->threaded && encode(step, out);
}

bool
plan_steps_answer(const plan_step *steps, Py_ssize_t count, fa_request *req,
                  fa_slice body, plan_answered *out)
{
    out->body = body;
    out->encoded = NULL;
    out->vary[0] = 0;
    (void)PyOS_snprintf(out->length, sizeof(out->length), "%zu", body.len);
    out->at[0] = (fa_field){FA_SLICE("content-length"), fa_slice_of(out->length)};
    out->at[1] = (fa_field){FA_SLICE("content-type"), FA_SLICE("application/json")};
    out->count = 2;
    for (Py_ssize_t i = count; i-- > 0;) {
        const plan_step *step = &steps[i];

        if ((step->kind == STEP_CORS && !cross_origin(step, req, out)) ||
            (step->kind == STEP_GZIP && !compress(step, req, out))) {
            plan_answered_free(out);
            return false;
        }
    }
    return true;
}

void
plan_answered_free(plan_answered *out)
{
    Py_CLEAR(out->encoded);
}
