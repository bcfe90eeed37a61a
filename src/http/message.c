#include "http/message.h"

#include "http/field.h"

const fa__field *fa__head_find(const fa__request_head *head, fa_slice name)
{
    for (uint32_t i = 0; i < head->field_count; ++i)
        if (fa__equal_nocase(head->fields[i].name, name))
            return &head->fields[i];
    return NULL;
}

/* Addresses, not pointers: the buffer at `from` may be gone, and then its pointers
   may not even be compared. */
typedef struct move {
    uintptr_t from, end; /* where the head was */
    const char *to;
} move;

static uintptr_t end_of(fa_slice v)
{
    return (uintptr_t)v.p + v.len;
}

static void rebase(const move *m, fa_slice *v)
{
    uintptr_t at = (uintptr_t)v->p;

    if (v->p != NULL && at >= m->from && at + v->len <= m->end)
        v->p = m->to + (at - m->from);
}

void fa__head_rebase(fa__request_head *head, const char *from, const char *to)
{
    move m = {(uintptr_t)from, end_of(head->target), to};

    /* Slices of static text, such as the "/" of a target without a path, stay. The
       target and the fields are always in the buffer and so say how far it goes. */
    for (uint32_t i = 0; i < head->field_count; ++i) {
        if (end_of(head->fields[i].value) > m.end)
            m.end = end_of(head->fields[i].value);
        if (end_of(head->fields[i].name) > m.end)
            m.end = end_of(head->fields[i].name);
    }
    rebase(&m, &head->method_name);
    rebase(&m, &head->target);
    rebase(&m, &head->path);
    rebase(&m, &head->query);
    rebase(&m, &head->host);
    for (uint32_t i = 0; i < head->field_count; ++i) {
        rebase(&m, &head->fields[i].name);
        rebase(&m, &head->fields[i].value);
    }
}
