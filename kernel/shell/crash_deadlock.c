/* SPDX-License-Identifier: MIT */
/*
 * Crash kinds: deadlocks that are there, of harts and of threads.
 *
 * The checker would stop nearly all of them before they happen, so locks are taken here by what
 * lies below it: they are recorded, as ever, and nothing is asked. Where it takes two, a partner
 * does its half on another hart.
 */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/log/console.h"
#include "kernel/mm/page.h"
#include "kernel/sched/runq.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/rwmutex.h"

/*
 * spin_a, spin_b, box_a, box_b, book, desk
 *   Protects: nothing.
 *   Taken by: the crash kinds below, to wait for each other.
 *   Order:    none, which is the point.
 */
DEFINE_LOCK_CLASS(spin_a_class, .name = "crash_spin_a", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(spin_b_class, .name = "crash_spin_b", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(box_a_class, .name = "crash_box_a", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(box_b_class, .name = "crash_box_b", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(book_class, .name = "crash_book", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(desk_class, .name = "crash_desk", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1, .protects = "nothing");
DEFINE_LOCK_CLASS(bell_class, .name = "crash_bell", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10,
	.protects = "an event that one thread waits for");
static struct irqlock spin_a = IRQLOCK_INIT(&spin_a_class);
static struct irqlock spin_b = IRQLOCK_INIT(&spin_b_class);
static struct mutex box_a = MUTEX_INIT(&box_a_class);
static struct mutex box_b = MUTEX_INIT(&box_b_class);
static struct rwmutex book = RWMUTEX_INIT(&book_class);
static struct mixlock desk = MIXLOCK_INIT(&desk_class);
static struct completion bell = COMPLETION_INIT(&bell_class);

/* How many have got what they hold, and so may ask for the other's. */
static atomic_u32 ready;
/* Where the caller stays, where its partner says it is, and a lock of the kernel's for it. Stored
 * before the partner runs, or before it meets. */
static struct hart_meta *my_hart, *partners_hart;
static struct irqlock *wanted;

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* ---- Below the checker ----------------------------------------------------------------------- */

static void take_spin(struct irqlock *lock)
{
	bool before = arch_irq_save();

	if (!irqlock_take(lock))
		irqlock_wait(lock, before);
	irq_section_begin(lock_hart(), before);
	check_acquired(lock, lock->class, 0, CALLER);
}

static void take_pilock(struct pilock *l, unsigned flags)
{
	if (!pilock_try_fast(l))
		pilock_lock_slow(l, &WAIT_PLAIN);
	check_acquired(l, l->class, CHECK_THREAD | flags, CALLER);
}

/* ---- Partners -------------------------------------------------------------------------------- */

/* Both have come here. */
static void meet(void)
{
	/* Acquire and release: what each did before it came. */
	atomic_add_u32(&ready, 1, acq_rel);
	while (atomic_load_u32(&ready, acquire) < 2)
		relax();
}

/* The same for threads that may share a hart. */
static void meet_asleep(void)
{
	atomic_add_u32(&ready, 1, acq_rel);
	while (atomic_load_u32(&ready, acquire) < 2)
		sched_sleep_ns(NS_PER_MS);
}

/*
 * From here on the caller stays on its hart, my_hart, and a partner that will run fn on another one
 * is there, to be run. NULL: there is one hart only, or no memory.
 */
static struct thread *stay_with_partner(void (*fn)(void *arg))
{
	struct hart_mask others;
	struct thread *t;

	if (hart_mask_weight(&harts_online) < 2) {
		shell_printf("crash: this takes two harts\n");
		return NULL;
	}
	t = thread_create("partner", fn, NULL);
	if (!t)
		return NULL;
	preempt_disable();
	my_hart = this_hart();
	hart_mask_copy(&others, &harts_online);
	hart_mask_clear(&others, my_hart->index);
	sched_set_affinity(t, &others);
	return t;
}

/* ---- Harts ----------------------------------------------------------------------------------- */

static void b_then_a(void *arg unused_arg)
{
	take_spin(&spin_b);
	meet();
	take_spin(&spin_a);
}

static void crash_abba(void)
{
	struct thread *t = stay_with_partner(b_then_a);

	if (!t)
		return;
	thread_run(t);
	take_spin(&spin_a);
	meet();
	take_spin(&spin_b);
}
CRASH_IF(CONFIG_LOCKCHECK, dl_irqlock, "deadlock-irqlock",
	"two harts that wait for each other's irqlock (two harts or more)", EXIT_DEADLOCK,
	crash_abba);

static void handler_takes_a(struct timer *t unused_arg)
{
	take_spin(&spin_a);
}

/* Held with interrupts on, by a thread that cannot be preempted. */
static void crash_reentry(void)
{
	static struct timer timer;

	preempt_disable();
	irqlock_take(&spin_a);
	check_acquired(&spin_a, &spin_a_class, 0, CALLER);
	timer_init(&timer, handler_takes_a);
	timer_start(&timer, clock_now_ns());
	for (;;)
		relax();
}
CRASH_IF(CONFIG_LOCKCHECK, dl_reentry, "deadlock-reentry",
	"a handler that wants the lock of the thread it interrupted", EXIT_DEADLOCK, crash_reentry);

static void nothing(void *arg unused_arg)
{
}

/* Waits, with interrupts off, for an answer of `other`. */
static void wait_for_answer(struct hart_meta *other)
{
	struct hart_call call;

	hart_call_init(&call, nothing, NULL);
	irq_off();
	meet();
	hart_call_post(other, &call);
	hart_call_wait(other, &call);
	irq_on();
}

static void partner_waits_for_answer(void *arg unused_arg)
{
	preempt_disable();
	partners_hart = this_hart();
	wait_for_answer(my_hart);
}

static void crash_ipi(void)
{
	struct thread *t = stay_with_partner(partner_waits_for_answer);

	if (!t)
		return;
	thread_run(t);
	/* Acquire: partners_hart. Partner: meet. */
	while (!atomic_load_u32(&ready, acquire))
		relax();
	wait_for_answer(partners_hart);
}
CRASH(dl_ipi, "deadlock-ipi",
	"two harts that wait, interrupts off, for each other's answer (two harts or more)",
	EXIT_DEADLOCK, crash_ipi);

static void just_a(void *arg unused_arg)
{
	take_spin(&spin_a);
}

/* Gives the lock up as a release does, but sends no kick to the one that the word names. */
static void crash_lost_kick(void)
{
	struct thread *t = stay_with_partner(just_a);

	if (!t)
		return;
	irqlock_take(&spin_a);
	thread_run(t);
	while (!(atomic_load_u32(&spin_a.word, relaxed) & IRQLOCK_KICK))
		relax();
	atomic_and_u32(&spin_a.word, ~IRQLOCK_LOCKED, release);
	preempt_enable();
	sched_sleep_until(UINT64_MAX, false);
}
CRASH(dl_kick, "deadlock-lost-kick",
	"a hart that sleeps for a lock that is free (two harts or more)", EXIT_DEADLOCK,
	crash_lost_kick);

/* ---- Harts, and a lock of the kernel's own --------------------------------------------------- */

static const struct console *good_console;
static atomic_bool console_is_trap;

/* Called with the console's lock held, or by a report. */
static void trapped_write(const char *s, size_t n)
{
	if (atomic_xchg_bool(&console_is_trap, false, relaxed)) {
		meet();
		take_spin(&spin_a);
	}
	good_console->write_polled(s, n);
}

static void write_line(void *arg unused_arg)
{
	console_write("partner\n", 8);
}

static void crash_console(void)
{
	static const struct console trap = {"trap", trapped_write};
	struct thread *t;

	good_console = log_console();
	t = good_console ? stay_with_partner(write_line) : NULL;
	if (!t)
		return;
	log_console_set(&trap);
	take_spin(&spin_a);
	atomic_store_bool(&console_is_trap, true, release);
	thread_run(t);
	meet();
	console_write("shell\n", 6);
}
CRASH_IF(CONFIG_LOCKCHECK, dl_console, "deadlock-console",
	"a circle through the console's lock (two harts or more)", EXIT_DEADLOCK, crash_console);

/* The partner's half, with a lock that my_hart will need. */
static void take_wanted_then_a(void *arg unused_arg)
{
	take_spin(wanted);
	meet();
	take_spin(&spin_a);
}

static void crash_allocator(void)
{
	struct thread *t = stay_with_partner(take_wanted_then_a);

	if (!t)
		return;
	wanted = page_cache_lock(my_hart->index);
	thread_run(t);
	take_spin(&spin_a);
	meet();
	page_alloc(0, 0);
}
CRASH_IF(CONFIG_LOCKCHECK, dl_allocator, "deadlock-allocator",
	"a circle through the page allocator's lock (two harts or more)", EXIT_DEADLOCK,
	crash_allocator);

static void crash_scheduler(void)
{
	struct thread *t = stay_with_partner(take_wanted_then_a);

	if (!t)
		return;
	wanted = &my_hart->runq->lock;
	thread_run(t);
	take_spin(&spin_a);
	meet();
	sched_set_weight(current_thread(), WEIGHT_DEFAULT);
}
CRASH_IF(CONFIG_LOCKCHECK, dl_scheduler, "deadlock-scheduler",
	"a circle through the scheduler's lock (two harts or more)", EXIT_DEADLOCK,
	crash_scheduler);

/* ---- Threads --------------------------------------------------------------------------------- */

static void box_b_then_desk(void *arg unused_arg)
{
	take_pilock(&box_b.pi, CHECK_WRITE);
	meet_asleep();
	take_pilock(&desk.pi, CHECK_MIXED | CHECK_WRITE);
}

static void crash_mixlock(void)
{
	if (!thread_spawn("partner", box_b_then_desk, NULL))
		return;
	take_pilock(&desk.pi, CHECK_MIXED | CHECK_WRITE);
	meet_asleep();
	take_pilock(&box_b.pi, CHECK_WRITE);
}
CRASH(dl_mixlock, "deadlock-mixlock", "a circle through a mixed lock", EXIT_DEADLOCK,
	crash_mixlock);

static void box_b_then_write(void *arg unused_arg) UNCHECKED_LOCKING
{
	take_pilock(&box_b.pi, CHECK_WRITE);
	meet_asleep();
	rwmutex_write_lock(&book);
}

static void crash_rwmutex(void) UNCHECKED_LOCKING
{
	rwmutex_read_lock(&book);
	if (!thread_spawn("partner", box_b_then_write, NULL))
		return;
	meet_asleep();
	take_pilock(&box_b.pi, CHECK_WRITE);
}
CRASH(dl_rwmutex, "deadlock-rwmutex", "a writer that waits for a reader that waits for the writer",
	EXIT_DEADLOCK, crash_rwmutex);

static void just_box_a(void *arg unused_arg)
{
	meet_asleep();
	take_pilock(&box_a.pi, CHECK_WRITE);
}

static void crash_completion(void)
{
	struct thread *t;

	take_pilock(&box_a.pi, CHECK_WRITE);
	t = thread_spawn("partner", just_box_a, NULL);
	if (!t)
		return;
	completion_expect(&bell, t);
	meet_asleep();
	wait_for_completion(&bell);
}
CRASH(dl_completion, "deadlock-completion",
	"a thread that waits for what another one will do when it gets the first one's mutex",
	EXIT_DEADLOCK, crash_completion);

static void crash_join(void)
{
	struct thread *t;

	take_pilock(&box_a.pi, CHECK_WRITE);
	t = thread_spawn("partner", just_box_a, NULL);
	if (!t)
		return;
	meet_asleep();
	thread_join(t, NULL);
}
CRASH(dl_join, "deadlock-join", "a thread that joins one that wants its mutex", EXIT_DEADLOCK,
	crash_join);

/* Is free, and the first of its queue sleeps on. */
static void crash_lost_wakeup(void)
{
	struct thread *t;

	pilock_try_fast(&box_a.pi);
	t = thread_spawn("partner", just_box_a, NULL);
	if (!t)
		return;
	meet_asleep();
	while (!(atomic_load_u32(&box_a.pi.word, relaxed) & PILOCK_QUEUED) ||
		atomic_load_u32(&t->state, relaxed) != THREAD_SLEEPING)
		sched_sleep_ns(NS_PER_MS);
	atomic_store_u32(&box_a.pi.word, PILOCK_QUEUED, release);
	sched_sleep_until(UINT64_MAX, false);
}
CRASH(dl_wakeup, "deadlock-lost-wakeup", "a thread that sleeps for a mutex that is free",
	EXIT_DEADLOCK, crash_lost_wakeup);

/* ---- No progress ----------------------------------------------------------------------------- */

static void box_a_then_bell(void *arg unused_arg)
{
	take_pilock(&box_a.pi, CHECK_WRITE);
	meet_asleep();
	wait_for_completion(&bell);
}

/* Nobody can know that nobody will ring. */
static void crash_stalled(void)
{
	if (!thread_spawn("partner", box_a_then_bell, NULL))
		return;
	meet_asleep();
	take_pilock(&box_a.pi, CHECK_WRITE);
}
CRASH(stalled, "stalled", "a thread that waits for a mutex whose holder waits for what never comes",
	EXIT_LOCKUP, crash_stalled);

static void spin_for_good(void *arg unused_arg)
{
	for (;;)
		relax();
}

/* Has the mutex when a real-time thread takes its hart, and may not go to another one. Whoever
 * waits for it lends it no more than a fair thread has. */
static void box_a_then_starve(void *arg unused_arg)
{
	struct hart_mask here;
	struct thread *hog;

	hart_mask_zero(&here);
	preempt_disable();
	hart_mask_set(&here, this_hart()->index);
	sched_set_affinity(current_thread(), &here);
	preempt_enable();
	hog = thread_create("hog", spin_for_good, NULL);
	if (!hog)
		return;
	sched_set_affinity(hog, &here);
	sched_set_priority(hog, SCHED_FIFO, PRIO_RT_MAX);
	take_pilock(&box_a.pi, CHECK_WRITE);
	meet_asleep();
	thread_run(hog);
	for (;;)
		relax();
}

static void crash_starved(void)
{
	struct thread *t = stay_with_partner(box_a_then_starve);

	if (!t)
		return;
	preempt_enable();
	thread_run(t);
	meet_asleep();
	take_pilock(&box_a.pi, CHECK_WRITE);
}
CRASH(starved, "starved",
	"a thread that waits for a mutex whose holder never gets its hart (two harts or more)",
	EXIT_LOCKUP, crash_starved);

static void no_handler(struct timer *t unused_arg)
{
}

/* The hart's timer is told to be silent, behind the back of who counts on it. If that hart keeps
 * the watch, another one takes over. */
static void crash_lost_timer(void)
{
	static struct timer timer;

	if (hart_mask_weight(&harts_online) < 2) {
		shell_printf("crash: lost-timer needs two harts: nobody would notice\n");
		return;
	}
	timer_init(&timer, no_handler);
	irq_off();
	timer_start(&timer, clock_now_ns() + NS_PER_MS);
	arch_timer_set(UINT64_MAX);
	irq_on();
	sched_sleep_until(UINT64_MAX, false);
}
CRASH(lost_timer, "lost-timer", "a hart whose timer never comes (two harts or more)", EXIT_LOCKUP,
	crash_lost_timer);
