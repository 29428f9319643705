/* SPDX-License-Identifier: MIT */
/*
 * kernel/hart/start.c and park.c against a firmware that says what it likes: what it says of a hart
 * is a script, one answer after the other, and the clock is the test's.
 *
 * Sources: tests/host/harness.c tests/host/machine.c
 * Sources: kernel/hart/start.c kernel/hart/park.c kernel/hart/mask.c
 */
#include "kernel/hart/start.h"

#include <string.h>

#include "kernel/hart/call.h"
#include "kernel/hart/fault.h"
#include "kernel/hart/leave.h"
#include "kernel/log.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/errno.h"
#include "tests/host/harness.h"

#define HARTID 7
#define PATIENCE_NS (30 * NS_PER_SEC)

struct hart_meta boot_hart;
unsigned nr_harts = 1;
struct hart_meta *harts[CONFIG_MAX_HARTS];
struct hart_mask harts_online;
uint64_t hart_boot_went_on;

static struct hart_meta hart, other;

static struct {
	const int *states; /* what HART_GET_STATUS says, the last one for ever */
	unsigned nr_states, looks;
	int refusal;	       /* what HART_START says */
	unsigned starts;       /* so many were asked for, */
	unsigned lost;	       /* and the first of them get lost */
	unsigned early;	       /* starts while it was not STOPPED */
	int last;	       /* state at the last look */
	enum hart_stage stage; /* that the hart has reached */
	unsigned late;	       /* calls of the late hook */
	uint64_t nap_ns;       /* how long a nap really is */
	unsigned naps, arrives_after;
	uint64_t now_ns;
	unsigned sleeps, other_parks_after; /* of the hart that parks; 0: never */
} firmware;

/* ---- What they ask of the rest of the kernel --------------------------------------------- */

int arch_hart_state(uintptr_t hartid)
{
	unsigned n = firmware.looks++;

	assert_int_equal(hartid, HARTID);
	firmware.last = firmware.states[n < firmware.nr_states ? n : firmware.nr_states - 1];
	return firmware.last;
}

int arch_hart_start(struct hart_meta *h)
{
	assert_ptr_equal(h, &hart);
	assert_int_equal(atomic_load_u32(&h->state, relaxed), HART_STARTING);
	firmware.early += firmware.last != ARCH_HSM_STOPPED;
	firmware.starts++;
	return firmware.refusal;
}

/* A nap: the hart arrives in one of them, if it is not lost. */
static void nap(uint64_t ns)
{
	firmware.now_ns += firmware.nap_ns ? firmware.nap_ns : ns;
	if (++firmware.naps < firmware.arrives_after || firmware.starts <= firmware.lost)
		return;
	if (atomic_load_u32(&hart.state, relaxed) == HART_STARTING)
		hart_join(&hart);
}

uint64_t clock_now_ns(void)
{
	return firmware.now_ns;
}

struct hart_meta *this_hart(void)
{
	return &hart;
}

static void late(struct hart_meta *h)
{
	assert_ptr_equal(h, &hart);
	firmware.late++;
}

uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void hart_stages_forget(struct hart_meta *h)
{
	assert_ptr_equal(h, &hart);
}

void hart_mailbox_open(struct hart_meta *h)
{
	assert_ptr_equal(h, &hart);
}

void hart_obey_stop(void)
{
}

void timer_hart_forget(void)
{
}

enum hart_stage hart_last_stage(const struct hart_meta *h)
{
	assert_ptr_equal(h, &hart);
	return firmware.stage;
}

const char *hart_stage_name(enum hart_stage stage unused_arg)
{
	return "";
}

const char *hart_state_name(enum hart_state state unused_arg)
{
	return "";
}

/* No hart does wrong on demand here. */
void hart_fault_gone_on(void)
{
}

void hart_fault_arm(struct hart_meta *h)
{
	assert_ptr_equal(h, &hart);
}

bool hart_fault_refused(const struct hart_meta *h unused_arg)
{
	return false;
}

bool hart_fault_twice(const struct hart_meta *h unused_arg)
{
	return false;
}

void hart_fault_strike(struct hart_meta *h unused_arg, enum hart_fault_place place unused_arg)
{
	fail();
}

int arch_hart_start_again(const struct hart_meta *h unused_arg)
{
	fail();
	return -EIO;
}

void arch_tlb_flush_all(void)
{
}

void arch_icache_flush(void)
{
}

void arch_ipi_send_hart(uintptr_t hartid)
{
	assert_int_equal(hartid, HARTID);
}

/* A tick is a nanosecond here. */
uint64_t ns_to_ticks(uint64_t ns)
{
	return ns;
}

void arch_sleep_until(uint64_t tick)
{
	if (tick > host_time) {
		host_time = tick;
		firmware.sleeps++;
	}
	if (firmware.sleeps == firmware.other_parks_after)
		atomic_store_u32(&other.park, PARK_DONE, relaxed);
}

bool hart_is_due(const struct hart_meta *h unused_arg)
{
	return false;
}

static enum hart_park parked_as;

