/* SPDX-License-Identifier: MIT */
/*
 * Chains and cycles of waits.
 *
 * A wait leads to who can end it:
 *
 *	irqlock, irqrwlock  the harts that hold it by the checker's records, or hold its gate
 *	mutex and the like  the thread that the lock's word names
 *	readers of rwmutex  every thread that reads it by its record, which is kept without checker
 *	event               the thread that is to signal it, if that was said
 *	end of a thread     that thread
 *	a hart's answer     that hart, if it waits itself with interrupts off
 *
 * A wait with several holders needs them all to let go, so a cycle through any of them is a
 * deadlock.
 *
 * No false report. Everything is read without locks, so a walk that came back to its beginning is
 * made again: it counts only if every member is still in the very same wait (its serial) and the
 * next one still has what that waits for. Then all of them waited from the one look to the other;
 * who waits gives up nothing and takes nothing; so all of it held at one moment. A wait that ends
 * by itself (timed, killed) or was ended (woken) is none.
 *
 * No missed cycle. The one who begins the last wait of a cycle looks after a full fence, and sees
 * all others: their holds and waits were stored before. A sleeper that was woken for nothing looks
 * again before it sleeps on.
 */
#include "kernel/wait/chain.h"

#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/lock/held.h"
#include "kernel/lock/race.h"
#include "kernel/sched/table.h"
#include "kernel/wait/pilock.h"

/* Looks that one search makes at most: no search is worth more of a handler's time. */
#define LOOKS_MAX 20000

/* Where a search stands at one member: it tries the `next`-th of those who can end its wait. */
struct search {
	struct chain *c;
	unsigned next[CHAIN_MAX];
	unsigned looks;
};

static bool hart_has(const struct lock_hart *h, const void *lock)
{
	struct held_lock look;

	if (racy_read(h->gate, "chain_holds looks again") == lock)
		return true;
	for (unsigned i = 0; i < held_count(&h->nr_held); i++)
		if (held_look(&h->held[i], &look) && look.lock == lock)
			return true;
	return false;
}

static bool reads(const struct lock_thread *t, const void *lock)
{
	struct held_lock look;

	for (unsigned i = 0; i < held_count(&t->nr_held); i++)
		if (held_look(&t->held[i], &look) && look.lock == lock && (look.flags & CHECK_READ))
			return true;
	return false;
}

static const struct lock_thread *thread_named(uint32_t handle)
{
	const struct thread *t = handle ? thread_of_handle(handle) : NULL;

	return t ? &t->lock : NULL;
}

/* The thread that owns the lock, by its word; NULL: none, or a handler. */
static const struct lock_thread *pilock_holder(const struct pilock *l)
{
	uint32_t word = pilock_owner(l);

	return pilock_word_is_handler(word) ? NULL : thread_named(word);
}

static bool ends_by_itself(const struct lock_thread *t, const struct wait_seen *w)
{
	if (w->woken || (w->how & WAIT_TIMED))
		return true;
	return (w->how & WAIT_KILLABLE) &&
		atomic_load_u32(&((const struct thread *)t)->killed, relaxed);
}

/* Whether member `m` waits for others alone; fills in how. */
static bool is_stuck(struct chain_member *m)
{
	if (!m->hart)
		return wait_read(&m->thread->wait, &m->wait) &&
			!ends_by_itself(m->thread, &m->wait);
	m->thread = racy_read(m->hart->thread, "chain_holds looks again");
	if (wait_read(&m->hart->wait, &m->wait))
		return true;
	return m->thread && wait_read(&m->thread->wait, &m->wait) &&
		wait_kind_of(&m->wait) == WAIT_CALL && (m->wait.how & WAIT_IRQS_OFF);
}

static bool next_hart(const struct wait_seen *w, unsigned *i, struct chain_member *out)
{
	for (; *i < nr_lock_harts; ++*i) {
		if (!lock_harts[*i] || !hart_has(lock_harts[*i], w->what))
			continue;
		*out = (struct chain_member){.hart = lock_harts[(*i)++]};
		return true;
	}
	return false;
}

static bool next_reader(const struct wait_seen *w, unsigned *i, struct chain_member *out)
{
	for (unsigned end = thread_table_end(); *i < end; ++*i) {
		const struct thread *t = thread_table_peek(*i);

		if (!t || !racy_read(t->lock.handle, "chain_holds looks again") ||
			!reads(&t->lock, w->what))
			continue;
		++*i;
		*out = (struct chain_member){.thread = &t->lock};
		return true;
	}
	return false;
}

/* The *i-th of those that can end m's wait. False: there are no more. */
static bool next_holder(const struct chain_member *m, unsigned *i, struct chain_member *out)
{
	const struct wait_seen *w = &m->wait;

	*out = (struct chain_member){0};
	switch (wait_kind_of(w)) {
	case WAIT_IRQLOCK:
	case WAIT_IRQRWLOCK:
		return next_hart(w, i, out);
	case WAIT_READERS:
		return next_reader(w, i, out);
	case WAIT_PILOCK:
		/* Itself: the lock was handed to it while it slept. */
		out->thread = pilock_holder(w->what);
		return (*i)++ == 0 && out->thread && out->thread != m->thread;
	case WAIT_EVENT:
	case WAIT_THREAD:
		out->thread = thread_named(w->who);
		return (*i)++ == 0 && out->thread;
	case WAIT_CALL:
		out->hart = w->who < nr_lock_harts ? lock_harts[w->who] : NULL;
		return (*i)++ == 0 && out->hart;
	default:
		return false;
	}
}

