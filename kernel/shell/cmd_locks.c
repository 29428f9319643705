/* SPDX-License-Identifier: MIT */
/* The command locks: a line for each lock class. */
#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/lock/held.h"
#include "kernel/panic/symbols.h"
#include "kernel/sched/thread.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/printf.h"

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

static void class_line(const struct lock_class *c)
{
	struct holder holder = {.class = c};
	char where[SYMBOL_TEXT_MAX] = "";
	uintptr_t pc = 0;
	uint64_t ticks = lock_stat_hold_max(c, &pc);

	find_holder(&holder);
	if (pc)
		symbolise_return(pc, where, sizeof(where));
	shell_printf("%-20s %3u %10lu %8lu %7lu %7lu %9lu  %-12s %s\n", c->name, (unsigned)c->rank,
		lock_stat_read(c, LOCK_ACQUIRED), lock_stat_read(c, LOCK_CONTENDED),
		lock_stat_read(c, LOCK_STOLEN), lock_stat_read(c, LOCK_PARKED),
		(unsigned long)(ticks_to_ns(ticks) / NS_PER_US), holder.name[0] ? holder.name : "-",
		where);
}

static int cmd_locks(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	shell_printf("class               rank   acquired contended  stolen  parked  hold-max  "
		     "holder       longest hold by\n");
	shell_printf("                                                               us\n");
	/* By rank, outermost first. */
	for (unsigned rank = 0; rank < RANK_LAST; rank++)
		lock_class_for_each(c)
			if ((unsigned)c->rank == rank &&
				(rank > RANK_UNCHECKED || lock_stat_read(c, LOCK_ACQUIRED)))
				class_line(c);
	if (!CONFIG_LOCKSTAT)
		shell_printf("(this configuration counts nothing)\n");
	return 0;
}
SHELL_COMMAND(locks, "locks", "a line for each lock class", cmd_locks);
