/* SPDX-License-Identifier: MIT */
/* Costs of interrupts: the tick, and calls on other harts. */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/context.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "lib/errno.h"
#include "tests/bench/bench.h"
#include "tests/kernel/alarm.h"

/*
 * Interrupts off around the programming of the timer, as its contract wants; the interrupt is
 * taken when they open again, so each round is one whole timer interrupt with nothing due.
 */
static inline void program_timer(uint64_t tick)
{
	irq_off();
	arch_timer_set(tick);
	irq_on();
}

static int measure_tick(int argc, char **argv)
{
	uint64_t far = arch_time() + 1000ull * arch_info.timebase_hz;
	uint64_t before, taken, with, empty;
	struct hart_meta *h;
	int err = bench_pin(this_hart_unstable()->index);

	(void)argc;
	(void)argv;
	if (err)
		return err;
	h = this_hart_unstable(); /* pinned: stays */
	before = h->stats.irqs[IRQ_TIMER];
	with = BENCH_LOOP(BENCH_N, program_timer(0));
	taken = h->stats.irqs[IRQ_TIMER] - before;
	empty = BENCH_LOOP(BENCH_N, program_timer(far));
	program_timer(0); /* lets the handler program what really is next */
	bench_unpin();
	bench_print10("timer_interrupt", bench_cost10(with, empty, BENCH_N), "ns");
	return taken >= BENCH_N ? 0 : -EIO;
}
BENCH(tick, "timer interrupt, entry to return, nothing due", measure_tick);

/* As many accesses as a raise has, which raise nothing. */
static inline void touch_alarm(void)
{
	for (unsigned i = 0; i < 3; i++)
		mmio_write32(alarm.regs, RTC_CLEAR_INTERRUPT, 1);
}

static int measure_external(int argc, char **argv)
{
	struct hart_mask here = {0};
	uint64_t with, empty;
	int err;

	(void)argc;
	(void)argv;
	if (!alarm_open())
		return -ENODEV;
	err = irq_register(alarm.source, "alarm", alarm_handle, NULL);
	if (err)
		goto close;
	err = bench_pin(this_hart_unstable()->index);
	if (err)
		goto unregister;
	hart_mask_set(&here, this_hart_unstable()->index); /* pinned: stays */
	err = irq_set_affinity(alarm.source, &here);
	if (err)
		goto unpin;
	with = BENCH_LOOP(BENCH_N, alarm_raise());
	empty = BENCH_LOOP(BENCH_N, touch_alarm());
	bench_print10("external_interrupt", bench_cost10(with, empty, BENCH_N), "ns");
	/* One instruction after the other, each raise is handled before the next. */
	if (atomic_load_u32(&alarm.handled, relaxed) < BENCH_N / 2)
		err = -EIO;
unpin:
	bench_unpin();
unregister:
	irq_unregister(alarm.source);
close:
	alarm_close();
	return err;
}
BENCH(external, "interrupt of a device, from its raise to the end of the handler",
	measure_external);

static void called(void *arg)
{
	(*(unsigned *)arg)++;
}

static int time_calls(const char *name, struct hart_meta *h, unsigned n)
{
	unsigned count = 0;
	uint64_t start = clock_now_ns();

	for (unsigned i = 0; i < n; i++) {
		int err = hart_call(h, called, &count);

		if (err)
			return err;
	}
	bench_print10(name, (clock_now_ns() - start) * 10 / n, "ns");
	return count == n ? 0 : -EIO;
}

/* Keeps a hart running: relaxes until told to end. */
static void busy_thread(void *arg)
{
	atomic_u32 *state = arg; /* 0: not begun, 1: running, 2: end */

	atomic_store_u32(state, 1, relaxed);
	while (atomic_load_u32(state, relaxed) != 2)
		relax();
}

static int measure_ipi(int argc, char **argv)
{
	unsigned here, other;
	atomic_u32 state = {0};
	struct hart_mask one = {0};
	struct thread *t;
	int err;

	(void)argc;
	(void)argv;
	err = bench_pin_pair(&here, &other);
	if (err)
		return err;
	if (other == here) {
		shell_printf("bench ipi: needs two harts\n");
		goto out;
	}
	err = time_calls("call_parked_hart", harts[other], BENCH_N / 10);
	t = err ? NULL : thread_create("busy", busy_thread, &state);
	if (!t) {
		err = err ? err : -ENOMEM;
		goto out;
	}
	hart_mask_set(&one, other);
	sched_set_affinity(t, &one);
	thread_run(t);
	/* Asleep: under instruction counting who merely yields keeps the turn. */
	while (!atomic_load_u32(&state, relaxed))
		sched_sleep_ns(NS_PER_US);
	err = time_calls("call_running_hart", harts[other], BENCH_N / 10);
	atomic_store_u32(&state, 2, relaxed);
	thread_join(t, NULL);
out:
	bench_unpin();
	return err;
}
BENCH(ipi, "a call on a parked and on a running hart, there and back", measure_ipi);
