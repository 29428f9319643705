/* SPDX-License-Identifier: MIT */
/*
 * Bringing up harts at boot, as the plan says (plan.h).
 *
 * First round, all at once: whoever is to run and need not wait for others is started, and whoever
 * is not to run, or not yet, is started to park (start.c); with `cold` those stay as they are. A
 * start costs the firmware milliseconds, and a hart that was never started costs everybody: so
 * nobody waits in this round before all calls are made.
 *
 * Second round, for `sequential` and `tree`: those that parked are started again, one when the one
 * before it runs, or each by the hart above it in the tree. The tree: the harts that are wanted in
 * the order of their indices, the boot hart first; the k-th has the (2k+1)-th and (2k+2)-th below
 * it. A hart starts them when it has joined.
 *
 * Nobody decides by the clock how fast harts have to be: as long as harts arrive, there is
 * patience. After start_hold_ns without any arrival the boot goes on without those that are
 * missing, which stay STARTING; after start_patience_ns they are marked failed. Time alone is no
 * silence, for it passes while the whole machine stands still: between two looks no more than
 * LOOK_MOST_NS of it counts. A hart that is misjudged all the same loses nothing but time: one that
 * arrives late, or even later, is taken in as if nothing had been, also one that would have parked,
 * if it was wanted. Who stands below a silent hart in the tree is started by the boot thread.
 *
 * Two sets of harts, changed by atomic operations; who takes a hart out of one starts it:
 *   due		for the boot thread
 *   below	for the hart above it in the tree, and the boot thread if that is silent
 * On its way from one of them to STARTING, or to the other one, it is in a third, `issuing`: so the
 * boot thread misses nobody whom another hart is just about to start.
 *
 * No locks: see start.c. `order` and `place` are written before `below` is filled and before the
 * first start of the round, and published by both.
 */
#include "kernel/hart/start.h"

#include "kernel/hart/fault.h"
#include "kernel/log.h"
#include "kernel/time/clock.h"
#include "lib/bootargs.h"
#include "lib/errno.h"
#include "lib/options.h"
#include "lib/string.h"

/* Who stands below a hart in the tree waits so long for it, if nobody else arrives either. */
#define SILENCE_NS NS_PER_SEC
/* Looks are 1 ms apart while the boot waits, later 50. */
#define LOOK_MOST_NS (500 * NS_PER_MS)
/* Asking the firmware about harts costs a call each: once in so many naps. */
#define LOST_LOOKS 16

static struct bring_plan plan = {.mode = BRING_PARALLEL, .most = CONFIG_MAX_HARTS};
static struct hart_mask due, below, issuing;
static struct hart_meta *order[CONFIG_MAX_HARTS];
static uint16_t place[CONFIG_MAX_HARTS];
static unsigned nr_order;
/* Since the last arrival that was seen, and how many there were then; the time of the last look. */
static uint64_t silence_ns, look_ns;
static unsigned nr_arrived;

/* ---- Boot arguments -------------------------------------------------------------------------- */

static bool is_plan(const struct boot_option *option unused_arg, const char *value)
{
	struct bring_plan got = plan;

	return !plan_parse(value, nr_harts, &got);
}
BOOT_OPTION(harts,
	"parallel, sequential, tree, lazy or cold, or harts that exist such as 0,2-3, or both",
	is_plan);

static bool is_limit(const struct boot_option *option, const char *value)
{
	return option_is_number(option, value) && strcmp(value, "0") != 0;
}
BOOT_OPTION_MOST(maxharts, "a number from 1", is_limit, CONFIG_MAX_HARTS);

void hart_read_plan(const char *args)
{
	char text[OPTION_VALUE_MAX];
	uint64_t most;

	if (bootargs_get(args, "harts", text, sizeof(text)))
		plan_parse(text, nr_harts, &plan);
	if (!bootargs_get_u64(args, "maxharts", &most) && most && most <= CONFIG_MAX_HARTS)
		plan.most = (unsigned)most;
}

const struct bring_plan *hart_plan(void)
{
	return &plan;
}

bool hart_is_due(const struct hart_meta *h)
{
	if (hart_mask_test(&due, h->index) || hart_mask_test(&below, h->index))
		return true;
	/* In the order of a hart's way. Partner: the AMOs in start_if_in. */
	fence_acquire();
	return hart_mask_test(&issuing, h->index);
}

/* ---- Looks ----------------------------------------------------------------------------------- */

static unsigned count_state(enum hart_state state)
{
	unsigned n = 0;

	for_each_hart(h)
		if (atomic_load_u32(&h->state, relaxed) == state)
			n++;
	return n;
}

