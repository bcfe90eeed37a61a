/** Everything of libfasterapi in one include. */
#ifndef FASTERAPI_H
#define FASTERAPI_H

#include <fasterapi/error.h>
#include <fasterapi/http.h>
#include <fasterapi/memory.h>
#include <fasterapi/slice.h>

#endif