static bool same(const struct chain_member *a, const struct chain_member *b)
{
	return a->hart == b->hart && (a->hart || a->thread == b->thread);
}

static bool is_member(const struct chain *c, const struct chain_member *m)
{
	for (unsigned i = 0; i < c->nr; i++)
		if (same(&c->m[i], m))
			return true;
	return false;
}

/* One step: closes the chain, lengthens it, or goes back to the member before. */
static void step(struct search *s)
{
	struct chain *c = s->c;
	struct chain_member next;

	if (!next_holder(&c->m[c->nr - 1], &s->next[c->nr - 1], &next)) {
		LOCK_COUNTED(chain_dead_end);
		c->nr--;
		return;
	}
	if (same(&next, &c->m[0])) {
		LOCK_COUNTED(chain_closed);
		c->closed = true;
		return;
	}
	if (c->nr == CHAIN_MAX || is_member(c, &next) || !is_stuck(&next))
		return;
	LOCK_COUNTED(chain_goes_on);
	s->next[c->nr] = 0;
	c->m[c->nr++] = next;
}

/* Does `b` have what `a` waits for? */
static bool waits_for(const struct chain_member *a, const struct chain_member *b)
{
	struct chain_member holder;
	unsigned i = 0;

	while (next_holder(a, &i, &holder))
		if (same(&holder, b))
			return true;
	return false;
}

bool chain_holds(const struct chain *c)
{
	for (unsigned i = 0; i < c->nr; i++) {
		struct chain_member now = c->m[i];

		if (!is_stuck(&now) || now.wait.serial != c->m[i].wait.serial ||
			!waits_for(&now, &c->m[(i + 1) % c->nr])) {
			LOCK_COUNTED(chain_moved_on);
			return false;
		}
	}
	LOCK_COUNTED(chain_confirmed);
	return true;
}

/* c->m[0] is where the search begins. */
static bool closes(struct chain *c)
{
	struct search s = {.c = c, .looks = 0};

	/* Our wait before the look at theirs. Partner: theirs. */
	fence_full();
	c->nr = 1;
	c->closed = false;
	if (!is_stuck(&c->m[0]))
		return false;
	while (c->nr && !c->closed && s.looks++ < LOOKS_MAX)
		step(&s);
	return c->closed && chain_holds(c);
}

bool chain_closes_hart(struct chain *c)
{
	c->m[0] = (struct chain_member){.hart = lock_hart()};
	return closes(c);
}

bool chain_closes_thread(struct chain *c)
{
	/* With interrupts off its hart answers nobody either. */
	if (!arch_irq_enabled() && wait_under_way(&lock_thread()->wait) &&
		(atomic_load_u32(&lock_thread()->wait.how, relaxed) & WAIT_IRQS_OFF))
		return chain_closes_hart(c);
	c->m[0] = (struct chain_member){.thread = lock_thread()};
	return closes(c);
}

bool chain_find(struct chain *c)
{
	c->at = NULL;
	for (unsigned i = 0; i < nr_lock_harts; i++) {
		c->m[0] = (struct chain_member){.hart = lock_harts[i]};
		if (lock_harts[i] && closes(c))
			return true;
	}
	for (unsigned i = 0, end = thread_table_end(); i < end; i++) {
		const struct thread *t = thread_table_peek(i);

		c->m[0] = (struct chain_member){.thread = t ? &t->lock : NULL};
		if (t && t->lock.handle && closes(c))
			return true;
	}
	return false;
}

bool chain_follow(struct chain *c, const struct lock_hart *h, const struct lock_thread *t)
{
	struct chain_member next = {.hart = h, .thread = t};
	unsigned i;

	c->nr = 0;
	c->at = NULL;
	do {
		bool stuck = is_stuck(&next);

		if (!next.hart && next.wait.serial & 1 && !stuck)
			return false;
		if (!stuck)
			next.wait = (struct wait_seen){.serial = next.wait.serial};
		c->m[c->nr++] = next;
		i = 0;
	} while (c->nr < CHAIN_MAX && next_holder(&c->m[c->nr - 1], &i, &next) &&
		!is_member(c, &next));
	/* A circle farther on is for its own members to say. */
	c->closed = i && same(&next, &c->m[0]);
	return wait_kind_of(&c->m[0].wait) != WAIT_NONE;
}

const char *chain_what(const struct wait_seen *wait)
{
	switch (wait_kind_of(wait)) {
	case WAIT_NONE:
		return "nothing";
	case WAIT_THREAD:
		return "the end of a thread";
	case WAIT_CALL:
		return "the answer of a hart";
	default:
		return wait->class ? wait->class->name : "a lock";
	}
}