int arch_hart_stop(void)
{
	parked_as = atomic_load_u32(&hart.park, relaxed);
	return -EIO;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

#define SAYS(...) \
	do { \
		static const int said[] = {__VA_ARGS__}; \
		firmware.states = said; \
		firmware.nr_states = ARRAY_SIZE(said); \
	} while (0)

static int begin(void **state unused_arg)
{
	memset(&firmware, 0, sizeof(firmware));
	memset(&hart, 0, sizeof(hart));
	memset(&other, 0, sizeof(other));
	nr_harts = 1;
	host_time = 0;
	memset(&harts_online, 0, sizeof(harts_online));
	hart.hartid = HARTID;
	harts[0] = &hart;
	atomic_store_u32(&hart.state, HART_STOPPED, relaxed);
	firmware.arrives_after = 1;
	hart_set_nap(nap);
	hart_set_late_hook(late);
	hart_set_patience(PATIENCE_NS);
	host_irq_on = false;
	return 0;
}

static unsigned state(void)
{
	return atomic_load_u32(&hart.state, relaxed);
}

static void a_start_waits_for_the_end_of_a_stop(void **state_ unused_arg)
{
	SAYS(ARCH_HSM_STOP_PENDING, ARCH_HSM_STOP_PENDING, ARCH_HSM_STOP_PENDING, ARCH_HSM_STOPPED);
	assert_int_equal(hart_bring_up(&hart), 0);
	assert_int_equal(state(), HART_ONLINE);
	assert_int_equal(firmware.starts, 1);
	assert_int_equal(firmware.early, 0);
}

static void a_stop_that_never_ends_is_busy(void **state_ unused_arg)
{
	SAYS(ARCH_HSM_STOP_PENDING);
	assert_int_equal(hart_bring_up(&hart), -EBUSY);
	assert_int_equal(state(), HART_STOPPED);
	assert_int_equal(firmware.starts, 0);
	assert_true(firmware.now_ns >= PATIENCE_NS);
}

/* SBI answers "invalid" during START_PENDING. */
static void invalid_of_a_hart_on_its_way_is_no_refusal(void **state_ unused_arg)
{
	static const int ways[] = {ARCH_HSM_START_PENDING, ARCH_HSM_STARTED};

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		int said[] = {ARCH_HSM_STOPPED, ways[i]};

		begin(NULL);
		firmware.states = said;
		firmware.nr_states = 2;
		firmware.refusal = -EINVAL;
		assert_int_equal(hart_bring_up(&hart), 0);
		assert_int_equal(state(), HART_ONLINE);
		assert_int_equal(firmware.starts, 1);
	}
}

static void a_refused_hart_stays_where_it_was(void **state_ unused_arg)
{
	static const uint32_t places[] = {HART_STOPPED, HART_FAILED, HART_OFFLINE};

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		begin(NULL);
		SAYS(ARCH_HSM_STOPPED);
		atomic_store_u32(&hart.state, places[i], relaxed);
		firmware.refusal = -EINVAL;
		assert_int_equal(hart_bring_up(&hart), -EINVAL);
		assert_int_equal(state(), places[i]);
		assert_int_equal(firmware.starts, 1);
	}
}

static void a_hart_that_somebody_else_has_started_is_refused(void **state_ unused_arg)
{
	SAYS(ARCH_HSM_STARTED);
	assert_int_equal(hart_bring_up(&hart), -EALREADY);
	assert_int_equal(state(), HART_STOPPED);
	assert_int_equal(firmware.starts, 0);
}

/* The firmware says that it went well, and the hart is STOPPED still. */
static void a_start_that_gets_lost_is_repeated(void **state_ unused_arg)
{
	SAYS(ARCH_HSM_STOPPED);
	firmware.lost = 3;
	assert_int_equal(hart_bring_up(&hart), 0);
	assert_int_equal(state(), HART_ONLINE);
	assert_int_equal(firmware.starts, 4);
	assert_int_equal(firmware.early, 0);
}

/* It has been in the kernel: it would die again. */
static void a_hart_that_died_on_its_way_is_not_started_again(void **state_ unused_arg)
{
	SAYS(ARCH_HSM_STOPPED);
	firmware.lost = 1;
	firmware.stage = HART_MMU;
	assert_int_equal(hart_bring_up(&hart), -EFAULT);
	assert_int_equal(state(), HART_FAILED);
	assert_int_equal(firmware.starts, 1);
}

static void a_hart_that_is_on_its_way_is_not_started_twice(void **state_ unused_arg)
{
	SAYS(ARCH_HSM_STOPPED, ARCH_HSM_START_PENDING);
	firmware.arrives_after = 1000;
	assert_int_equal(hart_bring_up(&hart), 0);
	assert_int_equal(firmware.starts, 1);
}

static void a_silent_hart_is_given_up_and_joins_when_it_comes(void **state_ unused_arg)
{
	SAYS(ARCH_HSM_STOPPED, ARCH_HSM_STARTED);
	firmware.lost = 1;
	assert_int_equal(hart_bring_up(&hart), -ETIMEDOUT);
	assert_int_equal(state(), HART_FAILED);
	assert_true(firmware.now_ns >= PATIENCE_NS);
	start_gone_on();
	hart_join(&hart);
	assert_int_equal(state(), HART_ONLINE);
	assert_int_equal(hart.failure, 0);
	assert_int_equal(firmware.late, 1);
}

