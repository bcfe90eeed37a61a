/** The words of HTTP (RFC 9110): methods, versions, statuses. */
#ifndef FASTERAPI_HTTP_H
#define FASTERAPI_HTTP_H

#include <stdint.h>

#include <fasterapi/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Methods are case-sensitive (RFC 9110, 9.1); any other token is FA_METHOD_OTHER. */
typedef enum fa_method {
    FA_METHOD_OTHER = 0, /* known by its name only: fa_request_method_name() */
    FA_GET,
    FA_HEAD,
    FA_POST,
    FA_PUT,
    FA_DELETE,
    FA_CONNECT,
    FA_OPTIONS,
    FA_TRACE,
    FA_PATCH, /* RFC 5789 */
    FA_QUERY, /* safe method with a body */
} fa_method;

/** The name of `method`, static; empty for FA_METHOD_OTHER. */
FA_API fa_slice fa_method_name(fa_method method);

/** The method of that exact name, FA_METHOD_OTHER for all other text. */
FA_API fa_method fa_method_of(fa_slice name);

/** The reason phrase of a status registered with IANA, static; empty if unknown. */
FA_API fa_slice fa_status_phrase(int status);

/** The status of the answer to a request that failed with `error` (FA_ERR_*):
    400, 408, 413, 414, 417, 431, 501, 505, or 500 where the client is not at fault. */
FA_API int fa_error_status(int error);

#ifdef __cplusplus
}
#endif
#endif
