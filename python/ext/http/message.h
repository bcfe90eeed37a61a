/* What ASGI messages of HTTP and of WebSockets have in common. */
#ifndef FA_EXT_HTTP_MESSAGE_H
#define FA_EXT_HTTP_MESSAGE_H

#include "core.h"

/* The value of `key` in a dict, borrowed; NULL with KeyError if it is missing. */
PyObject *message_item(PyObject *message, PyObject *key);

/* A new message of that type, or NULL. */
PyObject *message_new(core_state *core, PyObject *type);

/* Header fields of a message, an iterable of pairs of bytes; what they point to is
   borrowed from `list`. */
typedef struct message_fields {
    PyObject *list;
    fa_field *at;
    size_t count;
    fa_field few[32]; /* most have no more */
} message_fields;

/* Reads `headers`, with room for `spare` more fields behind them. Returns 0, or -1 with
   an exception. */
int message_fields_init(message_fields *fields, PyObject *headers, size_t spare);
void message_fields_free(message_fields *fields);

/* Raises what an FA_ERR_* of an answer means to an application. Returns -1. */
int message_raise(int rv);

#endif