/* A host that was away for minutes is no hart that does not come. */
static void the_clock_alone_gives_nobody_up(void **state_ unused_arg)
{
	SAYS(ARCH_HSM_STOPPED, ARCH_HSM_STARTED);
	firmware.nap_ns = 2 * PATIENCE_NS;
	firmware.arrives_after = 90;
	assert_int_equal(hart_bring_up(&hart), 0);
	assert_int_equal(state(), HART_ONLINE);
	assert_int_equal(firmware.naps, 90);
	assert_false(hart_waited_long(firmware.now_ns, 1000000));
	assert_false(hart_waited_long(0, 99));
	assert_true(hart_waited_long(0, 1000000));
}

static void park(void)
{
	SAYS(ARCH_HSM_STARTED);
	atomic_store_u32(&hart.state, HART_STARTING, relaxed);
	atomic_store_u32(&hart.park, PARK_ASKED, relaxed);
	hart_park_if_asked(&hart);
}

static void a_stop_that_returns_makes_it_join(void **state_ unused_arg)
{
	park();
	assert_int_equal(parked_as, PARK_DONE);
	assert_int_equal(atomic_load_u32(&hart.park, relaxed), PARK_NOT);
	/* Who looks meanwhile does not take it for stopped. */
	assert_true(start_settle_parked(&hart));
	assert_int_equal(state(), HART_STARTING);
	hart_join(&hart);
	assert_int_equal(state(), HART_ONLINE);
}

static void park_beside_one_that_comes_after(unsigned sleeps)
{
	firmware.other_parks_after = sleeps;
	harts[1] = &other;
	nr_harts = 2;
	atomic_store_u32(&other.state, HART_STARTING, relaxed);
	atomic_store_u32(&other.park, PARK_ASKED, relaxed);
	park();
}

static void a_hart_parks_when_all_have_come(void **state_ unused_arg)
{
	park_beside_one_that_comes_after(100);
	assert_int_equal(parked_as, PARK_DONE);
	assert_in_range(firmware.sleeps, 100, 101);
}

static void a_hart_that_never_comes_is_not_waited_for_for_ever(void **state_ unused_arg)
{
	park_beside_one_that_comes_after(0);
	assert_int_equal(parked_as, PARK_DONE);
	assert_in_range(host_time, NS_PER_SEC, 2 * NS_PER_SEC);
}

static void harts_park_one_after_the_other(void **state_ unused_arg)
{
	uint64_t first;

	host_time = NS_PER_SEC;
	park();
	first = host_time;
	park();
	assert_int_equal(host_time, first + NS_PER_MS);
	host_time += NS_PER_SEC;
	first = host_time;
	park();
	/* Nobody was just before it. */
	assert_int_equal(host_time, first);
}

static void a_parked_hart_is_stopped_once_the_firmware_says_so(void **state_ unused_arg)
{
	SAYS(ARCH_HSM_STARTED, ARCH_HSM_STOP_PENDING, ARCH_HSM_STOPPED);
	atomic_store_u32(&hart.state, HART_STARTING, relaxed);
	atomic_store_u32(&hart.park, PARK_DONE, relaxed);
	assert_false(start_settle_parked(&hart));
	assert_int_equal(state(), HART_STARTING);
	assert_false(start_settle_parked(&hart));
	assert_int_equal(state(), HART_STARTING);
	assert_true(start_settle_parked(&hart));
	assert_int_equal(state(), HART_STOPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_start_waits_for_the_end_of_a_stop, begin),
		cmocka_unit_test_setup(a_stop_that_never_ends_is_busy, begin),
		cmocka_unit_test_setup(invalid_of_a_hart_on_its_way_is_no_refusal, begin),
		cmocka_unit_test_setup(a_refused_hart_stays_where_it_was, begin),
		cmocka_unit_test_setup(a_hart_that_somebody_else_has_started_is_refused, begin),
		cmocka_unit_test_setup(a_start_that_gets_lost_is_repeated, begin),
		cmocka_unit_test_setup(a_hart_that_died_on_its_way_is_not_started_again, begin),
		cmocka_unit_test_setup(a_hart_that_is_on_its_way_is_not_started_twice, begin),
		cmocka_unit_test_setup(a_silent_hart_is_given_up_and_joins_when_it_comes, begin),
		cmocka_unit_test_setup(the_clock_alone_gives_nobody_up, begin),
		cmocka_unit_test_setup(a_stop_that_returns_makes_it_join, begin),
		cmocka_unit_test_setup(a_hart_parks_when_all_have_come, begin),
		cmocka_unit_test_setup(a_hart_that_never_comes_is_not_waited_for_for_ever, begin),
		cmocka_unit_test_setup(harts_park_one_after_the_other, begin),
		cmocka_unit_test_setup(a_parked_hart_is_stopped_once_the_firmware_says_so, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
