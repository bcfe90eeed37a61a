/** Everything of libfasterapi in one include. */
#ifndef FASTERAPI_H
#define FASTERAPI_H

#include <fasterapi/app.h>
#include <fasterapi/error.h>
#include <fasterapi/http.h>
#include <fasterapi/json.h>
#include <fasterapi/limits.h>
#include <fasterapi/log.h>
#include <fasterapi/memory.h>
#include <fasterapi/request.h>
#include <fasterapi/response.h>
#include <fasterapi/server.h>
#include <fasterapi/slice.h>
#include <fasterapi/websocket.h>

#endif
