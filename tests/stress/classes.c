/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own lock classes, each used by all workers at once until one of them had to wait for
 * a lock of it; then the next one. Ends early when that was seen of all (with CONFIG_LOCKSTAT), and
 * says which ones nobody waited for. The lock book (tests/lockbook) is made of it.
 *
 * Under instruction counting a hart goes on until the next timer of any hart is due, so short holds
 * would hardly ever be interrupted: each worker keeps a timer that comes at random, all the time.
 */
#include "kernel/hart/hart.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/stat.h"
#include "kernel/log.h"
#include "kernel/log/console.h"
#include "kernel/log/ring.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/vmap.h"
#include "kernel/shell/shell.h"
#include "kernel/task/hart_life.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/semaphore.h"
#include "kernel/wait/work.h"
#include "lib/string.h"
#include "tests/stress/stress.h"
#include "tests/torture/torture.h"

#define PATIENCE 400u /* turns of one worker until another class has its turn */
#define BURST 48u     /* objects and pages: more than a hart keeps */
#define JOLT_LEAST_NS 10000u
#define JOLT_MOST_NS 80000u
#define NOBODY UINT32_MAX

DEFINE_LOCK_CLASS(shared_class, .name = "stress.classes", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000000, .protects = "nothing");
static struct mutex shared = MUTEX_INIT(&shared_class);

DEFINE_LOCK_CLASS(room_class, .name = "stress.room", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000000, .protects = "nothing");
static struct semaphore room; /* for one; constant count between runs */

/* One a worker. */
static struct place {
	struct rng rng;
	struct timer jolt;
	struct rng jolt_rng; /* the jolt's */
	struct timer timer;
	struct work work;
	struct log_reader reader;
} places[STRESS_WORKERS_MAX];
static unsigned nr_places; /* constant while workers run */
static struct stress_run run;
static bool has_alarm; /* constant while workers run */

static struct place *any_place(struct place *p)
{
	return &places[rng_below(&p->rng, nr_places)];
}

/* ---- What uses them -------------------------------------------------------------------------- */

static void thread_body(void *arg unused_arg)
{
}

static void use_threads(struct place *p unused_arg)
{
	struct thread *t = thread_spawn("classes", thread_body, NULL);
	int code;

	if (t)
		thread_join(t, &code);
}

static void use_mutex(struct place *p)
{
	mutex_lock(&shared);
	clock_delay_ns(rng_below(&p->rng, 2000));
	mutex_unlock(&shared);
}

static void use_semaphore(struct place *p)
{
	semaphore_down(&room);
	clock_delay_ns(rng_below(&p->rng, 2000));
	semaphore_up(&room);
}

static void timer_nothing(struct timer *t unused_arg)
{
}

static void use_timers(struct place *p)
{
	timer_start(&p->timer, clock_now_ns() + NS_PER_SEC);
	timer_cancel(&any_place(p)->timer);
}

static void work_nothing(struct work *w unused_arg)
{
}

static void use_work(struct place *p)
{
	unsigned hart = (unsigned)rng_below(&p->rng, nr_harts);

	work_queue(&p->work);
	if (harts[hart]->workq)
		work_pending(harts[hart]);
}

static void use_flush(struct place *p)
{
	work_queue(&p->work);
	work_flush(&any_place(p)->work);
}

static void use_pages(struct place *p)
{
	struct page *pages[BURST];

	for (unsigned i = 0; i < BURST; i++)
		pages[i] = page_alloc((unsigned)rng_below(&p->rng, 2), 0);
	for (unsigned i = 0; i < BURST; i++)
		if (pages[i])
			page_free(pages[i]);
	if (rng_one_in(&p->rng, 4))
		page_cache_drain_all();
}

static void use_objects(struct place *p)
{
	void *objects[BURST];

	for (unsigned i = 0; i < BURST; i++)
		objects[i] = kmalloc(128, 0);
	for (unsigned i = 0; i < BURST; i++)
		kfree(objects[i]);
	if (rng_one_in(&p->rng, 4))
		slab_trim();
}

static void use_ranges(struct place *p unused_arg)
{
	void *va = vmap_alloc(PAGE_SIZE);

	if (va)
		vunmap(va);
}

static void use_log(struct place *p)
{
	struct log_entry entry;

	if (!log_read(&p->reader, &entry))
		p->reader = (struct log_reader){0};
}

static void use_console(struct place *p unused_arg)
{
	/* Nothing that would be seen. */
	console_write("\r", 1);
}

static void use_input(struct place *p unused_arg)
{
	tty_wait_until(0);
}

static void alarm_nothing(void *arg unused_arg)
{
}

