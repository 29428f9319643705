/* SPDX-License-Identifier: MIT */
/*
 * The irqlock against plain test-and-set, ticket and MCS locks, all harts at once.
 *
 * A round gives every kind the same number of acquisitions (the budget), one kind after the other,
 * and prints what each took; rounds are interleaved so that a slow phase of the host meets all
 * kinds. One thread a hart, pinned. The clock and the budget begin when every hart has acquired
 * once: before that a single one could use a small budget up alone, and nothing would be compared.
 * The data under the lock is a counter whose final value proves the exclusion. The shares of the
 * harts are judged on as many rounds of the irqlock alone, with a budget that gives every hart its
 * turn on a host with few cores.
 *
 * Judging (medians, interquartile ranges) is the host's: tests/bench/run.
 */
#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/rank.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "tests/bench/bench.h"
#include "tests/bench/peers.h"

enum kind {
	KIND_IRQLOCK,
	KIND_TAS,
	KIND_TICKET,
	KIND_MCS,
	NR_KINDS
};

static const char *const kind_names[NR_KINDS] = {"irqlock", "tas", "ticket", "mcs"};

DEFINE_LOCK_CLASS(contend_class, .name = "bench.contend", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 1000, .protects = "the bench's counter");

struct share {
	uint64_t acquired;
	bool seen; /* it has acquired once */
} __attribute__((aligned(64)));

struct contest {
	/*
	 * Protects `counter` when kind is KIND_IRQLOCK. Taken by the contest's threads only,
	 * innermost. The other kinds protect the same field; the compiler can only be told of one.
	 */
	struct irqlock irqlock;
	struct tas_lock tas;
	struct ticket_lock ticket;
	struct mcs_lock mcs;
	enum kind kind;	     /* constant while threads run */
	uint64_t budget;     /* constant while threads run */
	unsigned nr_threads; /* constant while threads run */
	uint64_t counter;    /* guarded by the lock that `kind` names */
	unsigned seen;	     /* threads that have acquired once; the same guard, so the next two */
	uint64_t started_ns;
	uint64_t finished_ns;
	struct share share[CONFIG_MAX_HARTS];
};

static inline void contest_acquire(struct contest *c) UNCHECKED_LOCKING
{
	switch (c->kind) {
	case KIND_IRQLOCK:
		irqlock_acquire(&c->irqlock);
		break;
	case KIND_TAS:
		tas_acquire(&c->tas);
		break;
	case KIND_TICKET:
		ticket_acquire(&c->ticket);
		break;
	default:
		mcs_acquire(&c->mcs);
	}
}

static inline void contest_release(struct contest *c) UNCHECKED_LOCKING
{
	switch (c->kind) {
	case KIND_IRQLOCK:
		irqlock_release(&c->irqlock);
		break;
	case KIND_TAS:
		tas_release(&c->tas);
		break;
	case KIND_TICKET:
		ticket_release(&c->ticket);
		break;
	default:
		mcs_release(&c->mcs);
	}
}

/* What is done under the lock; returns false once the budget is used up. */
static bool contest_count(struct contest *c, struct share *share)
{
	if (c->seen < c->nr_threads) {
		c->seen += !share->seen;
		share->seen = true;
		if (c->seen == c->nr_threads)
			c->started_ns = clock_now_ns();
		return true;
	}
	if (c->counter >= c->budget)
		return false;
	share->acquired++;
	if (++c->counter == c->budget)
		c->finished_ns = clock_now_ns();
	return true;
}

static bool contest_step(struct contest *c, struct share *share)
{
	bool more;

	contest_acquire(c);
	more = contest_count(c, share);
	contest_release(c);
	return more;
}

struct contestant {
	struct contest *contest;
	struct share *share;
};

static void contest_thread(void *arg)
{
	struct contestant *me = arg;

	while (contest_step(me->contest, me->share))
		;
}