/* A start was issued, and this is what the firmware said. */
static void say_if_refused(const struct hart_meta *h, int err)
{
	if (err && err != -EAGAIN)
		log_error("hart %u: hartid %lu is refused by the firmware (error %d): failed, "
			  "going on without it",
			h->index, (unsigned long)h->hartid, err);
}

/* Starts `h` if it is in the set; what the firmware is not ready for is left to the boot thread. */
static void start_if_in(struct hart_mask *set, struct hart_meta *h)
{
	uint32_t state = atomic_load_u32(&h->state, relaxed);
	int err = 0;

	hart_mask_atomic_set(&issuing, h->index);
	if (hart_mask_atomic_clear(set, h->index))
		err = start_issue(h, state);
	if (err == -EAGAIN)
		hart_mask_atomic_set(&due, h->index);
	hart_mask_atomic_clear(&issuing, h->index);
	say_if_refused(h, err);
}

/* Issues the starts that can be issued. */
static void start_round(void)
{
	unsigned i;

	/* One that has parked is ready when it stands still. */
	for_each_hart_in_mask(i, &due)
		if (start_settle_parked(harts[i]))
			start_if_in(&due, harts[i]);
}

/* Some hart is still to come. The order of the looks is that of a hart's way, against which nobody
 * gets past them; `due` is at both of its ends. Acquires; partner: the AMOs in start_if_in. */
static bool somebody_missing(void)
{
	unsigned n = hart_mask_weight(&below) + hart_mask_weight(&due);

	fence_acquire();
	n += hart_mask_weight(&issuing);
	fence_acquire();
	return n + hart_mask_weight(&due) + count_state(HART_STARTING);
}

/* An arrival, or a round begins. */
static void break_silence(void)
{
	look_ns = clock_now_ns();
	silence_ns = 0;
}

static void note_silence(void)
{
	uint64_t now = clock_now_ns();

	silence_ns += MIN(now - look_ns, LOOK_MOST_NS);
	look_ns = now;
}

static bool is_silent(const struct hart_meta *above)
{
	return atomic_load_u32(&above->state, relaxed) == HART_FAILED || silence_ns >= SILENCE_NS;
}

/* Who waits for a silent hart waits no more. */
static void adopt_orphans(void)
{
	unsigned i;

	for_each_hart_in_mask(i, &below) {
		struct hart_meta *above = order[(place[i] - 1) / 2];

		if (!is_silent(above) || !hart_mask_atomic_clear(&below, i))
			continue;
		log_warn("hart %u: hart %u, above it in the tree, is silent: the boot starts it", i,
			above->index);
		hart_mask_atomic_set(&due, i);
	}
}

/* One look: nobody is missing, or nobody has arrived for limit_ns. */
static bool nobody_missing(uint64_t limit_ns)
{
	static unsigned looks;
	unsigned arrived;

	/* Before the look: who comes meanwhile breaks it. */
	note_silence();
	for_each_hart(h)
		start_settle_parked(h);
	arrived = count_state(HART_ONLINE) + count_state(HART_STOPPED);
	if (!somebody_missing())
		return true;
	if (arrived != nr_arrived) {
		nr_arrived = arrived;
		break_silence();
	} else if (silence_ns >= limit_ns) {
		return true;
	} else {
		adopt_orphans();
	}
	start_round();
	if (++looks % LOST_LOOKS == 0)
		for_each_hart(h)
			say_if_refused(h, start_repeat_if_lost(h));
	return false;
}

static void say_missing(void)
{
	for_each_hart(h) {
		if (atomic_load_u32(&h->state, relaxed) != HART_STARTING)
			continue;
		log_warn("hart %u: hartid %lu was started and is silent: going on, it joins when "
			 "it comes; last seen: %s",
			h->index, (unsigned long)h->hartid, hart_stage_name(hart_last_stage(h)));
		start_is_missing(h);
	}
}

static void give_up_missing(void)
{
	for_each_hart(h) {
		const char *what = NULL;

		if (hart_mask_atomic_clear(&due, h->index)) {
			h->failure = -EBUSY;
			atomic_store_u32(&h->state, HART_FAILED, relaxed);
			what = "never became ready to start";
		} else if (start_give_up(h, -ETIMEDOUT)) {
			what = "was started and did not arrive";
		}
		if (what)
			log_error("hart %u: hartid %lu %s: failed, going on without it; last seen: "
				  "%s",
				h->index, (unsigned long)h->hartid, what,
				hart_stage_name(hart_last_stage(h)));
	}
}

