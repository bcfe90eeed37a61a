/* One WebSocket: what websocket.c, websocket/handshake.c, websocket/receive.c and
   websocket/send.c share. The rules and texts are those of uvicorn's
   WebSocketsSansIOProtocol. */
#ifndef FA_EXT_WEBSOCKET_WEBSOCKET_H
#define FA_EXT_WEBSOCKET_WEBSOCKET_H

#include "core.h"
#include "carrier/waiters.h"

typedef enum websocket_state {
    WEBSOCKET_ASKED,   /* the application has not answered the handshake */
    WEBSOCKET_DENYING, /* it is doing so with an answer of its own */
    WEBSOCKET_OPEN,
    WEBSOCKET_CLOSED, /* it has refused or closed */
} websocket_state;

/* Messages received: each a str or bytes, the oldest at `first`. */
typedef struct websocket_queue {
    PyObject **ring;
    size_t first, count, room;
    size_t bytes;
} websocket_queue;

struct WebSocket {
    PyObject_HEAD Worker *worker;
    PyObject *scope;
    fa_request *req;       /* borrowed; NULL once it is answered or gone */
    fa_deferred *deferred; /* held while the answer comes later than the handler */
    fa_websocket *ws;      /* borrowed; NULL before it is accepted and once it is gone */
    WebSocket *before, *after; /* others whose handshake is not answered */
    websocket_queue queue;
    PyObject *denial;  /* websocket.http.response.start, until the body begins */
    PyObject *parting; /* websocket.disconnect, to be received behind the queue */
    waiters receivers, senders;
    websocket_state state;
    bool told;   /* websocket.connect has been received */
    bool shaken; /* the handshake is complete for uvicorn: accepted, or answered by 403 */
    bool ending; /* `lost` comes with the next turn of the loop */
    bool paused; /* no more messages until some were received */
    bool full;   /* the output is */
    bool over;   /* the client or the server has ended it: nothing can be sent */
    bool lost;   /* that was a turn of the loop ago */
};

/* Nothing goes any more in either direction; `lost` comes with the next turns of the
   loop, as in uvicorn: an application that answers a disconnect with a close is told
   nothing.
 */
void websocket_end(WebSocket *self);
/* The same at once: the client has gone without a word. */
void websocket_lose(WebSocket *self);

/* ---- websocket/handshake.c ---- */

/* Refuses what fa_websocket_judge() found. Returns what the handler shall. */
int websocket_refuse(Worker *worker, fa_request *req, int status);
/* websocket.accept. Returns 0, or -1 with an exception. */
int websocket_accept(WebSocket *self, PyObject *message);
/* websocket.close before websocket.accept. Returns 0, or -1 with an exception. */
int websocket_forbid(WebSocket *self, PyObject *message);
/* Answers `status` with that text; for a handshake the application does not answer. */
void websocket_reject(WebSocket *self, int status, fa_slice text);
/* websocket.http.response.start and .body. Return 0, or -1 with an exception. */
int websocket_deny_start(WebSocket *self, PyObject *message);
int websocket_deny_body(WebSocket *self, PyObject *message);
/* Out of the list of those not answered. */
void websocket_answered(WebSocket *self);

/* ---- websocket/receive.c ---- */

/* receive(), METH_NOARGS. */
PyObject *websocket_receive(PyObject *op, PyObject *ignored);
/* A message has come. */
void websocket_on_message(fa_websocket *ws, fa_websocket_kind kind, fa_slice data,
                          void *user_data);
/* Sets `parting`, unless it is. `reason` may be NULL. Returns 0, or -1 with an exception.
 */
int websocket_part(WebSocket *self, int code, PyObject *reason);
void websocket_queue_clear(websocket_queue *queue);

/* ---- websocket/send.c ---- */

/* send(message), METH_O. */
PyObject *websocket_send(PyObject *op, PyObject *message);

#endif
