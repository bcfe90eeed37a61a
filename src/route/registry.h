/* What a router holds, for the files that fill and search it. */
#ifndef FA_ROUTE_REGISTRY_H
#define FA_ROUTE_REGISTRY_H

#include "route/tree.h"

struct fa__router {
    fa_allocator alloc;
    fa__route **routes; /* in order of registration */
    fa__tree *tree;     /* of the routes at the last build; NULL for none */
    uint32_t count;
    uint32_t room;
    bool redirect_slashes;
};

#endif
