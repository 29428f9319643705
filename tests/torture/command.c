/* SPDX-License-Identifier: MIT */
/*
 * The command torture: runs of one kind or of all, then their twins.
 *
 * A kind goes through rounds, each with a seed made from the given one: by turns as it is and,
 * where the configuration has points in the lock protocols, with chaos; at least one of each, more
 * while seconds are left or points of that kind were never passed, up to ROUNDS_MAX for the latter.
 * Seconds say how long to go on, never what the verdict is. KIND.TWIN asks for that twin alone, as
 * `all.` does for all twins: each word stands for all names that begin with it.
 */
#include "kernel/shell/command.h"
#include "kernel/lock/point.h"
#include "kernel/shell/shell.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/torture/torture.h"

/* Steps of a worker in one round. */
#define BUDGET 150
#define ROUNDS_MIN (CONFIG_LOCKPOINTS ? 2 : 1)
#define ROUNDS_MAX 200

LINKSET_DECLARE(torture, const struct torture_kind);

static const char *kind_name(unsigned i)
{
	linkset_for_each_by_name(
		torture, const struct torture_kind, k) if (i-- == 0) return k->name;
	return NULL;
}

/* ---- Points ---------------------------------------------------------------------------------- */

/* Does one of the words of `prefixes` begin `name`? */
static bool is_of(const char *name, const char *prefixes)
{
	while (*prefixes) {
		size_t n = strcspn(prefixes, " ");

		if (strncmp(name, prefixes, n) == 0)
			return true;
		prefixes += n + (prefixes[n] == ' ');
	}
	return false;
}

/*
 * Somebody else has to come between two instructions, at windows that chaos holds open: a run of
 * LONG_SECONDS insists on that. A short one would go on until it happens, however long that takes
 * on a busy machine: it says what it never passed, and insists on all the others.
 */
#define LONG_SECONDS 60
#define NARROW "irqlock_successor_links irqlock_head_before_park pilock_freed_meanwhile"

/* Somebody dies, and what it held is found to be a dead one's. */
#define DEATHS "abandon_ mixlock_owner_died pilock_owner_died"

/* Points of this kind, and of `some` (prefixes), that were never passed; named, if asked for. */
static unsigned missed_some(
	const struct torture_kind *kind, const char *some, bool narrow, bool name)
{
	unsigned missed = 0;

	lock_point_for_each(p)
	{
		if (!is_of(p->name, kind->points) || atomic_load_u32(&p->count, relaxed) ||
			(some && !is_of(p->name, some)) || (!narrow && is_of(p->name, NARROW)))
			continue;
		missed++;
		if (name)
			shell_printf(" %s", p->name);
	}
	return missed;
}

static unsigned missed_points(const struct torture_kind *kind, bool narrow, bool name)
{
	return missed_some(kind, NULL, narrow, name);
}

/* What the next round is for: points of this kind that were never passed; NULL: nothing special.
 * Some need a crowd, some that nobody comes: storms are by turns. */
static void aim_at_missed(const struct torture_kind *kind, bool narrow, bool storm)
{
	unsigned missed = kind ? missed_points(kind, narrow, false) : 0;
	unsigned deaths = kind ? missed_some(kind, DEATHS, narrow, false) : 0;

	torture_storm = storm && missed > deaths;
	torture_deaths = deaths > 0;
	lock_chaos_favour(torture_deaths ? "abandon_" : NULL);
}

/* ---- Runs ------------------------------------------------------------------------------------ */

/* What one command asks for, and gets. */
struct request {
	const char *name;
	size_t length;	  /* of the part that names kinds */
	const char *twin; /* the beginning of twins' names; NULL: all of them, and the whole */
	uint64_t seconds, seed;
	unsigned kinds, runs, failed;
};

/* What all rounds of a kind came to. */
struct totals {
	unsigned rounds;
	uint32_t steps, most_passes, deepest;
	uint32_t counts[COUNTS];
};

