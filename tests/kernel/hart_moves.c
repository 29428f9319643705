/* SPDX-License-Identifier: MIT */
/* What a hart leaves behind when it goes: each thing goes on elsewhere, once. */
#include "kernel/irq/irq.h"
#include "kernel/mm/vmap.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/kernel/alarm.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/on_hart.h"

#define ITEMS 20
#define INTERRUPTS 100
#define ONE_HART "one hart"

/* ---- Timers, work ---------------------------------------------------------------------------- */

static struct moved {
	struct timer timer;
	struct work work;
	uint64_t deadline_ns;
	atomic_u32 fired, worked;
} moved[ITEMS];
static atomic_u32 nr_fired, nr_worked;
static struct hart_meta *from; /* the hart that stops */
static atomic_bool is_out;

static void fires(struct timer *t)
{
	struct moved *m = container_of(t, struct moved, timer);

	ktest_check(clock_now_ns() >= m->deadline_ns, "too early");
	ktest_check(!atomic_load_bool(&is_out, acquire) || this_hart() != from);
	atomic_add_u32(&m->fired, 1, relaxed);
	atomic_add_u32(&nr_fired, 1, release);
}

static void works(struct work *w)
{
	atomic_add_u32(&container_of(w, struct moved, work)->worked, 1, relaxed);
	atomic_add_u32(&nr_worked, 1, release);
}

static void give_it_all(void *arg unused_arg)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		moved[i].deadline_ns = clock_now_ns() + i * NS_PER_MS;
		timer_start(&moved[i].timer, moved[i].deadline_ns);
		work_queue(&moved[i].work);
	}
}

static void stop_with_timers_and_work(struct hart_meta *h)
{
	from = h;
	atomic_store_bool(&is_out, false, relaxed);
	atomic_store_u32(&nr_fired, 0, relaxed);
	atomic_store_u32(&nr_worked, 0, relaxed);
	for (unsigned i = 0; i < ITEMS; i++) {
		timer_init(&moved[i].timer, fires);
		work_init(&moved[i].work, works);
		atomic_store_u32(&moved[i].fired, 0, relaxed);
		atomic_store_u32(&moved[i].worked, 0, relaxed);
	}
	ktest_check(hart_call(h, give_it_all, NULL) == 0);
	ktest_require(hart_stop(h, false) == 0);
	atomic_store_bool(&is_out, true, release);
	check_is_out(h);
	ktest_check(wait_count(&nr_fired, ITEMS), "%u timers fired", counted(&nr_fired));
	ktest_check(wait_count(&nr_worked, ITEMS), "%u items ran", counted(&nr_worked));
	atomic_store_bool(&is_out, false, relaxed);
	ktest_check(hart_start(h) == 0);
	for (unsigned i = 0; i < ITEMS; i++) {
		work_flush(&moved[i].work);
		timer_cancel_sync(&moved[i].timer);
		ktest_check(counted(&moved[i].fired) == 1 && counted(&moved[i].worked) == 1,
			"%u: fired %u times, ran %u times", i, counted(&moved[i].fired),
			counted(&moved[i].worked));
	}
	check_takes_part(h);
}

KTEST(hart_life, timers_and_work_of_a_stopped_hart_go_on_elsewhere_once)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	each_hart(stop_with_timers_and_work);
}

/* ---- Flushes --------------------------------------------------------------------------------- */

static struct {
	struct work first, second, probe;
	atomic_bool go;
	atomic_u32 begun, ran, probed;
} flushed;

/* Keeps the work thread of its hart. */
static void first_fn(struct work *w unused_arg)
{
	atomic_add_u32(&flushed.begun, 1, release);
	while (!atomic_load_bool(&flushed.go, acquire))
		sched_sleep_ns(NS_PER_MS / 4);
}

static void second_fn(struct work *w unused_arg)
{
	atomic_add_u32(&flushed.ran, 1, release);
}

static void probe_fn(struct work *w unused_arg)
{
	atomic_add_u32(&flushed.probed, 1, release);
}

static void queue_two(void *arg unused_arg)
{
	work_queue(&flushed.first);
	work_queue(&flushed.second);
}

static void queue_probe(void *arg unused_arg)
{
	work_queue(&flushed.probe);
}

static void flush_second(void *arg unused_arg)
{
	work_flush(&flushed.second);
	ktest_check(counted(&flushed.ran) == 1, "ran %u times", counted(&flushed.ran));
}

