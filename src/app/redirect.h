/* Redirects to the same path with or without its last slash. */
#ifndef FA_APP_REDIRECT_H
#define FA_APP_REDIRECT_H

#include "app/request.h"

/* Answers 307 with the absolute URL of `path` (decoded, without the root path), with a
   slash added if so asked, and the query kept. Returns what fa_respond() does. */
int fa__redirect(fa_request *req, fa_slice path, bool append_slash);

#endif
