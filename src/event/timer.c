#include "event/timer.h"

#include <stddef.h>

enum { SLOT_MASK = FA__WHEEL_SLOTS - 1 };

static uint64_t tick_of(fa__msec t)
{
    return t >> FA__WHEEL_TICK_SHIFT;
}

/* The first tick at which `deadline` has passed: timers are late, never early. */
static uint64_t due_tick(fa__msec deadline)
{
    if (deadline > FA__NEVER - (1u << FA__WHEEL_TICK_SHIFT))
        return tick_of(FA__NEVER);
    return tick_of(deadline + (1u << FA__WHEEL_TICK_SHIFT) - 1);
}

static void list_init(fa__timer *head)
{
    head->prev = head->next = head;
}

static void list_append(fa__timer *head, fa__timer *t)
{
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
}

static void list_unlink(fa__timer *t)
{
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->prev = t->next = NULL;
}

/* Moves all of `from` to `to`, which is empty. */
static void list_move(fa__timer *to, fa__timer *from)
{
    list_init(to);
    if (from->next == from)
        return;
    to->next = from->next;
    to->prev = from->prev;
    to->next->prev = to;
    to->prev->next = to;
    list_init(from);
}

void fa__timer_wheel_init(fa__timer_wheel *wheel, fa__msec now)
{
    for (int level = 0; level < FA__WHEEL_LEVELS; ++level) {
        wheel->occupied[level] = 0;
        for (int slot = 0; slot < FA__WHEEL_SLOTS; ++slot)
            list_init(&wheel->slots[level][slot]);
    }
    wheel->tick = tick_of(now);
}

void fa__timer_init(fa__timer *timer, fa__timer_fn *fn)
{
    *timer = (fa__timer){.fn = fn};
}

/* Level l holds what is due within 64^(l+1) ticks, in slots of 64^l ticks each. */
static void file(fa__timer_wheel *wheel, fa__timer *timer)
{
    uint64_t due = due_tick(timer->deadline), delta;
    unsigned level = 0, slot;

    if (due <= wheel->tick)
        due = wheel->tick + 1;
    delta = due - wheel->tick;
    while (level < FA__WHEEL_LEVELS - 1 && delta >= (uint64_t)1
                                                        << (FA__WHEEL_BITS * (level + 1)))
        ++level;
    if (delta >= (uint64_t)1 << (FA__WHEEL_BITS * FA__WHEEL_LEVELS)) /* filed anew then */
        due = wheel->tick + ((uint64_t)1 << (FA__WHEEL_BITS * FA__WHEEL_LEVELS)) - 1;
    slot = (unsigned)(due >> (FA__WHEEL_BITS * level)) & SLOT_MASK;
    list_append(&wheel->slots[level][slot], timer);
    wheel->occupied[level] |= (uint64_t)1 << slot;
    timer->filed = timer->deadline;
}

/* Takes it out of its slot and, when that was its last, marks the slot empty. */
static void unfile(fa__timer_wheel *wheel, fa__timer *timer)
{
    fa__timer *head = timer->prev == timer->next ? timer->prev : NULL;
    ptrdiff_t i;

    list_unlink(timer);
    if (head == NULL || head < &wheel->slots[0][0] ||
        head > &wheel->slots[FA__WHEEL_LEVELS - 1][SLOT_MASK])
        return; /* not the last, or in the list that is being run */
    i = head - &wheel->slots[0][0];
    wheel->occupied[i / FA__WHEEL_SLOTS] &= ~((uint64_t)1 << (i % FA__WHEEL_SLOTS));
}

void fa__timer_set(fa__timer_wheel *wheel, fa__timer *timer, fa__msec deadline)
{
    timer->deadline = deadline;
    if (timer->next != NULL) {
        if (deadline >= timer->filed)
            return; /* looked at when its slot comes round */
        unfile(wheel, timer);
    }
    file(wheel, timer);
}

void fa__timer_cancel(fa__timer_wheel *wheel, fa__timer *timer)
{
    if (timer->next != NULL)
        unfile(wheel, timer);
}

/* Runs or refiles every timer of a slot whose time has come. */
static void run_slot(fa__timer_wheel *wheel, int level, unsigned slot)
{
    fa__timer due;

    if ((wheel->occupied[level] & ((uint64_t)1 << slot)) == 0)
        return;
    wheel->occupied[level] &= ~((uint64_t)1 << slot);
    list_move(&due, &wheel->slots[level][slot]);
    while (due.next != &due) { /* callbacks may cancel others of this list */
        fa__timer *timer = due.next;

        list_unlink(timer);
        if (due_tick(timer->deadline) > wheel->tick)
            file(wheel, timer);
        else
            timer->fn(timer);
    }
}

/* The next tick at which some slot must be looked at. */
static uint64_t next_tick(const fa__timer_wheel *wheel)
{
    uint64_t best = UINT64_MAX;

    for (unsigned level = 0; level < FA__WHEEL_LEVELS; ++level) {
        unsigned shift = FA__WHEEL_BITS * level;
        uint64_t bits = wheel->occupied[level], window = wheel->tick >> shift, at;
        unsigned first = (unsigned)(window + 1) & SLOT_MASK;

        if (bits == 0)
            continue;
        /* Rotate so that the slot after the current one is bit 0. */
        bits = first == 0 ? bits : bits >> first | bits << (FA__WHEEL_SLOTS - first);
        at = (window + 1 + (unsigned)__builtin_ctzll(bits)) << shift;
        if (at < best)
            best = at;
    }
    return best;
}

void fa__timer_wheel_run(fa__timer_wheel *wheel, fa__msec now)
{
    uint64_t target = tick_of(now);

    while (wheel->tick < target) {
        uint64_t next = next_tick(wheel);

        if (next > target) {
            wheel->tick = target;
            return;
        }
        wheel->tick = next;
        /* Higher levels first; what is due in this very tick they run themselves. */
        for (int level = FA__WHEEL_LEVELS - 1; level > 0; --level) {
            unsigned shift = (unsigned)(FA__WHEEL_BITS * level);

            if ((next & (((uint64_t)1 << shift) - 1)) == 0)
                run_slot(wheel, level, (unsigned)(next >> shift) & SLOT_MASK);
        }
        run_slot(wheel, 0, (unsigned)next & SLOT_MASK);
    }
}

fa__msec fa__timer_wheel_next(const fa__timer_wheel *wheel)
{
    uint64_t tick = next_tick(wheel);

    return tick == UINT64_MAX ? FA__NEVER : tick << FA__WHEEL_TICK_SHIFT;
}
