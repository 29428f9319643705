/* SPDX-License-Identifier: MIT */
/* Commands that run programs of a link set: stress, bench, crash. */
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"

#include "kernel/task/thread.h"
#include "lib/errno.h"
#include "lib/string.h"

#define STRESS_SECONDS 5

LINKSET_DECLARE(stress, const struct stress);
LINKSET_DECLARE(bench, const struct bench);
LINKSET_DECLARE(crash, const struct crash);

/* ---- stress --------------------------------------------------------------------------------- */

static const char *stress_name(unsigned i)
{
	linkset_for_each_by_name(stress, const struct stress, s) if (i-- == 0) return s->name;
	return NULL;
}

static int cmd_stress(int argc, char **argv)
{
	uint64_t seconds = STRESS_SECONDS;

	if (shell_max_args(argc, argv, 3))
		return -EINVAL;
	if (argc < 2) {
		linkset_for_each_by_name(stress, const struct stress, s)
			shell_printf("  %-12s %s\n", s->name, s->help);
		return linkset_size(stress)
			? 0
			: shell_complain("stress: this configuration has no stress programs");
	}
	if (argc == 3 && shell_number("stress", argv[2], 1, 86400, &seconds))
		return -EINVAL;
	linkset_for_each(stress, const struct stress, s) {
		int err;

		if (strcmp(s->name, argv[1]) != 0)
			continue;
		err = s->fn((unsigned)seconds);
		shell_printf("stress %s: %s\n", s->name, err ? "FAILED" : "ok");
		return err ? EXIT_TEST : 0;
	}
	return shell_complain("stress: no program %s; `stress` lists them", argv[1]);
}
SHELL_COMMAND_COMPLETE(stress, "stress [NAME [SECONDS]]", "works a part hard, checks its data",
	cmd_stress, stress_name);

/* ---- bench ---------------------------------------------------------------------------------- */

static const char *bench_name(unsigned i)
{
	linkset_for_each_by_name(bench, const struct bench, b) if (i-- == 0) return b->name;
	return NULL;
}

static int cmd_bench(int argc, char **argv)
{
	int status = 0;
	bool found = false;

	linkset_for_each(bench, const struct bench, b) {
		char *args[] = {(char *)b->name, NULL};

		if (shell_interrupted() || (argc > 1 && strcmp(b->name, argv[1]) != 0))
			continue;
		found = true;
		if (argc > 1 ? b->fn(argc - 1, argv + 1) : b->fn(1, args))
			status = EXIT_COMMAND;
	}
	if (!found && argc > 1)
		return shell_complain("bench: no bench %s", argv[1]);
	if (!found)
		return shell_complain("bench: this configuration has no benches");
	return status;
}
SHELL_COMMAND_COMPLETE(bench, "bench [NAME [ARG ...]]", "measures", cmd_bench, bench_name);

/* ---- crash ---------------------------------------------------------------------------------- */

static const char *crash_name(unsigned i)
{
	linkset_for_each_by_name(
		crash, const struct crash, c) if (c->offered && i-- == 0) return c->name;
	return NULL;
}

static void crash_list(void)
{
	linkset_for_each_by_name(crash, const struct crash, c)
	{
		if (!c->offered)
			continue;
		shell_printf("  %-27s %s(%d)  %s\n", c->name,
			c->expect == CRASH_KILLS_THREAD ? "killed" : exit_name(c->expect),
			(int)c->expect, c->help);
	}
}

static void crash_thread(void *arg)
{
	const struct crash *c = arg;

	c->fn();
}

/* The kinds that kill a thread: 0 if it died of its fault. */
static int crash_in_thread(const struct crash *c)
{
	struct thread *t = thread_spawn("victim", crash_thread, (void *)c);
	int code = 0;

	if (!t)
		return -ENOMEM;
	thread_join(t, &code);
	if (code != -EFAULT) {
		shell_printf("crash: %s: the thread was not killed\n", c->name);
		return EXIT_TEST;
	}
	shell_printf("crash: %s: the thread was killed, the system goes on\n", c->name);
	return 0;
}

static int cmd_crash(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 2))
		return -EINVAL;
	if (argc == 1) {
		crash_list();
		return 0;
	}
	linkset_for_each(crash, const struct crash, c) {
		if (strcmp(c->name, argv[1]) != 0)
			continue;
		if (!c->offered)
			return shell_complain(
				"crash: %s: this configuration would not notice it", c->name);
		if (c->expect == CRASH_KILLS_THREAD)
			return crash_in_thread(c);
		c->fn();
		shell_printf("crash: %s: nothing noticed it\n", c->name);
		return EXIT_TEST;
	}
	return shell_complain("crash: no kind %s; `crash` lists them", argv[1]);
}
SHELL_COMMAND_COMPLETE(
	crash, "crash [NAME]", "provokes a fatal error; lists the kinds", cmd_crash, crash_name);
