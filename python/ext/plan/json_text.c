/* Python objects as JSON text: the same bytes as json.dumps(ensure_ascii=False,
   allow_nan=False, separators=(",", ":")) of what jsonable_encoder() makes of them. Only
   objects for which that is sure: exactly of the builtin types. */
#include "core.h"

#include <math.h>

enum { DEPTH_MAX = 100 };

static bool add(json_text *text, PyObject *value, int depth);

void
json_text_free(json_text *text)
{
    PyMem_Free(text->p);
    *text = (json_text){NULL, 0, 0};
}

static char *
reserve(json_text *text, size_t more)
{
    size_t room = text->room < 512 ? 512 : text->room;
    char *p;

    if (more <= text->room - text->len)
        return text->p + text->len;
    if (more > PY_SSIZE_T_MAX / 4 - text->len)
        return NULL;
    while (room < text->len + more)
        room *= 2;
    p = PyMem_Realloc(text->p, room);
    if (p == NULL)
        return NULL;
    text->p = p;
    text->room = room;
    return p + text->len;
}

static bool
add_bytes(json_text *text, const char *p, size_t n)
{
    char *at = reserve(text, n);

    if (at == NULL)
        return false;
    memcpy(at, p, n);
    text->len += n;
    return true;
}

static bool
add_byte(json_text *text, char c)
{
    if (text->len == text->room && reserve(text, 1) == NULL)
        return false;
    text->p[text->len++] = c;
    return true;
}

static bool
is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

/* Whether none of eight bytes needs an escape. A high bit is where a byte is below 0x20,
   or is one of the two; bytes of 0x80 and above are none of them. */
static bool
are_plain(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');

    return (((w - ones * 0x20) | (quote - ones) | (slash - ones)) & ~w & highs) == 0;
}

/* One character that must be escaped (RFC 8259, section 7), spelled as Python does. */
static char *
escape(char *at, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    static const char named[] = {
        ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
        ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't',
    };

    *at++ = '\\';
    if (c < sizeof(named) && named[c] != 0) {
        *at++ = named[c];
        return at;
    }
    *at++ = 'u';
    *at++ = '0';
    *at++ = '0';
    *at++ = digits[c >> 4];
    *at++ = digits[c & 15];
    return at;
}

/* Copies all of it, if it needs no escape: most text is so. The last word overlaps the
   one before it, so that there is no rest. */
static bool
put_plain(char *at, const char *p, size_t n)
{
    uint64_t w;
    uint32_t first, last;

    if (n >= sizeof(w)) {
        for (size_t i = 0; i + sizeof(w) < n; i += sizeof(w)) {
            memcpy(&w, p + i, sizeof(w));
            memcpy(at + i, &w, sizeof(w));
            if (!are_plain(w))
                return false;
        }
        memcpy(&w, p + n - sizeof(w), sizeof(w));
        memcpy(at + n - sizeof(w), &w, sizeof(w));
        return are_plain(w);
    }
    if (n >= sizeof(first)) {
        memcpy(&first, p, sizeof(first));
        memcpy(&last, p + n - sizeof(last), sizeof(last));
        memcpy(at, &first, sizeof(first));
        memcpy(at + n - sizeof(last), &last, sizeof(last));
        return are_plain((uint64_t)last << 32 | first);
    }
    for (size_t i = 0; i < n; ++i) {
        if (!is_plain(p[i]))
            return false;
        at[i] = p[i];
    }
    return true;
}

static char *
put_text(char *at, const char *p, size_t n)
{
    uint64_t w;

    if (put_plain(at, p, n))
        return at + n;
    for (size_t i = 0; i < n;) {
        if (n - i >= sizeof(w)) {
            memcpy(&w, p + i, sizeof(w));
            if (are_plain(w)) {
                memcpy(at, &w, sizeof(w));
                at += sizeof(w);
                i += sizeof(w);
                continue;
            }
        }
        if (is_plain(p[i]))
            *at++ = p[i];
        else
            at = escape(at, (unsigned char)p[i]);
        ++i;
    }
    return at;
}

