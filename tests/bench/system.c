/* SPDX-License-Identifier: MIT */
/* What a boot costs: time to the prompt, memory in use there, bring-up of the harts. */
#include "kernel/hart/hart.h"
#include "kernel/mm/page.h"
#include "kernel/shell/command.h"
#include "tests/bench/bench.h"

/* As the first command of run=: from the kernel's first instruction to the prompt's place. */
static int measure_boot(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	bench_print("boot", ticks_to_ns(arch_time() - arch_info.entry_time), "ns");
	return 0;
}
BENCH(boot, "time since the kernel's first instruction", measure_boot);

static int measure_footprint(int argc, char **argv)
{
	struct mm_counts counts;

	(void)argc;
	(void)argv;
	mm_count(&counts);
	bench_print("footprint", (counts.total - counts.free) * (PAGE_SIZE / 1024), "KiB");
	return 0;
}
BENCH(footprint, "all memory that is not free, firmware and page descriptors included",
	measure_footprint);

static int measure_bringup(int argc, char **argv)
{
	uint64_t most = 0, sum = 0;
	unsigned n = 0;

	(void)argc;
	(void)argv;
	for_each_hart(h) {
		if (!hart_is_online(h) || !h->start_called)
			continue;
		uint64_t took = ticks_to_ns(h->online_at - h->start_called);

		most = MAX(most, took);
		sum += took;
		n++;
	}
	bench_print("bringup_mean", n ? sum / n : 0, "ns");
	bench_print("bringup_longest", most, "ns");
	return 0;
}
BENCH(bringup, "time from the firmware's start call to online", measure_bringup);
