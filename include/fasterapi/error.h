/** Error codes: every function that can fail returns 0 or one of these. */
#ifndef FASTERAPI_ERROR_H
#define FASTERAPI_ERROR_H

#include <fasterapi/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    FA_ERR_NOMEM = -1,   /* an allocation failed; the object is as before the call */
    FA_ERR_INVALID = -2, /* an argument is out of its documented range */
    FA_ERR_STATE = -3,   /* not now: the header of the function says when */
    FA_ERR_SYSTEM = -4,  /* a system call failed; errno says why */
    FA_ERR_LIMIT = -5,   /* a configured limit was reached */
    FA_ERR_CLOSED = -6,  /* the peer or the server is gone */
    FA_ERR_FULL = -7,    /* accepted, but wait for the drain callback before more */

    /* HTTP messages (RFC 9110, RFC 9112); fa_error_status() gives the answer's status */
    FA_ERR_METHOD = -100,              /* not a token */
    FA_ERR_TARGET = -101,              /* not a request-target of RFC 9112, 3.2 */
    FA_ERR_VERSION = -102,             /* not an HTTP-version */
    FA_ERR_VERSION_UNSUPPORTED = -103, /* major version other than 1: 505 */
    FA_ERR_REQUEST_LINE = -104,        /* spaces or line ends out of place */
    FA_ERR_TARGET_TOO_LONG = -105,     /* 414 */
    FA_ERR_FIELD_NAME = -106,          /* not a token, or space before the colon */
    FA_ERR_FIELD_VALUE = -107,         /* NUL, CR, LF or another control character */
    FA_ERR_FIELD_LINE = -108,          /* obs-fold, bare CR or bare LF */
    FA_ERR_HEADER_TOO_LARGE = -109,    /* 431 */
    FA_ERR_TOO_MANY_FIELDS = -110,     /* 431 */
    FA_ERR_HOST = -111,                /* missing, repeated or malformed Host */
    FA_ERR_CONTENT_LENGTH = -112,      /* not 1*DIGIT, differing, or too big to count */
    FA_ERR_TRANSFER_ENCODING = -113,   /* misplaced chunked, or with Content-Length */
    FA_ERR_TRANSFER_CODING = -114,     /* a coding we do not know: 501 */
    FA_ERR_CHUNK = -115,               /* malformed chunk size, data end or extension */
    FA_ERR_CHUNK_EXTENSION = -116,     /* longer than the limit */
    FA_ERR_TRAILER = -117,             /* malformed or longer than the limit */
    FA_ERR_BODY_TOO_LARGE = -118,      /* 413 */
    FA_ERR_EXPECTATION = -119,         /* other than 100-continue: 417 */
    FA_ERR_TIMEOUT = -120,             /* the request took too long to arrive: 408 */
    FA_ERR_STATUS_LINE = -121,         /* not a status-line of RFC 9112, 4 */

    /* routes */
    FA_ERR_ROUTE_SYNTAX = -200,    /* malformed pattern */
    FA_ERR_ROUTE_CONVERTOR = -201, /* {name:convertor} of an unknown convertor */
    FA_ERR_ROUTE_PARAMETER = -202, /* the same parameter name twice, or too many */

    /* JSON (RFC 8259) */
    FA_ERR_JSON_SYNTAX = -300,
    FA_ERR_JSON_END = -301,       /* the text ends too early */
    FA_ERR_JSON_TRAILING = -302,  /* something follows the value */
    FA_ERR_JSON_DEPTH = -303,     /* nested deeper than the limit */
    FA_ERR_JSON_UTF8 = -304,      /* invalid UTF-8 */
    FA_ERR_JSON_ESCAPE = -305,    /* malformed escape, or half a surrogate pair */
    FA_ERR_JSON_CONTROL = -306,   /* a raw control character in a string */
    FA_ERR_JSON_NUMBER = -307,    /* malformed number */
    FA_ERR_JSON_RANGE = -308,     /* a number that does not fit what was asked for */
    FA_ERR_JSON_TYPE = -309,      /* another type than was asked for */
    FA_ERR_JSON_DUPLICATE = -310, /* the same key twice in one object */
};

/** A short English sentence for `error`; static, never NULL. */
FA_API const char *fa_strerror(int error);

#ifdef __cplusplus
}
#endif
#endif
