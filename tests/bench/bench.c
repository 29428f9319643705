/* SPDX-License-Identifier: MIT */
/* What the measurements share: the lines they print and the hart they run on. */
#include "tests/bench/bench.h"

#include "kernel/hart/hart.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/shell/command.h"

uint64_t bench_cost10(uint64_t with_ns, uint64_t empty_ns, unsigned n)
{
	if (with_ns < empty_ns)
		return 0;
	return (with_ns - empty_ns) * 10 / n;
}

void bench_print10(const char *name, uint64_t tenths, const char *unit)
{
	shell_printf("bench: %-28s %llu.%llu %s\n", name, (unsigned long long)(tenths / 10),
		(unsigned long long)(tenths % 10), unit);
}

void bench_print(const char *name, uint64_t value, const char *unit)
{
	shell_printf("bench: %-28s %llu %s\n", name, (unsigned long long)value, unit);
}

int bench_pin(unsigned hart)
{
	struct hart_mask one = {0};

	hart_mask_set(&one, hart);
	return sched_set_affinity(current_thread(), &one);
}

int bench_pin_pair(unsigned *here, unsigned *other)
{
	unsigned i;

	*here = *other = hart_mask_first(&harts_online);
	for_each_hart_in_mask(i, &harts_online) {
		*here = *other;
		*other = i;
	}
	return bench_pin(*here);
}

void bench_unpin(void)
{
	struct hart_mask all = {0};

	for (unsigned i = 0; i < nr_harts; i++)
		hart_mask_set(&all, i);
	sched_set_affinity(current_thread(), &all);
}
