/* SPDX-License-Identifier: MIT */
/*
 * The commands locks and irqsoff: what the statistics of locks say (kernel/lock/stat.h).
 *
 *	locks		a line for each class
 *	locks -s	the same for programs: a line of key=value pairs for each class
 *	locks CLASS	all of one class, and its most contended locks
 *	locks --reset	forgets what was counted
 *	irqsoff		the longest stretches of each hart
 */
#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/lock/held.h"
#include "kernel/lock/stat.h"
#include "kernel/panic/report.h"
#include "kernel/panic/symbols.h"
#include "kernel/sched/thread.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

struct holder {
	const struct lock_class *class;
	char name[32]; /* "" : nobody was seen */
};

static void match_hart(const struct lock_hart *h, const struct held_lock *held, void *arg)
{
	struct holder *holder = arg;

	if (held->class == holder->class && !holder->name[0])
		snprintf(holder->name, sizeof(holder->name), "hart %u", h->index);
}

static bool match_thread(const struct lock_thread *t, void *arg)
{
	struct holder *holder = arg;

	for (unsigned i = 0; i < held_count(&t->nr_held); i++) {
		struct held_lock look;

		if (!held_look(&t->held[i], &look) || look.class != holder->class)
			continue;
		snprintf(
			holder->name, sizeof(holder->name), "%s", ((const struct thread *)t)->name);
		return true;
	}
	return false;
}

/* One holder of any lock of the class; a look without locks. */
static void find_holder(struct holder *holder)
{
	holder->name[0] = '\0';
	if (!CONFIG_LOCKCHECK)
		return;
	lock_held_for_each(match_hart, holder);
	if (!holder->name[0] && lockcheck_find_thread)
		lockcheck_find_thread(match_thread, holder);
}

/* "mutex_user+0x1c<its_caller+0x8": one word. */
static void write_trace(char *out, size_t n, const uintptr_t *pcs, unsigned nr)
{
	char name[SYMBOL_TEXT_MAX];
	size_t at = 0;

	snprintf(out, n, "-");
	/* A thread's first function was called by nobody. */
	for (unsigned i = 0; i < nr && pcs[i] && at < n; i++)
		at += (size_t)snprintf(out + at, n - at, "%s%s", i ? "<" : "",
			symbolise_return(pcs[i], name, sizeof(name)));
}

static unsigned long to_us(uint64_t ticks)
{
	return (unsigned long)(ticks_to_ns(ticks) / NS_PER_US);
}

static unsigned long long to_ns(uint64_t ticks)
{
	return ticks_to_ns(ticks);
}

/* ---- locks ----------------------------------------------------------------------------------- */

static void class_line(const struct lock_class *c)
{
	struct holder holder = {.class = c};
	char where[SYMBOL_TEXT_MAX] = "";
	struct lock_stat_times holds = {0}, waits = {0};
	char hold_max[24] = "-"; /* of what nobody holds */

	if (CONFIG_LOCKSTAT) {
		lock_stat_holds(c, &holds);
		lock_stat_waits(c, &waits);
	}
	if (holds.max || !lock_stat_unheld(c))
		snprintf(hold_max, sizeof(hold_max), "%lu", to_us(holds.max));
	find_holder(&holder);
	if (holds.nr_pcs)
		symbolise_return(holds.pcs[0], where, sizeof(where));
	shell_printf("%-20s %3u %10lu %8lu %7lu %7lu %8lu %9lu %9s  %-12s %s\n", c->name,
		(unsigned)c->rank, lock_stat_read(c, LOCK_ACQUIRED),
		lock_stat_read(c, LOCK_CONTENDED), lock_stat_read(c, LOCK_STOLEN),
		lock_stat_read(c, LOCK_PARKED), lock_stat_read(c, LOCK_BOUNCED), to_us(waits.max),
		hold_max, holder.name[0] ? holder.name : "-", where);
}