bool hart_await_look(void)
{
	if (!nobody_missing(start_patience_ns))
		return false;
	give_up_missing();
	return true;
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static uint64_t limit_ns(void)
{
	return MIN(start_hold_ns, start_patience_ns);
}

static bool await_each_other(void)
{
	return plan.mode == BRING_SEQUENTIAL || plan.mode == BRING_TREE;
}

static void first_round(const struct hart_mask *wanted)
{
	for_each_hart(h) {
		bool comes = hart_mask_test(wanted, h->index);
		bool parks = !comes || await_each_other();

		if (atomic_load_u32(&h->state, relaxed) != HART_OFFLINE ||
			(!comes && plan.mode == BRING_COLD))
			continue;
		atomic_store_u32(&h->park, parks ? PARK_ASKED : PARK_NOT, relaxed);
		hart_mask_set(&due, h->index);
	}
	start_round();
	break_silence();
	while (!nobody_missing(limit_ns()))
		start_nap();
}

/* Those that have parked are to be started anew; who has not arrived yet does not park. Who has,
 * and is not STOPPED yet, is the boot's, which starts it when it is. */
static void unpark(const struct hart_mask *wanted)
{
	unsigned i;

	for_each_hart_in_mask(i, wanted) {
		uint32_t asked = PARK_ASKED;

		if (!atomic_cas_u32(&harts[i]->park, &asked, PARK_NOT, relaxed) &&
			asked == PARK_DONE && !start_settle_parked(harts[i]))
			hart_mask_atomic_set(&due, i);
	}
	nr_order = 0;
	order[nr_order++] = &boot_hart;
	for_each_hart_in_mask(i, wanted) {
		if (atomic_load_u32(&harts[i]->state, relaxed) != HART_STOPPED)
			continue;
		place[i] = (uint16_t)nr_order;
		order[nr_order++] = harts[i];
	}
}

static void one_after_the_other(void)
{
	for (unsigned k = 1; k < nr_order; k++) {
		hart_mask_atomic_set(&due, order[k]->index);
		start_round();
		break_silence();
		while (hart_is_due(order[k]) ||
			atomic_load_u32(&order[k]->state, relaxed) == HART_STARTING) {
			if (nobody_missing(limit_ns()))
				break;
			start_nap();
		}
	}
}

void hart_start_children(const struct hart_meta *h)
{
	unsigned first = 2 * place[h->index] + 1;

	if (hart_mask_empty(&below))
		return;
	/* `order` after the look at `below`: for one that was started in the first round and comes
	 * in this one. Partner: the AMOs in by_tree. */
	fence_acquire();
	for (unsigned k = first; k < first + 2 && k < nr_order; k++)
		start_if_in(&below, order[k]);
}

static void by_tree(void)
{
	unsigned i;

	for (unsigned k = 1; k < nr_order; k++)
		hart_mask_atomic_set(&below, order[k]->index);
	hart_start_children(&boot_hart);
	break_silence();
	while (!nobody_missing(limit_ns()))
		start_nap();
	/* Who stands below one that is silent still: from now on all are the boot thread's. */
	for_each_hart_in_mask(i, &below)
		if (hart_mask_atomic_clear(&below, i))
			hart_mask_atomic_set(&due, i);
	start_round();
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void say_left_out(void)
{
	struct hart_mask left;
	char text[HART_LIST_MAX];
	bool cold = plan.mode == BRING_COLD;

	hart_mask_zero(&left);
	for_each_hart(h)
		if (atomic_load_u32(&h->state, relaxed) == (cold ? HART_OFFLINE : HART_STOPPED))
			hart_mask_set(&left, h->index);
	if (hart_mask_empty(&left))
		return;
	hart_mask_text(&left, nr_harts, text, sizeof(text));
	log_info("harts: %s: left out, %s: %s", plan_mode_name(plan.mode),
		cold ? "never started" : "stopped", text);
	if (cold)
		log_warn("harts: each that was never started spins in the firmware (OpenSBI 1.1) "
			 "and slows all others, 2 times with 4 of them, up to 17 with 16");
}

unsigned hart_start_all(void)
{
	struct hart_mask wanted;

	if (CONFIG_HART_FAULTS)
		hart_fault_spare(&boot_hart);
	plan_wanted(&plan, nr_harts, boot_hart.index, &wanted);
	first_round(&wanted);
	if (await_each_other())
		unpark(&wanted);
	if (plan.mode == BRING_SEQUENTIAL)
		one_after_the_other();
	else if (plan.mode == BRING_TREE)
		by_tree();
	if (start_hold_ns >= start_patience_ns)
		give_up_missing();
	else
		say_missing();
	say_left_out();
	start_gone_on();
	/* Full: before the caller looks who is online; who is not by then calls the late hook.
	 * Partner: hart_join. It is also the acquire of what the harts stored before they joined.
	 */
	fence_full();
	return count_state(HART_ONLINE);
}
