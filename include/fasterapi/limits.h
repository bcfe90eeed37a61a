/** Every limit the server enforces: sizes, counts, times. */
#ifndef FASTERAPI_LIMITS_H
#define FASTERAPI_LIMITS_H

#include <stdint.h>

#include <fasterapi/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Fill it with fa_limits_init(), then change what you want. For times and counts
 * marked so, 0 means no limit; elsewhere 0 is the limit 0.
 */
typedef struct fa_limits {
    /* The head of a request. */
    uint32_t max_request_line_bytes; /* 414 above it; default 8192 */
    uint32_t max_header_bytes;       /* all field lines together; 431; default 32768 */
    uint32_t max_headers;            /* field lines; 431; default 100, at most 1000 */

    /* Its body. */
    uint64_t max_body_bytes;             /* 413; default 16 MiB; a route may differ */
    uint32_t max_chunk_extension_bytes;  /* in one chunk; 400; default 256 */
    uint32_t max_chunk_extensions_bytes; /* in one body; 400; default 4096 */
    uint32_t max_trailer_bytes;          /* 400; default 8192 */
    uint32_t min_rate_bytes_per_s; /* of a body coming or an answer going, after 5 s of
                                      grace, what was faster counting for 10 s at most;
                                      default 240; 0: none */

    /* Times in milliseconds; 0: none. A timer may be up to 32 ms late. */
    uint32_t header_timeout_ms; /* first byte (or accept) to end of head; 408; 10000 */
    uint32_t body_timeout_ms;   /* without a byte of the body; 408; default 30000 */
    uint32_t write_timeout_ms;  /* without the client taking a byte; default 30000 */
    uint32_t idle_timeout_ms;   /* kept alive without a request; default 75000 */
    uint32_t drain_timeout_ms;  /* from fa_server_stop() to the end by force; 30000 */
    uint32_t drain_grace_ms;    /* how long a drain lets idle connections send one more
                                   request before it closes them; default 500 */

    /* Connections. */
    uint32_t max_connections;             /* 503 above it; 0: none; default 65536 */
    uint32_t max_connections_per_address; /* 503 above it; default 0: none */
    uint32_t max_requests_per_connection; /* then it is closed; default 0: none */
    uint32_t max_pipelined;     /* answered at one go before other connections get their
                                   turn; default 64, at least 1 */
    uint32_t max_pending_bytes; /* unsent output above which a connection's next request
                                   waits and writers are told FA_ERR_FULL; 262144 */
} fa_limits;

/** Sets every field to its default. */
FA_API void fa_limits_init(fa_limits *limits);

#ifdef __cplusplus
}
#endif
#endif
