/* SPDX-License-Identifier: MIT */
/* The shell's command that runs the tests inside the kernel. */
#include "kernel/shell/command.h"
#include "lib/errno.h"
#include "tests/kernel/ktest.h"

LINKSET_DECLARE(ktest, const struct ktest);

static const char *suite_name(unsigned i)
{
	const char *last = NULL;

	/* Tests of one file follow each other: a candidate for each change of suite. */
	linkset_for_each(ktest, const struct ktest, t) {
		if (t->suite == last)
			continue;
		last = t->suite;
		if (i-- == 0)
			return t->suite;
	}
	return NULL;
}

static int cmd_test(int argc, char **argv)
{
	int failed;

	if (argc > 2)
		return shell_complain("test: too many arguments: %s", argv[2]);
	failed = ktest_run(argc == 2 ? argv[1] : NULL);
	if (failed == -ENOENT)
		return shell_complain("test: no test matches %s", argc == 2 ? argv[1] : "");
	return failed ? EXIT_TEST : 0;
}
SHELL_COMMAND_COMPLETE(test, "test [FILTER]", "runs tests whose SUITE.NAME has FILTER in it",
	cmd_test, suite_name);
