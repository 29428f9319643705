/* SPDX-License-Identifier: MIT */
/*
 * From the first C code of the kernel to the shell: the boot as a list of steps.
 *
 * kernel_main runs on the boot hart's own stack with interrupts off, before there is anything, and
 * ends as that hart's idle thread. What may sleep is done by the thread "init". The other harts
 * come in through hart_main.
 */
#include "kernel/arch.h"
#include "kernel/device.h"
#include "kernel/hart/bringup.h"
#include "kernel/hart/call.h"
#include "kernel/hart/fault.h"
#include "kernel/hart/leave.h"
#include "kernel/hart/topology.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/point.h"
#include "kernel/lock/race.h"
#include "kernel/lock/relax.h"
#include "kernel/log.h"
#include "kernel/log/ring.h"
#include "kernel/mm/page.h"
#include "kernel/panic.h"
#include "kernel/panic/report.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/bringup.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/cycle.h"
#include "kernel/wait/pi.h"
#include "lib/bootargs.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/options.h"
#include "lib/parse.h"
#include "lib/printf.h"
#include "lib/string.h"

#define HARTWAIT_MAX_MS 3600000u
#define OPTION_SAID_MAX 60

static void check_tree(void);
static void read_options(void);
static void say_machine(void);
static void say_harts(void);
static void balance_irqs(const char *args);
static void init_thread(void *arg);

noreturn void kernel_main(void)
{
	struct thread *init;

	boot_hart.lock.thread = &boot_idle.lock;
	__asm__ volatile("" : : : "memory"); /* arch_current() from here on */
	relax_serve_leaf = hart_leaf_serve;
	panic_init();

	check_tree();
	log_init();
	/* From here on this hart knows its number, and what it says bears it. */
	hart_discover();
	topology_init();
	read_options();
	say_machine();

	mm_early_init();
	mm_init();

	thread_init();
	sched_init();
	pi_init();
	cycle_init();
	bringup_prepare();
	say_harts();

	drivers_probe(DRIVER_POWER);
	drivers_probe(DRIVER_IRQCHIP);
	irq_check_reach();
	hart_join(&boot_hart);
	irq_enter_hart(&boot_hart);

	/* These run when this becomes the idle thread; until then nobody waits for a lock. */
	thread_start_service();
	init = thread_spawn("init", init_thread, NULL);
	if (!init)
		panic_as(EXIT_NO_MEMORY, "no memory for the first thread");
	thread_detach(init);
	mm_threads_start();
	sched_idle_loop();
}

noreturn void hart_main(struct hart_meta *h)
{
	do {
		hart_stay_suspended(h);
		hart_park_if_asked(h);
		hart_join(h);
	} while (CONFIG_HART_FAULT_TWICE && hart_fault_again(h));
	hart_start_children(h);
	irq_enter_hart(h);
	sched_idle_loop();
}

static void init_thread(void *arg unused_arg)
{
	drivers_probe(DRIVER_DEVICE);
	balance_irqs(fdt_bootargs(arch_info.fdt));
	log_info("harts: %u of %u online", bringup_start(), nr_harts);
	shell_start();
	bringup_await_rest();
}

/* ---- The tree and the options --------------------------------------------------------------- */

/* The tree, the clock, and the console and the way out as far as they can be had without memory.
 * What the tree says of memory is judged where it is set up. */
static void check_tree(void)
{
	/* The arch has looked at its whole structure already. */
	if (!arch_info.fdt)
		bad_tree("it is missing or malformed");
	drivers_early(arch_info.fdt);
	if (clock_init(arch_info.timebase_hz))
		bad_tree("it has no usable timebase-frequency");
}

BOOT_NUMBER(lockchaos, UINT64_MAX, "a number");
BOOT_NUMBER(hartwait, HARTWAIT_MAX_MS, "a number of milliseconds up to 3600000");

static bool is_race_seed(const struct boot_option *option unused_arg, const char *value)
{
	uint64_t seed;

	return !*value || !parse_u64(value, &seed);
}
BOOT_OPTION(race, "a number, or nothing", is_race_seed);

static bool is_relax_mode(const struct boot_option *option unused_arg, const char *value)
{
	return option_in_words("pause turn", value);
}
BOOT_OPTION(relax, "pause or turn", is_relax_mode);

LINKSET_DECLARE(boot_option, const struct boot_option);

static void say_bad_option(const struct bootarg *arg, enum option_fault fault, const char *takes)
{
	size_t len = arg->key_len + (arg->has_value ? 1 + arg->raw_len : 0);
	const char *dots = len > OPTION_SAID_MAX ? "..." : "";

	len = MIN(len, (size_t)OPTION_SAID_MAX);
	if (fault == OPTION_INVALID)
		log_warn("  %.*s%s: it takes %s", (int)len, arg->key, dots, takes);
	else
		log_warn("  %.*s%s: %s", (int)len, arg->key, dots,
			fault == OPTION_UNKNOWN ? "nothing here knows it"
						: "a quote is not closed, or misplaced");
}