static void use_interrupts(struct place *p)
{
	struct irq_info info;

	if (rng_one_in(&p->rng, 2))
		irq_info(0, &info);
	if (!CONFIG_TORTURE || !has_alarm)
		return;
	if (rng_one_in(&p->rng, 2))
		alarm_raise();
	else
		alarm_route((unsigned)rng_below(&p->rng, nr_harts));
}

static void use_hart_life(struct place *p unused_arg)
{
	hart_life_look();
}

static const struct use {
	const char *class;
	void (*fn)(struct place *p);
} uses[] = {
	{"threads", use_threads},
	{"join", use_threads},
	{"qs", use_threads},
	{"runq", use_mutex},
	{"lock.waitq", use_mutex},
	{"pi", use_mutex},
	{"semaphore.waitq", use_semaphore},
	{"timerq", use_timers},
	{"workq", use_work},
	{"work.flushed", use_flush},
	{"page_cache", use_pages},
	{"page_range", use_pages},
	{"slab", use_objects},
	{"slab_magazine", use_objects},
	{"vmap", use_ranges},
	{"log", use_log},
	{"console", use_console},
	{"tty_input", use_input},
	{"hart_life", use_hart_life},
	{"irq", use_interrupts},
	{"plic", use_interrupts},
};

/* ---- Whose turn it is ------------------------------------------------------------------------ */

static atomic_u32 turn; /* the use, or NOBODY: it is over. Relaxed: a lone number */
/* Worker 0's, and everybody's when it has ended. */
static struct {
	const struct lock_class *class;
	unsigned long before;
	bool met;
} seen[ARRAY_SIZE(uses)];

static void find_classes(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(uses); i++) {
		seen[i].class = NULL;
		seen[i].met = false;
		lock_class_for_each(c)
			if (!strcmp(c->name, uses[i].class))
				seen[i].class = c;
		stress_check(&run, seen[i].class, "there is no class %s", uses[i].class);
		if (seen[i].class)
			seen[i].before = lock_stat_read(seen[i].class, LOCK_CONTENDED);
	}
}

/* The next one after `now` of which nothing was seen. */
static uint32_t next_turn(uint32_t now)
{
	for (uint32_t i = 1; i <= ARRAY_SIZE(uses); i++)
		if (!seen[(now + i) % ARRAY_SIZE(uses)].met)
			return (now + i) % ARRAY_SIZE(uses);
	return NOBODY;
}

/* Worker 0, after its `n`-th turn. */
static void look(uint32_t now, unsigned n)
{
	seen[now].met = lock_stat_read(seen[now].class, LOCK_CONTENDED) > seen[now].before;
	if (seen[now].met || n % PATIENCE == 0)
		atomic_store_u32(&turn, next_turn(now), relaxed);
}

static void jolt(struct timer *t)
{
	struct place *p = container_of(t, struct place, jolt);

	timer_start(t, clock_now_ns() + rng_between(&p->jolt_rng, JOLT_LEAST_NS, JOLT_MOST_NS));
}

static void worker(unsigned i)
{
	struct place *p = &places[i];
	uint32_t now;

	timer_start(&p->jolt, clock_now_ns());
	for (unsigned n = 1; stress_more(&run); n++) {
		now = atomic_load_u32(&turn, relaxed);
		if (now == NOBODY)
			break;
		uses[now].fn(p);
		if (i == 0)
			look(now, n);
	}
	timer_cancel_sync(&p->jolt);
}

static int stress_classes(unsigned seconds)
{
	stress_begin(&run, "classes", seconds);
	find_classes();
	semaphore_init(&room, &room_class, 1);
	nr_places = stress_workers();
	for (unsigned i = 0; i < nr_places; i++) {
		places[i] = (struct place){0};
		rng_seed(&places[i].rng, i + 7000);
		rng_seed(&places[i].jolt_rng, i + 8000);
		timer_init(&places[i].jolt, jolt);
		timer_init(&places[i].timer, timer_nothing);
		work_init(&places[i].work, work_nothing);
	}
	has_alarm = CONFIG_TORTURE && alarm_open(alarm_nothing);
	atomic_store_u32(&turn, 0, relaxed);
	stress_threads(&run, nr_places, worker);
	for (unsigned i = 0; i < nr_places; i++) {
		timer_cancel_sync(&places[i].timer);
		work_cancel_sync(&places[i].work);
	}
	if (has_alarm)
		alarm_close();
	for (unsigned i = 0; CONFIG_LOCKSTAT && i < ARRAY_SIZE(uses); i++)
		if (!seen[i].met)
			log_info("stress classes: nobody waited for %s", uses[i].class);
	return stress_end(&run);
}
STRESS(classes, "each lock class of the kernel, until somebody waited for it", stress_classes);