/* By rank, outermost first; of those that only tests and benches use, what was used. */
static void each_class(void (*fn)(const struct lock_class *c))
{
	for (unsigned rank = 0; rank < RANK_LAST; rank++)
		lock_class_for_each(c)
			if ((unsigned)c->rank == rank &&
				(rank > RANK_UNCHECKED || lock_stat_read(c, LOCK_ACQUIRED)))
				fn(c);
}

static void locks_table(void)
{
	shell_printf("class               rank   acquired contended  stolen  parked  bounced  "
		     "wait-max  hold-max  holder       longest hold by\n");
	shell_printf("                                                                     "
		     "      us        us\n");
	each_class(class_line);
}

/* ---- locks -s -------------------------------------------------------------------------------- */

static void print_times(const char *what, const struct lock_stat_times *t)
{
	char where[120];

	write_trace(where, sizeof(where), t->pcs, t->nr_pcs);
	shell_printf(" %s_ns=%llu %s_max_ns=%llu %s_max_at=%s %s_hist=", what, to_ns(t->ticks),
		what, to_ns(t->max), what, where, what);
	for (unsigned i = 0; i < LOCK_BUCKETS; i++)
		shell_printf("%s%lu", i ? "," : "", t->buckets[i]);
}

static void class_keys(const struct lock_class *c)
{
	struct lock_stat_times holds, waits;

	lock_stat_holds(c, &holds);
	lock_stat_waits(c, &waits);
	shell_printf("lockstat: class=%s rank=%u acquired=%lu contended=%lu stolen=%lu parked=%lu "
		     "bounced=%lu unheld=%lu",
		c->name, (unsigned)c->rank, lock_stat_read(c, LOCK_ACQUIRED),
		lock_stat_read(c, LOCK_CONTENDED), lock_stat_read(c, LOCK_STOLEN),
		lock_stat_read(c, LOCK_PARKED), lock_stat_read(c, LOCK_BOUNCED),
		lock_stat_unheld(c));
	print_times("wait", &waits);
	print_times("hold", &holds);
	shell_printf("\n");
}

/* ---- locks CLASS ----------------------------------------------------------------------------- */

/* A line for each bucket that has any: from which time on, how many, and a bar. */
static void print_histogram(const char *what, const struct lock_stat_times *t)
{
	unsigned long most = 1;
	char bar[41];

	for (unsigned i = 0; i < LOCK_BUCKETS; i++)
		most = MAX(most, t->buckets[i]);
	shell_printf(
		"%s: %llu ns in all, the longest %llu ns\n", what, to_ns(t->ticks), to_ns(t->max));
	for (unsigned i = 0; i < LOCK_BUCKETS; i++) {
		unsigned n = (unsigned)(t->buckets[i] * (sizeof(bar) - 1) / most);

		if (!t->buckets[i])
			continue;
		memset(bar, '#', n);
		bar[n] = '\0';
		shell_printf("  >= %12llu ns  %10lu  %s\n", i ? to_ns(1ull << (i - 1)) : 0,
			t->buckets[i], bar);
	}
	for (unsigned i = 0; i < t->nr_pcs && t->pcs[i]; i++) {
		char name[SYMBOL_TEXT_MAX];

		shell_printf("  %s 0x%lx %s\n",
			i ? "           called from" : "the longest acquired at",
			(unsigned long)t->pcs[i], symbolise_return(t->pcs[i], name, sizeof(name)));
	}
}

static void print_instances(const struct lock_class *c)
{
	struct lock_stat_lock l;
	unsigned n = 0;

	for (unsigned i = 0; i < LOCK_STAT_LOCKS; i++) {
		if (!lock_stat_lock(i, &l) || l.class != c)
			continue;
		if (n++ == 0)
			shell_printf("its most contended locks:\n  lock                contended   "
				     "stolen   parked   wait-us  wait-max-us\n");
		shell_printf("  0x%016lx %10lu %8lu %8lu %9lu %12lu\n", (unsigned long)l.lock,
			l.contended, l.stolen, l.parked, to_us(l.wait_ticks), to_us(l.wait_max));
	}
	if (!n)
		shell_printf("none of its locks is among the most contended ones\n");
}

