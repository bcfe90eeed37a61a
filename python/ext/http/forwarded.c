#include "http/forwarded.h"

#include "http/address.h"

enum { EVERYBODY, ADDRESSES, NETWORKS, TEXTS, RULES };

int
forwarded_check(Worker *worker)
{
    PyObject *rules = worker->forwarded, *networks;

    if (rules == Py_None)
        return 0;
    if (!PyTuple_Check(rules) || PyTuple_GET_SIZE(rules) != RULES ||
        !PyBool_Check(PyTuple_GET_ITEM(rules, EVERYBODY)) ||
        !PyFrozenSet_Check(PyTuple_GET_ITEM(rules, ADDRESSES)) ||
        !PyTuple_Check(PyTuple_GET_ITEM(rules, NETWORKS)) ||
        !PyFrozenSet_Check(PyTuple_GET_ITEM(rules, TEXTS))) {
        PyErr_SetString(PyExc_TypeError,
                        "forwarded must be (bool, frozenset, tuple, frozenset)");
        return -1;
    }
    networks = PyTuple_GET_ITEM(rules, NETWORKS);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(networks); ++i) {
        const char *address;
        Py_ssize_t size;
        int bits;

        if (!PyTuple_Check(PyTuple_GET_ITEM(networks, i)) ||
            !PyArg_ParseTuple(PyTuple_GET_ITEM(networks, i), "y#i", &address, &size,
                              &bits) ||
            (size != 4 && size != 16) || bits < 0 || bits > 8 * size) {
            PyErr_SetString(PyExc_TypeError, "a network is (bytes, int)");
            return -1;
        }
    }
    return 0;
}

/* ---- who is trusted ---- */

