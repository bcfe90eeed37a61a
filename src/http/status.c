#include "http/status.h"

#include <fasterapi/error.h>
#include <fasterapi/http.h>

fa_slice fa_status_phrase(int status)
{
    switch (status) {
#define PHRASE(code, phrase)                                                             \
    case code: return FA_SLICE(phrase);
        FA__STATUSES(PHRASE)
#undef PHRASE
    default: return FA_SLICE("");
    }
}

int fa_error_status(int error)
{
    switch (error) {
    case FA_ERR_TIMEOUT: return 408;
    case FA_ERR_BODY_TOO_LARGE: return 413;
    case FA_ERR_TARGET_TOO_LONG: return 414;
    case FA_ERR_EXPECTATION: return 417;
    case FA_ERR_HEADER_TOO_LARGE:
    case FA_ERR_TOO_MANY_FIELDS: return 431;
    case FA_ERR_TRANSFER_CODING: return 501;
    case FA_ERR_VERSION_UNSUPPORTED: return 505;
    case FA_ERR_METHOD:
    case FA_ERR_TARGET:
    case FA_ERR_VERSION:
    case FA_ERR_REQUEST_LINE:
    case FA_ERR_FIELD_NAME:
    case FA_ERR_FIELD_VALUE:
    case FA_ERR_FIELD_LINE:
    case FA_ERR_HOST:
    case FA_ERR_CONTENT_LENGTH:
    case FA_ERR_TRANSFER_ENCODING:
    case FA_ERR_CHUNK:
    case FA_ERR_CHUNK_EXTENSION:
    case FA_ERR_TRAILER:
    case FA_ERR_JSON_SYNTAX:
    case FA_ERR_JSON_END:
    case FA_ERR_JSON_TRAILING:
    case FA_ERR_JSON_DEPTH:
    case FA_ERR_JSON_UTF8:
    case FA_ERR_JSON_ESCAPE:
    case FA_ERR_JSON_CONTROL:
    case FA_ERR_JSON_NUMBER:
    case FA_ERR_JSON_RANGE:
    case FA_ERR_JSON_TYPE:
    case FA_ERR_JSON_DUPLICATE: return 400;
    default: return 500;
    }
}
