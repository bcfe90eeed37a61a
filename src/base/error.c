#include <fasterapi/error.h>

const char *fa_strerror(int error)
{
    switch (error) {
    case 0: return "no error";
    case FA_ERR_NOMEM: return "out of memory";
    case FA_ERR_INVALID: return "an argument is out of range";
    case FA_ERR_STATE: return "not allowed in this state";
    case FA_ERR_SYSTEM: return "a system call failed";
    case FA_ERR_LIMIT: return "a configured limit was reached";
    case FA_ERR_CLOSED: return "the connection or the server is closed";
    case FA_ERR_FULL: return "the output is full: wait until it drains";
    case FA_ERR_METHOD: return "malformed method";
    case FA_ERR_TARGET: return "malformed request target";
    case FA_ERR_VERSION: return "malformed HTTP version";
    case FA_ERR_VERSION_UNSUPPORTED: return "unsupported HTTP version";
    case FA_ERR_REQUEST_LINE: return "malformed request line";
    case FA_ERR_TARGET_TOO_LONG: return "request target too long";
    case FA_ERR_FIELD_NAME: return "malformed header name";
    case FA_ERR_FIELD_VALUE: return "malformed header value";
    case FA_ERR_FIELD_LINE: return "malformed header line";
    case FA_ERR_HEADER_TOO_LARGE: return "request header too large";
    case FA_ERR_TOO_MANY_FIELDS: return "too many request headers";
    case FA_ERR_HOST: return "missing, repeated or malformed Host";
    case FA_ERR_CONTENT_LENGTH: return "malformed Content-Length";
    case FA_ERR_TRANSFER_ENCODING: return "malformed Transfer-Encoding";
    case FA_ERR_TRANSFER_CODING: return "unsupported transfer coding";
    case FA_ERR_CHUNK: return "malformed chunk";
    case FA_ERR_CHUNK_EXTENSION: return "chunk extensions too long";
    case FA_ERR_TRAILER: return "malformed or too long trailer section";
    case FA_ERR_BODY_TOO_LARGE: return "request body too large";
    case FA_ERR_EXPECTATION: return "unsupported expectation";
    case FA_ERR_TIMEOUT: return "the request took too long to arrive";
    case FA_ERR_STATUS_LINE: return "malformed status line";
    case FA_ERR_ROUTE_SYNTAX: return "malformed route pattern";
    case FA_ERR_ROUTE_CONVERTOR: return "unknown path convertor";
    case FA_ERR_ROUTE_PARAMETER: return "repeated or too many path parameters";
    case FA_ERR_JSON_SYNTAX: return "malformed JSON";
    case FA_ERR_JSON_END: return "JSON ends too early";
    case FA_ERR_JSON_TRAILING: return "something follows the JSON value";
    case FA_ERR_JSON_DEPTH: return "JSON nested too deeply";
    case FA_ERR_JSON_UTF8: return "invalid UTF-8 in JSON";
    case FA_ERR_JSON_ESCAPE: return "malformed escape in a JSON string";
    case FA_ERR_JSON_CONTROL: return "raw control character in a JSON string";
    case FA_ERR_JSON_NUMBER: return "malformed JSON number";
    case FA_ERR_JSON_RANGE: return "JSON number out of range";
    case FA_ERR_JSON_TYPE: return "JSON value of another type";
    case FA_ERR_JSON_DUPLICATE: return "repeated key in a JSON object";
    default: return "unknown error";
    }
}
