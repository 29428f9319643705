/* SPDX-License-Identifier: MIT */
/*
 * The commands locks and irqsoff: what the statistics of locks say (kernel/lock/stat.h).
 *
 *	locks			a line for each class
 *	locks -s		the same for programs: a line of key=value pairs for each class,
 *				and for each lock that has figures of its own
 *	locks CLASS		all of one class, and a line for each such lock of it
 *	locks CLASS ADDRESS	all of one lock
 *	locks --reset		forgets what was counted
 *	irqsoff			the longest stretches of each hart
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
#include "lib/parse.h"
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

/* The table of single locks is full: said once in each output that is made of it. */
static void say_crowded(void)
{
	if (CONFIG_LOCKSTAT && lock_stat_crowded())
		shell_printf("%lu times a lock was waited for while there was no room for its own "
			     "figures, or it took another one's (%u have some): see its class\n",
			lock_stat_crowded(), LOCK_STAT_LOCKS);
}

static void locks_table(void)
{
	shell_printf("class               rank   acquired contended  stolen  parked  bounced  "
		     "wait-max  hold-max  holder       longest hold by\n");
	shell_printf("                                                                     "
		     "      us        us\n");
	each_class(class_line);
	say_crowded();
}

/* ---- locks -s -------------------------------------------------------------------------------- */

static void times_keys(const char *what, const struct lock_stat_times *t)
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
	times_keys("wait", &waits);
	times_keys("hold", &holds);
	shell_printf("\n");
}

static void lock_keys(const struct lock_stat_lock *l)
{
	shell_printf("lockstat: lock=0x%lx of=%s acquired=%lu contended=%lu stolen=%lu parked=%lu "
		     "bounced=%lu",
		(unsigned long)l->lock, l->class->name, l->n[LOCK_ACQUIRED], l->n[LOCK_CONTENDED],
		l->n[LOCK_STOLEN], l->n[LOCK_PARKED], l->n[LOCK_BOUNCED]);
	times_keys("wait", &l->waits);
	times_keys("hold", &l->holds);
	shell_printf("\n");
}

static void all_keys(void)
{
	struct lock_stat_lock l;
	unsigned n = 0;

	each_class(class_keys);
	for (unsigned i = 0; i < LOCK_STAT_LOCKS; i++) {
		if (!lock_stat_lock(i, &l))
			continue;
		lock_keys(&l);
		n++;
	}
	shell_printf("lockstat: locks=%u room=%u crowded=%lu\n", n, LOCK_STAT_LOCKS,
		lock_stat_crowded());
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

static void instance_line(const struct lock_stat_lock *l)
{
	shell_printf("  0x%016lx %10lu %9lu %8lu %8lu %8lu %9lu %11lu %9lu %11lu\n",
		(unsigned long)l->lock, l->n[LOCK_ACQUIRED], l->n[LOCK_CONTENDED],
		l->n[LOCK_STOLEN], l->n[LOCK_PARKED], l->n[LOCK_BOUNCED], to_us(l->waits.ticks),
		to_us(l->waits.max), to_us(l->holds.ticks), to_us(l->holds.max));
}

static void print_instances(const struct lock_class *c)
{
	struct lock_stat_lock l;
	unsigned n = 0;

	for (unsigned i = 0; i < LOCK_STAT_LOCKS; i++) {
		if (!lock_stat_lock(i, &l) || l.class != c)
			continue;
		if (n++ == 0)
			shell_printf("its most contended locks, each since its first wait:\n"
				     "  lock                 acquired contended   stolen   parked  "
				     "bounced   wait-us wait-max-us   hold-us hold-max-us\n");
		instance_line(&l);
	}
	if (!n)
		shell_printf("none of its locks is among the most contended ones\n");
	say_crowded();
}

/* All of one lock. False: it has no figures of its own. */
static bool print_instance(const struct lock_class *c, uint64_t address)
{
	struct lock_stat_lock l;

	for (unsigned i = 0; i < LOCK_STAT_LOCKS; i++) {
		if (!lock_stat_lock(i, &l) || l.class != c || (uintptr_t)l.lock != address)
			continue;
		shell_printf(
			"%s at 0x%lx, since its first wait:\n", c->name, (unsigned long)address);
		shell_printf("acquired %lu, contended %lu, stolen %lu, parked %lu, bounced %lu\n",
			l.n[LOCK_ACQUIRED], l.n[LOCK_CONTENDED], l.n[LOCK_STOLEN], l.n[LOCK_PARKED],
			l.n[LOCK_BOUNCED]);
		print_histogram("holds", &l.holds);
		print_histogram("waits", &l.waits);
		return true;
	}
	return false;
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

/* `address`: of one of its locks; NULL: all of the class. */
static int one_class(const char *name, const char *address)
{
	bool class_there = false, lock_there = false;
	uint64_t at = 0;

	if (address && parse_u64(address, &at))
		return shell_complain("locks: %s is no address", address);
	lock_class_for_each(c) {
		if (strcmp(c->name, name) != 0)
			continue;
		class_there = true;
		if (address)
			lock_there |= print_instance(c, at);
		else
			print_class(c);
	}
	if (!class_there)
		return shell_complain("locks: no class %s; `locks` lists them", name);
	if (address && !lock_there)
		return shell_complain(
			"locks: no figures of a lock at %s; `locks %s` lists them", address, name);
	return 0;
}

static int cmd_locks(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 3))
		return -EINVAL;
	if (argc == 1) {
		locks_table();
		if (!CONFIG_LOCKSTAT)
			shell_printf("(this configuration counts nothing)\n");
		return 0;
	}
	if (!CONFIG_LOCKSTAT)
		return shell_complain("locks: this configuration counts nothing");
	if (argc == 3 && argv[1][0] == '-')
		return shell_complain("locks: %s takes nothing more", argv[1]);
	if (strcmp(argv[1], "--reset") == 0) {
		lock_stat_reset();
		return 0;
	}
	if (strcmp(argv[1], "-s") == 0) {
		all_keys();
		return 0;
	}
	return one_class(argv[1], argc == 3 ? argv[2] : NULL);
}
SHELL_COMMAND(locks, "locks [-s|CLASS [ADDRESS]|--reset]", "what the lock classes did", cmd_locks);

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
