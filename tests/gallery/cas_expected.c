/* SPDX-License-Identifier: MIT */
/*
 * cas_expected: a failed compare-and-swap leaves the value that it found in `expected`, and the
 * loop tries again with it.
 *
 * What is wrong
 *   The writer of a reader/writer lock waits until the word is 0, "free", and makes it "written"
 *   by a compare-and-swap from 0, in a loop. The first attempt finds a reader, and fails; as it
 *   does it stores what it found, 1, where the 0 was. The second attempt compares with 1, "one
 *   reader", and finds just that: the writer is in, together with the reader. With other numbers
 *   the loop never ends instead, comparing with a value that will not come again.
 *
 * How it shows
 *   The lock excludes perfectly while nobody waits, that is, in every test of one thread. Under
 *   load readers see data that are half written; or a writer hangs at a free lock.
 *
 * How it is found
 *   By the hunt: the writer has to come while the reader is inside, and to try a second time
 *   before it leaves. Reader and writer count themselves in and out:
 *
 *	hunt: program=gallery_cas_expected ... verdict=wrong
 *
 *   Seeds to find: 4, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   `expected` is set anew before each attempt. (A compare-and-swap that returns what it found,
 *   instead of storing it into its argument, does not invite the mistake.)
 */
#include "tests/gallery/gallery.h"

#define WRITTEN 0x80000000u
#define TIMES 2

static atomic_u32 word; /* readers, or WRITTEN; acquire to enter, release to leave */
static atomic_u32 readers_in, writers_in;
static bool is_fixed;

static bool read_try(void)
{
	uint32_t old = atomic_load_u32(&word, relaxed);

	return !(old & WRITTEN) && atomic_cas_u32(&word, &old, old + 1, acquire);
}

static void reader(void)
{
	toy_until("the reader's side", read_try());
	atomic_add_u32(&readers_in, 1, seq_cst);
	hunt_step("reads");
	hunt_check(!atomic_load_u32(&writers_in, seq_cst), "a writer is in with a reader");
	atomic_add_u32(&readers_in, -1u, seq_cst);
	atomic_add_u32(&word, -1u, release);
	hunt_gave("the reader's side");
}

static bool write_try(uint32_t *expected)
{
	if (is_fixed)
		*expected = 0;
	return atomic_cas_u32(&word, expected, WRITTEN, acquire);
}

static void writer(void)
{
	uint32_t expected = 0;

	toy_until("the writer's side", write_try(&expected));
	atomic_add_u32(&writers_in, 1, seq_cst);
	hunt_check(!atomic_load_u32(&readers_in, seq_cst), "a writer comes in to a reader");
	hunt_step("writes");
	atomic_add_u32(&writers_in, -1u, seq_cst);
	atomic_and_u32(&word, ~WRITTEN, release);
	hunt_gave("the writer's side");
}

static void thread(unsigned me)
{
	for (unsigned n = 0; n < TIMES; n++) {
		hunt_step("is about to enter");
		if (me == 0)
			reader();
		else
			writer();
	}
}

static void reset(void)
{
	atomic_store_u32(&word, 0, relaxed);
	atomic_store_u32(&readers_in, 0, relaxed);
	atomic_store_u32(&writers_in, 0, relaxed);
}

GALLERY_HUNTED(cas_expected, "a compare-and-swap loop that forgets what it expects", "wrong", reset,
	.threads = 2, .thread = thread);
