/* SPDX-License-Identifier: MIT */
/*
 * `hart`: the life of harts, from the shell.
 *
 *	hart stop N [-f]		takes it out; -f: also with threads that are pinned to it
 *	hart start N			takes it in again
 *	hart suspend N [KIND] [-f]	KIND: retentive (the default) or non-retentive
 *	hart resume N
 *	hart poke N			a bare software interrupt: a suspended hart stays suspended
 *	hart status			a line for each hart
 *	hart pin [THREAD HARTS]		which threads are pinned; pins one (cmd_hart_pin.c)
 *
 * Whatever is wrong gets one line, and nothing has changed then.
 */
#include "kernel/shell/cmd_hart.h"

#include "kernel/hart/bringup.h"
#include "kernel/hart/leave.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "kernel/task/hart_life.h"
#include "kernel/time/timer.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"
#include "lib/options.h"
#include "lib/parse.h"
#include "lib/string.h"

#define NAMES_LEN 100

struct request {
	struct hart_meta *h;
	bool force, retentive, non_retentive;
};

struct subcommand {
	const char *name, *words; /* words that may follow the number */
	int (*fn)(const struct request *r);
};

/* ---- What went wrong ------------------------------------------------------------------------- */

static const char *hsm_name(int state)
{
	static const char *const names[] = {
		[ARCH_HSM_STARTED] = "STARTED",
		[ARCH_HSM_STOPPED] = "STOPPED",
		[ARCH_HSM_START_PENDING] = "START_PENDING",
		[ARCH_HSM_STOP_PENDING] = "STOP_PENDING",
		[ARCH_HSM_SUSPENDED] = "SUSPENDED",
		[ARCH_HSM_SUSPEND_PENDING] = "SUSPEND_PENDING",
		[ARCH_HSM_RESUME_PENDING] = "RESUME_PENDING",
	};

	return state >= 0 && (size_t)state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

static int say_stuck(const struct hart_meta *h)
{
	return shell_complain(
		"hart: hart %u is stuck in the firmware (%s): failed; once that is over, `hart "
		"start %u`",
		h->index, hsm_name(arch_hart_state(h->hartid)), h->index);
}

static int say_hung(const struct hart_meta *h)
{
	return shell_complain("hart: hart %u was started and is silent (%s), last seen: %s: "
			      "failed; it joins if it comes",
		h->index, hsm_name(arch_hart_state(h->hartid)),
		hart_stage_name(hart_last_stage(h)));
}

static int say(const struct hart_meta *h, int err)
{
	const char *state = hart_state_name(atomic_load_u32(&h->state, relaxed));

	switch (err) {
	case 0:
		return 0;
	case -EBUSY:
		if (hart_leave_stuck(h))
			return say_stuck(h);
		if (hart_is_hung(h))
			return say_hung(h);
		return shell_complain("hart: hart %u is in transition (%s)", h->index, state);
	case -EALREADY:
	case -ENODEV:
		return shell_complain("hart: hart %u is %s", h->index, state);
	case -ETIMEDOUT:
		return shell_complain("hart: hart %u does not come, last seen: %s: failed; it "
				      "joins when it does",
			h->index, hart_stage_name(hart_last_stage(h)));
	case -EFAULT:
		return shell_complain("hart: hart %u died before it joined, last seen: %s: failed",
			h->index, hart_stage_name(hart_last_stage(h)));
	default:
		return shell_complain("hart: hart %u stays %s: the firmware refuses (error %d, %s)",
			h->index, state, -err, errno_name(err));
	}
}

static int say_leaving(const struct hart_meta *h, int err)
{
	char names[NAMES_LEN];

	switch (err) {
	case -EINVAL:
		return shell_complain("hart: hart %u is the last one that runs", h->index);
	case -EPERM:
		hart_pinned(h, names, sizeof(names));
		return shell_complain(
			"hart: hart %u has pinned threads (%s); -f moves them for the "
			"time being",
			h->index, names);
	case -ETIMEDOUT:
		return say_stuck(h);
	case -EAGAIN:
		return shell_complain(
			"hart: hart %u has work and threads that no other hart takes", h->index);
	default:
		return say(h, err);
	}
}

/* ---- Going and coming ------------------------------------------------------------------------ */

static int do_stop(const struct request *r)
{
	return say_leaving(r->h, hart_stop(r->h, r->force));
}

static int do_suspend(const struct request *r)
{
	return say_leaving(r->h, hart_suspend(r->h, !r->non_retentive, r->force));
}

/* What a hart must have been for it to come. */
static int say_coming(const struct hart_meta *h, int err, const char *was, const char *otherwise)
{
	if (err != -EINVAL)
		return say(h, err);
	return shell_complain("hart: hart %u is not %s, but %s: `hart %s %u`", h->index, was,
		hart_state_name(atomic_load_u32(&h->state, relaxed)), otherwise, h->index);
}

static int do_start(const struct request *r)
{
	return say_coming(r->h, hart_start(r->h), "stopped", "resume");
}

static int do_resume(const struct request *r)
{
	return say_coming(r->h, hart_resume(r->h), "suspended", "start");
}

static int do_poke(const struct request *r)
{
	arch_ipi_send_hart(r->h->hartid);
	return 0;
}

/* ---- Status ---------------------------------------------------------------------------------- */

static void status_line(struct hart_meta *h)
{
	enum hart_state state = atomic_load_u32(&h->state, relaxed);
	/* Who was given up as it left had come all the way. */
	bool came_short = state == HART_FAILED && hart_stage_time(h, HART_CALLED) &&
		!hart_stage_time(h, HART_SCHED);
	struct timerq_info timers;

	timer_info(h, &timers);
	shell_printf("%4u  %6lu  %-9s  %-15s  %6u  %5u  %8u  %5u  %6u  %6u  %6u%s%s%s%s\n",
		h->index, (unsigned long)h->hartid, hart_state_name(state),
		hsm_name(arch_hart_state(h->hartid)), (unsigned)h->stats.starts,
		(unsigned)h->stats.stops, (unsigned)h->stats.suspends,
		(unsigned)atomic_load_u32(&h->leave.wakes, relaxed), hart_pinned(h, NULL, 0),
		timers.nr_pending, work_pending(h), h == &boot_hart ? "  boot hart" : "",
		hart_leave_stuck(h) ? "  stuck" : "", came_short ? "  last seen: " : "",
		came_short ? hart_stage_name(hart_last_stage(h)) : "");
}

static int status(int argc, char **argv)
{
	if (argc > 2)
		return shell_complain("hart: too many arguments: %s", argv[2]);
	shell_printf("hart  hartid  state      firmware         starts  stops  suspends  wakes  "
		     "pinned  timers    work\n");
	for_each_hart(h)
		status_line(h);
	return 0;
}

/* ---- Words ----------------------------------------------------------------------------------- */

static const struct subcommand subcommands[] = {
	{"stop", "-f", do_stop},
	{"start", "", do_start},
	{"suspend", "-f retentive non-retentive", do_suspend},
	{"resume", "", do_resume},
	{"poke", "", do_poke},
};

struct hart_meta *hart_of_word(const char *word)
{
	unsigned index;

	if (parse_unsigned(word, &index) || index >= nr_harts || !harts[index]) {
		shell_complain("hart: no hart %s: they are 0 to %u", word, nr_harts - 1);
		return NULL;
	}
	return harts[index];
}

static int read_request(const struct subcommand *sub, int argc, char **argv, struct request *r)
{
	*r = (struct request){0};
	if (argc < 3)
		return shell_complain("hart: %s needs the number of a hart", sub->name);
	r->h = hart_of_word(argv[2]);
	if (!r->h)
		return -EINVAL;
	for (int i = 3; i < argc; i++) {
		if (!option_in_words(sub->words, argv[i]))
			return shell_complain("hart: %s does not know %s", sub->name, argv[i]);
		r->force |= strcmp(argv[i], "-f") == 0;
		r->retentive |= strcmp(argv[i], "retentive") == 0;
		r->non_retentive |= strcmp(argv[i], "non-retentive") == 0;
	}
	if (r->retentive && r->non_retentive)
		return shell_complain("hart: retentive or non-retentive, not both");
	return 0;
}

static int cmd_hart(int argc, char **argv)
{
	struct request r;

	if (argc == 1 || strcmp(argv[1], "status") == 0)
		return status(argc, argv);
	if (strcmp(argv[1], "pin") == 0)
		return hart_pin(argc, argv);
	for (unsigned i = 0; i < ARRAY_SIZE(subcommands); i++) {
		if (strcmp(argv[1], subcommands[i].name) != 0)
			continue;
		if (read_request(&subcommands[i], argc, argv, &r))
			return -EINVAL;
		return subcommands[i].fn(&r);
	}
	return shell_complain("hart: no such word: %s; there are stop start suspend resume poke "
			      "status pin",
		argv[1]);
}

static const char *complete(unsigned i)
{
	static const char *const words[] = {
		"stop", "start", "suspend", "resume", "poke", "status", "pin"};

	return i < ARRAY_SIZE(words) ? words[i] : NULL;
}
SHELL_COMMAND_COMPLETE(
	hart, "hart WORD [N] [...]", "stops, starts, suspends, resumes harts", cmd_hart, complete);
