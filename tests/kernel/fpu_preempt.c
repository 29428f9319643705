/* SPDX-License-Identifier: MIT */
/*
 * What a thread has in its registers survives every preemption: FP registers and fcsr, integer
 * registers, sstatus. A timer on each hart asks for a new decision every few dozen microseconds, so
 * that the threads that share the hart, each with patterns of its own, interrupt each other
 * thousands of times. Three threads share a hart: of many harts, the first few are enough, because
 * threads that have a hart each are not preempted.
 */
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/string.h"
#include "tests/kernel/sched_util.h"

#define SWITCHES 500	  /* of each bound thread, before the test ends... */
#define SWITCHES_FREE 200 /* ...or of one that may move */
#define PERIOD_NS (50 * NS_PER_US)
#define LOOPS 20000
#define MAX_HARTS 8u
#define THREADS_PER_HART 3

void fpu_hold(const uint64_t in[32], uint64_t out[32], uintptr_t *fcsr, uintptr_t loops);
void int_hold(const uintptr_t in[25], uintptr_t out[25], uintptr_t loops);

static struct {
	atomic_bool stop;
	atomic_u32 done;
	/* Constant while threads run. */
	unsigned switches, nr_harts;
	struct hart_mask harts;
	struct thread *threads[THREADS_PER_HART * MAX_HARTS];
} f;

/* ---- Preemption by timer ------------------------------------------------------------------- */

static struct timer naggers[MAX_HARTS];

static void nag(struct timer *timer)
{
	lock_hart()->need_resched = true;
	if (!atomic_load_bool(&f.stop, relaxed))
		timer_start(timer, clock_now_ns() + PERIOD_NS * f.nr_harts);
}

static void start_nagger(unsigned i, void *arg)
{
	(void)arg;
	timer_init(&naggers[i], nag);
	timer_start(&naggers[i], clock_now_ns() + PERIOD_NS);
}

/* ---- Bodies -------------------------------------------------------------------------------- */

/* Goes on until all had enough: a thread that is left alone on its hart is not preempted. */
static bool goes_on(bool *counted)
{
	if (!*counted && current_thread()->nr_switches >= f.switches) {
		*counted = true;
		atomic_add_u32(&f.done, 1, relaxed);
	}
	return !atomic_load_bool(&f.stop, relaxed);
}

static void fpu_body(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	uint64_t in[32], out[32];
	uintptr_t fcsr_in = (id % 5) << 5 | (id & 0x1f); /* rounding mode, flags */
	bool counted = false;

	for (unsigned round = 0; goes_on(&counted); round++) {
		uintptr_t fcsr = fcsr_in;

		for (unsigned i = 0; i < 32; i++)
			in[i] = (uint64_t)id << 56 | (uint64_t)i << 48 | (uint64_t)round << 8 |
				0x5a;
		fpu_hold(in, out, &fcsr, LOOPS);
		if (memcmp(in, out, sizeof(in)) != 0 || fcsr != fcsr_in) {
			ktest_fail(__FILE__, __LINE__,
				"thread %u, round %u: f0 %llx %llx, fcsr %lx %lx", id, round,
				(unsigned long long)in[0], (unsigned long long)out[0],
				(unsigned long)fcsr_in, (unsigned long)fcsr);
			return;
		}
	}
}

static uintptr_t read_sstatus(void)
{
	uintptr_t status;

	__asm__ volatile("csrr %0, sstatus" : "=r"(status) : : "memory");
	return status;
}

#define SSTATUS_SIE 0x2ul
#define SSTATUS_VS 0x600ul
#define SSTATUS_FS 0x6000ul
#define SSTATUS_SUM_MXR 0xc0000ul

/* Never touches the FP unit: it stays off, as interrupts stay on. */
static void int_body(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	uintptr_t in[25], out[25];
	bool counted = false;

	for (uintptr_t round = 0; goes_on(&counted); round++) {
		uintptr_t status;

		for (uintptr_t i = 0; i < 25; i++)
			in[i] = (uintptr_t)id << 24 ^ i << 16 ^ round ^ ~(uintptr_t)0 << 31;
		int_hold(in, out, LOOPS);
		status = read_sstatus() & (SSTATUS_SIE | SSTATUS_FS | SSTATUS_VS | SSTATUS_SUM_MXR);
		if (memcmp(in, out, sizeof(in)) != 0 || status != SSTATUS_SIE) {
			ktest_fail(__FILE__, __LINE__, "thread %u, round %lu: sstatus %lx", id,
				(unsigned long)round, (unsigned long)status);
			return;
		}
	}
}

/* ---- The test ------------------------------------------------------------------------------ */

static void choose_harts(void)
{
	f.nr_harts = MIN(ktest_harts(), MAX_HARTS);
	hart_mask_zero(&f.harts);
	for (unsigned i = 0; i < f.nr_harts; i++)
		hart_mask_set(&f.harts, online_hart(i));
}

static unsigned start_threads(bool bound)
{
	unsigned n = f.nr_harts, count = THREADS_PER_HART * n, i;

	atomic_store_bool(&f.stop, false, relaxed);
	atomic_store_u32(&f.done, 0, relaxed);
	f.switches = bound ? SWITCHES : SWITCHES_FREE;
	for (i = 0; i < count; i++) {
		void (*body)(void *) = i / n == 1 ? int_body : fpu_body;
		void *id = (void *)(uintptr_t)(i + 1);

		f.threads[i] = create_on(online_hart(i % n), "regs", body, id);
		if (!f.threads[i])
			break;
		if (!bound)
			sched_set_affinity(f.threads[i], &f.harts);
		thread_run(f.threads[i]);
	}
	return i;
}

static void registers_survive(bool bound)
{
	unsigned count;

	/* Above what is tested, so that it can look. */
	sched_set_priority(current_thread(), SCHED_FIFO, 10);
	choose_harts();
	count = start_threads(bound);
	ktest_check(ktest_parallel(f.nr_harts, start_nagger, NULL));
	/* Unbound threads may end up alone on a hart, where nothing preempts them: the first that
	 * had enough is enough. */
	ktest_check(ktest_eventually(
		ktest_failed() || atomic_load_u32(&f.done, relaxed) >= (bound ? count : 1)));
	atomic_store_bool(&f.stop, true, relaxed);
	for (unsigned i = 0; i < count; i++)
		thread_join(f.threads[i], NULL);
	for (unsigned i = 0; i < f.nr_harts; i++)
		timer_cancel_sync(&naggers[i]);
}

KTEST(preempt, registers_survive_on_one_hart)
{
	registers_survive(true);
}

KTEST(preempt, registers_survive_migration)
{
	registers_survive(false);
}