/* Whatever is no good, all of it here: who reads it goes on with its default and is silent. */
static void check_options(const char *args)
{
	const struct boot_option *const *first = linkset_hide_(__start_linkset_boot_option);
	const struct boot_option *const *end = linkset_hide_(__stop_linkset_boot_option);
	unsigned bad = options_check(args, first, end, NULL);

	if (!bad)
		return;
	log_warn("boot arguments: %u of no use, which count as not given:", bad);
	options_check(args, first, end, say_bad_option);
}

static void read_chaos(const char *args)
{
	uint64_t seed;

	if (bootargs_get_u64(args, "lockchaos", &seed))
		return;
	if (!CONFIG_LOCKPOINTS)
		log_warn("lockchaos=: this configuration has none (CONFIG=debug has)");
	else
		lock_chaos_set(seed);
}

static void read_race(const char *args)
{
	uint64_t seed = 1;
	int err = bootargs_get_u64(args, "race", &seed);

	if (CONFIG_RACE)
		race_start(seed);
	else if (err != -ENOENT)
		log_warn("race=: this configuration has none (CONFIG=race has)");
}

/* hartwait= milliseconds, for trees that name harts which never come. */
static void read_hart_options(const char *args)
{
	struct bootarg run;
	uint64_t n;

	if (!bootargs_get_u64(args, "hartwait", &n) && n <= HARTWAIT_MAX_MS) {
		hart_set_patience(n * NS_PER_MS);
		/* Who says how long to wait is waited for. */
		hart_set_hold(n * NS_PER_MS);
	} else if (bootargs_find(args, "run", &run)) {
		/* A script finds every hart that will ever come. */
		hart_set_hold(UINT64_MAX);
	}
	if (CONFIG_HART_FAULTS)
		hart_fault_read(args);
	hart_read_plan(args);
}

/* irqbalance= who decides which hart takes a device's interrupts. When drivers have their sources.
 */
static void balance_irqs(const char *args)
{
	enum irq_balance mode;
	char word[32];

	if (!bootargs_get(args, "irqbalance", word, sizeof(word)))
		return;
	if (!irq_balance_named(word, &mode))
		irq_balance_set(mode);
}

static bool is_irq_balance(const struct boot_option *option unused_arg, const char *value)
{
	enum irq_balance mode;

	return !irq_balance_named(value, &mode);
}
BOOT_OPTION(irqbalance, "one of " IRQ_BALANCE_NAMES, is_irq_balance);

static void read_options(void)
{
	const char *args = fdt_bootargs(arch_info.fdt);
	char word[32];

	log_info("boot arguments: %s", args[0] ? args : "(none)");
	check_options(args);
	bootargs_get(args, "relax", word, sizeof(word));
	relax_init(word);
	read_chaos(args);
	read_race(args);
	read_hart_options(args);
}

/* ---- What the tree and the firmware say ------------------------------------------------------ */

static void say_machine(void)
{
	const char *model = "";

	fdt_read_string(arch_info.fdt, FDT_ROOT, "model", &model);
	log_info("machine: %s, timebase %u Hz, timers by %s, paging %s", model,
		(unsigned)arch_info.timebase_hz, arch_info.has_sstc ? "Sstc" : "SBI",
		arch_info.paging);
	log_info("firmware: SBI %u.%u, implementation %u version 0x%x, extensions %s",
		(unsigned)(arch_info.sbi_spec >> 24), (unsigned)(arch_info.sbi_spec & 0xffffff),
		(unsigned)arch_info.sbi_impl_id, (unsigned)arch_info.sbi_impl_version,
		arch_info.sbi_extensions);
}

/* In pieces, cut before a `_`: an ISA string may well be longer than a line of the log. */
static void say_isa(const char *range, const char *isa)
{
	const size_t most = 120;

	while (*isa) {
		size_t n = strlen(isa);

		if (n > most) {
			for (n = most; n && isa[n] != '_'; n--)
				;
			n = n ? n : most;
		}
		log_info("hart%s: ISA %.*s", range, (int)n, isa);
		isa += n;
	}
}

/* Harts with the same ISA and MMU in a row share the lines that say these. */
static void say_harts(void)
{
	char range[24];

	for (unsigned i = 0, first = 0; i < nr_harts; i++) {
		const struct hart_meta *h = harts[i],
				       *next = i + 1 < nr_harts ? harts[i + 1] : NULL;

		log_info("hart %u: hartid %lu%s", i, (unsigned long)h->hartid,
			h == &boot_hart ? ", the boot hart" : "");
		if (next && strcmp(h->isa, next->isa) == 0 &&
			strcmp(h->mmu_type, next->mmu_type) == 0)
			continue;
		snprintf(range, sizeof(range), first == i ? " %u" : "s %u-%u", first, i);
		log_info("hart%s: MMU %s", range, h->mmu_type);
		say_isa(range, h->isa);
		first = i + 1;
	}
}
