/* Where the server is: http://host:port, http://[::1]:port or unix:/path. */
#ifndef FA_CHALLENGE_ENDPOINT_H
#define FA_CHALLENGE_ENDPOINT_H

#include <stdbool.h>
#include <sys/socket.h>

enum { FA__CH_MAX_ADDRESSES = 8, FA__CH_MAX_HOST_BYTES = 300 };

typedef struct fa__ch_endpoint {
    struct {
        struct sockaddr_storage addr;
        socklen_t len;
    } addresses[FA__CH_MAX_ADDRESSES]; /* in the order to be tried */
    int count;
    char host[FA__CH_MAX_HOST_BYTES]; /* for the Host field (RFC 9110, section 7.2) */
} fa__ch_endpoint;

/* Reads `url` and resolves its name. Returns 0, or FA_ERR_INVALID with a sentence
   in `*why` (static), which is written only then. */
int fa__ch_endpoint_parse(fa__ch_endpoint *out, const char *url, const char **why);

/* A non-blocking socket on its way to address `i`, in `*fd`. Returns 0 when it is
   connected already or connecting, or FA_ERR_SYSTEM (errno). */
int fa__ch_endpoint_connect(int *fd, const fa__ch_endpoint *e, int i);

#endif