static void add_run(struct totals *all)
{
	all->rounds++;
	all->steps += torture.budget * torture.nr_workers;
	all->most_passes = MAX(all->most_passes, torture.most_passes);
	all->deepest = MAX(all->deepest, (uint32_t)atomic_load_u32(&torture.deepest, relaxed));
	for (unsigned i = 0; i < COUNTS; i++)
		all->counts[i] += atomic_load_u32(&torture.counts[i], relaxed);
}

static void print_totals(const struct torture_kind *kind, const struct totals *all, uint64_t seed)
{
	static const char *const names[COUNTS] = {
		[COUNT_TIMER] = "timers",
		[COUNT_CALL] = "calls",
		[COUNT_EXTERNAL] = "external",
		[COUNT_TRY_FAILED] = "failed tries",
		[COUNT_TIMED_OUT] = "timed out",
		[COUNT_KILLED] = "killed",
		[COUNT_DIED] = "died",
		[COUNT_STUTTER] = "stops of all",
		[COUNT_DRAIN] = "harts drained",
		[COUNT_STOP] = "stopped",
	};

	shell_printf("ok torture.%s: %u rounds, %u steps at least", kind->name, all->rounds,
		(unsigned)all->steps);
	for (unsigned i = 0; i < COUNTS; i++)
		if (all->counts[i])
			shell_printf(", %s %u", names[i], (unsigned)all->counts[i]);
	if (all->deepest)
		shell_printf(", %u locks deep, passed %u times", (unsigned)all->deepest,
			(unsigned)all->most_passes);
	shell_printf(", seed=%llu\n", (unsigned long long)seed);
}

static void print_failed(void)
{
	bool found = finding_any(&torture.found);

	shell_printf("FAILED torture.%s%s%s: %s, seed=%llu chaos=%llu\n", torture.kind->name,
		torture.defect ? "." : "",
		torture.defect ? torture_defect_name(torture.defect) : "",
		found ? torture.found.text : "found nothing", (unsigned long long)torture.seed,
		CONFIG_LOCKPOINTS ? (unsigned long long)lock_chaos_seed() : 0);
}

/* The rounds of a kind as it is; until_ns is 0 for a quick run. */
static bool run_whole(
	const struct torture_kind *kind, uint64_t seed, uint64_t until_ns, bool insist)
{
	uint64_t state = seed, chaos_before = CONFIG_LOCKPOINTS ? lock_chaos_seed() : 0;
	struct totals all = {0};
	unsigned missed = 0;
	bool ok;

	do {
		uint64_t round_seed = all.rounds ? splitmix64(&state) : seed;

		if (CONFIG_LOCKPOINTS && all.rounds % 2) {
			lock_chaos_set(round_seed | 1);
			aim_at_missed(kind, insist, all.rounds % 4 == 1);
		}
		ok = torture_run_once(kind, WHOLE, BUDGET, round_seed);
		add_run(&all);
		if (!ok)
			print_failed();
		if (CONFIG_LOCKPOINTS) {
			lock_chaos_set(chaos_before);
			aim_at_missed(NULL, false, false);
			missed = missed_points(kind, insist, false);
		}
	} while (ok && !shell_interrupted() &&
		(all.rounds < ROUNDS_MIN || clock_now_ns() < until_ns ||
			(missed && all.rounds < ROUNDS_MAX)));
	if (ok && missed) {
		shell_printf("FAILED torture.%s: seed=%llu; points that were never passed:",
			kind->name, (unsigned long long)seed);
		missed_points(kind, insist, true);
		shell_printf("\n");
	} else if (ok) {
		print_totals(kind, &all, seed);
		if (CONFIG_LOCKPOINTS && missed_points(kind, true, false)) {
			shell_printf("   never passed:");
			missed_points(kind, true, true);
			shell_printf("\n");
		}
	}
	return ok && !missed;
}

