/* SPDX-License-Identifier: MIT */
/*
 * `harts -t`: how each hart came up: a table of its stages, and a chart of them over time. `harts
 * -t --csv`: the same for programs, a line a hart that begins with `bringup,`; times in ns since
 * the kernel's first instruction, empty where a stage was not reached.
 *
 * The table's times are microseconds since the call that started the hart (the boot hart: since its
 * first instruction), `park` the way from the call to the kernel of the start before that, after
 * which it stopped again until it was wanted. One chart goes from the boot's first call to the
 * moment when the last hart ran a thread, or the boot waited no more. Who was started after that is
 * in a second one, each beginning with its own call.
 */
#include "kernel/shell/cmd_bringup.h"

#include "kernel/hart/bringup.h"
#include "kernel/lock/race.h"
#include "kernel/shell/command.h"
#include "kernel/time/clock.h"
#include "lib/bar.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

#define BAR_WIDTH 86
#define CELL_MAX 24

/* Of the stages, the first for none of them, the last for a hart that parked. */
static const char marks[] = ".femt=#-";
#define PARKED HART_STAGES

static uint64_t since_entry_ns(uint64_t ticks)
{
	return ticks > arch_info.entry_time ? ticks_to_ns(ticks - arch_info.entry_time) : 0;
}

/* ---- Table ----------------------------------------------------------------------------------- */

static uint64_t start_of(const struct hart_meta *h)
{
	uint64_t called = hart_stage_time(h, HART_CALLED);

	return called ? called : hart_stage_time(h, HART_ENTRY);
}

static const char *us_cell(char *cell, uint64_t ticks)
{
	snprintf(cell, CELL_MAX, "%llu", (unsigned long long)(ticks_to_ns(ticks) / NS_PER_US));
	return cell;
}

static void table_line(const struct hart_meta *h)
{
	uint64_t start = start_of(h);
	uint64_t parked = racy_read(h->parked_ticks, "it may be coming");
	char cell[CELL_MAX];

	shell_printf("%4u  %6lu  %-9s  %9llu", h->index, (unsigned long)h->hartid,
		hart_state_name(atomic_load_u32(&h->state, relaxed)),
		(unsigned long long)(since_entry_ns(start) / NS_PER_US));
	for (enum hart_stage s = HART_ENTRY; s < HART_STAGES; s++) {
		uint64_t at = hart_stage_time(h, s);

		shell_printf("  %7s", at >= start && at ? us_cell(cell, at - start) : "-");
	}
	shell_printf("  %7s%s\n", parked ? us_cell(cell, parked) : "-",
		h == &boot_hart ? "  boot hart" : "");
}

static void table(void)
{
	shell_printf("hart  hartid  state       start-us    entry      mmu    traps    sched   "
		     "thread     park\n");
	for_each_hart(h)
		table_line(h);
}

/* ---- Chart ----------------------------------------------------------------------------------- */

/* After the boot, by demand or by hand. */
static bool came_later(const struct hart_meta *h)
{
	return hart_boot_went_on && hart_stage_time(h, HART_CALLED) > hart_boot_went_on;
}

static void chart_line(const struct hart_meta *h, uint64_t from, uint64_t to)
{
	char bar[BAR_WIDTH + 1];
	uint64_t at[HART_STAGES + 1];
	uint64_t parked = racy_read(h->parked_ticks, "as above");

	for (enum hart_stage s = HART_CALLED; s < HART_STAGES; s++)
		at[s] = hart_stage_time(h, s);
	at[PARKED] = parked && at[HART_TRAPS] && !at[HART_SCHED] ? at[HART_CALLED] + parked : 0;
	bar_draw(bar, BAR_WIDTH, from, to, at, HART_STAGES + 1, marks);
	shell_printf("%4u |%s|\n", h->index, bar);
}

static void chart_head(const char *what, const char *since, uint64_t ticks, bool explain)
{
	uint64_t us = ticks_to_ns(ticks) / NS_PER_US;

	shell_printf("\n%s: %llu us from %s; a character is %llu us\n", what,
		(unsigned long long)us, since, (unsigned long long)(us / BAR_WIDTH));
	if (explain)
		shell_printf(". not called  f in the firmware  e entered  m MMU on  t traps ready  "
			     "= takes threads  # runs them\n- stopped until it is wanted\n");
}

/* The first call and the last stage of all; false: nobody was called. */
static bool boot_range(uint64_t *from, uint64_t *to)
{
	*from = UINT64_MAX;
	*to = hart_boot_went_on;
	for_each_hart(h) {
		uint64_t called = hart_stage_time(h, HART_CALLED);

		if (!called || came_later(h))
			continue;
		*from = MIN(*from, called);
		*to = MAX(*to, hart_stage_time(h, HART_THREAD));
	}
	return *from < *to;
}

/* Was there anything to be drawn? */
static bool boot_chart(void)
{
	uint64_t from, to;

	if (!boot_range(&from, &to)) {
		shell_printf("\nno hart was started at boot\n");
		return false;
	}
	chart_head(plan_mode_name(hart_plan()->mode), "the first call", to - from, true);
	for_each_hart(h)
		if (!came_later(h))
			chart_line(h, from, to);
	return true;
}

/* The longest way of those that came later, 0: there are none. */
static uint64_t later_range(void)
{
	uint64_t longest = 0;

	for_each_hart(h) {
		uint64_t called = hart_stage_time(h, HART_CALLED);

		for (enum hart_stage s = HART_ENTRY; s < HART_STAGES && came_later(h); s++)
			longest = MAX(longest, MAX(hart_stage_time(h, s), called + 1) - called);
	}
	return longest;
}

static void later_chart(bool explain)
{
	uint64_t longest = later_range();

	if (!longest)
		return;
	chart_head("started later", "the call of each", longest, explain);
	for_each_hart(h)
		if (came_later(h))
			chart_line(h, hart_stage_time(h, HART_CALLED),
				hart_stage_time(h, HART_CALLED) + longest);
}

/* ---- For programs ---------------------------------------------------------------------------- */

static void csv_line(const struct hart_meta *h)
{
	shell_printf("bringup,%u,%lu,%u,%s,%s", h->index, (unsigned long)h->hartid, h == &boot_hart,
		hart_state_name(atomic_load_u32(&h->state, relaxed)),
		plan_mode_name(hart_plan()->mode));
	for (enum hart_stage s = HART_CALLED; s < HART_STAGES; s++) {
		uint64_t at = hart_stage_time(h, s);

		if (at)
			shell_printf(",%llu", (unsigned long long)since_entry_ns(at));
		else
			shell_printf(",");
	}
	shell_printf(",%llu\n",
		(unsigned long long)ticks_to_ns(racy_read(h->parked_ticks, "it may be coming")));
}

static void csv(void)
{
	shell_printf(
		"bringup,hart,hartid,boot,state,mode,call,entry,mmu,traps,sched,thread,park\n");
	for_each_hart(h)
		csv_line(h);
	shell_printf("bringup,done,%llu\n", (unsigned long long)since_entry_ns(hart_boot_went_on));
}

int bringup_report(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[2], "--csv") == 0) {
		csv();
		return 0;
	}
	if (argc > 2)
		return shell_complain("harts: -t takes --csv or nothing, not %s", argv[2]);
	table();
	later_chart(!boot_chart());
	return 0;
}
