/* SPDX-License-Identifier: MIT */
/*
 * The short form of the deadlock card: each member of the cycle, what it waits for, who holds that.
 *
 * Why two walks prove a cycle: pi.c. Members past LINKS_MAX are counted but not compared one by
 * one; for a false report one of them would have had to leave and rejoin the same cycle between the
 * walks.
 *
 * A writer that waits for readers waits for each of them, so there a chain is a tree. Readers are
 * known by their records of held locks, which they have in every configuration (rwmutex.c). The
 * search goes down one way at a time, remembers that way only, and confirms it like a chain: each
 * member is still in the same wait, so each reader among them, asleep, still reads.
 */
#include "kernel/wait/cycle.h"

#include "kernel/lock/check.h"
#include "kernel/lock/held.h"
#include "kernel/sched/table.h"
#include "kernel/wait/rwmutex.h"
#include "lib/printf.h"

#define LINKS_MAX 16
#define WALK_MAX 1024
#define CARD_MAX 700
#define SEARCH_MAX 64 /* links that a search through readers looks at */

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

static size_t print_link(
	char *card, size_t room, const struct pi_link *l, const struct thread *next)
{
	const struct lock_class *class = l->drain ? l->drain->pi.class : l->lock->class;
	const void *lock = l->drain ? (void *)l->drain : (void *)l->lock;

	return (size_t)snprintf(card, room, "\n  %s waits for %s (%p), %s by %s", l->thread->name,
		class->name, lock, l->drain ? "read" : "held", next->name);
}

static void report_cycle(struct cycle *c)
{
	unsigned shown = MIN(c->length, (unsigned)LINKS_MAX);
	const struct pi_link *first = &c->links[0];
	struct pilock *lock = first->drain ? &first->drain->pi : first->lock;
	char card[CARD_MAX] = "";
	size_t at = 0;

	for (unsigned i = 0; i < shown && at < CARD_MAX; i++) {
		const struct pi_link *l = &c->links[i];

		at += print_link(card + at, CARD_MAX - at, l,
			l->owner ? l->owner : c->links[(i + 1) % c->length].thread);
	}
	if (shown < c->length && at < CARD_MAX)
		snprintf(card + at, CARD_MAX - at, "\n  and %u more", c->length - shown);
	lockcheck_report(KIND_DEADLOCK, "cycle", lock, lock->class,
		"%u thread%s wait%s for each other's locks%s", c->length, c->length == 1 ? "" : "s",
		c->length == 1 ? "s" : "", card);
}

bool cycle_confirmed(struct thread *me)
{
	struct cycle c;

	if (!walk(me, &c) || c.timed || !walk_same(me, &c))
		return false;
	report_cycle(&c);
	return true;
}

/* ---- Through readers ------------------------------------------------------------------------- */

struct search {
	struct thread *me;
	struct cycle path; /* from `me` to where the search is */
	unsigned looked;
};

static bool reads(const struct thread *t, const struct rwmutex *rw)
{
	struct held_lock look;

	for (unsigned i = 0; i < held_count(&t->lock.nr_held); i++)
		if (held_look(&t->lock.held[i], &look) && look.lock == rw &&
			(look.flags & CHECK_READ))
			return true;
	return false;
}

static bool search(struct search *s, struct thread *t);

/* From the writer that the last link of the path is. */
static bool search_readers(struct search *s, const struct rwmutex *rw)
{
	for (unsigned i = 0, end = thread_table_end(); i < end; i++) {
		struct thread *t = thread_table_peek(i);

		if (t && reads(t, rw) && search(s, t))
			return true;
	}
	return false;
}

/* True: the path leads back to where it began. It is at most LINKS_MAX long, and so is this. */
static bool search(struct search *s, struct thread *t)
{
	struct cycle *path = &s->path;
	struct pi_link *link;

	if (path->length && t == s->me)
		return true;
	if (path->length == LINKS_MAX || s->looked++ == SEARCH_MAX)
		return false;
	link = &path->links[path->length++];
	pi_link(t, link);
	/* A timed wait ends by itself. */
	if (!link->timed && link->owner && search(s, link->owner))
		return true;
	if (!link->timed && link->drain && search_readers(s, link->drain))
		return true;
	path->length--;
	return false;
}

/* The second look: all of them in the same waits, and so still holding what they held. */
static bool path_same(const struct cycle *path)
{
	for (unsigned i = 0; i < path->length; i++) {
		const struct pi_link *then = &path->links[i];
		struct pi_link now;

		pi_link(then->thread, &now);
		if (now.serial != then->serial || now.owner != then->owner ||
			now.drain != then->drain)
			return false;
		if (now.drain && !reads(path->links[(i + 1) % path->length].thread, now.drain))
			return false;
	}
	return true;
}

bool cycle_through_readers(struct thread *me)
{
	struct search s = {.me = me};

	if (!search(&s, me) || !path_same(&s.path))
		return false;
	report_cycle(&s.path);
	return true;
}

void abandoned_report(const struct pilock *l, uint32_t dead_owner)
{
	lockcheck_report(KIND_DEADLOCK, "abandoned", l, l->class,
		"%s lost its holder (thread handle %x), which died; what it protects may be "
		"half changed, and %s did not ask for that (robust form)",
		l->class->name, (unsigned)dead_owner, current_thread()->name);
}
