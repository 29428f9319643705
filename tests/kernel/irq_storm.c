/* SPDX-License-Identifier: MIT */
/*
 * Interrupts in a storm of changes: movers change the affinities of all sources and who balances
 * them, a stopper stops, suspends, starts and resumes harts, busy threads call each other's harts,
 * and the alarm is raised again and again. Each time it has to be handled once. All its moments
 * take a random while, so that the changes meet them.
 *
 *	irqstorm [CHANGES [SEED [BUG]]]		CHANGES of routes at least (2000); BUG, as
 *						irq_front.h has them, is planted: the storm has to
 *						find it, and fails
 *
 * The line that it prints begins with `irqstorm:`.
 */
#include "kernel/hart/call.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/hart_life.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/kernel/alarm.h"
#include "tests/kernel/irq_front.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/on_hart.h"

#define MOVERS 2
#define BUSY 4
#define THREADS (MOVERS + BUSY + 1)
/* One of each at least for so many changes: an interrupt, one whose route changed under it (which
 * a short storm may well do without), a stop. */
#define CHANGES_PER_RAISE 8
#define CHANGES_IN_FLIGHT 250
#define CHANGES_PER_STOP 40
/* The last resort against a storm in which one of them never happens. */
#define RAISED_MAX 1000000
#define LINGER_MAX 12
#define NAP_NS (50 * NS_PER_US)

DEFINE_LOCK_CLASS(storm_class, .name = "test.irq.storm", .rank = RANK_TEST_SPIN_OUTER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000,
	.protects = "a random number, and nothing that matters");
static struct irqlock lock = IRQLOCK_INIT(&storm_class);

static struct storm {
	uint64_t seed;
	struct rng rng GUARDED_BY(&lock);
	uint32_t raised, handled;
	atomic_u32 over, changes, stops, calls;
	enum irq_verdict verdict;
	unsigned in_flight;
	uint64_t spurious, unhandled;
} storm;

static unsigned below(unsigned n)
{
	unsigned r;

	irqlock_acquire(&lock);
	r = (unsigned)rng_below(&storm.rng, n);
	irqlock_release(&lock);
	return r;
}

/* ---- The interrupt --------------------------------------------------------------------------- */

static void linger(enum irq_moment moment unused_arg)
{
	for (unsigned n = below(LINGER_MAX); n; n--)
		relax();
}

static void no_matter_whence(unsigned from unused_arg)
{
}

static void no_matter(void)
{
}

static const struct irq_watch watch = {.at = linger, .moves = no_matter_whence, .moved = no_matter};

static void handle(void *arg)
{
	linger(IRQ_IN_HANDLER);
	alarm_handle(arg);
	linger(IRQ_IN_HANDLER);
}

/* ---- Changes --------------------------------------------------------------------------------- */

static void random_mask(struct rng *r, struct hart_mask *mask)
{
	hart_mask_zero(mask);
	switch (rng_below(r, 4)) {
	case 0:
		hart_mask_fill(mask, nr_harts);
		break;
	case 1:
		for (unsigned i = 0; i < nr_harts; i++)
			if (rng_one_in(r, 2))
				hart_mask_set(mask, i);
		break;
	default:
		hart_mask_set(mask, (unsigned)rng_below(r, nr_harts));
	}
}

static void change_something(struct rng *r)
{
	struct hart_mask mask;
	struct irq_info info;

	switch (rng_below(r, 16)) {
	case 0:
		irq_balance_set((enum irq_balance)rng_below(r, 3));
		break;
	case 1:
		irq_balance_look();
		break;
	case 2:
		irq_spread();
		break;
	default:
		random_mask(r, &mask);
		for (unsigned i = 0; irq_info(i, &info); i++)
			if (info.used && (info.source == alarm.source || rng_one_in(r, 4)))
				irq_set_affinity(info.source, &mask);
	}
}

static uint32_t moves_of_all(void)
{
	struct irq_info info;
	uint32_t sum = 0;

	for (unsigned i = 0; irq_info(i, &info); i++)
		sum += info.moves;
	return sum;
}

static void mover(struct rng *r)
{
	change_something(r);
	if (rng_one_in(r, 8))
		sched_sleep_ns(rng_below(r, NAP_NS));
	else
		sched_yield();
}

static void stopper(struct rng *r)
{
	struct hart_meta *h = harts[rng_below(r, nr_harts)];
	bool retentive = rng_one_in(r, 2);
	int err;

	if (rng_one_in(r, 2)) {
		err = hart_stop(h, true);
		sched_sleep_ns(rng_below(r, NAP_NS));
		err = err ? err : hart_start(h);
	} else {
		err = hart_suspend(h, retentive, true);
		sched_sleep_ns(rng_below(r, NAP_NS));
		err = err ? err : hart_resume(h);
	}
	if (!err)
		atomic_add_u32(&storm.stops, 1, relaxed);
}

static void nothing(void *arg unused_arg)
{
}

static void busy(struct rng *r)
{
	struct hart_meta *h = harts[rng_below(r, nr_harts)];

	if (below(2) && hart_call(h, nothing, NULL) == 0)
		atomic_add_u32(&storm.calls, 1, relaxed);
	sched_yield();
}

/* ---- The storm ------------------------------------------------------------------------------- */

struct storm_thread {
	void (*fn)(struct rng *r);
	struct rng rng;
	struct thread *thread;
};
static struct storm_thread threads[THREADS];

static void body(void *arg)
{
	struct storm_thread *t = arg;

	while (!counted(&storm.over))
		t->fn(&t->rng);
}

