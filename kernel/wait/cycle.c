/* SPDX-License-Identifier: MIT */
/*
 * What is said of a cycle of waits: the lines that come first. The members are shown one by one,
 * with what they hold, by the panic that follows (kernel/panic/card.c).
 */
#include "kernel/wait/cycle.h"

#include "kernel/lock/check.h"
#include "kernel/sched/preempt.h"
#include "kernel/sched/thread.h"
#include "lib/printf.h"

#define KEYS_MAX 400

/* Each entry is its hart's own. */
static const struct chain *reported[CONFIG_MAX_HARTS];

const struct chain *cycle_reported(void)
{
	return reported[lock_hart()->index];
}

void cycle_report_is_about(const struct chain *c)
{
	reported[lock_hart()->index] = c;
}

/* Keys of the first line: " members=2 cycle=hart0/shell:crash_a>hart1/partner:crash_b" */
static void write_keys(char *keys, const struct chain *c)
{
	size_t at = (size_t)snprintf(keys, KEYS_MAX, " members=%u cycle=", c->nr);

	for (unsigned i = 0; i < c->nr && at < KEYS_MAX; i++) {
		const struct chain_member *m = &c->m[i];
		const char *name = m->thread ? ((const struct thread *)m->thread)->name : "none";

		if (m->hart)
			at += (size_t)snprintf(keys + at, KEYS_MAX - at, "%shart%u/%s",
				i ? ">" : "", m->hart->index, name);
		else
			at += (size_t)snprintf(
				keys + at, KEYS_MAX - at, "%s%s", i ? ">" : "", name);
		if (at < KEYS_MAX && m->wait.class)
			at += (size_t)snprintf(
				keys + at, KEYS_MAX - at, ":%s", m->wait.class->name);
	}
}

static void say(const struct chain *c)
{
	const struct wait_seen *w = &c->m[0].wait;
	const char *who = c->m[0].hart ? "hart" : "thread";
	bool was_off = !arch_irq_save();
	char keys[KEYS_MAX];

	write_keys(keys, c);
	cycle_report_is_about(c);
	if (c->nr == 1)
		lockcheck_report_keys(KIND_DEADLOCK, "cycle", keys, w->what, w->class,
			"a %s waits for itself", who);
	else
		lockcheck_report_keys(KIND_DEADLOCK, "cycle", keys, w->what, w->class,
			"%u %ss wait for each other", c->nr, who);
	cycle_report_is_about(NULL);
	arch_irq_restore(!was_off);
}

static bool hart_closed(void)
{
	struct chain c;

	if (!chain_closes_hart(&c))
		return false;
	c.at = __builtin_frame_address(0);
	say(&c);
	return true;
}

bool cycle_closed(void)
{
	struct chain c;

	if (!chain_closes_thread(&c))
		return false;
	c.at = __builtin_frame_address(0);
	say(&c);
	return true;
}

static bool thread_closed(void)
{
	bool closed;

	preempt_disable();
	closed = cycle_closed();
	preempt_enable();
	return closed;
}

void cycle_look(void)
{
	thread_closed();
}

bool cycle_find(void)
{
	struct chain c;

	if (!chain_find(&c))
		return false;
	c.at = __builtin_frame_address(0);
	say(&c);
	return true;
}

void cycle_of_one(void)
{
	struct chain c = {.nr = 1,
		.closed = true,
		.m[0].thread = lock_thread(),
		.at = __builtin_frame_address(0)};

	wait_read(&lock_thread()->wait, &c.m[0].wait);
	say(&c);
}

void cycle_init(void)
{
	wait_closes_cycle_hart = hart_closed;
	wait_closes_cycle_thread = thread_closed;
}

void abandoned_report(const struct pilock *l, uint32_t dead_owner)
{
	lockcheck_report(KIND_DEADLOCK, "abandoned", l, l->class,
		"%s lost its holder (thread handle %x), which died; what it protects may be "
		"half changed, and %s did not ask for that (robust form)",
		l->class->name, (unsigned)dead_owner, current_thread()->name);
}
