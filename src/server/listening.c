/* The listeners of a server. */
#include "server/server.h"

#include <fasterapi/error.h>

static fa__listen_options listen_options(const fa_server *server)
{
    return (fa__listen_options){.backlog = server->shared->options.backlog};
}

/* The place for one more listener, NULL if there is none. */
static fa__listener *next_listener(fa_server *server)
{
    if (server->listener_count == FA__WORKER_LISTENERS_MAX)
        return NULL;
    return &server->listeners[server->listener_count];
}

int fa_server_listen(fa_server *server, const char *host, uint16_t port)
{
    fa__listen_options options = listen_options(server);
    unsigned before = server->listener_count;
    ptrdiff_t n =
        fa__listener_tcp(&server->listeners[before], FA__WORKER_LISTENERS_MAX - before,
                         fa_slice_of(host), port, &options);

    if (n < 0)
        return (int)n;
    server->listener_count += (unsigned)n;
    return 0;
}

int fa_server_listen_unix(fa_server *server, const char *path, unsigned permissions)
{
    fa__listen_options options = listen_options(server);
    fa__listener *l = next_listener(server);
    int rv = l == NULL
                 ? FA_ERR_LIMIT
                 : fa__listener_unix(l, fa_slice_of(path), (mode_t)permissions, &options);

    if (rv == 0)
        ++server->listener_count;
    return rv;
}

int fa_server_listen_fd(fa_server *server, int fd)
{
    fa__listen_options options = listen_options(server);
    fa__listener *l = next_listener(server);
    int rv = l == NULL ? FA_ERR_LIMIT : fa__listener_adopt(l, fd, &options);

    if (rv == 0)
        ++server->listener_count;
    return rv;
}

uint16_t fa_server_port(const fa_server *server)
{
    fa__address local;

    for (unsigned i = 0; i < server->listener_count; ++i) {
        memset(&local, 0, sizeof(local));
        if (fa__address_local(&local, server->listeners[i].fd) == 0 &&
            fa__address_port(&local) != 0)
            return fa__address_port(&local);
    }
    return 0;
}

void fa__server_log_listeners(const fa_server *server)
{
    for (unsigned i = 0; i < server->listener_count; ++i) {
        const fa__listener *l = &server->listeners[i];
        char text[FA__ADDRESS_TEXT_MAX];
        fa__address local;
        fa_slice address;

        memset(&local, 0, sizeof(local));
        (void)fa__address_local(&local, l->fd);
        address = fa__address_text(text, &local);
        if (address.len == 0)
            fa_log(server->shared->logger, FA_LOG_INFO, "Server", "listening on unix:%s",
                   l->path);
        else
            fa_log(server->shared->logger, FA_LOG_INFO, "Server",
                   l->family == AF_INET6 ? "listening on http://[%.*s]:%u"
                                         : "listening on http://%.*s:%u",
                   (int)address.len, address.p, (unsigned)fa__address_port(&local));
    }
}

void fa__server_close_listeners(fa_server *server)
{
    for (unsigned i = 0; i < server->listener_count; ++i)
        fa__listener_close(&server->listeners[i]);
    server->listener_count = 0;
}
