/* The server that the end-to-end tests talk to: written against the public headers
   alone, with a route for everything in them. What a client cannot see, it writes as
   lines to standard output; see event(). */
#ifndef FA_TESTS_E2E_APP_H
#define FA_TESTS_E2E_APP_H

#include <fasterapi.h>

/* One line to standard output at once: "finish /path 0". Any thread. */
void event(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number of the query, `missing` if it is not there or none. */
int64_t query_int(fa_request *req, fa_slice name, int64_t missing);

/* Registers `handler` for one method; ends the program on errors, as all of these do. */
void add(fa_app *app, fa_method method, const char *pattern, fa_handler *handler);
void add_route(fa_app *app, const fa_route *route);
fa_app *new_app(void);

/* Answers with a JSON object that tells all that the request has to tell. */
int echo(fa_request *req, void *user_data);

/* Echoes what comes after an upgrade; FA_ERR_STATE if the client asked for none. */
int upgrade(fa_request *req, void *user_data);

/* Their routes. */
void add_answers(fa_app *app);
void add_bodies(fa_app *app);
void add_downloads(fa_app *app);
void add_files(fa_app *app);
void add_gateway(fa_app *app);
void add_later(fa_app *app);
void add_mounts(fa_app *app);
void add_websockets(fa_app *app);

/* After the application: those mounted in it. */
void del_mounts(void);

/* Waits for the threads that add_later()'s handlers have started. */
void join_later(void);

#endif
