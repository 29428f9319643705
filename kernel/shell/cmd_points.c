/* SPDX-License-Identifier: MIT */
/* The command points: how often each point of the lock protocols was passed (kernel/lock/point.h).
 */
#include "kernel/lock/point.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "lib/errno.h"
#include "lib/string.h"

static const char *const kind_names[] = {
	[POINT_STEP] = "step",
	[POINT_WINDOW] = "window",
	[POINT_EVENT] = "event",
	[POINT_WAITING] = "wait",
	[POINT_CHAOS] = "chaos",
	[POINT_COUNTED] = "count",
};

/* A line for each point whose name begins with `prefix`; only those never passed, if `zero`. */
static void print_points(const char *prefix, bool zero)
{
	unsigned points = 0, never = 0;

	lock_point_for_each(p)
	{
		uint32_t count = atomic_load_u32(&p->count, relaxed);

		if (strncmp(p->name, prefix, strlen(prefix)) != 0)
			continue;
		points++;
		never += !count;
		if (!zero || !count)
			shell_printf(
				"%-28s %-5s %10u\n", p->name, kind_names[p->kind], (unsigned)count);
	}
	shell_printf("%u points, %u never passed\n", points, never);
}

static int cmd_points(int argc, char **argv)
{
	bool zero = argc > 1 && strcmp(argv[1], "--zero") == 0;

	if (!CONFIG_LOCKPOINTS)
		return shell_complain("points: this configuration has none (CONFIG=debug has)");
	if (shell_max_args(argc, argv, zero ? 3 : 2))
		return -EINVAL;
	if (argc > 1 && strcmp(argv[1], "--reset") == 0) {
		lock_points_reset();
		return 0;
	}
	print_points(zero ? (argc > 2 ? argv[2] : "") : (argc > 1 ? argv[1] : ""), zero);
	return 0;
}
SHELL_COMMAND(points, "points [--zero] [PREFIX] | points --reset",
	"how often each point of the lock protocols was passed", cmd_points);
