/* SPDX-License-Identifier: MIT */
/*
 * Quiescent-state reclamation: what was unpublished is given back only after every section that
 * could see it, in threads and in handlers, also of harts that are idle. The last hart is the qs
 * thread.
 *
 * Sources: tests/verify/sched.c kernel/sched/qs.c kernel/hart/mask.c
 */
#include "kernel/sched/qs.h"

#include <setjmp.h>

#include "kernel/sched/sched.h"
#include "tests/verify/machine.h"
#include "tests/verify/sched.h"

#define OBJECTS 4

/* A value and its double, plain: what a reader would see changing under it. */
static struct object {
	unsigned value, twice;
	struct qs_entry entry;
} objects[OBJECTS];
static atomic_ptr published;
static unsigned next_object; /* hart 0's */
static struct qs_entry stop;
static jmp_buf out;
static atomic_u32 left;
static bool gone[HARTS]; /* each its own */

static void look(void)
{
	struct object *o;

	qs_read_begin();
	/* Acquire; partner: publish. */
	o = atomic_load_ptr(&published, acquire);
	for (unsigned n = vm_random(8) ? vm_random(4) : 60; n > 0; n--)
		backend_pause();
	verify(o->twice == 2 * o->value);
	qs_read_end();
}

static void in_handler(void)
{
	arch_ipi_clear();
	if (!gone[vm_self()->index])
		look();
}

static void fn_stop(unused_arg struct qs_entry *e)
{
	longjmp(out, 1);
}

void program_setup(void)
{
	sched_setup();
	/* The counters' steps: kernel/sched/qs.c. */
	vm_amo_is_fence = true;
	atomic_store_ptr(&published, &objects[0], relaxed);
	next_object = 1;
	vm_ipi = vm_case % 2 ? in_handler : NULL;
}

/* Publishes a new object; the old one is somebody else's memory after a grace period. */
static void replace(void)
{
	struct object *fresh = &objects[next_object++ % OBJECTS], *old;

	fresh->value = vm_random(100);
	fresh->twice = 2 * fresh->value;
	/* Release; partner: look. */
	old = atomic_xchg_ptr(&published, fresh, acq_rel);
	qs_synchronize();
	vm_scribble(old, sizeof(*old));
}

static void qs_part(void)
{
	if (!setjmp(out))
		qs_thread(NULL);
}

void program_hart(unsigned index)
{
	if (index == HARTS - 1) {
		qs_part();
		vm_leave();
		return;
	}
	for (unsigned i = 0; i < vm_rounds; i++) {
		if (index == 0) {
			replace();
			continue;
		}
		look();
		vm_noise();
		vm_timers();
		/* Where a section cannot be. */
		if (vm_random(2))
			schedule();
	}
	if (atomic_add_u32(&left, 1, acq_rel) == HARTS - 2)
		qs_call(&stop, fn_stop);
	/* Outside of all sections for good. */
	gone[index] = true;
	if (backend_knows_fences() && vm_case % 4 < 2)
		hart_mask_atomic_clear(&harts_online, index);
	else
		atomic_add_ulong(&vm_self()->runq.quiescent, 1, acq_rel);
	vm_leave();
}

void program_check(void)
{
	struct object *o = atomic_load_ptr(&published, relaxed);

	verify(o->twice == 2 * o->value);
}
