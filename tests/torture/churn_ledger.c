/* SPDX-License-Identifier: MIT */
/* The ledgers of churn (churn.h): what was begun, and what became of it. */
#include "tests/torture/churn.h"

#include "kernel/mm/page.h"
#include "kernel/mm/slab.h"
#include "kernel/mm/vmap.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/printf.h"

/* A dying thread's stack, say, comes back a little after the thread is gone. */
#define LEVEL_LOOKS 2000
/* What a twin keeps does not come back: no need to wait long. */
#define TWIN_LEVEL_LOOKS 20
#define LEVEL_NAP_NS (2 * NS_PER_MS)

static struct {
	const char *name, *issued_as, *done_as;
	/* Relaxed: compared when all have ended; a join, or the release of `running`, orders them.
	 */
	atomic_ulong issued, done;
} ledgers[LEDGERS] = {
	[LEDGER_TIMERS] = {"timers", "armed", "fired or cancelled", {0}, {0}},
	[LEDGER_POSTS] = {"posts", "accepted", "run", {0}, {0}},
	[LEDGER_WORK] = {"work", "queued", "run or cancelled", {0}, {0}},
	[LEDGER_CALLS] = {"calls", "accepted", "answered", {0}, {0}},
	[LEDGER_INTERRUPTS] = {"interrupts", "raised", "handled", {0}, {0}},
	[LEDGER_THREADS] = {"threads", "made", "ended", {0}, {0}},
	[LEDGER_PAGES] = {"pages", "taken", "given back", {0}, {0}},
	[LEDGER_HARTS] = {"harts", "gone", "back", {0}, {0}},
	[LEDGER_MEMORY] = {"memory", "pages free before", "after", {0}, {0}},
	[LEDGER_ALIVE] = {"alive", "threads before", "after", {0}, {0}},
};

void churn_issue(enum churn_ledger ledger, unsigned long n)
{
	atomic_add_ulong(&ledgers[ledger].issued, n, relaxed);
}

void churn_done(enum churn_ledger ledger, unsigned long n)
{
	atomic_add_ulong(&ledgers[ledger].done, n, relaxed);
}

static unsigned long done(enum churn_ledger ledger)
{
	return atomic_load_ulong(&ledgers[ledger].done, relaxed);
}

unsigned long churn_issued(enum churn_ledger ledger)
{
	return atomic_load_ulong(&ledgers[ledger].issued, relaxed);
}

unsigned long churn_motion(void)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < LEDGER_MEMORY; i++)
		sum += churn_issued(i) + done(i);
	return sum;
}

unsigned churn_open(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < LEDGER_MEMORY; i++)
		n += churn_issued(i) != done(i);
	return n;
}

void churn_ledgers_reset(void)
{
	for (unsigned i = 0; i < LEDGERS; i++) {
		atomic_store_ulong(&ledgers[i].issued, 0, relaxed);
		atomic_store_ulong(&ledgers[i].done, 0, relaxed);
	}
}

/* ---- What the kernel says -------------------------------------------------------------------- */

/* Free pages; counted in are those whose number does not say what is in use: slabs, page tables and
 * the thread table. */
static unsigned long pages_free(void)
{
	struct mm_counts counts;

	thread_settle();
	mm_trim();
	mm_count(&counts);
	return counts.free + counts.table + counts.slab + thread_table_pages();
}

void churn_level_before(void)
{
	atomic_store_ulong(&ledgers[LEDGER_MEMORY].issued, pages_free(), relaxed);
	atomic_store_ulong(&ledgers[LEDGER_ALIVE].issued, thread_count(), relaxed);
}

/* What the ledger lacks; less than 0: it has too much. Of what the kernel says, more memory and
 * fewer threads than before are no fault: something of the boot has ended meanwhile. */
static long missing(enum churn_ledger ledger)
{
	long lacks = (long)(churn_issued(ledger) - done(ledger));

	if (ledger == LEDGER_ALIVE)
		lacks = -lacks;
	return ledger < LEDGER_MEMORY ? lacks : MAX(lacks, 0l);
}

void churn_level_after(void)
{
	bool keeps = churn.twin && !atomic_load_bool(&churn.judged, relaxed);
	unsigned looks = keeps ? TWIN_LEVEL_LOOKS : LEVEL_LOOKS;

	do {
		sched_sleep_ns(LEVEL_NAP_NS);
		atomic_store_ulong(&ledgers[LEDGER_MEMORY].done, pages_free(), relaxed);
		atomic_store_ulong(&ledgers[LEDGER_ALIVE].done, thread_count(), relaxed);
	} while (--looks && (missing(LEDGER_MEMORY) || missing(LEDGER_ALIVE)));
}

/* ---- The verdict ----------------------------------------------------------------------------- */

static bool as_it_should(const struct churn_twin *twin, enum churn_ledger ledger)
{
	if (twin && (twin->ledger == ledger || (twin->also & 1u << ledger)))
		return twin->twice ? missing(ledger) < 0 : missing(ledger) > 0;
	return missing(ledger) == 0;
}

static void say(enum churn_ledger ledger, char *text, size_t size)
{
	snprintf(text, size, "%s: %lu %s, %lu %s", ledgers[ledger].name, churn_issued(ledger),
		ledgers[ledger].issued_as, done(ledger), ledgers[ledger].done_as);
}

bool churn_balanced(const struct churn_twin *twin, char *text, size_t size)
{
	for (unsigned i = 0; i < LEDGERS; i++) {
		if (as_it_should(twin, i))
			continue;
		say(i, text, size);
		return false;
	}
	if (twin)
		say(twin->ledger, text, size);
	return true;
}

bool churn_level_is_right(char *text, size_t size)
{
	for (unsigned i = LEDGER_MEMORY; i < LEDGERS; i++) {
		if (!missing(i))
			continue;
		say(i, text, size);
		return false;
	}
	return true;
}

void churn_print_ledgers(void)
{
	for (unsigned i = 0; i < LEDGERS; i++)
		shell_printf("  %-10s %10lu %-17s %10lu %s\n", ledgers[i].name, churn_issued(i),
			ledgers[i].issued_as, done(i), ledgers[i].done_as);
}
