/* SPDX-License-Identifier: MIT */
/* Commands about interrupts and timers: irqs, timers. */
#include "kernel/hart/hart.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/race.h"
#include "kernel/log/tty.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/errno.h"

/* Of another hart, which may be counting. */
#define count(x) racy_read(x, "a statistic")

/* Only harts that had any: with many harts a full table is unreadable. */
static void kind_line(const char *name, unsigned kind)
{
	uint64_t sum = 0;

	for_each_hart(h)
		sum += count(h->stats.irqs[kind]);
	shell_printf("%-10s %12lu ", name, (unsigned long)sum);
	for_each_hart(h)
		if (count(h->stats.irqs[kind]))
			shell_printf(
				" %u:%lu", h->index, (unsigned long)count(h->stats.irqs[kind]));
	shell_printf("\n");
}

static void source_line(const struct irq_info *info)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < nr_harts; i++)
		sum += count(info->counts[i]);
	shell_printf("%-10s %12lu ", info->name, sum);
	for (unsigned i = 0; i < nr_harts; i++)
		if (count(info->counts[i]))
			shell_printf(" %u:%lu", i, (unsigned long)count(info->counts[i]));
	if (info->waits)
		shell_printf("  (source %u, polled)\n", info->source);
	else
		shell_printf("  (source %u, to hart %u)\n", info->source, info->hart);
}

static int cmd_irqs(int argc, char **argv)
{
	struct irq_info info;

	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	shell_printf("interrupt         count  hart:count\n");
	kind_line("timer", IRQ_TIMER);
	kind_line("ipi", IRQ_IPI);
	kind_line("external", IRQ_EXTERNAL);
	for (unsigned i = 0; irq_info(i, &info); i++)
		source_line(&info);
	shell_printf("spurious claims %lu, without a handler %lu, tty bytes %lu (%lu dropped)\n",
		(unsigned long)irq_count_spurious(), (unsigned long)irq_count_unhandled(),
		(unsigned long)tty_count(), (unsigned long)tty_dropped());
	return 0;
}
SHELL_COMMAND(irqs, "irqs", "interrupts by source and hart", cmd_irqs);

static void when(uint64_t ns, uint64_t now)
{
	if (ns == UINT64_MAX)
		shell_printf(" %12s", "-");
	else if (ns <= now)
		shell_printf(" %12s", "now");
	else
		shell_printf(" %10luus", (unsigned long)((ns - now) / NS_PER_US));
}

static int cmd_timers(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	shell_printf("hart  pending         next         tick   programmed       fired  early\n");
	for_each_hart(h) {
		struct timerq_info info;
		uint64_t now = clock_now_ns();

		if (!hart_is_online(h))
			continue;
		timer_info(h, &info);
		shell_printf("%4u  %7u", h->index, info.nr_pending);
		when(info.next_ns, now);
		when(info.tick_ns, now);
		when(info.programmed_ns, now);
		shell_printf(
			" %11lu  %5lu\n", (unsigned long)info.fired, (unsigned long)info.early);
	}
	return 0;
}
SHELL_COMMAND(timers, "timers", "timers of each hart", cmd_timers);
