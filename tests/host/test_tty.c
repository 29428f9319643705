/* SPDX-License-Identifier: MIT */
/*
 * The input ring: every byte once and in order, also while both sides run; the rest is counted.
 *
 * Sources: kernel/log/tty.c tests/host/harness.c
 */
#include "tests/host/harness.h"

#include <pthread.h>
#include <sched.h>

#include "kernel/log/tty.h"

#define RING 1024
#define MANY 200000

static unsigned woken;

static void count_wakes(void)
{
	woken++;
}

static void drain(void)
{
	char buf[64];

	while (tty_take(buf, sizeof(buf)))
		;
	tty_clear_break();
}

static void bytes_come_out_in_order(void **state)
{
	char buf[8];

	(void)state;
	drain();
	assert_false(tty_ready());
	assert_int_equal(tty_take(buf, sizeof(buf)), 0);
	for (const char *p = "interlock"; *p; p++)
		tty_input(*p);
	assert_true(tty_ready());
	assert_int_equal(tty_take(buf, 5), 5);
	assert_memory_equal(buf, "inter", 5);
	assert_int_equal(tty_take(buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "lock", 4);
	assert_false(tty_ready());
}

static void what_does_not_fit_is_dropped_and_counted(void **state)
{
	uint64_t dropped = tty_dropped(), count = tty_count();
	char byte;

	(void)state;
	drain();
	for (unsigned i = 0; i < RING + 7; i++)
		tty_input((char)(i & 0x7f));
	assert_int_equal(tty_dropped() - dropped, 7);
	assert_int_equal(tty_count() - count, RING);
	for (unsigned i = 0; i < RING; i++) {
		assert_int_equal(tty_take(&byte, 1), 1);
		assert_int_equal(byte, i & 0x7f);
	}
	assert_false(tty_ready());
}

static void ctrl_c_shows_even_when_the_ring_is_full(void **state)
{
	(void)state;
	drain();
	for (unsigned i = 0; i < RING; i++)
		tty_input('x');
	assert_false(tty_break());
	tty_input(3);
	assert_true(tty_break());
	drain();
	assert_false(tty_break());
}

static void each_byte_wakes_the_reader(void **state)
{
	(void)state;
	drain();
	tty_set_waker(count_wakes);
	woken = 0;
	tty_input('a');
	tty_input('b');
	assert_int_equal(woken, 2);
	tty_set_waker(NULL);
}

static unsigned resumed;

static void count_resumes(void)
{
	resumed++;
}

static void a_device_is_kept_back_until_there_is_room(void **state)
{
	char c;

	(void)state;
	drain();
	resumed = 0;
	assert_false(tty_hold(count_resumes));
	while (tty_room())
		tty_input('x');
	assert_true(tty_hold(count_resumes));
	assert_int_equal(resumed, 0);
	assert_int_equal(tty_take(&c, 1), 1);
	assert_int_equal(resumed, 1);
	assert_int_equal(tty_take(&c, 1), 1);
	assert_int_equal(resumed, 1);
	drain();
}

static void *type_many(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < MANY; i++) {
		uint64_t before;

		/* A full ring drops: type the same again until it went in. */
		do {
			before = tty_count();
			tty_input((char)(i % 101 + 4));
			if (tty_count() == before)
				sched_yield();
		} while (tty_count() == before);
	}
	return NULL;
}

static void nothing_is_lost_between_two_sides_that_run(void **state)
{
	pthread_t typist;
	unsigned got = 0;
	char buf[37];

	(void)state;
	drain();
	assert_int_equal(pthread_create(&typist, NULL, type_many, NULL), 0);
	while (got < MANY) {
		size_t n = tty_take(buf, sizeof(buf));

		for (size_t i = 0; i < n; i++, got++)
			assert_int_equal(buf[i], got % 101 + 4);
		if (!n)
			sched_yield();
	}
	pthread_join(typist, NULL);
	assert_false(tty_ready());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_in_order),
		cmocka_unit_test(what_does_not_fit_is_dropped_and_counted),
		cmocka_unit_test(ctrl_c_shows_even_when_the_ring_is_full),
		cmocka_unit_test(each_byte_wakes_the_reader),
		cmocka_unit_test(a_device_is_kept_back_until_there_is_room),
		cmocka_unit_test(nothing_is_lost_between_two_sides_that_run),
	};

	return cmocka_run_group_tests_name("tty", tests, NULL, NULL);
}
