/* Loaded before everything else: malloc(), calloc() and realloc() that fail when told to,
   in the thread that told them. With PYTHONMALLOC=malloc this is all memory of an
   interpreter. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Calls a Python object, with the GIL held. Of the allocations on the way, those from
   `first` on, counted from 0, fail; `many` of them. Returns how many there were; an
   exception is forgotten. */
unsigned long failing_malloc_call(void *callable, unsigned long first,
                                  unsigned long many);

static _Thread_local int watching;
static _Thread_local unsigned long calls, fail_from, fail_to;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);

/* dlsym() itself may allocate before it can tell where from: that is never freed. */
static _Alignas(16) char early[16384];
static size_t early_used;

static void *early_alloc(size_t size)
{
    void *p = early + early_used;

    size = (size + 15) & ~(size_t)15;
    if (size > sizeof(early) - early_used)
        return NULL;
    early_used += size;
    return p;
}

static int is_early(const void *p)
{
    return (uintptr_t)p - (uintptr_t)early < sizeof(early);
}

static int find(void)
{
    static int finding;

    if (real_realloc != NULL)
        return 1;
    if (finding)
        return 0;
    finding = 1;
    *(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
    finding = 0;
    return 1;
}

static int fails(void)
{
    unsigned long call;

    if (!watching)
        return 0;
    call = calls++;
    if (call < fail_from || call >= fail_to)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    if (fails())
        return NULL;
    return find() ? real_malloc(size) : early_alloc(size);
}

void *calloc(size_t n, size_t size)
{
    if (fails())
        return NULL;
    return find() ? real_calloc(n, size) : early_alloc(n * size);
}

void *realloc(void *p, size_t size)
{
    void *moved;

    if (fails())
        return NULL;
    if (!is_early(p) && find())
        return real_realloc(p, size);
    moved = malloc(size);
    if (moved != NULL && p != NULL) {
        size_t there = (size_t)(early + sizeof(early) - (char *)p);

        memcpy(moved, p, size < there ? size : there);
    }
    return moved;
}

void free(void *p)
{
    static void (*real_free)(void *);

    if (is_early(p))
        return;
    if (real_free == NULL)
        *(void **)&real_free = dlsym(RTLD_NEXT, "free");
    real_free(p);
}

unsigned long failing_malloc_call(void *callable, unsigned long first, unsigned long many)
{
    void *(*call)(void *);
    void (*forget)(void *), (*clear)(void);
    void *result;

    *(void **)&call = dlsym(RTLD_DEFAULT, "PyObject_CallNoArgs");
    *(void **)&forget = dlsym(RTLD_DEFAULT, "Py_DecRef");
    *(void **)&clear = dlsym(RTLD_DEFAULT, "PyErr_Clear");
    calls = 0;
    fail_from = first;
    fail_to = first + many;
    watching = 1;
    result = call(callable);
    watching = 0;
    if (result != NULL)
        forget(result);
    else
        clear();
    return calls;
}
