/* SPDX-License-Identifier: MIT */
/* Input ring of the serial line: one producer, one consumer, no lock. */
#include "kernel/log/tty.h"

#include "kernel/lock/atomic.h"

#define RING_SIZE 1024u /* a power of two */
#define CTRL_C 3

static char ring[RING_SIZE];
/* Bytes ever put in (written by the producer alone) and taken out (by the consumer alone). */
static atomic_u32 put, taken;
static atomic_u32 dropped, break_seen;
static atomic_ptr waker;
/* What lets a device that is kept back go on; whoever exchanges it for NULL has to see to that. */
static atomic_ptr held;

void tty_input(char c)
{
	uint32_t at = atomic_load_u32(&put, relaxed);
	void (*wake)(void);

	if (c == CTRL_C)
		/* relaxed: a lone flag that is polled; nothing hangs on its order. */
		atomic_store_u32(&break_seen, 1, relaxed);
	/* acquire: the consumer's reads of the slot are over; partner: tty_take's release. */
	if (at - atomic_load_u32(&taken, acquire) == RING_SIZE) {
		atomic_add_u32(&dropped, 1, relaxed);
		return;
	}
	ring[at % RING_SIZE] = c;
	/* release: the byte is there before its count; partner: tty_take's acquire. */
	atomic_store_u32(&put, at + 1, release);
	/* acquire: pairs with tty_set_waker. */
	wake = (void (*)(void))atomic_load_ptr(&waker, acquire);
	if (wake)
		wake();
}

bool tty_room(void)
{
	/* acquire: as in tty_input. */
	return atomic_load_u32(&put, relaxed) - atomic_load_u32(&taken, acquire) != RING_SIZE;
}

bool tty_hold(void (*resume)(void))
{
	atomic_store_ptr(&held, (void *)resume, relaxed);
	/* The wish before the look at `taken`. Partner: let_go, which stores `taken` before it
	 * looks at the wish; so one of the two sees the other's. */
	fence_full();
	return !tty_room() || !atomic_xchg_ptr(&held, NULL, acq_rel);
}

/* The reader has made room. */
static void let_go(void)
{
	void (*resume)(void);

	fence_full(); /* partner: tty_hold */
	if (!atomic_load_ptr(&held, relaxed))
		return;
	/* acq_rel: what the handler did to its device before it asked. */
	resume = (void (*)(void))atomic_xchg_ptr(&held, NULL, acq_rel);
	if (resume)
		resume();
}

size_t tty_take(char *buf, size_t n)
{
	uint32_t at = atomic_load_u32(&taken, relaxed);
	/* acquire: pairs with tty_input's release of `put`. */
	uint32_t there = atomic_load_u32(&put, acquire) - at;
	size_t i;

	for (i = 0; i < n && i < there; i++)
		buf[i] = ring[(at + i) % RING_SIZE];
	/* release: the slots were read before they may be filled again. */
	atomic_store_u32(&taken, at + (uint32_t)i, release);
	if (i)
		let_go();
	return i;
}

bool tty_ready(void)
{
	return atomic_load_u32(&put, acquire) != atomic_load_u32(&taken, relaxed);
}

void tty_set_waker(void (*fn)(void))
{
	/* release: what the function uses is set up; partner: tty_input. */
	atomic_store_ptr(&waker, (void *)fn, release);
}

bool tty_break(void)
{
	return atomic_load_u32(&break_seen, relaxed) != 0;
}

void tty_clear_break(void)
{
	atomic_store_u32(&break_seen, 0, relaxed);
}

uint64_t tty_count(void)
{
	return atomic_load_u32(&put, relaxed);
}

uint64_t tty_dropped(void)
{
	return atomic_load_u32(&dropped, relaxed);
}
