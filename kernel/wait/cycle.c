/* SPDX-License-Identifier: MIT */
/*
 * The short form of the deadlock card: each member of the cycle, what it waits for, who holds that.
 *
 * Why two walks prove a cycle: pi.c. Members past LINKS_MAX are counted but not compared one by
 * one; for a false report one of them would have had to leave and rejoin the same cycle between the
 * walks.
 */
#include "kernel/wait/cycle.h"

#include "kernel/lock/check.h"
#include "lib/printf.h"

#define LINKS_MAX 16
#define WALK_MAX 1024
#define CARD_MAX 700

struct cycle {
	unsigned length;
	bool timed;
	struct pi_link links[LINKS_MAX];
};

/* False: it doesn't come back to where it began. */
static bool walk(struct thread *me, struct cycle *c)
{
	struct thread *t = me;
	struct pi_link link;

	c->length = 0;
	c->timed = false;
	do {
		t = pi_link(t, &link);
		c->timed |= link.timed;
		if (c->length < LINKS_MAX)
			c->links[c->length] = link;
		c->length++;
	} while (t && t != me && c->length < WALK_MAX);
	return t == me;
}

/* The second walk: the same members in the same waits. */
static bool walk_same(struct thread *me, const struct cycle *c)
{
	struct thread *t = me;
	struct pi_link link;
	unsigned n = 0;

	do {
		t = pi_link(t, &link);
		if (n < LINKS_MAX &&
			(link.thread != c->links[n].thread || link.serial != c->links[n].serial ||
				link.lock != c->links[n].lock))
			return false;
		n++;
	} while (t && t != me && n < c->length);
	return t == me && n == c->length;
}

static void print_card(char *card, const struct cycle *c)
{
	unsigned shown = MIN(c->length, (unsigned)LINKS_MAX);
	size_t at = 0;

	for (unsigned i = 0; i < shown && at < CARD_MAX; i++) {
		const struct pi_link *l = &c->links[i];

		at += (size_t)snprintf(card + at, CARD_MAX - at,
			"\n  %s waits for %s (%p), held by %s", l->thread->name,
			l->lock->class->name, (void *)l->lock, l->owner->name);
	}
	if (shown < c->length && at < CARD_MAX)
		snprintf(card + at, CARD_MAX - at, "\n  and %u more", c->length - shown);
}

bool cycle_confirmed(struct thread *me)
{
	struct cycle c;
	char card[CARD_MAX];

	if (!walk(me, &c) || c.timed || !walk_same(me, &c))
		return false;
	print_card(card, &c);
	lockcheck_report(KIND_DEADLOCK, "cycle", c.links[0].lock, c.links[0].lock->class,
		"%u thread%s wait%s for each other's locks%s", c.length, c.length == 1 ? "" : "s",
		c.length == 1 ? "s" : "", card);
	return true;
}

void abandoned_report(const struct pilock *l, uint32_t dead_owner)
{
	lockcheck_report(KIND_DEADLOCK, "abandoned", l, l->class,
		"%s lost its holder (thread handle %x), which died; what it protects may be "
		"half changed, and %s did not ask for that (robust form)",
		l->class->name, (unsigned)dead_owner, current_thread()->name);
}
