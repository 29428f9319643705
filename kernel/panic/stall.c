/* SPDX-License-Identifier: MIT */
/*
 * Threads that are blocked for long without progress of who could end that.
 *
 * A wait for an event is no sign of anything: its thread may have nothing to do. A wait for what
 * somebody has is followed, from holder to holder, to the thread at the end of the chain. Who runs
 * there, sleeps for a time or is about to run goes on. If it does not (it waits for an event itself
 * with something in hand that others need, it is ready and never gets a hart, the lock has nobody
 * who gives it up), and the whole chain is the same at look after look, it is reported: the waits'
 * serials and the switches of its threads say whether it is. A circle is found at once, by who
 * closes it (kernel/wait/chain.c), and never gets here.
 *
 * Judged by looks that count only while all harts answer, so that a machine below that takes its
 * time is not taken for a stall.
 *
 * No locks; what lies in struct thread is this file's own, written by the guard.
 */
#include "kernel/panic/stall.h"

#include "kernel/lock/check.h"
#include "kernel/lock/race.h"
#include "kernel/sched/table.h"
#include "kernel/wait/cycle.h"
#include "lib/hash.h"

/* Looks at the same standstill before it is reported: half a minute, mostly. */
#define STALL_LOOKS 60u
/* Threads looked at in one beat. */
#define LOOKS_PER_BEAT 256u

static void look(struct thread *t);
static bool stands_still(const struct chain *c);
static uint32_t digest(const struct chain *c);
static void report_stall(const struct chain *c);

void stall_beat(bool well)
{
	static unsigned cursor;
	unsigned end = thread_table_end();

	for (unsigned n = 0; well && n < MIN(end, LOOKS_PER_BEAT); n++) {
		struct thread *t;

		cursor = cursor + 1 < end ? cursor + 1 : 0;
		t = thread_table_peek(cursor);
		if (t && racy_read(t->lock.handle, "look judges by waits alone"))
			look(t);
	}
}

static void look(struct thread *t)
{
	struct chain c;
	uint32_t seen;

	if (!wait_under_way(&t->lock.wait) || !chain_follow(&c, NULL, &t->lock) ||
		!stands_still(&c)) {
		t->stall_looks = 0;
		return;
	}
	seen = digest(&c);
	if (seen != t->stall_digest) {
		t->stall_digest = seen;
		t->stall_looks = 0;
	} else if (++t->stall_looks > STALL_LOOKS) {
		t->stall_looks = 0;
		report_stall(&c);
	}
}

/* Nobody in it is seen to go on. */
static bool stands_still(const struct chain *c)
{
	const struct chain_member *last = &c->m[c->nr - 1];
	enum thread_state state;

	if (c->nr == 1 && wait_kind_of(&last->wait) == WAIT_EVENT && !last->wait.who)
		return false;
	if (last->hart)
		return false; /* watchdog.c looks at harts */
	if (wait_kind_of(&last->wait) != WAIT_NONE)
		return true;
	state = atomic_load_u32(&((const struct thread *)last->thread)->state, relaxed);
	return state == THREAD_READY;
}

static uint32_t digest(const struct chain *c)
{
	uint32_t hash = FNV1A_32_INIT;

	for (unsigned i = 0; i < c->nr; i++) {
		const struct thread *t = (const struct thread *)c->m[i].thread;
		uint32_t handle = racy_read(t->lock.handle, "a change is a sign of life");
		uint32_t switches = (uint32_t)racy_read(t->nr_switches, "as above");
		uint32_t part[] = {handle, c->m[i].wait.serial, switches};

		hash = fnv1a_32(hash, part, sizeof(part));
	}
	return hash;
}

static void report_stall(const struct chain *c)
{
	const struct wait_seen *wait = &c->m[0].wait;
	const struct chain_member *last = &c->m[c->nr - 1];
	const char *name = ((const struct thread *)c->m[0].thread)->name;
	bool free = wait_kind_of(&last->wait) == WAIT_PILOCK && !pilock_owner(last->wait.what);

	cycle_report_is_about(c);
	if (free)
		lockcheck_report(KIND_DEADLOCK, "lost-wakeup", last->wait.what, last->wait.class,
			"thread %s sleeps for %s, which is free: it was not woken",
			((const struct thread *)last->thread)->name, chain_what(&last->wait));
	else
		lockcheck_report(KIND_LOCKUP, "stalled", wait->what, wait->class,
			"thread %s has waited for %u looks for %s, and %s does not go on", name,
			STALL_LOOKS, chain_what(wait),
			c->nr > 1 ? ((const struct thread *)last->thread)->name : "nobody else");
	cycle_report_is_about(NULL);
}
