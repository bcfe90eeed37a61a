/* Applications within applications, and middleware. */
#include "e2e_app.h"

/* One of three, named by its user data. A request's fields choose who interferes:
   `answer-at: b`, `fail-at: b`. */
static int on_request(fa_request *req, void *user_data)
{
    const fa_slice *name = user_data;

    event("mw %.*s request", (int)name->len, name->p);
    if (fa_slice_equal(fa_request_header(req, FA_SLICE("fail-at")), *name))
        return FA_ERR_INVALID;
    if (!fa_slice_equal(fa_request_header(req, FA_SLICE("answer-at")), *name))
        return FA_NEXT;
    (void)fa_respond(req, 299, FA_SLICE("text/plain"), *name);
    return FA_ANSWERED;
}

static void on_response(fa_request *req, int status, void *user_data)
{
    const fa_slice *name = user_data;

    event("mw %.*s response %d", (int)name->len, name->p, status);
    (void)fa_response_header(req, FA_SLICE("Passed"), *name);
}

static void on_finish(fa_request *req, int error, void *user_data)
{
    const fa_slice *name = user_data;

    event("mw %.*s finish %d %d", (int)name->len, name->p, fa_response_status(req),
          error);
}

static void use(fa_app *app, fa_slice *name)
{
    const fa_middleware m = {on_request, on_response, on_finish, name};

    if (fa_app_use(app, &m) != 0)
        event("no middleware %.*s", (int)name->len, name->p);
}

static void mount(fa_app *app, const char *prefix, fa_app *sub)
{
    int rv = fa_app_mount(app, prefix, sub);

    if (rv != 0)
        event("no mount %s %d", prefix, rv);
}

static fa_app *middle, *inner, *strict;

/* /mw: a, b, then the routes; /mw/{level}/in: c as well. /strict has no fallback. */
void add_mounts(fa_app *app)
{
    static fa_slice a = {"a", 1}, b = {"b", 1}, c = {"c", 1};

    middle = new_app();
    inner = new_app();
    strict = new_app();
    use(middle, &a);
    use(middle, &b);
    use(inner, &c);
    add(middle, FA_GET, "/route/{id:int}", echo);
    add(inner, FA_GET, "/deep/{level}/{name}", echo);
    add(inner, FA_POST, "/deep/{level}/{name}", echo);
    add(inner, FA_GET, "/slash/", echo);
    add(strict, FA_GET, "/known", echo);
    add(strict, FA_POST, "/known", echo);
    add(strict, FA_GET, "/slash/", echo);
    fa_app_redirect_slashes(strict, false);
    mount(middle, "/{level}/in", inner);
    mount(app, "/mw", middle);
    mount(app, "/strict", strict);
}

void del_mounts(void)
{
    fa_app_del(inner);
    fa_app_del(middle);
    fa_app_del(strict);
}
