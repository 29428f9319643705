/* SPDX-License-Identifier: MIT */
/*
 * What is recorded of a run: a hash over all events in their order, which orders of two events on
 * two harts were seen, and the last events themselves, for the story.
 *
 * The hash is a sum over the events of a mixture of (number, hart, point, lock): the number carries
 * the order. Points and locks go in by address, which is the same in every run of one image; the
 * host sees to it that only runs of one image are compared.
 *
 * The harts run one at a time, but a turn may end between any two instructions: what several of
 * them change is changed by atomics, relaxed.
 */
#include "kernel/arch.h"
#include "kernel/lock/class.h"
#include "kernel/panic.h"
#include "kernel/panic/symbols.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/random.h"
#include "tests/hunt/engine.h"

#define STORY_MAX 4096 /* events; a power of two */
#define ORDERS 4096    /* bits */

/* An event, or, without a point, an entry of the schedule. */
struct told {
	unsigned long number;
	const struct lock_point *point;
	const void *lock;
	const struct lock_class *class;
	const struct thread *thread;
	uintptr_t pc;
	struct entry entry;
	unsigned hart;
	bool in_irq;
};

static atomic_ulong nr_events;
static atomic_u64 hash;
static atomic_u32 orders[ORDERS / 32];
static atomic_ptr last_point;
static atomic_u32 last_hart;
static atomic_u64 progress_at;
static uint64_t began_at, ended_at;
static bool telling;
static struct told story[STORY_MAX];
static atomic_ulong nr_told;

/* Not in the kernel's table of points: they are no part of its locks. */
struct lock_point hunt_points[HUNT_POINTS] = {
	[HUNT_STEP] = {.name = "hunt_step", .kind = POINT_STEP},
	[HUNT_WAITS] = {.name = "hunt_waits", .kind = POINT_EVENT},
	[HUNT_GOT] = {.name = "hunt_got", .kind = POINT_EVENT},
	[HUNT_GAVE] = {.name = "hunt_gave", .kind = POINT_EVENT},
	[HUNT_HANDLER] = {.name = "hunt_handler", .kind = POINT_EVENT},
	[HUNT_BEGIN] = {.name = "hunt_begin", .kind = POINT_EVENT},
	[HUNT_END] = {.name = "hunt_end", .kind = POINT_EVENT},
};

void record_begin(void)
{
	began_at = arch_time();
	atomic_store_u64(&progress_at, began_at, relaxed);
}

void record_end(void)
{
	ended_at = arch_time();
}

void record_tell_story(void)
{
	telling = true;
}

uint64_t record_progress(void)
{
	return atomic_load_u64(&progress_at, relaxed);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t state = a * 0x9e3779b97f4a7c15u ^ b;

	return splitmix64(&state);
}

/* Also if nobody will ask for it: else asking would change the run. SIE is off, and nobody else's
 * turn comes between the number and the store but for a timer: then two lines of the story change
 * places. */
static void tell(struct told t)
{
	story[atomic_add_ulong(&nr_told, 1, relaxed) % STORY_MAX] = t;
}

/* This point here, after that point on another hart: was it so? */
static void note_order(const struct lock_point *p, unsigned hart)
{
	const void *before = atomic_xchg_ptr(&last_point, (void *)p, relaxed);
	unsigned bit;

	if (atomic_xchg_u32(&last_hart, hart, relaxed) == hart || !before)
		return;
	bit = mix((uintptr_t)before, (uintptr_t)p) % ORDERS;
	atomic_or_u32(&orders[bit / 32], 1u << bit % 32, relaxed);
}

unsigned long record_event(
	const struct lock_point *p, const void *lock, const struct lock_class *class, uintptr_t pc)
{
	const struct lock_hart *h = lock_hart();
	unsigned long number = atomic_add_ulong(&nr_events, 1, relaxed) + 1;

	atomic_add_u64(
		&hash, mix(mix(number << 8 | h->index, (uintptr_t)p), (uintptr_t)lock), relaxed);
	note_order(p, h->index);
	if (p->kind == POINT_EVENT)
		atomic_store_u64(&progress_at, arch_time(), relaxed);
	tell((struct told){
		.number = number,
		.point = p,
		.lock = lock,
		.class = class,
		.thread = (const struct thread *)h->thread,
		.pc = pc,
		.hart = h->index,
		.in_irq = h->in_irq != IRQ_NONE,
	});
	return number;
}

void record_entry(const struct entry *e)
{
	tell((struct told){
		.number = atomic_load_ulong(&nr_events, relaxed),
		.entry = *e,
		.hart = e->hart,
	});
}

/* Where a lock would be, they have a text. */
static bool is_own(const struct lock_point *p)
{
	return p >= hunt_points && p < hunt_points + HUNT_POINTS;
}

static void report_told(const struct told *t)
{
	char where[SYMBOL_TEXT_MAX];
	const char *text = NULL;

	if (!t->point) {
		report("hunt-story: %lu %u entry %u %u\n", t->number, t->hart, t->entry.kind,
			t->entry.n);
		return;
	}
	if (is_own(t->point))
		text = t->lock;
	symbolise_return(t->pc, where, sizeof(where));
	report("hunt-story: %lu %u %s %s %s %p %s %s %s\n", t->number, t->hart,
		t->point->kind == POINT_EVENT ? "event" : "step", t->point->name,
		t->class ? t->class->name : "-", t->lock, t->in_irq ? "irq" : t->thread->name,
		t->pc ? where : "-", text ? text : "");
}

static void report_story(void)
{
	unsigned long end = atomic_load_ulong(&nr_told, relaxed);

	for (unsigned long n = end > STORY_MAX ? end - STORY_MAX : 0; telling && n < end; n++)
		report_told(&story[n % STORY_MAX]);
}

static void report_orders(void)
{
	for (unsigned i = 0; i < ORDERS / 32; i++) {
		uint32_t word = atomic_load_u32(&orders[i], relaxed);

		if (word)
			report("hunt-orders: %u %x\n", i, (unsigned)word);
	}
}

void record_report(const struct hunt_program *program, uint64_t seed, const char *verdict)
{
	report("hunt: program=%s seed=%llu harts=%u verdict=%s event=%lu ns=%llu\n", program->name,
		(unsigned long long)seed, nr_lock_harts, verdict,
		(unsigned long)atomic_load_ulong(&nr_events, relaxed),
		(unsigned long long)ticks_to_ns(ended_at - began_at));
	schedule_report();
	report_orders();
	report_story();
	report("trace hash: %016llx\n", (unsigned long long)atomic_load_u64(&hash, relaxed));
}
