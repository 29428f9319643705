/* SPDX-License-Identifier: MIT */
/*
 * The log's ring: what is read is what was added, in order; what was overwritten is counted.
 *
 * Sources: kernel/log/ring.c lib/random.c tests/host/harness.c
 */
#include "tests/host/harness.h"

#include <stdio.h>
#include <string.h>

#include "kernel/log/ring.h"
#include "lib/random.h"

static char bytes[2048];
static struct log_ring ring;

static int set_up(void **state)
{
	(void)state;
	log_ring_init(&ring, bytes, sizeof(bytes));
	return 0;
}

/* A record whose text and fields follow from its number. */
static void add(unsigned i)
{
	struct log_record rec = {.time_ns = i * 1000ull, .hart = (uint16_t)(i % 9), .level = i % 4};
	char text[LOG_TEXT_MAX + 1];
	int n = snprintf(text, sizeof(text), "line %u ", i);

	rec.len = (uint8_t)(n + (int)(i * 7 % (LOG_TEXT_MAX - (unsigned)n)));
	memset(text + n, 'a' + (int)(i % 26), (size_t)(rec.len - n));
	log_ring_add(&ring, &rec, text);
}

static void must_be(const struct log_entry *e, unsigned i)
{
	char begin[24];

	snprintf(begin, sizeof(begin), "line %u ", i);
	assert_int_equal(e->rec.seq, i);
	assert_int_equal(e->rec.time_ns, i * 1000ull);
	assert_int_equal(e->rec.hart, i % 9);
	assert_int_equal(strlen(e->text), e->rec.len);
	assert_memory_equal(e->text, begin, strlen(begin));
	for (const char *p = e->text + strlen(begin); *p; p++)
		assert_int_equal(*p, 'a' + (int)(i % 26));
}

static void an_empty_ring_gives_nothing(void **state)
{
	uint64_t pos = 0, seq = 0, missed = 0;
	struct log_entry e;

	(void)state;
	assert_false(log_ring_read(&ring, &pos, &e, &seq, &missed));
}

static void lines_come_out_as_they_went_in(void **state)
{
	uint64_t pos = 0, seq = 0, missed = 0;
	struct log_entry e;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		add(i);
		assert_true(log_ring_read(&ring, &pos, &e, &seq, &missed));
		must_be(&e, i);
		assert_false(log_ring_read(&ring, &pos, &e, &seq, &missed));
	}
	assert_int_equal(missed, 0);
}

static void a_slow_reader_is_told_what_it_missed(void **state)
{
	uint64_t pos = 0, seq = 0, missed = 0, got = 0;
	struct log_entry e;
	struct rng rng;
	unsigned i = 0;

	(void)state;
	rng_seed(&rng, host_seed());
	while (i < 5000) {
		unsigned burst = (unsigned)rng_below(&rng, 60);

		while (burst-- > 0)
			add(i++);
		burst = (unsigned)rng_below(&rng, 20);
		while (burst-- > 0 && log_ring_read(&ring, &pos, &e, &seq, &missed)) {
			must_be(&e, (unsigned)(got + missed));
			got++;
		}
	}
	while (log_ring_read(&ring, &pos, &e, &seq, &missed)) {
		must_be(&e, (unsigned)(got + missed));
		got++;
	}
	assert_int_equal(got + missed, i);
	assert_true(missed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_ring_gives_nothing, set_up),
		cmocka_unit_test_setup(lines_come_out_as_they_went_in, set_up),
		cmocka_unit_test_setup(a_slow_reader_is_told_what_it_missed, set_up),
	};

	return cmocka_run_group_tests_name("log_ring", tests, NULL, NULL);
}
