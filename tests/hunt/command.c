/* SPDX-License-Identifier: MIT */
/*
 * The command hunt: runs one program under the schedule that the boot arguments give, and ends.
 *
 *	hunt_seed=N		the schedule's seed
 *	hunt_schedule=LIST	these entries in place of the seed's (priorities stay the seed's)
 *	hunt_stop=EVENT		hunt_stop_here is called at that event
 *	hunt_story=1		the last events are printed at the end
 *	hunt_chaos=1		during rounds locks take their rare ways by the seed, too
 *
 * The run must be a function of seed and schedule alone, not, say, of the length of the boot
 * arguments. So all preparation ends in a sleep until one fixed moment, BEGIN_NS after power-on,
 * when every hart has long been idle, and in align_to_tick; and what runs from then on has no past
 * that the scheduler would count: the program's threads are made after it, and the runner is a
 * real-time thread.
 *
 * Threads and rounds: each thread waits for its own gate, runs, and counts itself out. The runner
 * stays on the last hart, the program's threads begin with the first.
 */
#include "kernel/shell/command.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/panic.h"
#include "kernel/panic/power.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/shell.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/chain.h"
#include "kernel/wait/completion.h"
#include "lib/bootargs.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/options.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "tests/hunt/engine.h"

#define BEGIN_NS (70 * NS_PER_MS)
#define ROUND_PREPARATION_NS (200 * NS_PER_US)
#define WAKE_NS (50 * NS_PER_US) /* more than it takes to be woken */
#define SCHEDULE_TEXT_MAX 8192

LINKSET_DECLARE(hunt_program, const struct hunt_program);

