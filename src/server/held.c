#include "server/held.h"

#include <fasterapi/error.h>

enum { FEW = 8 };

int fa__held_new(fa__held **out, const fa_allocator *alloc)
{
    fa__held *held = fa__calloc(alloc, 1, sizeof(*held));

    if (held == NULL)
        return FA_ERR_NOMEM;
    fa__buf_init(&held->tail, alloc);
    *out = held;
    return 0;
}

static void let_go(const fa__held *held, const fa__held_piece *piece)
{
    if (piece->own != NULL)
        fa__release(held->tail.alloc, piece->own);
    else
        piece->hold.release(piece->hold.ctx);
}

void fa__held_del(fa__held *held)
{
    const fa_allocator *alloc;

    if (held == NULL)
        return;
    alloc = held->tail.alloc;
    for (size_t i = 0; i < held->count; ++i)
        let_go(held, &held->pieces[held->first + i]);
    fa__buf_free(&held->tail);
    fa__release(alloc, held->pieces);
    fa__release(alloc, held);
}

/* Room for two more pieces behind the last. */
static int make_room(fa__held *held)
{
    fa__held_piece *more;
    size_t room;

    if (held->first + held->count + 2 <= held->room)
        return 0;
    if (held->first > 0) {
        memmove(held->pieces, held->pieces + held->first,
                held->count * sizeof(held->pieces[0]));
        held->first = 0;
        if (held->count + 2 <= held->room)
            return 0;
    }
    room = held->room > 0 ? 2 * held->room : FEW;
    more = fa__resize(held->tail.alloc, held->pieces, room, sizeof(*more));
    if (more == NULL)
        return FA_ERR_NOMEM;
    held->pieces = more;
    held->room = room;
    return 0;
}

static void push(fa__held *held, const fa__held_piece *piece)
{
    held->pieces[held->first + held->count++] = *piece;
    held->bytes += piece->len;
}

int fa__held_add(fa__held *held, fa_slice data, const fa__hold *hold)
{
    fa__buf *tail = &held->tail;

    if (make_room(held) != 0) {
        hold->release(hold->ctx);
        return FA_ERR_NOMEM;
    }
    if (tail->len > held->tail_at) {
        push(held, &(fa__held_piece){.p = tail->p + held->tail_at,
                                     .len = tail->len - held->tail_at,
                                     .own = tail->p});
        fa__buf_init(tail, tail->alloc);
        held->tail_at = 0;
    }
    push(held, &(fa__held_piece){.p = data.p, .len = data.len, .hold = *hold});
    return 0;
}

static struct iovec vector_of(const char *p, size_t n)
{
    union {
        const char *in;
        void *out;
    } unconst = {p}; /* struct iovec knows no const */

    return (struct iovec){unconst.out, n};
}

int fa__held_vectors(const fa__held *held, struct iovec vectors[FA__HELD_VECTORS])
{
    int n = 0;

    for (size_t i = 0; i < held->count && n < FA__HELD_VECTORS; ++i) {
        const fa__held_piece *piece = &held->pieces[held->first + i];

        vectors[n++] = vector_of(piece->p, piece->len);
    }
    if (n < FA__HELD_VECTORS && held->tail.len > held->tail_at)
        vectors[n++] =
            vector_of(held->tail.p + held->tail_at, held->tail.len - held->tail_at);
    return n;
}

void fa__held_sent(fa__held *held, size_t n)
{
    while (n > 0 && held->count > 0) {
        fa__held_piece *piece = &held->pieces[held->first];
        size_t some = n < piece->len ? n : piece->len;

        piece->p += some;
        piece->len -= some;
        held->bytes -= some;
        n -= some;
        if (piece->len > 0)
            return;
        ++held->first;
        --held->count;
        let_go(held, piece);
    }
    held->tail_at += n;
}