static bool
in_network(const ip_address *address, PyObject *network)
{
    PyObject *start = PyTuple_GET_ITEM(network, 0);
    size_t bits = (size_t)PyLong_AsLong(PyTuple_GET_ITEM(network, 1));
    const unsigned char *p = (const unsigned char *)PyBytes_AS_STRING(start);
    unsigned char mask = (unsigned char)(0xff00 >> bits % 8);

    if ((size_t)PyBytes_GET_SIZE(start) != address->size ||
        memcmp(p, address->bytes, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || ((p[bits / 8] ^ address->bytes[bits / 8]) & mask) == 0;
}

/* Addresses with a scope are others than those without, but of the same networks. */
static int
trusts_address(PyObject *rules, const ip_address *address)
{
    PyObject *networks = PyTuple_GET_ITEM(rules, NETWORKS);
    PyObject *key =
        PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(address->size + address->scope.len));
    int rv;

    if (key == NULL)
        return -1;
    memcpy(PyBytes_AS_STRING(key), address->bytes, address->size);
    if (address->scope.len > 0)
        memcpy(PyBytes_AS_STRING(key) + address->size, address->scope.p,
               address->scope.len);
    rv = PySet_Contains(PyTuple_GET_ITEM(rules, ADDRESSES), key);
    Py_DECREF(key);
    for (Py_ssize_t i = 0; rv == 0 && i < PyTuple_GET_SIZE(networks); ++i)
        rv = in_network(address, PyTuple_GET_ITEM(networks, i));
    return rv;
}

/* 1, 0, or -1 with an exception. Nobody in particular is trusted only with everybody. */
static int
trusts(PyObject *rules, PyObject *host)
{
    ip_address address;
    Py_ssize_t n;
    const char *utf8;

    if (PyTuple_GET_ITEM(rules, EVERYBODY) == Py_True)
        return 1;
    utf8 = PyUnicode_AsUTF8AndSize(host, &n);
    if (utf8 == NULL)
        return -1;
    if (n == 0)
        return 0;
    if (ip_address_parse(&address, (fa_slice){utf8, (size_t)n}))
        return trusts_address(rules, &address);
    return PySet_Contains(PyTuple_GET_ITEM(rules, TEXTS), host);
}

static int
trusts_peer(PyObject *rules, fa_request *req)
{
    uint16_t port;
    fa_slice text = fa_request_client_address(req, &port);
    PyObject *host = PyUnicode_DecodeLatin1(text.p, (Py_ssize_t)text.len, NULL);
    int rv = host != NULL ? trusts(rules, host) : -1;

    Py_XDECREF(host);
    return rv;
}

/* ---- X-Forwarded-For ---- */

/* Without blanks, as strip() of the text in Latin-1. */
static fa_slice
stripped(fa_slice v)
{
    while (v.len > 0 && Py_UNICODE_ISSPACE((unsigned char)v.p[0])) {
        ++v.p;
        --v.len;
    }
    while (v.len > 0 && Py_UNICODE_ISSPACE((unsigned char)v.p[v.len - 1]))
        --v.len;
    return v;
}

/* int(text), or NULL: without an exception if it is no number. */
static PyObject *
number_of(fa_slice v)
{
    PyObject *text, *number;

    if (v.len == 0)
        return NULL;
    text = PyUnicode_DecodeLatin1(v.p, (Py_ssize_t)v.len, NULL);
    number = text != NULL ? PyLong_FromUnicodeObject(text, 10) : NULL;
    Py_XDECREF(text);
    if (number == NULL && PyErr_ExceptionMatches(PyExc_ValueError))
        PyErr_Clear();
    return number;
}

/* `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`. What has none of these forms is
   kept whole, with port 0, lest a crooked value pass for a trusted one. `*port` may be
   empty; `*plain` is what the host is if it is no number. */
static void
take_apart(fa_slice entry, fa_slice *host, fa_slice *port, fa_slice *plain)
{
    const char *end = entry.p + entry.len, *at;

    *host = *plain = entry;
    *port = (fa_slice){end, 0};
    if (entry.len > 0 && entry.p[0] == '[') {
        at = memchr(entry.p, ']', entry.len);
        if (at == NULL || (at + 1 < end && at[1] != ':'))
            return;
        *host = *plain = (fa_slice){entry.p + 1, (size_t)(at - entry.p) - 1};
        if (at + 1 < end)
            *port = (fa_slice){at + 2, (size_t)(end - at) - 2};
        return;
    }
    at = entry.len > 0 ? memchr(entry.p, ':', entry.len) : NULL;
    if (at == NULL || memchr(at + 1, ':', (size_t)(end - at) - 1) != NULL)
        return;
    *host = (fa_slice){entry.p, (size_t)(at - entry.p)};
    *port = (fa_slice){at + 1, (size_t)(end - at) - 1};
}

/* New references. 0, or -1 with an exception. */
static int
host_and_port(fa_slice entry, PyObject **host, PyObject **port)
{
    fa_slice name, digits, plain;

    take_apart(entry, &name, &digits, &plain);
    *port = number_of(digits);
    if (*port == NULL && PyErr_Occurred())
        return -1;
    if (*port == NULL) {
        *port = PyLong_FromLong(0);
        name = plain;
    }
    *host = PyUnicode_DecodeLatin1(name.p, (Py_ssize_t)name.len, NULL);
    if (*host != NULL && *port != NULL)
        return 0;
    Py_CLEAR(*host);
    Py_CLEAR(*port);
    return -1;
}

/* The pair for the scope. 1; 0: it says nobody; 2: it is trusted, and whom it has seen
   stands before it, unless it is the first; or -1 with an exception. */
static int
client_of(PyObject **client, PyObject *rules, fa_slice entry, bool first)
{
    PyObject *host, *port;
    int rv;

    if (host_and_port(entry, &host, &port) < 0)
        return -1;
    rv = first ? 0 : trusts(rules, host);
    if (rv == 1) {
        rv = 2;
    } else if (rv == 0 && PyUnicode_GET_LENGTH(host) > 0) {
        *client = PyTuple_Pack(2, host, port);
        rv = *client != NULL ? 1 : -1;
    }
    Py_DECREF(host);
    Py_DECREF(port);
    return rv;
}

/* Each proxy appends whom it saw, so from the end it is the first that is not trusted;
   what stands before may be the client's invention. Those of one field. */
static int
client_in(PyObject **client, PyObject *rules, fa_slice value, bool first)
{
    bool everybody = PyTuple_GET_ITEM(rules, EVERYBODY) == Py_True;
    fa_slice rest = value;
    bool more = true;

    while (more) {
        size_t at = rest.len;
        int rv;

        while (at > 0 && rest.p[at - 1] != ',')
            --at;
        more = at > 0;
        if (!everybody || (first && !more)) {
            fa_slice entry = {rest.p + at, rest.len - at};

            rv = client_of(client, rules, stripped(entry), first && !more);
            if (rv != 2)
                return rv;
        }
        rest.len = more ? at - 1 : 0;
    }
    return 2;
}

/* ---- the fields ---- */

static bool
is_named(fa_slice name, const char *lower, size_t len)
{
    if (name.len != len)
        return false;
    for (size_t i = 0; i < len; ++i) {
        char c = name.p[i];

        if ((c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c) != lower[i])
            return false;
    }
    return true;
}

#define FOR   "x-forwarded-for"
#define PROTO "x-forwarded-proto"

typedef struct said {
    fa_slice proto;     /* the last; `.p` is NULL: there is none */
    size_t first, last; /* indices of X-Forwarded-For */
    bool has_for;
} said;

/* Whether anything is said at all. */
static bool
look(said *out, fa_request *req)
{
    size_t n = fa_request_header_count(req);

    *out = (said){.has_for = false};
    for (size_t i = 0; i < n; ++i) {
        fa_slice name, value;

        fa_request_header_at(req, i, &name, &value);
        if (is_named(name, PROTO, sizeof(PROTO) - 1)) {
            out->proto = value.p != NULL ? value : FA_SLICE("");
        } else if (is_named(name, FOR, sizeof(FOR) - 1)) {
            if (!out->has_for)
                out->first = i;
            out->last = i;
            out->has_for = true;
        }
    }
    return out->proto.p != NULL || out->has_for;
}

static const char *
scheme_of(fa_slice proto)
{
    static const char *const known[] = {"http", "https", "ws", "wss"};

    proto = stripped(proto);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); ++i) {
        if (fa_slice_equal(proto, fa_slice_of(known[i])))
            return known[i];
    }
    return NULL;
}

