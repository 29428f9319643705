/* SPDX-License-Identifier: MIT */
/*
 * Bringing harts up, the part that needs memory and threads (kernel/hart/bringup.h has the other
 * one).
 *
 * Per hart: struct hart_meta, run queue, timer and work queues, an idle thread on a stack of its
 * own, an interrupt stack and an emergency stack, all guard-paged, and all but the timer and work
 * queues in memory near the hart. They live for ever: a hart that is given up may still arrive and
 * use them.
 *
 * A work thread is made for each hart once it is online, since it is bound to it; a hart that comes
 * late asks for it by work on a hart that is there.
 */
#include "kernel/task/bringup.h"

#include "kernel/hart/bringup.h"
#include "kernel/hart/topology.h"
#include "kernel/log.h"
#include "kernel/mm/page.h"
#include "kernel/mm/stack.h"
#include "kernel/sched/qs.h"
#include "kernel/sched/runq.h"
#include "kernel/sched/sched.h"
#include "kernel/task/hart_fault.h"
#include "kernel/task/hart_life.h"
#include "kernel/task/lazy.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/work.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/printf.h"

#include "kernel/panic.h"

#define EMERGENCY_PAGES 2
/* Between two looks for harts that are missing while the boot went on. */
#define LOOK_NS (50 * NS_PER_MS)

/* Set by the boot thread, then by one item of work; cleared by the reaper. Relaxed: who clears it
 * has no more to do with that thread. */
static atomic_bool has_work_thread[CONFIG_MAX_HARTS];

/* ---- Memory --------------------------------------------------------------------------------- */

/* A hart_meta for every index. Without one a hart cannot even be shown: the rest is left out then.
 */
static void make_metas(void)
{
	for (unsigned i = 0; i < nr_harts; i++) {
		struct hart_meta *h = harts[i];

		if (!h) {
			h = mm_permanent(sizeof(*h), hart_node(i));
			if (!h && boot_hart.index > i)
				panic_as(EXIT_NO_MEMORY, "no memory for hart %u", i);
			if (!h) {
				log_error(
					"no memory for harts %u to %u: not used", i, nr_harts - 1);
				nr_harts = i;
				return;
			}
			hart_attach(h, i);
		}
		lock_hart_register(&h->lock, i, h->hartid);
		timer_init_hart(h);
		work_init_hart(h);
	}
}

static int make_stack(struct arch_stack *out, unsigned pages, const char *name, unsigned node)
{
	struct stack s;
	int err = stack_alloc_near(&s, pages, name, node);

	if (!err)
		*out = (struct arch_stack){s.base, s.top};
	return err;
}

/* Stacks and the idle thread; what was made before a failure stays with the hart, which is shown as
 * failed and not tried again. */
static int furnish(struct hart_meta *h)
{
	unsigned node = hart_node(h->index);
	struct stack idle_stack;
	int err;

	h->runq = mm_permanent(sizeof(struct runq), node);
	if (!h->runq)
		return -ENOMEM;
	err = make_stack(&h->arch.irq, CONFIG_HART_STACK_PAGES, "interrupt", node);
	h->lock.irq_stack_top = h->arch.irq.top;
	if (!err)
		err = make_stack(&h->arch.emergency, EMERGENCY_PAGES, "emergency", node);
	if (!err)
		err = stack_alloc_near(&idle_stack, CONFIG_HART_STACK_PAGES, "idle", node);
	if (err)
		return err;
	arch_hart_init(h);
	if (!thread_create_idle(h, &idle_stack))
		return -ENOMEM;
	sched_init_hart(h);
	return 0;
}

/* The boot hart runs already, on what the kernel's image holds. */
static void furnish_boot_hart(void)
{
	struct hart_meta *h = &boot_hart;
	struct stack stack = {.base = h->arch.boot.base, .top = h->arch.boot.top};

	h->runq = mm_permanent(sizeof(struct runq), hart_node(h->index));
	if (!h->runq)
		panic_as(EXIT_NO_MEMORY, "no memory for the first run queue");
	thread_adopt_boot(h, &stack);
	h->lock.irq_stack_top = h->arch.irq.top;
	sched_init_hart(h);
}