static void print_class(const struct lock_class *c)
{
	struct lock_stat_times holds, waits;

	lock_stat_holds(c, &holds);
	lock_stat_waits(c, &waits);
	shell_printf("%s: rank %u, at most %u us, protects %s\n", c->name, (unsigned)c->rank,
		c->max_hold_us, c->protects);
	shell_printf("acquired %lu, contended %lu, stolen %lu, parked %lu, bounced %lu\n",
		lock_stat_read(c, LOCK_ACQUIRED), lock_stat_read(c, LOCK_CONTENDED),
		lock_stat_read(c, LOCK_STOLEN), lock_stat_read(c, LOCK_PARKED),
		lock_stat_read(c, LOCK_BOUNCED));
	if (lock_stat_unheld(c))
		shell_printf("%lu of them have no time of a hold: nobody holds a semaphore\n",
			lock_stat_unheld(c));
	if (lock_stat_unheld(c) < lock_stat_read(c, LOCK_ACQUIRED) || !lock_stat_unheld(c))
		print_histogram("holds", &holds);
	print_histogram("waits", &waits);
	print_instances(c);
}

static int one_class(const char *name)
{
	bool found = false;

	lock_class_for_each(c) {
		if (strcmp(c->name, name) != 0)
			continue;
		print_class(c);
		found = true;
	}
	return found ? 0 : shell_complain("locks: no class %s; `locks` lists them", name);
}

static int cmd_locks(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 2))
		return -EINVAL;
	if (argc == 1) {
		locks_table();
		if (!CONFIG_LOCKSTAT)
			shell_printf("(this configuration counts nothing)\n");
		return 0;
	}
	if (!CONFIG_LOCKSTAT)
		return shell_complain("locks: this configuration counts nothing");
	if (strcmp(argv[1], "--reset") == 0) {
		lock_stat_reset();
		return 0;
	}
	if (strcmp(argv[1], "-s") == 0) {
		each_class(class_keys);
		return 0;
	}
	return one_class(argv[1]);
}
SHELL_COMMAND(locks, "locks [-s|CLASS|--reset]", "what the lock classes did", cmd_locks);

/* ---- irqsoff --------------------------------------------------------------------------------- */

static void section_line(unsigned hart, enum lock_section what, const char *name)
{
	static const char *const kinds[] = {"thread", "timer", "ipi", "external"};
	struct lock_stat_section s;
	char begin[SYMBOL_TEXT_MAX] = "-", end[200];

	if (!lock_stat_section(hart, what, &s))
		return;
	if (s.begin)
		symbolise_return(s.begin, begin, sizeof(begin));
	write_trace(end, sizeof(end), s.pcs, what == SECTION_HANDLER ? 0 : s.nr_pcs);
	shell_printf("irqsoff: hart=%u what=%s ns=%llu in=%s from=%s to=%s\n", hart, name,
		to_ns(s.ticks), s.kind < ARRAY_SIZE(kinds) ? kinds[s.kind] : "?", begin, end);
}

static int cmd_irqsoff(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	if (!CONFIG_LOCKSTAT)
		return shell_complain("irqsoff: this configuration counts nothing");
	for_each_hart(h) {
		section_line(h->index, SECTION_IRQS_OFF, "interrupts-off");
		section_line(h->index, SECTION_PREEMPT_OFF, "preemption-off");
		section_line(h->index, SECTION_HANDLER, "handler");
	}
	return 0;
}
SHELL_COMMAND(
	irqsoff, "irqsoff", "the longest stretches without interrupts or preemption", cmd_irqsoff);
