/* Answers out of files. */
#include "e2e_app.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct job {
    int fd;
    int64_t offset, length;
    int64_t parts; /* how often it is still to be sent, each time in brackets */
    bool patient;  /* what follows waits until the file is through */
    bool closes;   /* "]" is still to be written */
} job;

static void on_finish(fa_request *req, int error, void *user_data)
{
    job *j = user_data;

    (void)req;
    if (j->fd >= 0)
        close(j->fd);
    event("file-finish %d", error);
}

static int write_text(fa_request *req, const char *text)
{
    int rv = fa_response_write(req, fa_slice_of(text));

    return rv == FA_ERR_FULL ? 0 : rv;
}

static void go_on(fa_request *req, void *user_data)
{
    job *j = user_data;
    int rv = 0;

    while (rv == 0 && (j->closes || j->parts > 0)) {
        if (j->closes) {
            j->closes = false;
            rv = write_text(req, "]");
            continue;
        }
        --j->parts;
        j->closes = true;
        rv = write_text(req, "[");
        if (rv != 0)
            break;
        rv = fa_response_send_file(req, j->fd, j->offset, j->length);
        if (rv == FA_ERR_FULL && !j->patient) {
            event("second %d", fa_response_send_file(req, j->fd, 0, 1));
            j->closes = false;
            if (write_text(req, "]") != 0)
                return;
        }
    }
    if (rv == FA_ERR_FULL)
        return;
    if (rv == 0)
        rv = fa_response_end(req);
    else if (rv != FA_ERR_CLOSED)
        fa_response_abort(req);
    event("file-done %d", rv);
}

/* /file?path=P&offset=O&length=L&declared=D&parts=N&patient=1, with what
   fa_response_send_file() and fa_response_start() take. */
static int file(fa_request *req, void *user_data)
{
    job *j = fa_arena_alloc(fa_request_arena(req), sizeof(*j));
    fa_slice path;
    char name[1024];
    int rv;

    (void)user_data;
    if (j == NULL || fa_request_query_value(req, FA_SLICE("path"), &path) != 1 ||
        path.len >= sizeof(name))
        return FA_ERR_INVALID;
    memcpy(name, path.p, path.len);
    name[path.len] = '\0';
    *j = (job){
        .fd = open(name, (query_int(req, FA_SLICE("write"), 0) ? O_WRONLY : O_RDONLY) |
                             O_NONBLOCK | O_CLOEXEC),
        .offset = query_int(req, FA_SLICE("offset"), 0),
        .length = query_int(req, FA_SLICE("length"), -1),
        .parts = query_int(req, FA_SLICE("parts"), 1),
        .patient = query_int(req, FA_SLICE("patient"), 0) != 0,
    };
    fa_request_on_finish(req, on_finish, j);
    fa_response_on_drain(req, go_on, j);
    rv = fa_response_start(req, 200, query_int(req, FA_SLICE("declared"), -1));
    if (rv == 0)
        go_on(req, j);
    return rv;
}

void add_files(fa_app *app)
{
    const fa_route route = {
        .pattern = "/file",
        .methods = FA_METHOD_BIT(FA_GET) | FA_METHOD_BIT(FA_HEAD),
        .handler = file,
    };

    add_route(app, &route);
}
