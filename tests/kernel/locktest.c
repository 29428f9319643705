/* SPDX-License-Identifier: MIT */
/*
 * Harness of the lock checker's self-test matrix (locktest.h): runs a case, judges what came, lays
 * out the tables.
 *
 * `matrix` is the running test's own; `broken` is set by bodies, from any context.
 */
#include "tests/kernel/locktest.h"

#include "kernel/lock/check_test.h"
#include "kernel/shell/command.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

#define LINE_MAX 320
#define ROW_NAME_MAX 40
#define ROW_NAME_WIDTH 36
#define CELL_WIDTH 11
/* All that there are, those of Linux's names, and those that take a second hart. */
#define CASES 1343
#define CASES_OF_LINUX 175
#define CASES_OF_TWO_HARTS 8

static struct {
	unsigned cases, of_linux, failed;
	const char *title;
	const char *const *columns;
	unsigned nr_columns, column;
	bool no_case; /* the last cell */
	char row[ROW_NAME_MAX];
	char line[LINE_MAX];
	size_t used;
} matrix;

static atomic_ptr broken; /* const char *: why the case itself went wrong */

/* ---- One case ------------------------------------------------------------------------------- */

const char locktest_letters[KIND_COUNT] = {
	[KIND_CONTEXT] = CONTEXT,
	[KIND_OWNERSHIP] = OWNER,
	[KIND_RANK] = RANK,
	[KIND_ORDER] = ORDER,
	[KIND_IRQ] = IRQ,
	[KIND_DEADLOCK] = DEADLOCK,
};

static const char *short_name(unsigned kind)
{
	return kind == KIND_OWNERSHIP ? "owner" : report_kind_name(kind);
}

void locktest_broken(const char *why)
{
	/* Relaxed: read by the case's own thread, after it has waited for its helpers. */
	atomic_store_ptr(&broken, (void *)why, relaxed);
}

struct state {
	bool irqs_on, posted_work;
	unsigned irq_depth, preempt_depth, on_hart, on_thread;
};

static struct state look(void)
{
	const struct lock_thread *t = lock_thread();
	struct state s = {.irqs_on = arch_irq_enabled()};
	bool before = arch_irq_save();
	const struct lock_hart *h = lock_hart();

	s.irq_depth = h->irq_depth;
	s.on_hart = h->nr_held;
	arch_irq_restore(before);
	s.preempt_depth = t->preempt_depth;
	s.posted_work = t->posted_work;
	s.on_thread = t->nr_held;
	return s;
}

static const char *what_is_left(const struct state *s)
{
	if (s->on_hart || s->on_thread)
		return "held";
	if (!s->irqs_on || s->irq_depth)
		return "irqs off";
	if (s->preempt_depth)
		return "preemption off";
	return s->posted_work ? "posted work" : NULL;
}

/* After a case that went wrong: as if it had given back everything. The locks are made new. */
static void clean_up(void)
{
	struct lock_thread *t = lock_thread();
	struct lock_hart *h;

	while (t->nr_held)
		check_forget(t, t->held[t->nr_held - 1].lock);
	t->posted_work = false;
	arch_irq_disable();
	h = lock_hart();
	h->nr_held = 0;
	h->irq_depth = 0;
	t->preempt_depth = 0;
	arch_irq_enable();
}

/* Is it what must come? `text`: what came. */
static bool judge(
	char want, const unsigned counts[KIND_COUNT], const char *left, char *text, size_t size)
{
	const char *wrong = atomic_load_ptr(&broken, relaxed);
	unsigned kinds = 0, wanted = 0, all = 0;
	size_t used = 0;

	text[0] = '\0';
	if (wrong || left) {
		snprintf(text, size, "%s", wrong ? wrong : left);
		return false;
	}
	for (unsigned k = 0; k < KIND_COUNT; k++) {
		if (!counts[k] || used >= size)
			continue;
		used += (size_t)snprintf(
			text + used, size - used, kinds++ ? "+%s" : "%s", short_name(k));
		if (counts[k] > 1 && used < size)
			used += (size_t)snprintf(text + used, size - used, "x%u", counts[k]);
		all += counts[k];
		if (locktest_letters[k] == want || SEVERAL(locktest_letters[k]) == want)
			wanted += counts[k];
	}
	if (!all)
		snprintf(text, size, want == SILENT ? "-" : "none");
	if (want == SILENT)
		return !all;
	return wanted && wanted == all && (all == 1 || SEVERAL(want) == want);
}

