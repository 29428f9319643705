/* SPDX-License-Identifier: MIT */
/*
 * What `make bench-scale` (tests/bench/scale) needs beside the other figures: timers, memory
 * without the firmware's, and the bring-up of all harts as one span of time.
 */
#include "kernel/hart/hart.h"
#include "kernel/mm/page.h"
#include "kernel/shell/command.h"
#include "kernel/time/timer.h"
#include "lib/errno.h"
#include "tests/bench/bench.h"

#define FAR_NS (1000 * NS_PER_SEC)

static void never(struct timer *t unused_arg)
{
}

static int measure_timers(int argc unused_arg, char **argv unused_arg)
{
	uint64_t far = clock_now_ns() + FAR_NS;
	struct timer t;

	timer_init(&t, never);
	bench_print10("timer_arm_cancel",
		BENCH_COST10(BENCH_N, (timer_start(&t, far), timer_cancel(&t))), "ns");
	return timer_cancel_sync(&t) ? -EIO : 0;
}
BENCH(timers, "a timer armed and cancelled", measure_timers);

static int measure_used(int argc unused_arg, char **argv unused_arg)
{
	struct mm_counts counts;

	mm_count(&counts);
	bench_print("kernel_memory", counts.used * (PAGE_SIZE / 1024), "KiB");
	bench_print("firmware_memory", counts.reserved * (PAGE_SIZE / 1024), "KiB");
	return 0;
}
BENCH(used, "memory that the kernel uses, and what the firmware keeps", measure_used);

/* From the first start call to the last hart online. */
static int measure_span(int argc unused_arg, char **argv unused_arg)
{
	uint64_t first = UINT64_MAX, last = 0;
	unsigned n = 0;

	for_each_hart(h) {
		if (!hart_is_online(h) || !h->start_called)
			continue;
		first = MIN(first, h->start_called);
		last = MAX(last, h->online_at);
		n++;
	}
	bench_print("bringup_harts", n, "harts");
	bench_print("bringup_span", n ? ticks_to_ns(last - first) : 0, "ns");
	return n ? 0 : -ENODEV;
}
BENCH(span, "time from the first start of a hart to the last arrival", measure_span);
