/* SPDX-License-Identifier: MIT */
/* Which events are signalled by posted work (event.h). */
#include "kernel/wait/event.h"

#include "kernel/lock/check.h"
#include "kernel/lock/context.h"
#include "kernel/log.h"

#define PAIRS_MAX 64

/* event: claims the slot, NULL before; mix: stored after it (release), NULL until then. */
static struct event_pair {
	atomic_ptr event, mix;
} pairs[PAIRS_MAX];
static atomic_bool full_said;

void event_note_pair(const struct lock_class *event, const struct lock_class *mix)
{
	for (struct event_pair *p = pairs; p < pairs + PAIRS_MAX; p++) {
		void *there = NULL;

		/* Relaxed: the slot's other half is published by itself. */
		if (atomic_cas_ptr(&p->event, &there, (void *)event, relaxed)) {
			/* Release; partner: the acquire in known_pair. */
			atomic_store_ptr(&p->mix, (void *)mix, release);
			return;
		}
		if (there == event && atomic_load_ptr(&p->mix, relaxed) == mix)
			return;
	}
	if (!atomic_xchg_bool(&full_said, true, relaxed))
		log_warn(
			"wait: more than %d pairs of event and mixed lock: the rest goes unchecked",
			PAIRS_MAX);
}

static bool known_pair(const struct lock_class *event, const struct lock_class *mix)
{
	for (struct event_pair *p = pairs; p < pairs + PAIRS_MAX; p++) {
		/* Acquire; partner: event_note_pair. */
		const void *its_mix = atomic_load_ptr(&p->mix, acquire);

		if (!its_mix && !atomic_load_ptr(&p->event, relaxed))
			return false;
		if (its_mix == mix && atomic_load_ptr(&p->event, relaxed) == event)
			return true;
	}
	return false;
}

/* A handler that interrupted posted work is not a part of it: what it signals is its own affair. */
void event_note_wake(const struct lock_class *event)
{
	bool before = arch_irq_save();
	const struct lock_class *mix = lock_hart()->in_irq != IRQ_NONE ? lock_hart()->posted_to
								       : lock_thread()->posted_to;

	if (mix)
		event_note_pair(event, mix);
	arch_irq_restore(before);
}

void event_note_wait(const void *what, const struct lock_class *event, uintptr_t pc)
{
	const struct lock_thread *t = lock_thread();

	for (unsigned i = 0; i < t->nr_held; i++) {
		const struct held_lock *held = &t->held[i];

		if (!(held->flags & CHECK_MIXED) || !known_pair(event, held->class))
			continue;
		lockcheck_report(KIND_DEADLOCK, "event", what, event,
			"waits (at %p) for %s with %s held (acquired at %p), and only work "
			"posted to the latter signals the former",
			(void *)pc, event->name, held->class->name, (void *)held->pc);
		return;
	}
}
