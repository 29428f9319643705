/* SPDX-License-Identifier: MIT */
/*
 * mutual_ipi: two harts ask each other for something, and wait for the answer with interrupts off.
 *
 * What is wrong
 *   A hart changes a table with interrupts off, sends every other hart an interrupt so that it
 *   drops what it has cached of it, and waits for their answers, still with interrupts off, as the
 *   change is not complete before. Another hart does the same with another table. Neither takes
 *   the other's interrupt; neither gets its answer. There is no lock in it anywhere.
 *
 * How it shows
 *   Two harts in the same waiting loop. With one of them idle or in user mode all is well, so it
 *   needs two changes within the same few microseconds: it comes with the number of harts.
 *
 * How it is found
 *   By the hunt; the interrupts are real ones (calls on another hart), the waiting loop is the
 *   entry's own. Both harts have to send before either answers. Then nothing goes on any more:
 *
 *	hunt: program=gallery_mutual_ipi ... verdict=deadlock
 *
 *   Seeds to find: 8, with the image that this was written with; each is twelve schedules.
 *
 *   With the kernel's own waiting call it cannot be written: that asserts interrupts on in its
 *   first line, whether there is anybody to wait for or not.
 *
 * The fix
 *   Wait with interrupts on. Where that cannot be (the request comes from under an irqlock), the
 *   waiting loop itself has to answer what others ask meanwhile, and the requests must be of a
 *   kind that may be answered anywhere: leaf calls, served by every relax() of the kernel.
 */
#include "kernel/hart/call.h"
#include "tests/gallery/gallery.h"

#define HARTS 2

static struct hart_call calls[HARTS]; /* calls[i]: from hart i to the other one */
static bool is_fixed;

static void drop_cached(void *arg unused_arg)
{
	hunt_step("drops what it has cached");
}

/* Not hart_call: its own loop, which is the mistake. */
static void change_table(unsigned me)
{
	struct lock_wait *wait = &lock_thread()->wait;

	hunt_step("is about to change its table");
	if (!is_fixed)
		irq_off();
	hunt_step("is changing its table");
	hart_call_post(harts[1 - me], &calls[me]);
	hunt_step("asked the other hart");
	/* For the card, as hart_call would say it; only its loop would look for the circle. */
	wait_begins(wait, WAIT_CALL | (is_fixed ? 0 : WAIT_IRQS_OFF), harts[1 - me], NULL, 1 - me);
	toy_until("an answer", hart_call_done(&calls[me]));
	wait_ends(wait);
	if (!is_fixed)
		irq_on();
}

static void reset(void)
{
	for (unsigned i = 0; i < HARTS; i++)
		hart_call_init(&calls[i], drop_cached, NULL);
}

GALLERY_HUNTED(mutual_ipi, "two harts wait for each other's answer", "deadlock", reset,
	.threads = HARTS, .thread = change_table);