static void stop_it(void *arg)
{
	ktest_check(hart_stop(arg, false) == 0);
}

/* Then what is queued there runs elsewhere; before, it waits behind the first one. */
static bool is_closed(struct hart_meta *h)
{
	hart_call(h, queue_probe, NULL);
	sched_sleep_ns(NS_PER_MS);
	return !work_cancel(&flushed.probe) && counted(&flushed.probed);
}

KTEST(hart_life, a_flush_follows_what_moves_and_harts_start_after_that)
{
	struct hart_meta *h = online_count() > 1 ? hart_in_circle(1) : NULL;
	struct thread *flusher, *stopper;

	if (!h)
		return ktest_skip(ONE_HART);
	memset(&flushed, 0, sizeof(flushed));
	work_init(&flushed.first, first_fn);
	work_init(&flushed.second, second_fn);
	work_init(&flushed.probe, probe_fn);
	ktest_check(hart_call(h, queue_two, NULL) == 0);
	ktest_check(wait_count(&flushed.begun, 1));
	flusher = thread_spawn("flusher", flush_second, NULL);
	ktest_require(flusher, "no memory");
	ktest_check(ktest_eventually(atomic_load_u32(&flusher->state, relaxed) == THREAD_SLEEPING));
	stopper = thread_spawn("stopper", stop_it, h);
	ktest_check(stopper && ktest_eventually(is_closed(h)), "its queue does not close");
	atomic_store_bool(&flushed.go, true, release);
	if (stopper)
		thread_join(stopper, NULL);
	thread_join(flusher, NULL);
	/* It waits for work of its own under the lock that the mover had. */
	ktest_check(hart_start(h) == 0);
	work_flush(&flushed.first);
	work_flush(&flushed.probe);
	check_takes_part(h);
}

/* ---- Posted work ----------------------------------------------------------------------------- */

DEFINE_LOCK_CLASS(test_moved_class, .name = "test.moved", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 60000000,
	.protects = "what work posted by a hart that stops changes");

static struct {
	struct mixlock lock;
	struct mixwork item[ITEMS];
	atomic_u32 ran;
} desk;

static void desk_work(struct mixwork *w)
{
	ktest_check(!w->cancelled);
	atomic_add_u32(&desk.ran, 1, release);
}

static void post_all(void *arg unused_arg)
{
	for (unsigned i = 0; i < ITEMS; i++)
		ktest_check(mixlock_post(&desk.lock, &desk.item[i]));
}

/* The lock is held by a thread that has to wait until the hart is out. */
static atomic_u32 desk_taken, desk_leave;

static void hold_desk(void *arg unused_arg)
{
	mixlock_lock(&desk.lock);
	atomic_store_u32(&desk_taken, 1, release);
	ktest_check(ktest_eventually(counted(&desk_leave)));
	mixlock_unlock(&desk.lock);
}

static void stop_with_posts(struct hart_meta *h)
{
	struct thread *holder;

	mixlock_init(&desk.lock, &test_moved_class);
	for (unsigned i = 0; i < ITEMS; i++)
		mixwork_init(&desk.item[i], desk_work);
	atomic_store_u32(&desk.ran, 0, relaxed);
	atomic_store_u32(&desk_taken, 0, relaxed);
	atomic_store_u32(&desk_leave, 0, relaxed);
	holder = thread_spawn("holder", hold_desk, NULL);
	ktest_require(holder);
	ktest_check(ktest_eventually(counted(&desk_taken)));
	ktest_check(hart_call(h, post_all, NULL) == 0);
	ktest_check(hart_stop(h, false) == 0);
	ktest_check(counted(&desk.ran) == 0, "%u ran without the lock", counted(&desk.ran));
	atomic_store_u32(&desk_leave, 1, release);
	thread_join(holder, NULL);
	ktest_check(counted(&desk.ran) == ITEMS, "%u ran", counted(&desk.ran));
	ktest_check(hart_start(h) == 0);
	mixlock_destroy(&desk.lock);
}

KTEST(hart_life, posts_of_a_stopped_hart_stay_on_their_lock)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	each_hart(stop_with_posts);
}

/* ---- Interrupts ------------------------------------------------------------------------------ */

static unsigned route_of(unsigned source)
{
	struct irq_info info;

	for (unsigned i = 0; irq_info(i, &info); i++)
		if (info.source == source)
			return info.hart;
	return UINT_MAX;
}