static void begin(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		struct storm_thread *t = &threads[i];

		t->fn = i < MOVERS ? mover : i < MOVERS + BUSY ? busy : stopper;
		rng_seed(&t->rng, storm.seed + i + 1);
		t->thread = thread_spawn("storm", body, t);
	}
}

static void end(void)
{
	atomic_store_u32(&storm.over, 1, release);
	for (unsigned i = 0; i < THREADS; i++)
		if (threads[i].thread)
			thread_join(threads[i].thread, NULL);
	memset(threads, 0, sizeof(threads));
}

static bool enough(uint32_t changes)
{
	return counted(&storm.changes) >= changes && storm.raised >= changes / CHANGES_PER_RAISE &&
		irq_front_in_flight() >= changes / CHANGES_IN_FLIGHT &&
		counted(&storm.stops) >= changes / CHANGES_PER_STOP;
}

/* Raises and judges, until there was enough of everything. */
static void rage(uint32_t changes)
{
	uint32_t before = moves_of_all();

	while (storm.verdict == IRQ_EXACT && !shell_interrupted() && !enough(changes) &&
		storm.raised < RAISED_MAX) {
		storm.raised++;
		alarm_raise();
		storm.verdict = irq_verdict(&alarm.handled, storm.raised, false);
		atomic_store_u32(&storm.changes, moves_of_all() - before, relaxed);
	}
}

static void route_to_all(void)
{
	struct hart_mask all;
	struct irq_info info;

	hart_mask_fill(&all, nr_harts);
	for (unsigned i = 0; irq_info(i, &info); i++)
		if (info.used)
			irq_set_affinity(info.source, &all);
}

/* NULL, or why there can be none. */
static const char *run_storm(uint32_t changes, uint64_t seed, enum irq_bug bug)
{
	enum irq_balance was = irq_balance();

	if (!alarm_open())
		return NO_ALARM;
	if (alarm_harts() < 2) {
		alarm_close();
		return "one hart has no routes to change";
	}
	storm = (struct storm){.seed = seed};
	storm.spurious = irq_count_spurious();
	storm.unhandled = irq_count_unhandled();
	irqlock_acquire(&lock);
	rng_seed(&storm.rng, seed);
	irqlock_release(&lock);
	irq_register(alarm.source, "alarm", handle, NULL);
	irq_front_open(alarm.source, bug, &watch);
	begin();
	rage(changes);
	end();
	if (storm.verdict == IRQ_EXACT)
		storm.verdict = irq_verdict(&alarm.handled, storm.raised, true);
	storm.handled = counted(&alarm.handled);
	storm.in_flight = irq_front_in_flight();
	irq_front_close();
	/* What a bug has kept back comes now, or never: not in what follows. */
	irq_verdict(&alarm.handled, storm.raised, false);
	irq_balance_set(was);
	route_to_all();
	irq_unregister(alarm.source);
	alarm_close();
	storm.spurious = irq_count_spurious() - storm.spurious;
	storm.unhandled = irq_count_unhandled() - storm.unhandled;
	return NULL;
}

/* ---- Asked for by tests, and by hand --------------------------------------------------------- */

#define SHORT 200

KTEST(irq_storm, every_interrupt_is_handled_once_while_routes_change_and_harts_come_and_go)
{
	const char *why = run_storm(SHORT, 1, IRQ_NO_BUG);

	if (why)
		return ktest_skip(why);
	ktest_check(
		storm.verdict == IRQ_EXACT, "%u raised, %u handled", storm.raised, storm.handled);
	ktest_check(storm.unhandled == 0, "%lu unhandled", (unsigned long)storm.unhandled);
}

static const char *const verdict_names[] = {
	[IRQ_EXACT] = "exact", [IRQ_LOST] = "lost", [IRQ_DOUBLED] = "doubled"};

static int find_bug(const char *name, enum irq_bug *bug)
{
	for (unsigned i = 0; i < IRQ_BUGS; i++)
		if (strcmp(name, irq_bug_names[i]) == 0) {
			*bug = (enum irq_bug)i;
			return 0;
		}
	return -EINVAL;
}

static int cmd_irqstorm(int argc, char **argv)
{
	uint32_t changes = 2000;
	uint64_t seed = 1;
	enum irq_bug bug = IRQ_NO_BUG;
	const char *why;

	if (argc > 4)
		return shell_complain("irqstorm: too many arguments: %s", argv[4]);
	if (argc > 1 && parse_u32(argv[1], &changes))
		return shell_complain("irqstorm: %s is no number of changes", argv[1]);
	if (argc > 2 && parse_u64(argv[2], &seed))
		return shell_complain("irqstorm: %s is no seed", argv[2]);
	if (argc > 3 && find_bug(argv[3], &bug))
		return shell_complain("irqstorm: no such bug: %s; there are completion, not-mine, "
				      "resend",
			argv[3]);
	why = run_storm(changes, seed, bug);
	if (why)
		return shell_complain("irqstorm: %s", why);
	shell_printf("irqstorm: verdict=%s raised=%u handled=%u changes=%u in_flight=%u stops=%u "
		     "calls=%u spurious=%lu unhandled=%lu bug=%s seed=%llu\n",
		verdict_names[storm.verdict], (unsigned)storm.raised, (unsigned)storm.handled,
		counted(&storm.changes), storm.in_flight, counted(&storm.stops),
		counted(&storm.calls), (unsigned long)storm.spurious,
		(unsigned long)storm.unhandled, irq_bug_names[bug], (unsigned long long)seed);
	return storm.verdict == IRQ_EXACT && storm.unhandled == 0 ? 0 : EXIT_TEST;
}
SHELL_COMMAND(irqstorm, "irqstorm [CHANGES [SEED [BUG]]]",
	"counts interrupts while routes change and harts come and go", cmd_irqstorm);
