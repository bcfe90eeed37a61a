#include <fasterapi/limits.h>

void fa_limits_init(fa_limits *limits)
{
    *limits = (fa_limits){
        .max_request_line_bytes = 8192,
        .max_header_bytes = 32768,
        .max_headers = 100,
        .max_body_bytes = 16u << 20,
        .max_chunk_extension_bytes = 256,
        .max_chunk_extensions_bytes = 4096,
        .max_trailer_bytes = 8192,
        .min_rate_bytes_per_s = 240,
        .header_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .write_timeout_ms = 30000,
        .idle_timeout_ms = 75000,
        .drain_timeout_ms = 30000,
        .drain_grace_ms = 500,
        .max_connections = 65536,
        .max_connections_per_address = 0,
        .max_requests_per_connection = 0,
        .max_pipelined = 64,
        .max_pending_bytes = 262144,
    };
}
