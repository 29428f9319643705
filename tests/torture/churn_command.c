/* SPDX-License-Identifier: MIT */
/* The command churn: harts come and go under load, for so many cycles; or its busted twins. */
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "kernel/task/thread.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "tests/torture/churn.h"

#include "kernel/hart/hart.h"

#define CYCLES_MAX 1000000000u
/* A twin goes on until it has done wrong. */
#define TWIN_CYCLES 10

/* What one command asks for, and gets. */
struct request {
	const char *twin; /* a name, "twins" for all of them, NULL: none */
	uint64_t cycles, seed;
	unsigned runs, failed;
};

static const char *twin_name(unsigned i)
{
	return i < nr_churn_twins ? churn_twins[i].name : i == nr_churn_twins ? "twins" : NULL;
}

static bool is_asked_for(const struct request *s, const struct churn_twin *twin)
{
	return strcmp(s->twin, "twins") == 0 || strcmp(s->twin, twin->name) == 0;
}

static unsigned count_of(const atomic_u32 *counter)
{
	return atomic_load_u32(counter, relaxed);
}

static void say_whole(void)
{
	shell_printf("ok churn: %u cycles of %u harts: %u stops, %u retentive and %u non-retentive "
		     "suspensions, of each hart at least %u of each; %u timers moved, "
		     "%u locks tortured, %u commands, %u refusals, %u late, seed=%llu\n",
		count_of(&churn.cycles), churn.nr_harts, churn_leaves(WAY_STOP),
		churn_leaves(WAY_RETENTIVE), churn_leaves(WAY_LOSSY), churn_least_leaves(),
		count_of(&churn.moved), count_of(&churn.tortured), count_of(&churn.commands),
		count_of(&churn.refused), count_of(&churn.late), (unsigned long long)churn.seed);
}

static void run_one(struct request *s, const struct churn_twin *twin)
{
	uint32_t cycles = twin ? TWIN_CYCLES : (uint32_t)s->cycles;
	bool ok = churn_run_once(twin, cycles, s->seed);

	s->runs++;
	s->failed += !ok;
	if (!ok)
		shell_printf("FAILED churn%s%s: %s, seed=%llu\n", twin ? "." : "",
			twin ? twin->name : "", churn.found.text, (unsigned long long)s->seed);
	else if (twin)
		shell_printf("ok churn.%s: found: %s\n", twin->name, churn.found.text);
	else
		say_whole();
	if (!twin || !ok)
		churn_print_ledgers();
}

static void request_body(void *arg)
{
	struct request *s = arg;

	if (!s->twin)
		run_one(s, NULL);
	for (unsigned i = 0; s->twin && i < nr_churn_twins && !shell_interrupted(); i++)
		if (is_asked_for(s, &churn_twins[i]))
			run_one(s, &churn_twins[i]);
}

static int list(void)
{
	shell_printf("  churn CYCLES [SEED]: so many times a hart leaves and comes back\n  twins:");
	for (unsigned i = 0; i < nr_churn_twins; i++)
		shell_printf(" %s", churn_twins[i].name);
	shell_printf("\n");
	return 0;
}

static int cmd_churn(int argc, char **argv)
{
	struct request s = {.seed = arch_time()};
	struct thread *t;

	if (shell_max_args(argc, argv, 3))
		return -EINVAL;
	if (argc < 2)
		return list();
	if (argc > 2 && shell_number("churn", argv[2], 0, UINT64_MAX, &s.seed))
		return -EINVAL;
	if (char_is_digit(argv[1][0])) {
		if (shell_number("churn", argv[1], 1, CYCLES_MAX, &s.cycles))
			return -EINVAL;
	} else {
		s.twin = argv[1];
	}
	if (hart_mask_weight(&harts_online) < 2)
		return shell_complain("churn: needs two harts that run");
	/* In a thread of its own: the shell's holds a lock, under which nobody should wake. */
	t = thread_spawn("churn", request_body, &s);
	if (!t)
		return -ENOMEM;
	thread_join(t, NULL);
	if (!s.runs && s.twin && !shell_interrupted())
		return shell_complain("churn: no twin %s; `churn` lists them", s.twin);
	shell_printf("churn: %u runs, %u failed; seed=%llu\n", s.runs, s.failed,
		(unsigned long long)s.seed);
	return s.failed ? EXIT_TEST : 0;
}
SHELL_COMMAND_COMPLETE(churn, "churn [CYCLES|twins|TWIN [SEED]]",
	"harts come and go under load, and nothing is lost; finds its busted twins", cmd_churn,
	twin_name);