static bool run_twin(const struct torture_kind *kind, enum defect defect, uint64_t seed)
{
	bool ok;

	/* What its lock does not protect races, where somebody watches. */
	lockcheck_ignore(1u << KIND_RACE);
	ok = torture_run_once(kind, defect, BUDGET, seed);
	lockcheck_ignore(0);
	if (ok)
		shell_printf("ok torture.%s.%s: found: %s\n", kind->name,
			torture_defect_name(defect), torture.found.text);
	else
		print_failed();
	return ok;
}

static unsigned run_twins(const struct torture_kind *kind, struct request *s)
{
	unsigned runs = 0;

	for (unsigned i = 0; i < DEFECTS && !shell_interrupted(); i++) {
		if (!(kind->busted & 1u << i) ||
			(s->twin && !str_starts_with(torture_defect_name(1u << i), s->twin)))
			continue;
		runs++;
		s->failed += !run_twin(kind, 1u << i, s->seed);
	}
	return runs;
}

static void run_kind(const struct torture_kind *kind, struct request *s, uint64_t ns)
{
	unsigned runs = 0;

	if (!s->twin) {
		runs = 1;
		s->failed += !run_whole(
			kind, s->seed, ns ? clock_now_ns() + ns : 0, s->seconds >= LONG_SECONDS);
	}
	runs += run_twins(kind, s);
	s->kinds += runs > 0;
	s->runs += runs;
}

static void list_kinds(void)
{
	linkset_for_each_by_name(torture, const struct torture_kind, k)
	{
		shell_printf("  %-14s %s; twins:", k->name, k->help);
		for (unsigned i = 0; i < DEFECTS; i++)
			if (k->busted & 1u << i)
				shell_printf(" %s", torture_defect_name(1u << i));
		shell_printf("\n");
	}
}

static void request_body(void *arg)
{
	struct request *s = arg;
	bool all = s->length == 3 && strncmp(s->name, "all", 3) == 0;
	uint64_t ns = s->seconds * NS_PER_SEC / (all ? linkset_size(torture) : 1);

	/* Once: what other kinds and the twins pass counts as well. */
	if (CONFIG_LOCKPOINTS)
		lock_points_reset();
	linkset_for_each_by_name(torture, const struct torture_kind, k)
	{
		/* A name stands for all that begin with it. */
		if ((all || strncmp(k->name, s->name, s->length) == 0) && !shell_interrupted())
			run_kind(k, s, ns);
	}
}

static int cmd_torture(int argc, char **argv)
{
	struct request s = {.seed = arch_time()};
	struct thread *t;

	if (shell_max_args(argc, argv, 4))
		return -EINVAL;
	if (argc < 2) {
		list_kinds();
		return 0;
	}
	s.name = argv[1];
	s.length = strcspn(s.name, ".");
	s.twin = s.name[s.length] ? s.name + s.length + 1 : NULL;
	if ((argc > 2 && shell_number("torture", argv[2], 0, 86400, &s.seconds)) ||
		(argc > 3 && shell_number("torture", argv[3], 0, UINT64_MAX, &s.seed)))
		return -EINVAL;
	/* In a thread of its own: the shell's holds a lock, under which no kind should wake. */
	t = thread_spawn("torture", request_body, &s);
	if (!t)
		return -ENOMEM;
	thread_join(t, NULL);
	if (!s.kinds)
		return shell_complain("torture: no kind %s; `torture` lists them", argv[1]);
	shell_printf("torture: %u kinds, %u runs and twins, %u failed; seed=%llu\n", s.kinds,
		s.runs, s.failed, (unsigned long long)s.seed);
	return s.failed ? EXIT_TEST : 0;
}
SHELL_COMMAND_COMPLETE(torture, "torture [KIND|all[.TWIN] [SECONDS [SEED]]]",
	"puts locks under all that can happen to them; finds their busted twins", cmd_torture,
	kind_name);
