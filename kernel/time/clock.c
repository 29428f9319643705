/* SPDX-License-Identifier: MIT */
/* The clock: see clock.h. The scales are written once, by boot, before other harts run. */
#include "kernel/time/clock.h"

#include "kernel/arch.h"
#include "kernel/lock/relax.h"
#include "kernel/time/scale.h"
#include "lib/errno.h"

#define HZ_MIN 1000u
#define HZ_MAX 4000000000u

static struct scale to_ns, to_ticks;
static bool running;

int clock_init(uint32_t hz)
{
	if (hz < HZ_MIN || hz > HZ_MAX)
		return -EINVAL;
	to_ns = scale_make((uint32_t)NS_PER_SEC, hz);
	to_ticks = scale_make(hz, (uint32_t)NS_PER_SEC);
	running = true;
	return 0;
}

uint64_t ticks_to_ns(uint64_t ticks)
{
	return scale_down(to_ns, ticks);
}

uint64_t ns_to_ticks(uint64_t ns)
{
	return ns == UINT64_MAX ? ns : scale_up(to_ticks, to_ns, ns);
}

uint64_t clock_now_ns(void)
{
	return running ? ticks_to_ns(arch_time() - arch_info.entry_time) : 0;
}

uint64_t clock_time_to_ns(uint64_t time)
{
	return time > arch_info.entry_time ? ticks_to_ns(time - arch_info.entry_time) : 0;
}

uint64_t clock_ns_to_time(uint64_t ns)
{
	uint64_t ticks = ns_to_ticks(ns);

	return ticks > UINT64_MAX - arch_info.entry_time ? UINT64_MAX
							 : ticks + arch_info.entry_time;
}

void clock_delay_ns(uint64_t ns)
{
	uint64_t begin = arch_time();
	uint64_t ticks = ns_to_ticks(ns);

	while (arch_time() - begin < ticks)
		relax();
}