void bringup_prepare(void)
{
	make_metas();
	furnish_boot_hart();
	for_each_hart(h) {
		int err = h == &boot_hart ? 0 : furnish(h);

		if (!err)
			continue;
		h->failure = err;
		atomic_store_u32(&h->state, HART_FAILED, relaxed);
		log_error("hart %u: no memory for its stacks: going on without it", h->index);
	}
}

/* ---- Threads -------------------------------------------------------------------------------- */

static int start_work_thread(struct hart_meta *h)
{
	char name[THREAD_NAME_MAX];
	struct hart_mask only;
	struct thread *t;

	snprintf(name, sizeof(name), "work/%u", h->index);
	t = thread_create_sized(name, work_thread, h, CONFIG_HART_STACK_PAGES, hart_node(h->index));
	if (!t)
		return -ENOMEM;
	hart_mask_zero(&only);
	hart_mask_set(&only, h->index);
	if (sched_set_affinity(t, &only)) {
		thread_discard(t);
		return -ENODEV;
	}
	/* Before it runs: what is queued next must find a queue that somebody works off. */
	work_thread_comes(h, t);
	thread_run(t);
	thread_detach(t);
	return 0;
}

/* The look and the opening in one section: who sends the hart away meanwhile waits for its end
 * before it closes the queue (kernel/task/hart_life.c, 2). */
static void open_queue(struct hart_meta *h)
{
	qs_read_begin();
	if (hart_is_online(h))
		work_hart_start(h);
	qs_read_end();
}

/* One for every hart that is online and has none. Who came back unexpectedly has one, and its queue
 * takes work again. */
static void start_work_threads(void)
{
	for_each_hart(h) {
		int err;

		if (!hart_is_online(h))
			continue;
		if (atomic_load_bool(&has_work_thread[h->index], relaxed)) {
			open_queue(h);
			continue;
		}
		err = start_work_thread(h);
		atomic_store_bool(&has_work_thread[h->index], !err, relaxed);
		if (err)
			log_error("hart %u: no work thread (error %d): others do its work",
				h->index, err);
	}
}

static void late_work_fn(struct work *w unused_arg)
{
	start_work_threads();
}

static struct work late_work = WORK_INIT(late_work_fn);

/* A faulting item ended the work thread of `h`; called by the reaper. */
static void work_thread_is_lost(struct hart_meta *h)
{
	if (!start_work_thread(h))
		return;
	/* No memory, or the hart is just leaving: when it starts, or stays, it is tried again. */
	atomic_store_bool(&has_work_thread[h->index], false, relaxed);
	log_error("hart %u: no new work thread: others do its work", h->index);
	/* Before the look at its state. Partner: unannounce, in kernel/task/hart_life.c. */
	fence_full();
	if (hart_is_online(h))
		bringup_look_again();
}

void bringup_look_again(void)
{
	work_queue(&late_work);
}

static void hart_is_late(struct hart_meta *h unused_arg)
{
	bringup_look_again();
}

unsigned bringup_start(void)
{
	unsigned online;

	hart_life_init();
	hart_set_nap(sched_sleep_ns);
	hart_set_late_hook(hart_is_late);
	work_thread_lost = work_thread_is_lost;
	/* The boot hart's first: from here on work has somewhere to go. */
	start_work_threads();
	online = hart_start_all();
	bringup_complete();
	lazy_start();
	if (CONFIG_HART_FAULT_STOP)
		hart_fault_stop_them();
	return online;
}

void bringup_complete(void)
{
	/* By work, as for harts that come late: so it is never done twice at once. */
	work_queue(&late_work);
	work_flush(&late_work);
}

void bringup_complete_hart(struct hart_meta *h)
{
	/* Relaxed: if its thread is lost just now, that is told and tried again as if it were
	 * lost a moment later. */
	if (atomic_load_bool(&has_work_thread[h->index], relaxed))
		open_queue(h);
	else
		bringup_complete();
}

void bringup_await_rest(void)
{
	while (!hart_life_look())
		sched_sleep_ns(LOOK_NS);
}