bool locktest_run(char want, void (*body)(const void *arg), const void *arg,
	char verdict[LOCKTEST_VERDICT_MAX])
{
	unsigned counts[KIND_COUNT];
	char text[LOCKTEST_VERDICT_MAX];
	struct state after;
	const char *left;
	bool ok;

	locktest_locks_reset();
	atomic_store_ptr(&broken, NULL, relaxed);
	lockcheck_count_begin();
	body(arg);
	lockcheck_count_end(counts, NULL);
	after = look();
	left = what_is_left(&after);
	if (left)
		clean_up();
	ok = judge(want, counts, left, text, sizeof(text));
	snprintf(verdict, LOCKTEST_VERDICT_MAX, ok ? "ok %s" : "FAILED:%s", text);
	return ok;
}

/* ---- Tables --------------------------------------------------------------------------------- */

static void add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(matrix.line + matrix.used, LINE_MAX - matrix.used, fmt, args);
	va_end(args);
	matrix.used = MIN(matrix.used + (size_t)MAX(n, 0), (size_t)LINE_MAX - 1);
}

static void begin_line(const char *name)
{
	matrix.used = 0;
	add("%-*s", ROW_NAME_WIDTH, name);
}

static void end_line(void)
{
	while (matrix.used && matrix.line[matrix.used - 1] == ' ')
		matrix.used--;
	matrix.line[matrix.used] = '\0';
	shell_printf("%s\n", matrix.line);
}

void locktest_table(const char *title, const char *const *columns, unsigned n)
{
	matrix.title = title;
	matrix.columns = columns;
	matrix.nr_columns = n;
	begin_line(title);
	for (unsigned i = 0; i < n; i++)
		add("|%-*s", CELL_WIDTH, columns[i]);
	end_line();
}

void locktest_row(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(matrix.row, sizeof(matrix.row), fmt, args);
	va_end(args);
	matrix.column = 0;
	begin_line(matrix.row);
}

void locktest_cell(char want, void (*body)(const void *arg), const void *arg)
{
	const char *column = matrix.columns[matrix.column++];
	char verdict[LOCKTEST_VERDICT_MAX];

	if (want == NO_CASE) {
		add("|%-*s", CELL_WIDTH, "");
		matrix.no_case = true;
		return;
	}
	matrix.no_case = false;
	matrix.cases++;
	if (!locktest_run(want, body, arg, verdict)) {
		matrix.failed++;
		ktest_fail(__FILE__, __LINE__, "%s, %s, %s: %s, wanted %c", matrix.title,
			matrix.row, column, verdict, want);
	}
	add("|%-*s", CELL_WIDTH, verdict);
}

void locktest_is_of_linux(void)
{
	ktest_check(!matrix.no_case, "%s, %s: Linux's, and no case", matrix.title, matrix.row);
	matrix.of_linux++;
}

void locktest_row_end(void)
{
	if (matrix.column != matrix.nr_columns)
		ktest_fail(__FILE__, __LINE__, "%s: %u cells", matrix.row, matrix.column);
	end_line();
}

KTEST(locks, selftest_matrix)
{
	if (!CONFIG_LOCKCHECK) {
		ktest_skip("the checker is compiled out");
		return;
	}
	matrix.cases = matrix.of_linux = matrix.failed = 0;
	locktest_linux_rows();
	locktest_context_rows();
	locktest_use_rows();
	locktest_place_rows();
	locktest_wait_rows();
	locktest_seq_rows();
	locktest_smp_rows();
	shell_printf("locktest: %u cases, %u of them Linux's, %u ok, %u not\n", matrix.cases,
		matrix.of_linux, matrix.cases - matrix.failed, matrix.failed);
	ktest_check(matrix.cases == CASES - (ktest_harts() > 1 ? 0 : CASES_OF_TWO_HARTS),
		"%u cases", matrix.cases);
	ktest_check(matrix.of_linux == CASES_OF_LINUX, "%u cases of Linux's", matrix.of_linux);
}
