/* SPDX-License-Identifier: MIT */
/*
 * What makes the harts follow the schedule.
 *
 * Under instruction counting QEMU runs one hart at a time, until it waits for an interrupt or a
 * timer is due anywhere. Among the harts that could go on the schedule wants the one with the
 * greatest priority. So at every point (kernel/lock/point.h) a hart looks whether a greater one
 * goes, and as long as that is so passes the turn; if a greater one merely waits for something, it
 * passes the turn once, for that one to look again. A waiter's step passes the turn as well
 * (relax=turn), and a parked waiter steps instead of sleeping, so that nobody is out of reach.
 *
 * A hart
 *   GOES   runs code, or stands at a point for a greater one
 *   WAITS  is in a step of a wait, parked, or idle: it looks when it gets the turn
 *
 * A mistake here (a hart that is thought to go and sleeps) costs turns, never the run: who passed
 * the turn PATIENCE times goes on. All of it is a function of what happened before, so it repeats.
 *
 * What counts as an event of a hart, by which the schedule numbers them, are the points that the
 * program's threads and handlers pass during a round; all others are recorded only.
 *
 * Interrupts: an entry of the schedule pulls the hart's timer to a moment shortly after an event
 * (the kernel's own timers are programmed again by the interrupt that comes), or sends a software
 * interrupt to another hart.
 *
 * The words here are shared by the harts, which run one at a time: relaxed everywhere.
 */
#include "tests/hunt/engine.h"
#include "kernel/arch.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/lock/relax.h"
#include "kernel/panic.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/cycle.h"
#include "lib/printf.h"

#define PATIENCE 500

enum hart_doing {
	HART_GOES,
	HART_WAITS,
};

static struct engine_hart {
	atomic_u32 doing, priority;
	uint32_t events;	/* of this round; its own, SIE off */
	uint64_t irq_due;	/* the moment of a timer interrupt; its own; 0: none */
	atomic_bool in_handler; /* of the program */
	atomic_bool irq_sent;	/* a software interrupt is for the program's handler */
} engine_harts[HUNT_HARTS];

static const struct hunt_program *program;
static void (*program_body)(void *arg);
static unsigned nr_engine_harts;
static unsigned long stop_event;
static atomic_bool armed, in_round;
static atomic_ptr verdict; /* const char * */
static atomic_u32 lowest;  /* the next priority behind all others */

/* Out of line and once in the image: a debugger's breakpoint. */
__attribute__((noinline, noclone)) void hunt_stop_here(unsigned long event)
{
	__asm__ volatile("" : : "r"(event) : "memory");
}

static __attribute__((noinline, noclone)) void go_on_here(unsigned long event)
{
	__asm__ volatile("" : : "r"(event) : "memory");
}

