/* The smallest server: cc hello.c $(pkg-config --cflags --libs fasterapi) -o hello */
#include <fasterapi.h>
#include <stdlib.h>

static int hello(fa_request *req, void *user_data)
{
    (void)user_data;
    return fa_respond_json(req, 200, FA_SLICE("{\"message\":\"Hello, World!\"}"));
}

int main(int argc, char **argv)
{
    fa_app *app = fa_app_new(NULL);
    int port = argc > 1 ? atoi(argv[1]) : 8000;
    int rv = app != NULL ? fa_app_route(app, FA_GET, "/", hello, NULL) : FA_ERR_NOMEM;

    if (rv == 0)
        rv = fa_serve(app, "127.0.0.1", (uint16_t)port);
    fa_app_del(app);
    return rv == 0 ? 0 : 1;
}
