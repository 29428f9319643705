/* SPDX-License-Identifier: MIT */
/*
 * `linestorm ROUNDS [SEED]`: bytes of the serial line are counted from the sender to the reader,
 * while its interrupts change harts and harts stop and start under them, now and then all that can
 * have them. Each round asks for ROUND_BYTES by printing a line, reads them, and ends when a change
 * has begun after it had asked. The last line says how many bytes came and their hash (FNV-1a of 32
 * bits), which the sender compares with its own.
 */
#include "kernel/hart/hart.h"
#include "kernel/irq/irq.h"
#include "kernel/log/tty.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/hart_life.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/kernel/on_hart.h"

#define ROUND_BYTES 256
#define NAP_NS (100 * NS_PER_US)
#define FNV_BASIS 2166136261u
#define FNV_PRIME 16777619u

static struct line_storm {
	uint64_t seed;
	unsigned source;
	const struct irq_controller *controller;
	atomic_u32 over, changes, failures;
	uint32_t stops, drains; /* the changer's, and read when it has ended */
} storm;

/* ---- Changes --------------------------------------------------------------------------------- */

static void send_anywhere(struct rng *r)
{
	struct hart_mask mask;

	hart_mask_zero(&mask);
	hart_mask_set(&mask, (unsigned)rng_below(r, nr_harts));
	/* Refused if that hart is out of reach: it goes to another one the next time. */
	irq_set_affinity(storm.source, &mask);
}

static void stop(struct hart_meta *h)
{
	int err = hart_is_online(h) ? hart_stop(h, true) : -EALREADY;

	if (!err)
		storm.stops++;
	/* The last one that runs stays; the firmware may be slow. */
	else if (err != -EINVAL && err != -EALREADY && err != -ETIMEDOUT)
		atomic_add_u32(&storm.failures, 1, relaxed);
}

static void start(struct hart_meta *h)
{
	int err;

	while ((err = hart_start(h)) == -ETIMEDOUT || err == -EBUSY)
		sched_sleep_ns(NAP_NS);
	if (err && err != -EALREADY)
		atomic_add_u32(&storm.failures, 1, relaxed);
}

static void drain(void)
{
	for_each_hart(h)
		if (h->irqchip == storm.controller)
			stop(h);
	storm.drains++;
}

static void change_body(void *arg unused_arg)
{
	struct rng r;

	rng_seed(&r, storm.seed);
	for (unsigned i = 0; !counted(&storm.over); i++) {
		/* Counted first: who sees one more has waited for what follows it. */
		atomic_add_u32(&storm.changes, 1, release);
		send_anywhere(&r);
		if (i % 4 == 1)
			stop(harts[rng_below(&r, nr_harts)]);
		if (i % 8 == 2)
			drain();
		sched_yield();
		for_each_hart(h)
			start(h);
	}
}

/* ---- The line -------------------------------------------------------------------------------- */

static uint32_t hash_of(uint32_t hash, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (uint8_t)s[i]) * FNV_PRIME;
	return hash;
}

static uint32_t one_round(uint32_t hash, unsigned number)
{
	uint32_t before = counted(&storm.changes);
	char bytes[64];
	size_t left = ROUND_BYTES;

	shell_printf("linestorm: round %u\n", number);
	while (left) {
		int n = tty_read(bytes, MIN(left, sizeof(bytes)));

		hash = hash_of(hash, bytes, (size_t)n);
		left -= (size_t)n;
	}
	wait_count(&storm.changes, before + 2);
	return hash;
}

static bool find_line(void)
{
	struct irq_info info;

	for (unsigned i = 0; irq_info(i, &info); i++) {
		if (!info.used || strcmp(info.name, "uart") != 0)
			continue;
		storm.source = info.source;
		storm.controller = info.controller;
		return true;
	}
	return false;
}

static int rage(uint32_t rounds)
{
	struct thread *changer;
	uint64_t dropped = tty_dropped();
	uint32_t hash = FNV_BASIS;

	changer = thread_spawn("changer", change_body, NULL);
	if (!changer)
		return shell_complain("linestorm: no memory");
	for (unsigned i = 0; i < rounds; i++)
		hash = one_round(hash, i);
	atomic_store_u32(&storm.over, 1, release);
	thread_join(changer, NULL);
	shell_printf("linestorm: bytes=%u hash=%08x dropped=%u changes=%u stops=%u drains=%u "
		     "failures=%u\n",
		(unsigned)rounds * ROUND_BYTES, (unsigned)hash, (unsigned)(tty_dropped() - dropped),
		counted(&storm.changes), (unsigned)storm.stops, (unsigned)storm.drains,
		counted(&storm.failures));
	return counted(&storm.failures) ? EXIT_TEST : 0;
}

static int cmd_linestorm(int argc, char **argv)
{
	struct hart_mask all;
	uint32_t rounds = 0;
	uint64_t seed = 1;
	int err;

	if (argc < 2 || argc > 3 || parse_u32(argv[1], &rounds) ||
		(argc > 2 && parse_u64(argv[2], &seed)))
		return shell_complain("linestorm: it takes a number of rounds, and a seed");
	storm = (struct line_storm){.seed = seed};
	if (!find_line())
		return shell_complain("linestorm: the line has no interrupt");
	err = rage(rounds);
	hart_mask_fill(&all, nr_harts);
	irq_set_affinity(storm.source, &all);
	return err;
}
SHELL_COMMAND(linestorm, "linestorm ROUNDS [SEED]",
	"counts bytes of the line while routes change and harts come and go", cmd_linestorm);
