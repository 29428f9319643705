/* SPDX-License-Identifier: MIT */
/*
 * Allocation failures on demand. By seed: the number of the allocation since the start, mixed with
 * the seed, decides, so one order of allocations always fails at the same places. By thread: a
 * countdown that only its owner steps.
 */
#include "kernel/mm/inject.h"

#include "kernel/arch.h"
#include "kernel/hart/topology.h"
#include "kernel/lock/context.h"
#include "kernel/log.h"
#include "lib/bootargs.h"
#include "lib/fdt.h"
#include "lib/options.h"
#include "lib/random.h"

#define BOOT_ONE_IN 64

/* All relaxed: lone values that only choose who fails; nothing is published through them. */
static atomic_ulong seed_now, calls, failed;
static atomic_u32 one_in_now;
static atomic_u32 node_keep[NODES_MAX];

/* One thread at a time counts down: its handle, and what is left. `left` is the owner's alone. */
static atomic_u32 nth_owner;
static unsigned nth_left;
static bool nth_hit;

BOOT_NUMBER(mmfail, UINT64_MAX, "a number");

void inject_init(void)
{
	uint64_t seed;

	if (!CONFIG_FAULT_INJECT)
		return;
	if (bootargs_get_u64(fdt_bootargs(arch_info.fdt), "mmfail", &seed))
		return;
	log_warn("mmfail=%llu: one allocation in %u fails", (unsigned long long)seed, BOOT_ONE_IN);
	inject_seed(seed, BOOT_ONE_IN);
}

void inject_seed(uint64_t seed, unsigned one_in)
{
	atomic_store_ulong(&seed_now, (unsigned long)seed, relaxed);
	atomic_store_ulong(&calls, 0, relaxed);
	atomic_store_u32(&one_in_now, one_in, relaxed);
}

void inject_nth(unsigned nth)
{
	nth_left = nth;
	nth_hit = false;
	/* relaxed: the fields above are read by this thread only. */
	atomic_store_u32(&nth_owner, nth ? lock_thread()->handle : 0, relaxed);
}

bool inject_nth_hit(void)
{
	atomic_store_u32(&nth_owner, 0, relaxed);
	return nth_hit;
}

uint64_t inject_count(void)
{
	return atomic_load_ulong(&failed, relaxed);
}

void inject_node_keep(unsigned node, uint32_t pages)
{
	atomic_store_u32(&node_keep[node], pages, relaxed);
}

uint32_t inject_node_kept(unsigned node)
{
	return atomic_load_u32(&node_keep[node], relaxed);
}

bool inject_failure(void)
{
	uint32_t one_in, owner;
	uint64_t mix;

	if (!CONFIG_FAULT_INJECT)
		return false;
	owner = atomic_load_u32(&nth_owner, relaxed);
	if (unlikely(owner) && owner == lock_thread()->handle && !in_interrupt()) {
		if (nth_left == 0 || --nth_left > 0)
			return false;
		nth_hit = true;
		atomic_add_ulong(&failed, 1, relaxed);
		return true;
	}
	one_in = atomic_load_u32(&one_in_now, relaxed);
	if (likely(!one_in))
		return false;
	mix = atomic_load_ulong(&seed_now, relaxed) ^
		(uint64_t)atomic_add_ulong(&calls, 1, relaxed) << 20;
	if (splitmix64(&mix) % one_in)
		return false;
	atomic_add_ulong(&failed, 1, relaxed);
	return true;
}