DEFINE_LOCK_CLASS(gate_class, .name = "hunt.gate", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the rounds of a hunted program");

static const struct hunt_program *program;
static uint64_t seed;
static bool with_chaos;
static struct thread *threads[HUNT_THREADS_MAX];
static struct completion gates[HUNT_THREADS_MAX], out;

static const struct hunt_program *find_program(const char *name)
{
	linkset_for_each(hunt_program, const struct hunt_program, p)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

/* For the host: name, verdict that is expected, within how many seeds. */
static void list_programs(void)
{
	linkset_for_each(hunt_program, const struct hunt_program, p)
		shell_printf("hunt-program: %s %s %u %s\n", p->name, p->fails ? p->fails : "pass",
			p->within, p->help);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* As the host put it, which knows what else belongs to it. */
static void tell_replay(void (*out)(const char *fmt, ...))
{
	static char line[300];

	if (bootargs_get(fdt_bootargs(arch_info.fdt), "hunt_replay", line, sizeof(line)))
		out("replay: %s\n", line);
	else
		out("replay: make replay PROG=%s SEED=%llu\n", program->name,
			(unsigned long long)seed);
}

/* Registered as what switches the machine off: it prints, and leaves that to the real one. */
static void print_result(int status)
{
	const char *verdict, *name = exit_name(status);

	engine_freeze(NULL);
	verdict = engine_verdict();
	record_report(program, seed, verdict ? verdict : name ? name : "unknown");
}

static const struct power_device printer = {.name = "hunt", .off = print_result};

/* ---- The boot arguments ---------------------------------------------------------------------- */

BOOT_NUMBER(hunt_seed, UINT64_MAX, "a number");
BOOT_NUMBER(hunt_stop, UINT64_MAX, "a number of events");
BOOT_NUMBER(hunt_story, UINT64_MAX, "a number, 0: no story");
BOOT_NUMBER(hunt_chaos, UINT64_MAX, "a number, 0: none");
BOOT_TEXT(hunt_schedule);
BOOT_TEXT(hunt_replay);

static int read_options(uint64_t *stop)
{
	const char *args = fdt_bootargs(arch_info.fdt);
	static char text[SCHEDULE_TEXT_MAX];
	uint64_t story = 0, chaos = 0;

	*stop = 0;
	if (bootargs_get_u64(args, "hunt_seed", &seed))
		return shell_complain("hunt: hunt_seed= is no number");
	bootargs_get_u64(args, "hunt_stop", stop);
	bootargs_get_u64(args, "hunt_story", &story);
	bootargs_get_u64(args, "hunt_chaos", &chaos);
	with_chaos = chaos;
	if (story)
		record_tell_story();
	schedule_init(seed, nr_harts);
	if (bootargs_get(args, "hunt_schedule", text, sizeof(text)) && schedule_from_text(text))
		return shell_complain("hunt: hunt_schedule= is no schedule");
	return 0;
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void thread_body(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (unsigned round = 0; round < program->rounds; round++) {
		wait_for_completion(&gates[me]);
		program->thread(me);
		complete(&out);
	}
}

static void bind(struct thread *t, unsigned hart)
{
	struct hart_mask only;

	hart_mask_zero(&only);
	hart_mask_set(&only, hart % nr_harts);
	sched_set_affinity(t, &only);
}

static int make_threads(void)
{
	char name[THREAD_NAME_MAX];

	completion_init(&out, &gate_class);
	for (unsigned i = 0; i < program->threads; i++) {
		completion_init(&gates[i], &gate_class);
		snprintf(name, sizeof(name), "%s/%u", program->name, i);
		threads[i] = thread_create(name, thread_body, (void *)(uintptr_t)i);
		if (!threads[i])
			return -ENOMEM;
		bind(threads[i], i);
		thread_run(threads[i]);
	}
	return 0;
}

/* What the threads of the program wait for, those that wait. */
static void report_waits(void)
{
	for (unsigned i = 0; i < program->threads; i++) {
		enum thread_state state = atomic_load_u32(&threads[i]->state, relaxed);
		struct wait_seen wait;

		if (wait_read(&threads[i]->lock.wait, &wait))
			report("  %s: %s, waits for %s\n", threads[i]->name,
				thread_state_name(state), chain_what(&wait));
		else
			report("  %s: %s\n", threads[i]->name, thread_state_name(state));
	}
}

/* One that has not come to its gate; else any. */
static const struct lock_thread *first_sleeper(void)
{
	struct wait_seen wait;

	for (unsigned i = 0; i < program->threads; i++)
		if (wait_read(&threads[i]->lock.wait, &wait) && wait.class != &gate_class)
			return &threads[i]->lock;
	return &threads[0]->lock;
}

/*
 * A timer of QEMU's comes so many ticks after it was programmed, to the instruction: so what was
 * left of the tick then is left of it now. Here the tick is used up: `cycle` counts instructions,
 * those before were `cycle` modulo 100 of its 100, so many are left out of 100 that do nothing.
 * Before that all ticks up to `last` are: how many the way out of the sleep takes depends on where
 * in a tick it begins.
 */
static __attribute__((noinline)) void align_to_tick(uint64_t last)
{
	unsigned long skip, to;

	irq_off();
	while (arch_time() < last)
		arch_pause();
	__asm__ volatile(".option push\n\t.option norvc\n\t"
			 "rdcycle %0\n\t"
			 "remu %0, %0, %2\n\t"
			 "slli %0, %0, 2\n\t"
			 "lla %1, 1f\n\t"
			 "add %1, %1, %0\n\t"
			 "jr %1\n"
			 "1:\t.rept 100\n\tnop\n\t.endr\n\t"
			 ".option pop"
		: "=&r"(skip), "=&r"(to)
		: "r"(100ul));
	irq_on();
}

/* Until `deadline_ns`, when everybody has long been idle: what was done before took less, however
 * much it was, and leaves no trace in the time. */
static void settle_until(uint64_t deadline_ns)
{
	hunt_check(clock_now_ns() < deadline_ns, "the preparation took too long");
	sched_sleep_until(deadline_ns, false);
	align_to_tick(clock_ns_to_time(deadline_ns + WAKE_NS));
}

static void run_round(unsigned round)
{
	unsigned limit_us = program->limit_us ? program->limit_us : HUNT_LIMIT_US;
	uint64_t begin, deadline;
	int err;

	/* First what the round before left under way, a timer or a message, comes to its end: how
	 * long the preparation takes must not decide whom it meets. */
	settle_until(clock_now_ns() + ROUND_PREPARATION_NS);
	begin = clock_now_ns() + ROUND_PREPARATION_NS;
	deadline = begin + limit_us * NS_PER_US;
	if (program->begin)
		program->begin();
	engine_round_prepare(round);
	settle_until(begin);
	engine_round_begin();
	if (with_chaos)
		lock_chaos_set(seed << 16 | (round + 1));
	for (unsigned i = 0; i < program->threads; i++)
		complete(&gates[i]);
	for (unsigned i = 0; i < program->threads; i++) {
		/* Under chaos a limit may come early. */
		while ((err = wait_for_completion_timeout(&out, deadline)) &&
			clock_now_ns() < deadline)
			;
		if (!err)
			continue;
		engine_freeze("deadlock");
		report_waits();
		engine_deadlock("the round does not end", NULL, first_sleeper());
	}
	lock_chaos_set(0);
	engine_round_end();
	if (program->end)
		program->end();
}

/* A step of a wait is a whole turn of the others: few of them are many, and what comes after them
 * (queues, parking) shall be seen. */
static void tune_for_turns(void)
{
	irqlock_tuning.newcomer_spins = 3;
	irqlock_tuning.newcomer_pause = 1;
	irqlock_tuning.queued_spins = 2;
	irqlock_tuning.head_spins = 2;
}

static int run_program(void)
{
	uint64_t stop;
	int err = read_options(&stop);

	if (err)
		return err;
	power_register(&printer);
	replay_line = tell_replay;
	if (!program->checker)
		lockcheck_ignore(1u << KIND_RANK | 1u << KIND_ORDER | 1u << KIND_IRQ);
	tune_for_turns();
	bind(current_thread(), nr_harts - 1);
	sched_set_priority(current_thread(), SCHED_FIFO, PRIO_RT_MAX);
	settle_until(BEGIN_NS);
	err = make_threads();
	if (err)
		return err;
	engine_arm(program, thread_body, stop);
	for (unsigned round = 0; round < program->rounds; round++)
		run_round(round);
	engine_freeze("pass");
	for (unsigned i = 0; i < program->threads; i++)
		thread_join(threads[i], NULL);
	return 0;
}

static int cmd_hunt(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 2))
		return -EINVAL;
	if (argc == 1) {
		list_programs();
		return 0;
	}
	program = find_program(argv[1]);
	if (!program || program->threads > HUNT_THREADS_MAX)
		return shell_complain("hunt: no program %s", argv[1]);
	if (!arch_info.has_sstc || arch_info.timebase_hz != 10000000 || nr_harts > HUNT_HARTS ||
		strcmp(relax_mode(), "turn") != 0)
		return shell_complain(
			"hunt: needs QEMU's virt with Sstc, at most %d harts, relax=turn",
			HUNT_HARTS);
	return run_program();
}
SHELL_COMMAND(hunt, "hunt [PROGRAM]", "runs a program under a schedule (make hunt)", cmd_hunt);