/* Without a branch, so that a run with a stop is the same run. */
static void stop_or_go_on(unsigned long event)
{
	static void (*const fns[])(unsigned long event) = {go_on_here, hunt_stop_here};

	fns[event == stop_event](event);
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static bool greater_hart(unsigned me, enum hart_doing doing)
{
	uint32_t mine = atomic_load_u32(&engine_harts[me].priority, relaxed);

	for (unsigned i = 0; i < nr_engine_harts; i++)
		if (i != me && atomic_load_u32(&engine_harts[i].priority, relaxed) > mine &&
			atomic_load_u32(&engine_harts[i].doing, relaxed) == (uint32_t)doing)
			return true;
	return false;
}

static void let_greater_go(unsigned me)
{
	bool looked = false;

	for (unsigned n = 0; n < PATIENCE; n++) {
		if (!greater_hart(me, HART_GOES)) {
			if (looked || !greater_hart(me, HART_WAITS))
				return;
			looked = true;
		}
		arch_turn_pass();
	}
}

static void set_doing(enum hart_doing doing)
{
	atomic_store_u32(&engine_harts[lock_hart()->index].doing, doing, relaxed);
}

/* ---- Entries of the schedule ----------------------------------------------------------------- */

static void apply(struct engine_hart *e, const struct entry *entry)
{
	uint64_t due = arch_time() + entry->n;

	switch (entry->kind) {
	case ENTRY_LOWER:
		atomic_store_u32(&e->priority, atomic_add_u32(&lowest, -1u, relaxed), relaxed);
		break;
	case ENTRY_TIMER:
		if (!e->irq_due || due < e->irq_due)
			e->irq_due = due;
		break;
	case ENTRY_IPI:
		atomic_store_bool(&engine_harts[entry->n].irq_sent, true, relaxed);
		arch_ipi_send_hart(lock_harts[entry->n]->hartid);
		break;
	}
}

static void follow_schedule(unsigned me)
{
	struct engine_hart *e = &engine_harts[me];
	const struct entry *entry;

	if (!atomic_load_bool(&e->in_handler, relaxed) && current_thread()->fn != program_body)
		return;
	e->events++;
	while ((entry = schedule_next(me, e->events))) {
		record_entry(entry);
		apply(e, entry);
	}
	/* Again at each point: the kernel may have programmed a later time since. */
	if (e->irq_due)
		arch_timer_pull(e->irq_due);
}

/* ---- Hooks ----------------------------------------------------------------------------------- */

/* A panic prints and switches off; what the others still do belongs to no run. */
static bool somebody_panics(void)
{
	for (unsigned i = 0; i < nr_engine_harts; i++)
		if (lock_harts[i]->panicking)
			return true;
	return false;
}

static void at_point(
	struct lock_point *p, const void *lock, const struct lock_class *class, uintptr_t pc)
{
	unsigned me;
	bool before;

	if (!atomic_load_bool(&armed, relaxed))
		return;
	before = arch_irq_save();
	me = lock_hart()->index;
	if (somebody_panics()) {
		engine_freeze(NULL);
	} else {
		stop_or_go_on(record_event(p, lock, class, pc));
		toys_note(p, lock, before);
		if (p->kind != POINT_WAITING)
			set_doing(HART_GOES);
		if (p->kind != POINT_WAITING && atomic_load_bool(&in_round, relaxed)) {
			follow_schedule(me);
			let_greater_go(me);
		}
	}
	arch_irq_restore(before);
}

/* How long nobody has got further. SIE as it is: the two are read again if progress came between.
 */
static uint64_t stillness_ns(void)
{
	uint64_t since, now;

	do {
		since = record_progress();
		now = arch_time();
	} while (since != record_progress());
	return ticks_to_ns(now - since);
}

static void at_step_of_wait(void)
{
	if (!atomic_load_bool(&armed, relaxed) || lock_hart()->panicking)
		return;
	set_doing(HART_WAITS);
	if (stillness_ns() > HUNT_STALL_US * NS_PER_US)
		engine_deadlock("whoever waits awake waits in vain", lock_hart(), NULL);
}

/* SIE is off. */
static bool in_place_of_sleep(void)
{
	if (!atomic_load_bool(&armed, relaxed))
		return false;
	at_step_of_wait();
	arch_turn_pass();
	return true;
}

static void at_idle(bool begin)
{
	set_doing(begin ? HART_WAITS : HART_GOES);
}

/* In the handler of a timer or software interrupt. */
static void at_irq(void)
{
	struct engine_hart *e = &engine_harts[lock_hart()->index];
	bool due = e->irq_due && arch_time() >= e->irq_due;

	if (!atomic_load_bool(&armed, relaxed))
		return;
	if (due)
		e->irq_due = 0;
	if (atomic_xchg_bool(&e->irq_sent, false, relaxed))
		due = true;
	if (!due)
		return;
	lock_hart()->need_resched = true;
	if (!program->handler || !atomic_load_bool(&in_round, relaxed))
		return;
	atomic_store_bool(&e->in_handler, true, relaxed);
	lock_point_hit(&hunt_points[HUNT_HANDLER], NULL, NULL, 0);
	program->handler();
	atomic_store_bool(&e->in_handler, false, relaxed);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

void engine_arm(const struct hunt_program *p, void (*body)(void *arg), uint64_t stop)
{
	program = p;
	program_body = body;
	stop_event = (unsigned long)stop;
	nr_engine_harts = MIN(nr_harts, (unsigned)HUNT_HARTS);
	for (unsigned i = 0; i < nr_engine_harts; i++)
		atomic_store_u32(&engine_harts[i].doing, HART_WAITS, relaxed);
	lock_hooks = (struct lock_hooks){.point = at_point,
		.relax = at_step_of_wait,
		.sleep = in_place_of_sleep,
		.idle = at_idle,
		.irq = at_irq};
	record_begin();
	atomic_store_bool(&armed, true, relaxed);
}

void engine_round_prepare(unsigned round)
{
	uint32_t lengths[HUNT_HARTS];

	for (unsigned i = 0; i < nr_engine_harts; i++)
		lengths[i] = engine_harts[i].events;
	schedule_round(round, lengths);
	for (unsigned i = 0; i < nr_engine_harts; i++) {
		struct engine_hart *e = &engine_harts[i];

		e->events = 0;
		e->irq_due = 0;
		atomic_store_bool(&e->irq_sent, false, relaxed);
		atomic_store_u32(&e->priority, schedule_priority(i), relaxed);
	}
	atomic_store_u32(&lowest, HUNT_LOWEST, relaxed);
	toys_forget();
}

void engine_round_begin(void)
{
	lock_point_hit(&hunt_points[HUNT_BEGIN], NULL, NULL, 0);
	atomic_store_bool(&in_round, true, relaxed);
}

void engine_round_end(void)
{
	atomic_store_bool(&in_round, false, relaxed);
	for (unsigned i = 0; i < nr_engine_harts; i++)
		while (atomic_load_bool(&engine_harts[i].in_handler, relaxed))
			relax();
	lock_point_hit(&hunt_points[HUNT_END], NULL, NULL, 0);
}

void engine_freeze(const char *what)
{
	void *none = NULL;

	if (what)
		atomic_cas_ptr(&verdict, &none, (void *)what, relaxed);
	if (atomic_xchg_bool(&armed, false, relaxed))
		record_end();
}

const char *engine_verdict(void)
{
	return atomic_load_ptr(&verdict, relaxed);
}

noreturn void engine_deadlock(
	const char *how, const struct lock_hart *hart, const struct lock_thread *thread)
{
	static struct chain chain;
	uint64_t still = stillness_ns();

	engine_freeze("deadlock");
	arch_irq_disable();
	for (unsigned i = 0; i < nr_engine_harts; i++)
		report("  hart %u %s, priority %u, after event %u of the round\n", i,
			atomic_load_u32(&engine_harts[i].doing, relaxed) == HART_GOES ? "goes"
										      : "waits",
			(unsigned)atomic_load_u32(&engine_harts[i].priority, relaxed),
			(unsigned)engine_harts[i].events);
	report("  nobody has got further for %u us\n", (unsigned)(still / NS_PER_US));
	toys_report();
	/* A circle of waits is the verdict's reason, whoever it was that noticed. */
	cycle_find();
	if (chain_follow(&chain, hart, thread))
		cycle_report_is_about(&chain);
	lockcheck_report(KIND_DEADLOCK, "hunt", NULL, NULL, "program %s: %s", program->name, how);
	panic_as(EXIT_DEADLOCK, "program %s: %s", program->name, how);
}

noreturn void hunt_fail(const char *fmt, ...)
{
	char text[160];
	va_list ap;

	engine_freeze("wrong");
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	panic_as(EXIT_TEST, "program %s: %s", program->name, text);
}