/* Runs one kind; returns 0 or -Exxx. May sleep. */
static int contest_run(struct contest *c, enum kind kind, uint64_t budget)
{
	static struct contestant who[CONFIG_MAX_HARTS]; /* one contest at a time: shell's lock */
	struct thread *threads[CONFIG_MAX_HARTS] = {0};
	unsigned n = 0, i;
	int err = 0;

	memset(c, 0, sizeof(*c));
	irqlock_init(&c->irqlock, &contend_class);
	c->kind = kind;
	c->budget = budget;
	for_each_hart_in_mask(i, &harts_online) {
		struct hart_mask one = {0};

		who[n] = (struct contestant){c, &c->share[n]};
		threads[n] = thread_create("contend", contest_thread, &who[n]);
		if (!threads[n]) {
			err = -ENOMEM;
			break;
		}
		hart_mask_set(&one, i);
		sched_set_affinity(threads[n], &one);
		n++;
	}
	/* The contest needs all that exist to arrive: those created run even when one failed. */
	c->nr_threads = n;
	for (i = 0; i < n; i++)
		thread_run(threads[i]);
	for (i = 0; i < n; i++)
		thread_join(threads[i], NULL);
	if (!err && c->counter != budget)
		err = -EIO;
	return err;
}

static void contest_print(const struct contest *c, unsigned round)
{
	uint64_t least = UINT64_MAX, most = 0;
	uint64_t ns = c->finished_ns - c->started_ns;

	for (unsigned i = 0; i < c->nr_threads; i++) {
		least = MIN(least, c->share[i].acquired);
		most = MAX(most, c->share[i].acquired);
	}
	shell_printf(
		"contend: round=%u kind=%s harts=%u acquired=%llu ns=%llu least=%llu most=%llu\n",
		round, kind_names[c->kind], c->nr_threads, (unsigned long long)c->budget,
		(unsigned long long)ns, (unsigned long long)least, (unsigned long long)most);
}

/* The kinds that the words name, all without words, as bits; 0: a word is none. */
static unsigned kinds_of(int argc, char **argv)
{
	unsigned kinds = 0;

	for (int i = 0; i < argc; i++) {
		unsigned k = 0;

		while (k < NR_KINDS && strcmp(argv[i], kind_names[k]) != 0)
			k++;
		if (k == NR_KINDS)
			return 0;
		kinds |= 1u << k;
	}
	return kinds ? kinds : (1u << NR_KINDS) - 1;
}

static int contend(
	struct contest *c, unsigned kinds, uint64_t budget, unsigned rounds, uint64_t fair)
{
	int err = 0;

	for (unsigned r = 0; r < rounds && !err; r++) {
		for (unsigned k = 0; k < NR_KINDS && !err; k++) {
			if (!(kinds & 1u << k))
				continue;
			err = contest_run(c, (enum kind)k, budget);
			contest_print(c, r);
		}
	}
	for (unsigned r = rounds; r < 2 * rounds && !err && fair; r++) {
		err = contest_run(c, KIND_IRQLOCK, fair);
		contest_print(c, r);
	}
	return err;
}

/* contend [BUDGET [ROUNDS [FAIR_BUDGET [KIND...]]]] */
static int measure_contend(int argc, char **argv)
{
	uint64_t budget = 2000, rounds = 1, fair = 400000;
	unsigned kinds = argc > 4 ? kinds_of(argc - 4, argv + 4) : kinds_of(0, NULL);
	struct contest *c;
	int err;

	if ((argc > 1 && parse_u64(argv[1], &budget)) ||
		(argc > 2 && parse_u64(argv[2], &rounds)) ||
		(argc > 3 && parse_u64(argv[3], &fair)) || !budget || rounds > 1000 || !kinds)
		return shell_complain("bench contend: [BUDGET [ROUNDS [FAIR_BUDGET [KIND...]]]]: "
				      "numbers, and kinds of irqlock, tas, ticket, mcs");
	c = kmalloc(sizeof(*c), 0);
	if (!c)
		return -ENOMEM;
	err = contend(c, kinds, budget, (unsigned)rounds, fair);
	kfree(c);
	if (err == -EIO)
		shell_printf("bench contend: the counter is wrong: the lock did not exclude\n");
	return err;
}
BENCH(contend, "the irqlock against test-and-set, ticket and MCS, all harts", measure_contend);