/* A str with a lone surrogate has no UTF-8: whoever encodes it says so. */
static bool
add_str(json_text *text, PyObject *value)
{
    enum { ESCAPED_MAX = 6 };
    Py_ssize_t n = PyUnicode_GET_LENGTH(value);
    const char *p = PyUnicode_IS_COMPACT_ASCII(value)
                        ? (const char *)PyUnicode_1BYTE_DATA(value)
                        : PyUnicode_AsUTF8AndSize(value, &n);
    char *at = NULL;

    if (p != NULL && n < PY_SSIZE_T_MAX / 16)
        at = reserve(text, (size_t)n * ESCAPED_MAX + 2);
    if (at == NULL) {
        PyErr_Clear();
        return false;
    }
    *at++ = '"';
    at = put_text(at, p, (size_t)n);
    *at++ = '"';
    text->len = (size_t)(at - text->p);
    return true;
}

static bool
add_int(json_text *text, PyObject *value)
{
    enum { DIGITS_MAX = 20 };
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
    unsigned long long rest = n < 0 ? 0 - (unsigned long long)n : (unsigned long long)n;
    char digits[DIGITS_MAX], *at = digits + DIGITS_MAX;

    if (overflow != 0)
        return false;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0)
        *--at = '-';
    return add_bytes(text, at, (size_t)(digits + DIGITS_MAX - at));
}

/* float.__repr__(); what is not finite is an error that json tells. */
static bool
add_float(json_text *text, double value)
{
    char *repr;
    bool added;

    if (!isfinite(value))
        return false;
    repr = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (repr == NULL) {
        PyErr_Clear();
        return false;
    }
    added = add_bytes(text, repr, strlen(repr));
    PyMem_Free(repr);
    return added;
}

/* jsonable_encoder() leaves keys out that begin so: SQLAlchemy's own. */
static bool
is_dropped(PyObject *key)
{
    return PyUnicode_GET_LENGTH(key) >= 3 && PyUnicode_READ_CHAR(key, 0) == '_' &&
           PyUnicode_READ_CHAR(key, 1) == 's' && PyUnicode_READ_CHAR(key, 2) == 'a';
}

static bool
add_dict(json_text *text, PyObject *dict, int depth)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    bool first = true;

    if (!add_byte(text, '{'))
        return false;
    while (PyDict_Next(dict, &at, &key, &value)) {
        if (!PyUnicode_CheckExact(key))
            return false;
        if (is_dropped(key))
            continue;
        if ((!first && !add_byte(text, ',')) || !add_str(text, key) ||
            !add_byte(text, ':') || !add(text, value, depth))
            return false;
        first = false;
    }
    return add_byte(text, '}');
}

static bool
add_list(json_text *text, PyObject *list, int depth)
{
    if (!add_byte(text, '['))
        return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); ++i) {
        if ((i > 0 && !add_byte(text, ',')) ||
            !add(text, PySequence_Fast_GET_ITEM(list, i), depth))
            return false;
    }
    return add_byte(text, ']');
}

static bool
add(json_text *text, PyObject *value, int depth)
{
    if (PyUnicode_CheckExact(value))
        return add_str(text, value);
    if (value == Py_None)
        return add_bytes(text, "null", 4);
    if (PyBool_Check(value))
        return value == Py_True ? add_bytes(text, "true", 4)
                                : add_bytes(text, "false", 5);
    if (PyLong_CheckExact(value))
        return add_int(text, value);
    if (PyFloat_CheckExact(value))
        return add_float(text, PyFloat_AS_DOUBLE(value));
    if (depth >= DEPTH_MAX)
        return false; /* a circle, too */
    if (PyDict_CheckExact(value))
        return add_dict(text, value, depth + 1);
    if (PyList_CheckExact(value) || PyTuple_CheckExact(value))
        return add_list(text, value, depth + 1);
    return false;
}

bool
json_text_add(json_text *text, PyObject *value)
{
    size_t before = text->len;

    if (add(text, value, 0))
        return true;
    text->len = before;
    return false;
}
