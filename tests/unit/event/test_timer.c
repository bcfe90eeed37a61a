#include "check.h"

#include "event/timer.h"

typedef struct counted {
    fa__timer timer; /* first: the callback casts back */
    fa__msec fired_at;
    int fired;
} counted;

static fa__msec now;
static fa__timer_wheel wheel;

static void on_fire(fa__timer *t)
{
    counted *c = (counted *)t;

    c->fired_at = now;
    ++c->fired;
}

static void start(fa__msec at)
{
    now = at;
    fa__timer_wheel_init(&wheel, now);
}

static void advance(fa__msec to)
{
    now = to;
    fa__timer_wheel_run(&wheel, now);
}

enum { TICK = 1 << FA__WHEEL_TICK_SHIFT };

/* At every distance, the timer fires once, not before its deadline and at most a
   tick after it. */
static void test_fires_on_time_at_every_level(void **state)
{
    static const fa__msec delays[] = {0,       1,       15,      16,       17,    1000,
                                      1023,    1024,    1025,    65535,    65536, 70000,
                                      4194303, 4194304, 5000000, 300000000};
    static const fa__msec starts[] = {0, 5, 1023, 123456789};

    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(starts); ++s) {
        for (size_t i = 0; i < ARRAY_LEN(delays); ++i) {
            counted c = {.fired = 0};
            fa__msec deadline = starts[s] + delays[i];

            start(starts[s]);
            fa__timer_init(&c.timer, on_fire);
            fa__timer_set(&wheel, &c.timer, deadline);
            while (c.fired == 0) {
                fa__msec next = fa__timer_wheel_next(&wheel);

                CHECK(next != FA__NEVER);
                advance(next > now ? next : now + 1);
            }
            CHECK_U64(c.fired_at, >=, deadline);
            CHECK_U64(c.fired_at, <=, deadline + 2 * TICK);
            CHECK_U64(fa__timer_wheel_next(&wheel), ==, FA__NEVER);
        }
    }
}

static void test_one_big_jump_fires_all(void **state)
{
    enum { N = 2000 };
    static counted many[N];

    (void)state;
    start(777);
    for (int i = 0; i < N; ++i) {
        many[i].fired = 0;
        fa__timer_init(&many[i].timer, on_fire);
        fa__timer_set(&wheel, &many[i].timer, now + (fa__msec)i * (fa__msec)i);
    }
    advance(now + (fa__msec)N * N + TICK);
    for (int i = 0; i < N; ++i)
        CHECK_INT(many[i].fired, ==, 1);
}

static void test_later_deadline_is_kept_lazily(void **state)
{
    counted c = {.fired = 0};

    (void)state;
    start(0);
    fa__timer_init(&c.timer, on_fire);
    fa__timer_set(&wheel, &c.timer, 100);
    for (fa__msec t = 0; t < 10000;
         t += 50) { /* as requests on a kept-alive connection */
        fa__timer_set(&wheel, &c.timer, t + 100);
        advance(t);
        CHECK_INT(c.fired, ==, 0);
    }
    advance(9950 + 100 + TICK);
    CHECK_INT(c.fired, ==, 1);
}

static void test_earlier_deadline_moves_it(void **state)
{
    counted c = {.fired = 0};

    (void)state;
    start(0);
    fa__timer_init(&c.timer, on_fire);
    fa__timer_set(&wheel, &c.timer, 1000000);
    fa__timer_set(&wheel, &c.timer, 50);
    advance(50 + TICK);
    CHECK_INT(c.fired, ==, 1);
}

static void test_cancel(void **state)
{
    counted a = {.fired = 0}, b = {.fired = 0};

    (void)state;
    start(0);
    fa__timer_init(&a.timer, on_fire);
    fa__timer_init(&b.timer, on_fire);
    fa__timer_cancel(&wheel, &a.timer); /* never set: nothing */
    fa__timer_set(&wheel, &a.timer, 50);
    fa__timer_set(&wheel, &b.timer, 50);
    fa__timer_cancel(&wheel, &a.timer);
    fa__timer_cancel(&wheel, &a.timer);
    advance(1000);
    CHECK_INT(a.fired, ==, 0);
    CHECK_INT(b.fired, ==, 1);
}

typedef struct canceller {
    fa__timer timer;
    fa__timer *victim;
    int fired;
} canceller;

static void on_cancel_other(fa__timer *t)
{
    canceller *c = (canceller *)t;

    ++c->fired;
    fa__timer_cancel(&wheel, c->victim);
    if (c->fired < 3)
        fa__timer_set(&wheel, t, now + TICK);
}

/* A callback may cancel a timer of the slot that is running, and set itself anew. */
static void test_callback_changes_its_own_slot(void **state)
{
    canceller c = {.fired = 0};
    counted victim = {.fired = 0};

    (void)state;
    start(0);
    fa__timer_init(&c.timer, on_cancel_other);
    fa__timer_init(&victim.timer, on_fire);
    c.victim = &victim.timer;
    fa__timer_set(&wheel, &c.timer, 40);
    fa__timer_set(&wheel, &victim.timer, 40);
    for (fa__msec t = 0; t < 1000; t += TICK)
        advance(t);
    CHECK_INT(c.fired, ==, 3);
    CHECK_INT(victim.fired, ==, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fires_on_time_at_every_level),
        cmocka_unit_test(test_one_big_jump_fires_all),
        cmocka_unit_test(test_later_deadline_is_kept_lazily),
        cmocka_unit_test(test_earlier_deadline_moves_it),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_callback_changes_its_own_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
