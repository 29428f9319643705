/* SPDX-License-Identifier: MIT */
/* What harts and threads hold, as others see it: for reports and commands (check.h). */
#include "kernel/lock/check_internal.h"

static void print_record(const char *whose, const struct held_lock *held, unsigned nr);

void lockcheck_print_held_slow(const struct lock_hart *h)
{
	const struct lock_thread *t = h->thread;

	print_record("hart", h->held, h->nr_held);
	if (h->waiting_for)
		report("  hart waits for irqlock %p\n", h->waiting_for);
	if (!t)
		return;
	print_record("thread", t->held, t->nr_held);
	if (t->waiting_for)
		report("  thread waits for %s (%p)\n",
			t->waiting_class ? t->waiting_class->name : "a lock", t->waiting_for);
}

void lock_held_for_each(
	void (*fn)(const struct lock_hart *h, const struct held_lock *held, void *arg), void *arg)
{
	for (unsigned i = 0; i < nr_lock_harts; i++) {
		const struct lock_hart *h = lock_harts[i];
		unsigned nr = h ? MIN(h->nr_held, HELD_MAX) : 0;

		for (unsigned n = 0; n < nr; n++) {
			struct held_lock copy = h->held[n];

			if (copy.lock && copy.class)
				fn(h, &copy, arg);
		}
	}
}

static void print_record(const char *whose, const struct held_lock *held, unsigned nr)
{
	for (unsigned i = 0; i < MIN(nr, HELD_MAX); i++) {
		report("  %s holds %s (%p), acquired at\n", whose, held[i].class->name,
			held[i].lock);
		print_pc(held[i].pc);
	}
}