static bool route_to(struct hart_meta *h)
{
	struct hart_mask only;

	hart_mask_zero(&only);
	hart_mask_set(&only, h->index);
	return irq_set_affinity(alarm.source, &only) == 0;
}

static void stop_with_route(struct hart_meta *h)
{
	uint32_t before = counted(&alarm.handled);

	if (!route_to(h))
		return;
	ktest_check(hart_stop(h, false) == 0);
	ktest_check(route_of(alarm.source) != h->index);
	alarm_raise();
	ktest_check(wait_count(&alarm.handled, before + 1), "lost");
	ktest_check(alarm.hart != h->index);
	ktest_check(hart_start(h) == 0);
	ktest_check(route_of(alarm.source) == h->index, "it did not come back");
	alarm_raise();
	ktest_check(wait_count(&alarm.handled, before + 2), "lost after the start");
	ktest_check(alarm.hart == h->index, "on hart %u", alarm.hart);
	/* A stop that fails gives it back, too. */
	hart_life_fail(HART_STEP_FIRMWARE);
	ktest_check(hart_stop(h, false) == -EIO);
	ktest_check(route_of(alarm.source) == h->index, "a failed stop has taken it away");
}

KTEST(hart_life, interrupts_follow_a_hart_that_goes_and_come_back_with_it)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0);
	each_hart(stop_with_route);
	ktest_check(irq_unregister(alarm.source) == 0);
	alarm_close();
}

/* A source that was not in use while its hart was away is in order afterwards. */
static void register_after_start(struct hart_meta *h)
{
	uint32_t before = counted(&alarm.handled);

	if (!route_to(h))
		return;
	ktest_check(irq_unregister(alarm.source) == 0);
	ktest_check(hart_stop(h, false) == 0 && hart_start(h) == 0);
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0);
	ktest_check(route_to(h));
	alarm_raise();
	ktest_check(wait_count(&alarm.handled, before + 1), "lost");
	ktest_check(alarm.hart == h->index, "on hart %u", alarm.hart);
}

KTEST(hart_life, a_source_can_be_registered_after_its_hart_was_away)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0);
	each_hart(register_after_start);
	ktest_check(irq_unregister(alarm.source) == 0);
	alarm_close();
}

static atomic_bool cycling;

static void cycle_route_hart(void *arg unused_arg)
{
	for (unsigned i = 0; atomic_load_bool(&cycling, relaxed); i++) {
		struct hart_meta *h = harts[route_of(alarm.source)];

		ktest_check(hart_stop(h, false) == 0);
		ktest_check(hart_start(h) == 0);
		route_to(hart_in_circle(i));
	}
}

KTEST(hart_life, interrupts_in_flight_are_neither_lost_nor_doubled)
{
	struct thread *cycler;
	unsigned i;

	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0);
	atomic_store_bool(&cycling, true, relaxed);
	cycler = thread_spawn("cycler", cycle_route_hart, NULL);
	for (i = 0; cycler && i < INTERRUPTS; i++) {
		alarm_raise();
		if (!wait_count(&alarm.handled, i + 1))
			break;
	}
	atomic_store_bool(&cycling, false, relaxed);
	if (cycler)
		thread_join(cycler, NULL);
	ktest_check(i == INTERRUPTS, "interrupt %u never came", i);
	ktest_check(irq_unregister(alarm.source) == 0);
	ktest_check(counted(&alarm.handled) == INTERRUPTS, "%u", counted(&alarm.handled));
	alarm_close();
}

/* ---- Translations ---------------------------------------------------------------------------- */

static void touch(void *va)
{
	char byte;

	if (arch_copy_nofault(&byte, va, 1) == 0)
		atomic_add_u32(&nr_fired, 1, relaxed);
}

static void unmap_behind(struct hart_meta *h)
{
	char *va = vmap_alloc(PAGE_SIZE);

	ktest_require(va);
	atomic_store_u32(&nr_fired, 0, relaxed);
	ktest_check(hart_call(h, touch, va) == 0 && counted(&nr_fired) == 1);
	ktest_check(hart_suspend(h, true, false) == 0);
	vunmap(va);
	vmap_flush();
	ktest_check(hart_resume(h) == 0);
	ktest_check(hart_call(h, touch, va) == 0);
	ktest_check(counted(&nr_fired) == 1, "a stale translation");
}

KTEST(hart_life, what_was_unmapped_meanwhile_is_not_seen_by_a_hart_that_comes_back)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	each_hart(unmap_behind);
}
