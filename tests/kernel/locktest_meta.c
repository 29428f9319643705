/* SPDX-License-Identifier: MIT */
/*
 * Tests of the self-test matrix itself: a case that is not as it says fails, and says what came.
 * Without them a harness that passes everything would look like a checker that is always right.
 */
#include "lib/string.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/locktest.h"

static const struct {
	const char *what; /* reports to make, as letters; '+': leaves a lock held, '!': is broken */
	char want;
	const char *verdict;
} meta[] = {
	{"", SILENT, "ok -"},
	{"R", RANK, "ok rank"},
	{"H", OWNER, "ok owner"},
	{"", RANK, "FAILED:none"},
	{"O", SILENT, "FAILED:order"},
	{"O", IRQ, "FAILED:order"},
	{"I", ORDER, "FAILED:irq"},
	{"C", DEADLOCK, "FAILED:context"},
	{"RR", RANK, "FAILED:rankx2"},
	{"OI", ORDER, "FAILED:order+irq"},
	{"OI", IRQ, "FAILED:order+irq"},
	{"IIC", IRQ, "FAILED:context+irqx2"},
	{"O", SEVERAL(ORDER), "ok order"},
	{"OOO", SEVERAL(ORDER), "ok orderx3"},
	{"", SEVERAL(ORDER), "FAILED:none"},
	{"OOI", SEVERAL(ORDER), "FAILED:orderx2+irq"},
	{"I", SEVERAL(ORDER), "FAILED:irq"},
	{"+", SILENT, "FAILED:held"},
	{"R+", RANK, "FAILED:held"},
	{"-", SILENT, "FAILED:irqs off"},
	{"p", SILENT, "FAILED:preemption off"},
	{"w", SILENT, "FAILED:posted work"},
	{"!", SILENT, "FAILED:broken"},
	{"R!", RANK, "FAILED:broken"},
};

static void make_it(char what)
{
	switch (what) {
	case '+':
		locktest_acquire(&locktest_locks[LT_A], LT_MUTEX);
		return;
	case '-':
		irq_off();
		return;
	case 'p':
		lock_thread()->preempt_depth++;
		return;
	case 'w':
		lock_thread()->posted_work = true;
		return;
	case '!':
		locktest_broken("broken");
		return;
	}
	for (unsigned k = 0; k < KIND_COUNT; k++)
		if (locktest_letters[k] == what)
			lockcheck_report(k, "meta", NULL, NULL, "made by a test of the tests");
}

static void meta_body(const void *arg)
{
	for (const char *what = arg; *what; what++)
		make_it(*what);
}

KTEST(locks, a_case_with_another_report_than_it_states_fails)
{
	char verdict[LOCKTEST_VERDICT_MAX];

	if (!CONFIG_LOCKCHECK) {
		ktest_skip("the checker is compiled out");
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(meta); i++) {
		bool ok = locktest_run(meta[i].want, meta_body, meta[i].what, verdict);

		ktest_check(!strcmp(verdict, meta[i].verdict) && ok == !strncmp(verdict, "ok", 2),
			"'%s' for %c: %s, not %s", meta[i].what, meta[i].want, verdict,
			meta[i].verdict);
	}
}

/* Scripts: real violations under the wrong expectation, and texts that mean nothing. */
static const struct {
	const char *script;
	enum locktest_kind kind;
	char want;
	const char *verdict;
} meta_scripts[] = {
	{"+A -A", LT_IRQLOCK, SILENT, "ok -"},
	{"+A -A -A", LT_MUTEX, OWNER, "ok owner"},
	{"+A -A -A", LT_MUTEX, SILENT, "FAILED:owner"},
	{"+A -A -A", LT_IRQLOCK, ORDER, "FAILED:owner"},
	{"A>B B>A", LT_IRQLOCK, ORDER, "ok order"},
	{"A>B B>A", LT_MUTEX, IRQ, "FAILED:order"},
	{"A>B B>A", LT_READ, ORDER, "FAILED:none"},
	{"A>B A>B", LT_MIXLOCK, ORDER, "FAILED:none"},
	{"A>B B>A +A -A -A", LT_IRQLOCK, ORDER, "FAILED:owner+order"},
	{"%{A} A", LT_WRITE, IRQ, "ok irq"},
	{"%{A} A", LT_WRITE, ORDER, "FAILED:irq"},
	{"%{A} A", LT_READ, IRQ, "FAILED:none"},
	{"+A", LT_IRQLOCK, SILENT, "FAILED:held"},
	{"+A", LT_SLEEP_READ, SILENT, "FAILED:held"},
	{"off{+A}", LT_IRQLOCK, SILENT, "FAILED:held"},
	{"~A", LT_MUTEX, SILENT, "FAILED:try succeeded"},
	{"+A ?A -A", LT_MUTEX, SILENT, "FAILED:try failed"},
	{"@A -A", LT_IRQLOCK, OWNER, "FAILED:no such acquire"},
	{"A>", LT_IRQLOCK, SILENT, "FAILED:script"},
	{"+E", LT_IRQLOCK, SILENT, "FAILED:script"},
	{"AB", LT_IRQLOCK, SILENT, "FAILED:script"},
	{"?", LT_IRQLOCK, SILENT, "FAILED:script"},
	{"off{A", LT_IRQLOCK, SILENT, "FAILED:script"},
	{"A}", LT_IRQLOCK, SILENT, "FAILED:script"},
	{"off{}A", LT_IRQLOCK, SILENT, "ok -"},
	{"A | B", LT_IRQLOCK, SILENT, "FAILED:script"},
	{"+A^B", LT_MUTEX, SILENT, "FAILED:script"},
};

KTEST(locks, a_script_under_the_wrong_expectation_fails)
{
	char verdict[LOCKTEST_VERDICT_MAX];

	if (!CONFIG_LOCKCHECK) {
		ktest_skip("the checker is compiled out");
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(meta_scripts); i++) {
		bool ok = locktest_run_script(meta_scripts[i].script, meta_scripts[i].kind,
			meta_scripts[i].want, verdict);

		ktest_check(!strcmp(verdict, meta_scripts[i].verdict) &&
				ok == !strncmp(verdict, "ok", 2),
			"'%s' for %c: %s, not %s", meta_scripts[i].script, meta_scripts[i].want,
			verdict, meta_scripts[i].verdict);
	}
}
