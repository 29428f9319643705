/* SPDX-License-Identifier: MIT */
/* Commands about harts and threads: harts, ps, top. */
#include "kernel/hart/hart.h"
#include "kernel/lock/race.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/stack.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/cmd_bringup.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

/* What a thread had used when the sample was taken. */
struct sample {
	uint32_t handle;
	uint64_t ran_ns;
};

static void hart_line(const struct hart_meta *h);

static int cmd_harts(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "-t") == 0)
		return bringup_report(argc, argv);
	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	shell_printf("hart  hartid  state     load  up-after-us  thread            isa\n");
	for_each_hart(h)
		hart_line(h);
	return 0;
}
SHELL_COMMAND(harts, "harts [-t [--csv]]", "a line for each hart; -t: how it came up", cmd_harts);

static void hart_line(const struct hart_meta *h)
{
	enum hart_state state = atomic_load_u32(&h->state, relaxed);
	const struct thread *t = hart_is_online(h) ? sched_hart_thread(h) : NULL;
	uint64_t online_at = racy_read(h->online_at, "it may be coming up");
	char up[24] = "-";

	if (online_at) {
		uint64_t from = racy_read(h->start_called, "as above");

		from = from ? from : arch_info.entry_time;
		snprintf(up, sizeof(up), "%lu",
			(unsigned long)(ticks_to_ns(online_at - from) / NS_PER_US));
	}
	shell_printf("%4u  %6lu  %-8s  %4u  %11s  %-16s  %s", h->index, (unsigned long)h->hartid,
		hart_state_name(state), t ? sched_hart_load(h) : 0, up, t ? t->name : "-", h->isa);
	if (state == HART_FAILED)
		shell_printf(" (error %d)", -racy_read(h->failure, "as above"));
	shell_printf("\n");
}

static int cmd_ps(int argc, char **argv)
{
	struct thread_info t;
	unsigned cursor = 0;

	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	shell_printf("    handle  hart  state     policy  prio  weight      cpu-ms  switches  "
		     "stack  name\n");
	while (thread_info_next(&cursor, &t)) {
		shell_printf("0x%08lx  %4u  %-8s  %-6s  %2u/%2u  %5u  %10lu  %8lu  %5zu  %s%s%s\n",
			(unsigned long)t.handle, t.hart, thread_state_name(t.state),
			sched_policy_name(t.policy), t.prio, t.prio_effective, t.weight,
			(unsigned long)(t.ran_ns / NS_PER_MS), (unsigned long)t.nr_switches,
			(size_t)(t.stack.top - t.stack.base), t.name, t.is_idle ? " (idle)" : "",
			t.killed ? " (killed)" : "");
	}
	return 0;
}
SHELL_COMMAND(ps, "ps", "a line for each thread", cmd_ps);

/* Time of the thread with this handle in the sample, 0 if it was not there. */
static uint64_t sample_find(const struct sample *s, unsigned n, uint32_t handle)
{
	for (unsigned i = 0; i < n; i++)
		if (s[i].handle == handle)
			return s[i].ran_ns;
	return 0;
}

static unsigned sample_take(struct sample *s, unsigned max)
{
	struct thread_info t;
	unsigned cursor = 0, n = 0;

	while (n < max && thread_info_next(&cursor, &t))
		s[n++] = (struct sample){t.handle, t.ran_ns};
	return n;
}

static void top_print(const struct sample *before, unsigned n, uint64_t since_ns)
{
	uint64_t span = MAX(clock_now_ns() - since_ns, (uint64_t)1);
	struct thread_info t;
	unsigned cursor = 0;

	shell_printf("top: %u threads, %lu ms\n", n, (unsigned long)(span / NS_PER_MS));
	while (thread_info_next(&cursor, &t)) {
		uint64_t used = t.ran_ns - sample_find(before, n, t.handle);
		unsigned permille = (unsigned)(used * 1000 / span);

		if (permille > 0)
			shell_printf("  %3u.%u%%  hart %-3u  %s%s\n", permille / 10, permille % 10,
				t.hart, t.name, t.is_idle ? " (idle)" : "");
	}
}

static int cmd_top(int argc, char **argv)
{
	unsigned max = thread_count() + 64, n;
	uint64_t rounds = 1, since;
	struct sample *before;

	if (shell_max_args(argc, argv, 2))
		return -EINVAL;
	if (argc == 2 && shell_number("top", argv[1], 1, 3600, &rounds))
		return -EINVAL;
	before = kmalloc(max * sizeof(*before), 0);
	if (!before)
		return -ENOMEM;
	while (rounds-- > 0 && !shell_interrupted()) {
		n = sample_take(before, max);
		since = clock_now_ns();
		tty_wait_until(since + NS_PER_SEC);
		top_print(before, n, since);
	}
	kfree(before);
	return 0;
}
SHELL_COMMAND(top, "top [SECONDS]", "who used the harts, every second", cmd_top);
