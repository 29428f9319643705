/* SPDX-License-Identifier: MIT */
/* Calls between harts: waiting, posted and leaf ones, from all to all, counted. */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "tests/stress/stress.h"

static struct stress_run run;
/* relaxed: compared when all have ended. */
static atomic_ulong asked, served;

struct letter {
	struct hart_call call;
	atomic_u32 value;
};
static struct letter letters[STRESS_WORKERS_MAX];

static void serve(void *arg)
{
	atomic_u32 *value = arg;

	atomic_add_u32(value, 1, relaxed);
	atomic_add_ulong(&served, 1, relaxed);
}

static struct hart_meta *random_hart(struct rng *rng)
{
	unsigned n = (unsigned)rng_below(rng, hart_mask_weight(&harts_online)), hart;

	for_each_hart_in_mask(hart, &harts_online)
		if (n-- == 0)
			return harts[hart];
	return harts[hart_mask_first(&harts_online)];
}

static void call_one(struct rng *rng)
{
	atomic_u32 value = {0};

	if (hart_call(random_hart(rng), serve, &value))
		return;
	atomic_add_ulong(&asked, 1, relaxed);
	stress_check(&run, atomic_load_u32(&value, relaxed) == 1, "a call ran %u times",
		(unsigned)atomic_load_u32(&value, relaxed));
}

static void call_all(void)
{
	atomic_u32 value = {0};
	int n = hart_call_mask(&harts_online, serve, &value);

	atomic_add_ulong(&asked, (unsigned long)n, relaxed);
	stress_check(&run, (int)atomic_load_u32(&value, relaxed) == n, "a call of %d ran %u times",
		n, (unsigned)atomic_load_u32(&value, relaxed));
}

static void post(struct letter *l, struct rng *rng)
{
	if (!hart_call_done(&l->call))
		return;
	if (!hart_call_post(random_hart(rng), &l->call))
		atomic_add_ulong(&asked, 1, relaxed);
}

static void worker(unsigned i)
{
	struct letter *mine = &letters[i];
	struct rng rng;

	rng_seed(&rng, i + 3000);
	while (stress_more(&run)) {
		switch (rng_below(&rng, 8)) {
		case 0:
			call_all();
			break;
		case 1:
			leaf_call_mask(&harts_online, LEAF_TLB_FLUSH);
			break;
		case 2:
			leaf_call_mask(&harts_online, LEAF_FENCE_I);
			break;
		case 3:
			hart_resched(random_hart(&rng));
			break;
		case 4:
			post(mine, &rng);
			break;
		default:
			call_one(&rng);
		}
	}
	while (!hart_call_done(&mine->call))
		relax();
}

static int stress_ipi(unsigned seconds)
{
	stress_begin(&run, "ipi", seconds);
	atomic_store_ulong(&asked, 0, relaxed);
	atomic_store_ulong(&served, 0, relaxed);
	for (unsigned i = 0; i < STRESS_WORKERS_MAX; i++)
		hart_call_init(&letters[i].call, serve, &letters[i].value);
	stress_threads(&run, stress_workers(), worker);
	stress_check(&run,
		atomic_load_ulong(&asked, relaxed) == atomic_load_ulong(&served, relaxed),
		"%lu calls, %lu runs", atomic_load_ulong(&asked, relaxed),
		atomic_load_ulong(&served, relaxed));
	return stress_end(&run);
}
STRESS(ipi, "calls from all harts to all harts", stress_ipi);
