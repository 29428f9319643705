/* SPDX-License-Identifier: MIT */
/*
 * abba: two locks, taken in one order here and in the other order there.
 *
 * What is wrong
 *   A payment takes the accounts and then the journal. The audit begins with the journal, because
 *   that is what it reads, and takes the accounts when it meets an entry that it does not
 *   understand. Each function is right on its own; no line of either shows the mistake. It is the
 *   pair of orders that is wrong, and the two stand in different files in real life.
 *
 * How it shows
 *   Once in a long while the machine stands still: one hart has the accounts and waits for the
 *   journal, another has the journal and waits for the accounts. The window is the time between
 *   the two acquires, so it needs two harts within a microsecond of each other. A test that runs
 *   the two functions one after the other passes for years.
 *
 * How it is found
 *   By the lock checker, from one run in one thread in which nothing waits: the payment teaches it
 *   the edge accounts -> journal, and the audit closes the cycle at its second acquire:
 *
 *	lockcheck: kind=order what=cycle class=gallery.abba.accounts ...
 *
 *   followed by both edges, each with the backtrace of the acquire of what was held and of the one
 *   that asked. No seed is needed: every schedule in which both functions ran is enough, in any
 *   order and at any distance. (With ranks the audit alone would do, as kind=rank.)
 *
 * The fix
 *   One order for the two, written down where the locks are declared, and best as ranks, so that
 *   the wrong order is a report even before anybody takes the right one. The audit takes the
 *   accounts first; if it must not hold them for so long, it notes what it needs, gives the
 *   journal up, takes both in order and looks whether the entry is still the same.
 */
#include "kernel/lock/irqlock.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(accounts_class, "abba.accounts");
GALLERY_CLASS(journal_class, "abba.journal");

static struct irqlock accounts = IRQLOCK_INIT(&accounts_class); /* Protects: balance */
static struct irqlock journal = IRQLOCK_INIT(&journal_class);	/* Protects: entries */
static long balance GUARDED_BY(&accounts);
static unsigned entries GUARDED_BY(&journal);

static void pay(long amount)
{
	irqlock_acquire(&accounts);
	irqlock_acquire(&journal);
	balance -= amount;
	entries++;
	irqlock_release(&journal);
	irqlock_release(&accounts);
}

/* Unchecked: which one is first is not known to the compiler. */
static void audit(bool fixed) UNCHECKED_LOCKING
{
	struct irqlock *first = fixed ? &accounts : &journal;
	struct irqlock *second = fixed ? &journal : &accounts;

	irqlock_acquire(first);
	irqlock_acquire(second);
	if (balance > 0 || !entries)
		gallery_fail("the audit found something");
	irqlock_release(second);
	irqlock_release(first);
}

GALLERY_CHECKED(abba, "two locks in two orders", KIND_ORDER, "cycle", 1)
{
	pay(10);
	audit(fixed);
}
