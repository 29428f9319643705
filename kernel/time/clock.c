/* SPDX-License-Identifier: MIT */
/* The clock: see clock.h. The scales are written once, by boot, before other harts run. */
#include "kernel/time/clock.h"

#include "kernel/arch.h"
#include "kernel/lock/relax.h"
#include "kernel/time/scale.h"
#include "lib/errno.h"

#define HZ_MIN 1000u
#define HZ_MAX 4000000000u

/* Before clock_init everything is moment 0. */
static struct scale to_ns = {0, 64}, to_ticks = {0, 64};

int clock_init(uint32_t hz)
{
	if (hz < HZ_MIN || hz > HZ_MAX)
		return -EINVAL;
	to_ns = scale_make((uint32_t)NS_PER_SEC, hz, false);
	to_ticks = scale_make(hz, (uint32_t)NS_PER_SEC, true);
	return 0;
}

uint64_t ticks_to_ns(uint64_t ticks)
{
	return scale_down(to_ns, ticks);
}

uint64_t ns_to_ticks(uint64_t ns)
{
	return scale_above(to_ticks, ns);
}

/* arch_time() of moment 0: the kernel's entry. In a hunt it is the machine's beginning: how long
 * the firmware took depends on the length of the boot arguments, and must move nothing. */
static uint64_t origin(void)
{
	return CONFIG_HUNT ? 0 : arch_info.entry_time;
}

uint64_t clock_now_ns(void)
{
	return scale_down(to_ns, arch_time() - origin());
}

uint64_t clock_time_to_ns(uint64_t time)
{
	return time > origin() ? ticks_to_ns(time - origin()) : 0;
}

uint64_t clock_ns_to_time(uint64_t ns)
{
	uint64_t ticks = ns_to_ticks(ns);

	return ticks > UINT64_MAX - origin() ? UINT64_MAX : ticks + origin();
}

void clock_delay_ns(uint64_t ns)
{
	uint64_t begin = arch_time();
	uint64_t ticks = ns_to_ticks(ns);

	for (struct relax wait = RELAX_INIT; arch_time() - begin < ticks;)
		relax_step(&wait);
}
