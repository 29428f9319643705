/* SPDX-License-Identifier: MIT */
/*
 * The serial input's ring, which has no lock, and the log's ring under one: nothing is lost,
 * doubled or torn that should not be; who kept the device back is told when there is room.
 *
 * Sources: kernel/log/tty.c kernel/log/ring.c kernel/lock/irqlock.c kernel/lock/park.c
 * Sources: kernel/lock/relax.c kernel/lock/context.c
 */
#include "kernel/lock/irqlock.h"
#include "kernel/log/ring.h"
#include "kernel/log/tty.h"
#include "tests/verify/machine.h"

DEFINE_LOCK_CLASS(log_class, .name = "log", .rank = RANK_LOG,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000, .protects = "the ring");

#define PRODUCER 0
#define CONSUMER 1
#define BEFORE 1022 /* of the 1024 that there is room for */
#define BURST 4

static struct irqlock log_lock = IRQLOCK_INIT(&log_class);
static char bytes[1024];
static struct log_ring ring;
static unsigned added, sent, received;
static atomic_u32 resumed;
static atomic_bool done;
static bool nearly_full; /* and taken at one go: nobody comes again to let a device go */
static bool with_log;	 /* its lock would order what the input's ring has to order itself */

static void resume(void)
{
	/* Relaxed: a lone flag. */
	atomic_store_u32(&resumed, 1, relaxed);
}

void program_setup(void)
{
	with_log = vm_case % 2;
	nearly_full = vm_case / 2 % 2;
	log_ring_init(&ring, bytes, sizeof(bytes));
	for (unsigned i = 0; i < (nearly_full ? BEFORE : 0); i++)
		tty_input((char)('a' + sent++ % 26));
}

/* The device's handler: as much as there is room for, then kept back until that is over. */
static void produce(unsigned n)
{
	while (n > 0) {
		if (tty_room()) {
			tty_input((char)('a' + sent++ % 26));
			n--;
			continue;
		}
		atomic_store_u32(&resumed, 0, relaxed);
		if (!tty_hold(resume))
			continue;
		while (!atomic_load_u32(&resumed, relaxed))
			vm_pause();
	}
}

static void consume(void)
{
	char buf[1100];
	size_t n = tty_take(buf, nearly_full ? sizeof(buf) : 1 + vm_random(3));

	for (size_t i = 0; i < n; i++)
		verify(buf[i] == (char)('a' + received++ % 26));
	if (!n)
		vm_pause();
}

static void log_some(unsigned index)
{
	struct log_record rec = {.hart = (uint16_t)index, .len = 5};
	static struct log_reader reader;
	struct log_entry e;

	irqlock_acquire(&log_lock);
	log_ring_add(&ring, &rec, "abcde");
	added++;
	while (log_ring_read(&ring, &reader.pos, &e, &reader.next_seq, &reader.missed))
		verify(e.rec.len == 5 && e.text[0] == 'a' && e.text[4] == 'e');
	verify(reader.next_seq == added && !reader.missed);
	irqlock_release(&log_lock);
}

void program_hart(unsigned index)
{
	for (unsigned i = 0; i < vm_rounds; i++) {
		if (with_log)
			log_some(index);
		if (index == PRODUCER)
			produce(BURST);
		else if (index == CONSUMER)
			consume();
	}
	if (index == PRODUCER)
		atomic_store_bool(&done, true, release);
	while (index == CONSUMER && (!atomic_load_bool(&done, acquire) || tty_ready()))
		consume();
}

void program_check(void)
{
	verify(sent == received && tty_dropped() == 0);
	verify(added == (with_log ? HARTS * vm_rounds : 0) && ring.next_seq == added);
}