static int
take_client(PyObject **client, PyObject *rules, fa_request *req, const said *found)
{
    for (size_t i = found->last + 1; i-- > found->first;) {
        fa_slice name, value;
        int rv;

        fa_request_header_at(req, i, &name, &value);
        if (!is_named(name, FOR, sizeof(FOR) - 1))
            continue;
        rv = client_in(client, rules, value, i == found->first);
        if (rv != 2)
            return rv < 0 ? -1 : 0;
    }
    return 0;
}

int
forwarded_of(forwarded *out, Worker *worker, fa_request *req)
{
    PyObject *rules = worker->forwarded;
    said found;
    int rv;

    *out = (forwarded){NULL, NULL};
    if (rules == Py_None || !look(&found, req))
        return 0;
    rv = trusts_peer(rules, req);
    if (rv <= 0)
        return rv;
    if (found.proto.p != NULL)
        out->scheme = scheme_of(found.proto);
    return found.has_for ? take_client(&out->client, rules, req, &found) : 0;
}

fa_slice
forwarded_scheme(const Worker *worker, fa_request *req)
{
    PyObject *rules = worker->forwarded;
    const char *scheme = NULL;
    said found;
    int rv;

    if (rules != Py_None && look(&found, req) && found.proto.p != NULL) {
        rv = trusts_peer(rules, req);
        if (rv < 0)
            PyErr_Clear();
        scheme = rv == 1 ? scheme_of(found.proto) : NULL;
    }
    return scheme != NULL ? fa_slice_of(scheme) : fa_request_scheme(req);
}
