/* SPDX-License-Identifier: MIT */
/*
 * Self-test matrix: the cases of Linux's locking self-test (lib/locking-selftest.c) that apply
 * here, under their names, and the same rows for this kernel's other locks.
 *
 * Of Linux's columns, spin is irqlock, wlock and rlock are irqrwlock's writer and its nested reader
 * (that test makes every reader recursive), mutex is mutex: 175 cases. wsem and rsem, rwmutex here,
 * and mixlock stand beside them; so does irqrwlock's plain reader, which queues behind a waiting
 * writer and therefore orders like one. `soft` is `ipi`: the only other context that interrupts
 * a thread; its rows are not among the 175. Linux's kinds of failure are one; here each case says
 * which report it wants.
 *
 * Columns: irqlock, irqrwlock W, R (nested), q (plain), mutex, rwmutex W, R, mixlock.
 */
#include "tests/kernel/locktest.h"

static const struct locktest_script order[] = {
	{"AA", "+X1 +X2 -X2 -X1", "OO.OOOOO"},
	{"ABBA", "A>B B>A", "OO.OOOOO"},
	{"ABBCCA", "A>B B>C C>A", "OO.OOOOO"},
	{"ABCABC", "A>B C>A B>C", "OO.OOOOO"},
	{"ABBCCDDA", "A>B B>C C>D D>A", "OO.OOOOO"},
	{"ABCDBDDA", "A>B C>D B>D D>A", "OO.OOOOO"},
	{"ABCDBCDA", "A>B C>D B>C D>A", "OO.OOOOO"},
	{"double_unlock", "+A -A -A", "HHHHHHHH"},
	{"init_held", "+A !A -A", "HHHHHHHH"},
};

/* Readers against writers; and three classes in a ring: recursive readers break it where a reader
 * meets a reader. */
static const struct locktest_script read_write[] = {
	{"rlock_AA1", "+X1 +X1 -X1 -X1", "  ."},
	{"rlock_AA1B", "+X1 +X2 -X2 -X1", "  .O"},
	{"rlock_AA2", "+X1 +wX2 -wX2 -X1", "  OO"},
	{"rlock_AA3", "+wX1 +X2 -X2 -wX1", "  OO"},
	{"rlock_ABBA1", "X1>sY1 sY1>wX1", "  OO"},
	{"rlock_ABBA2", "X1>sY1 sY1>X1", "  .O"},
	{"rlock_ABBA3", "wX1>sY1 sY1>wX1", "  O"},
	{"rlock_chaincache_ABBA1", "X1>sY1 sY1>rX1 sY1>wX1", "  O"},
	{"W1R2_W2R3_W3R1", "wX1>Y1 | wY1>Z1 | wZ1>X1", "  OO"},
	{"W1W2_R2R3_W3R1", "wX1>wY1 | Y1>Z1 | wZ1>X1", "  OO"},
	{"W1W2_R2R3_R3W1", "wX1>wY1 | Y1>Z1 | Z1>wX1", "  .O"},
	{"W1R2_R2R3_W3W1", "wX1>Y1 | Y1>Z1 | wZ1>wX1", "  .O"},
};

/* The same with readers that are not recursive: irqrwlock's plain ones, and rwmutex's. */
static const struct locktest_script more_read_write[] = {
	{"rlock_AA1 plain", "+X1 +X1 -X1", "   H"},
	{"rlock_chaincache, plain reader last", "X1>sY1 sY1>rX1 sY1>qX1", "  O"},
	{"rlock_chaincache, writer holds last", "X1>sY1 sY1>rX1 wX1>sY1", "  O"},
	{"rsem_AA1", "+X1 +X1 -X1", "      H"},
	{"rsem_AA1B", "+X1 +X2 -X2 -X1", "      O"},
	{"rsem_AA2", "+X1 +WX2 -WX2 -X1", "      O"},
	{"rsem_AA3", "+WX1 +X2 -X2 -WX1", "      O"},
	{"rwsem_ABBA1", "X1>mY1 mY1>WX1", "      O"},
	{"rwsem_ABBA2", "X1>mY1 mY1>X1", "      O"},
	{"rwsem_ABBA3", "WX1>mY1 mY1>WX1", "      O"},
	{"rwsem W1R2_W2R3_W3R1", "WX1>Y1 | WY1>Z1 | WZ1>X1", "      O"},
	{"rwsem W1W2_R2R3_W3R1", "WX1>WY1 | Y1>Z1 | WZ1>X1", "      O"},
	{"rwsem W1W2_R2R3_R3W1", "WX1>WY1 | Y1>Z1 | Z1>WX1", "      O"},
	{"rwsem W1R2_R2R3_W3W1", "WX1>Y1 | Y1>Z1 | WZ1>WX1", "      O"},
};

/* Handlers. A class used by one must not be held with interrupts on, nor lead to one that is. */
static const struct locktest_script irqs[] = {
	{"irqsafe1_%", "%{A} | A", "II."},
	{"irqsafe2B_hard", "%{A} | off{+A on -A}", "II."},
	{"irqsafe3_%", "A>B | B | %{A}", "II."},
	{"irqsafe4_%", "off{A>B} | B | %{A}", "II."},
	{"irq_inversion_%", "off{wA>B} | B | %{rA}", "II."},
};

static const struct locktest_script irq_recursion[] = {
	{"irq_read_recursion_%", "off{wA} | rA | %{A>sB}", " I."},
	{"irq_read_recursion2_%", "off{sB>A} | rA | %{sB}", " I."},
	{"irq_read_recursion3_%", "off{wB>A} | rA | %{rB}", " I."},
};

static const struct locktest_script queued[] = {
	{"queued_read_lock_hardirq_RE_Er", "%{A>sB} off{sB>A}", "   O"},
	{"queued_read_lock_hardirq_ER_rE", "%{sB>A} off{A>sB}", "   ."},
	{"queued_read_lock_hardirq_inversion", "%{sB} off{sB>A} A", "   I"},
};

static const struct locktest_script more_irqs[] = {
	{"irqsafe2A", "ipi{A} | off{+A on -A}", "II."},
	{"over a reader in a handler", "%{+sA +B +sC -sC -B -sA} off{sC>sA}", "  OO"},
};

/* Two of one class, what orders them being stated. */
static const struct locktest_script nested[] = {
	{"spin_nest_unlocked", "+A^X1 -A", "H"},
	{"spin_nest_lock", "+X1 +Y1^X1 +A +Y2^X1 -A -Y2 -Y1 -X1", "."},
};

void locktest_linux_rows(void)
{
	locktest_table("order", locktest_kind_names, LT_KINDS);
	locktest_scripts_of_linux("swrm", order, ARRAY_SIZE(order));
	locktest_table("readers and writers", locktest_kind_names, LT_KINDS);
	locktest_scripts_of_linux("r", read_write, ARRAY_SIZE(read_write));
	locktest_scripts(more_read_write, ARRAY_SIZE(more_read_write));
	locktest_table("interrupts", locktest_kind_names, LT_KINDS);
	locktest_scripts_of_linux("swr", irqs, ARRAY_SIZE(irqs));
	locktest_scripts_of_linux("wr", irq_recursion, ARRAY_SIZE(irq_recursion));
	locktest_scripts_of_linux("q", queued, ARRAY_SIZE(queued));
	locktest_scripts(more_irqs, ARRAY_SIZE(more_irqs));
	locktest_scripts_of_linux("s", nested, ARRAY_SIZE(nested));
}
