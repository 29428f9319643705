/* SPDX-License-Identifier: MIT */
/*
 * Self-test matrix: ways to use a lock that Linux's self-test does not ask about. Tries, deadlines,
 * order that is right, releases out of order or by another variant, mixed locks and handlers,
 * ranks.
 *
 * Columns: irqlock, irqrwlock W, R (nested), q (plain), mutex, rwmutex W, R, mixlock.
 */
#include "tests/kernel/locktest.h"

/* A try waits for nobody: nothing leads to its lock. What is taken under it does wait. */
static const struct locktest_script tries[] = {
	{"try under a lock, then inverted", "+A ?B -B -A B>A", "........"},
	{"taken under a try, inverted", "?A +B -B -A B>A", "OO.OOOOO"},
	{"tries against the order", "+A ?B -B -A +B ?A -A -B", "........"},
	{"over a try, inverted", "+A ?B +C -C -B -A C>A", "OO.OOOOO"},
	{"over two tries, inverted", "+A ?B ?C +D -D -C -B -A D>A", "OO.OOOOO"},
	{"try of a second of one class", "+X1 ?X2 -X2 -X1", "........"},
	{"try of what is held", "+A ~A -A", "..  .. ."},
	{"try to read again", "+A ?A -A -A", "  ..  ."},
	{"try to write what is read", "+A ~wA -A", "  .."},
	{"try to read what is written", "+A ~rA -A", " ."},
	{"try to write what is read, rwsem", "+A ~WA -A", "      ."},
	{"try to read what is written, rwsem", "+A ~RA -A", "     ."},
	{"double release after a try", "?A -A -A", "HHHHHHHH"},
	{"try_% + irqs on", "%{?A -A} | A", "...."},
	{"irq-safe_% + try with irqs on", "%{A} | ?A -A", "II.."},
	{"irq-safe_% + unsafe try under it", "%{A} | off{+A ?B -B -A} | B", "...."},
};

/* Who waits with a deadline waits, and would time out where it need not. */
static const struct locktest_script deadlines[] = {
	{"timed ABBA", "+A @B -B -A +B @A -A -B", "    OOOO"},
	{"timed after plain ABBA", "A>B +B @A -A -B", "    OOOO"},
	{"timed AA", "+X1 @X2 -X2 -X1", "    OOOO"},
	{"timed, what is held", "+A @A -A", "    HHHH"},
	{"timed, right order", "+A @B -B -A A>B", "    ...."},
	{"timed, double release", "@A -A -A", "    HHHH"},
};

static const struct locktest_script uses[] = {
	{"right order", "A>B>C A>B B>C A>C", "........"},
	{"chain of four closed", "A>B>C>D D>A", "OO.OOOOO"},
	{"inner pair inverted", "A>B>C C>B", "OO.OOOOO"},
	{"over a nested reader, inverted", "+A +rB +C -C -rB -A C>A", "OO.O"},
	{"over two nested readers, inverted", "+A +rB +rC +D -D -rC -rB -A D>A", "OO.O"},
	{"inverted under a common lock", "A>B>C A>C>B", "OO.OOOOO"},
	{"reported once", "A>B B>A B>A A>B B>A", "OO.OOOOO"},
	{"own lock is not its class", "+X1 +X1 -X1", "HH HHHHH"},
	{"second of one class, first stated", "+X1 +X2^X1 -X2 -X1", ".   ."},
	{"... and a third under both", "+X1 +X2^X1 A -X2 -X1 A", ".   ."},
	{"... which then is over them", "+X1 +X2^X1 A -X2 -X1 +A X2 -A", "O   O"},
	{"over a second, inverted", "+X1 +A +X2^X1 +C -C -X2 -A -X1 C>A", "O   O"},
	{"released out of order", "+A +B -A -B A>B", "........"},
	{"taken after such a release", "+A +B -A +C -C -B C>B", "OO.OOOOO"},
	{"a third one closes a ring after it", "+A +B -A +C -C -B C>A", "OO.OOOOO"},
	{"never taken", "-A", "HHHHHHHH"},
	{"released as a reader's", "+A -rA -A", " H"},
	{"released as a writer's", "+A -wA -A", "  HH"},
	{"released as a reader's, rwsem", "+A -RA -A", "     H"},
	{"released as a writer's, rwsem", "+A -WA -A", "      H"},
	{"init beside a held lock", "+A !B -A", "........"},
};

/* What handlers may do with locks that threads hold with interrupts on, and what not. */
static const struct locktest_script mixed[] = {
	{"mixlock: held, tried in %", "%{?xA -xA} | xA", "       ."},
	{"mixlock: waited for in %", "%{xA}", "       C"},
	{"mixlock: over irq-safe_%", "+xA off{sB} -xA | %{sB}", "       ."},
	{"mixlock: tried under irq-safe_%", "%{+sB ?xA -xA -sB} | +xA off{sB} -xA", "       ."},
	{"mixlock: unsafe lock under it_%", "+xA sB -xA | %{sB}", "       I"},
	{"mixlock: ABBA over a mutex", "xA>mB mB>xA", "       O"},
	{"mutex: over irq-safe_%", "+mA off{sB} -mA | %{sB}", "    ."},
	{"mutex: unsafe lock under it_%", "+mA sB -mA | %{sB}", "    I"},
	{"mutex: waited for in %", "%{mA}", "    C"},
	{"mutex: tried in %", "%{?mA}", "    C"},
	{"mutex: ABBA over a rwmutex", "mA>RB RB>mA", "    O"},
};

/* Classes of this table have ranks: A before B; X1 and X2 have one. */
static const struct locktest_script ranks[] = {
	{"rank: right order", "A>B", "........"},
	{"rank: inverted", "B>A", "RRRRRRRR"},
	{"rank: inverted, edge known", "A>B B>A", "RRRRRRRR"},
	{"rank: two of one", "+X1 +X2 -X2 -X1", "RRRRRRRR"},
	{"rank: second, first stated", "+X1 +X2^X1 -X2 -X1", ".   ."},
	{"rank: second, first not held", "+X2^X1 -X2", "H"},
	{"rank: tried inverted", "+B ?A -A -B", "........"},
	{"rank: inverted under a try", "?B +A -A -B", "RRRRRRRR"},
	{"rank: after release out of order", "+A +B -A +A -A -B", "RRRRRRRR"},
	{"rank: recursion goes before", "+A +B +A -B -A", "HH HHHHH"},
	{"rank: reader again", "+A +B +A -A -B -A", "  ."},
	{"rank: spinning lock under a sleeping", "+A sD -A", "    ...."},
	{"rank: context goes before", "+sD +A -sD", "    CCCC"},
};

void locktest_use_rows(void)
{
	locktest_table("tries", locktest_kind_names, LT_KINDS);
	locktest_scripts(tries, ARRAY_SIZE(tries));
	locktest_table("deadlines", locktest_kind_names, LT_KINDS);
	locktest_scripts(deadlines, ARRAY_SIZE(deadlines));
	locktest_table("use", locktest_kind_names, LT_KINDS);
	locktest_scripts(uses, ARRAY_SIZE(uses));
	locktest_scripts(mixed, ARRAY_SIZE(mixed));
	locktest_table("ranks", locktest_kind_names, LT_KINDS);
	locktest_ranked(true);
	locktest_scripts(ranks, ARRAY_SIZE(ranks));
	locktest_ranked(false);
}
