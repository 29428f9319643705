/* SPDX-License-Identifier: MIT */
/* What harts and threads hold, as others see it: for reports and commands (check.h). */
#include "kernel/lock/check_internal.h"
#include "kernel/lock/held.h"

static void print_record(const char *whose, const struct held_lock *held, unsigned nr);
static void print_wait(const char *whose, const struct lock_wait *wait);

void lockcheck_print_held_slow(const struct lock_hart *h)
{
	const struct lock_thread *t = h->thread;

	print_record("hart", h->held, held_count(&h->nr_held));
	print_wait("hart", &h->wait);
	if (!t)
		return;
	print_record("thread", t->held, held_count(&t->nr_held));
	print_wait("thread", &t->wait);
}

void lock_held_for_each(
	void (*fn)(const struct lock_hart *h, const struct held_lock *held, void *arg), void *arg)
{
	for (unsigned i = 0; i < nr_lock_harts; i++) {
		const struct lock_hart *h = lock_harts[i];
		unsigned nr = h ? held_count(&h->nr_held) : 0;

		for (unsigned n = 0; n < nr; n++) {
			struct held_lock look;

			if (held_look(&h->held[n], &look))
				fn(h, &look, arg);
		}
	}
}

static void print_wait(const char *whose, const struct lock_wait *wait)
{
	struct wait_seen seen;

	if (wait_read(wait, &seen))
		report("  %s waits for %s (%p)\n", whose,
			seen.class ? seen.class->name : "another one", seen.what);
}

static void print_record(const char *whose, const struct held_lock *held, unsigned nr)
{
	struct held_lock look;

	for (unsigned i = 0; i < nr; i++) {
		if (!held_look(&held[i], &look))
			continue;
		report("  %s holds %s (%p), acquired at\n", whose, look.class->name, look.lock);
		print_pc(look.pc);
	}
}
