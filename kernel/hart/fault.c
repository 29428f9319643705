/* SPDX-License-Identifier: MIT */
/*
 * Harts that do wrong on demand, for tests and experiments: the boot argument fault=. Its words are
 * in lib/hart_fault.h, what the kernel does about such harts is in start.c, modes.c and call.c:
 * there is nothing there that knows that a fault was asked for.
 *
 *	hang@PLACE	it stays there. It is missed: said so, and then given up; if it is asked for
 *			later, that it is silent. @entry is a hart that never answers.
 *	die@PLACE	an illegal instruction there. It stops itself: given up, may be started.
 *	late@PLACE[+MS]	it stays there for MS milliseconds from its start on, or until the boot has
 *			gone on without it. It is missed, and taken in as it comes.
 *	twice		each start of it is issued twice, and it arrives twice. Both count once.
 *	refuse		the firmware refuses each start of it: at the boot it has failed, later it
 *			stays what it is.
 *	stop@ipi	it is stopped after the boot (kernel/task/hart_fault.c), and a call to it is
 *			posted when it is just about to close its mailbox, the interrupt not taken
 *			yet. It answers first.
 *
 * PLACE is the stage that it has reached by then: `entry`, `mmu` and `traps` as noted in boot.S, a
 * macro behind each; `park`, it has said that it parks, and has not stopped; `sched`, just before
 * it joins: who has joined is waited for by others. A fault of the first three kinds strikes at
 * every start of the hart, but for a `late` without a time, which is over once the boot has gone
 * on. A hart has one of them at most: the last one counts.
 *
 * The boot hart runs before it could do any of this: its faults are the next one's that has none.
 * `hartlate=N` is short for fault=hartN:late@sched.
 *
 * Who does it. The starter stores the kind of fault at its place in hart_meta.strike, before the
 * start; the hart looks there as it passes. A hart that is late waits for its word to be cleared,
 * with software interrupts enabled alone:
 *
 *	hart		clears its pending bit -> looks at the word -> sleeps
 *	who releases	clears the word -> sends the interrupt
 *
 * No locks: wishes are written by the boot, before the first start, but for what says otherwise.
 */
#include "kernel/hart/fault.h"

#include "kernel/hart/call.h"
#include "kernel/hart/leave.h"
#include "kernel/log.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/bootargs.h"
#include "lib/errno.h"
#include "lib/options.h"
#include "lib/parse.h"
#include "lib/string.h"

static_assert((int)FAULT_AT_ENTRY == ARCH_STAGE_ENTRY && (int)FAULT_AT_MMU == ARCH_STAGE_MMU &&
		(int)FAULT_AT_TRAPS == ARCH_STAGE_TRAPS,
	"boot.S takes the one for the other");

struct wish {
	struct hart_fault at; /* kind 0: none */
	bool twice, stops, refused;
	bool again;	       /* of this start; the starter's, then the hart's */
	struct timer timer;    /* ends its delay */
	atomic_bool posts;     /* a call to it as it leaves, the next time */
	struct hart_call call; /* that one */
	bool answered;	       /* by that call, before the hart was gone */
};

static struct wish wishes[CONFIG_MAX_HARTS];
static atomic_bool gone_on;

/* ---- Boot arguments -------------------------------------------------------------------------- */

static bool is_built_in(enum hart_fault_kind kind)
{
	static const bool built_in[] = {
		[HART_HANGS] = CONFIG_HART_FAULT_HANG,
		[HART_DIES] = CONFIG_HART_FAULT_DIE,
		[HART_LATE] = CONFIG_HART_FAULT_LATE,
		[HART_TWICE] = CONFIG_HART_FAULT_TWICE,
		[HART_STOPS] = CONFIG_HART_FAULT_STOP,
		[HART_REFUSED] = CONFIG_HART_FAULT_REFUSE,
	};

	return built_in[kind];
}

static bool are_faults(const struct boot_option *option unused_arg, const char *value)
{
	struct hart_fault fault;
	unsigned n = 0;
	int err;

	for (; !(err = hart_fault_next(&value, &fault)); n++)
		if (fault.hart >= nr_harts || !is_built_in(fault.kind))
			return false;
	return n && err == -ENOENT;
}
BOOT_OPTION(fault,
	"hartN:KIND of harts that exist, KIND one of hang@S, die@S, late@S[+MS], S one of entry "
	"mmu traps park sched, or twice, stop@ipi or refuse",
	are_faults);

static bool is_late(const struct boot_option *option unused_arg, const char *value)
{
	unsigned hart;

	return CONFIG_HART_FAULT_LATE && !parse_unsigned(value, &hart) && hart < nr_harts;
}
BOOT_OPTION(hartlate, "the index of a hart that exists", is_late);

static void release(struct hart_meta *h);
static void end_delay(struct timer *t);
static void answer(void *arg);

static void wish_for(const struct hart_fault *fault)
{
	struct wish *w = &wishes[fault->hart];

	if (fault->kind == HART_TWICE)
		w->twice = true;
	else if (fault->kind == HART_STOPS)
		w->stops = true;
	else if (fault->kind == HART_REFUSED)
		w->refused = true;
	else
		w->at = *fault;
}

static void wish_for_all(const char *faults)
{
	struct hart_fault fault;

	while (!hart_fault_next(&faults, &fault))
		wish_for(&fault);
}

static void read_word(const struct bootarg *arg)
{
	char text[OPTION_VALUE_MAX];

	if (bootarg_value(arg, text, sizeof(text)) < sizeof(text) && are_faults(NULL, text))
		wish_for_all(text);
}

void hart_fault_read(const char *args)
{
	struct bootarg arg;
	size_t pos = 0;
	uint64_t late;
	int err;

	/* Several words are as good as one. What is malformed has been said. */
	while ((err = bootargs_next(args, &pos, &arg)) != -ENOENT)
		if (!err && bootarg_key_is(&arg, "fault"))
			read_word(&arg);
	if (CONFIG_HART_FAULT_LATE && !bootargs_get_u64(args, "hartlate", &late) && late < nr_harts)
		wishes[late].at = (struct hart_fault){
			.hart = (unsigned)late, .kind = HART_LATE, .place = FAULT_AT_JOIN};
}

static bool is_wished(const struct wish *w)
{
	return w->at.kind || w->twice || w->stops || w->refused;
}

/* The next one that has no fault of its own; NULL: there is none. */
static struct wish *heir_of(unsigned hart)
{
	for (unsigned i = 1; i < nr_harts; i++) {
		struct wish *w = &wishes[(hart + i) % nr_harts];

		if (!is_wished(w) && harts[(hart + i) % nr_harts])
			return w;
	}
	return NULL;
}

void hart_fault_spare(const struct hart_meta *boot)
{
	struct wish *w = &wishes[boot->index], *heir = heir_of(boot->index);

	if (is_wished(w) && heir) {
		*heir = *w;
		log_warn("hart %u is the boot hart: hart %u has its fault", boot->index,
			(unsigned)(heir - wishes));
	} else if (is_wished(w)) {
		log_warn("hart %u is the boot hart, and nobody can have its fault", boot->index);
	}
	*w = (struct wish){0};
	for (unsigned i = 0; i < nr_harts; i++) {
		timer_init(&wishes[i].timer, end_delay);
		hart_call_init(&wishes[i].call, answer, harts[i]);
		atomic_store_bool(&wishes[i].posts, wishes[i].stops, relaxed);
	}
}

static void forget(struct hart_meta *h)
{
	struct wish *w = &wishes[h->index];

	timer_cancel_sync(&w->timer);
	w->at = (struct hart_fault){0};
	w->twice = w->stops = w->refused = w->answered = false;
	release(h);
	for (unsigned place = 0; place < FAULT_PLACES; place++)
		atomic_store_u32(&h->strike[place], 0, relaxed);
}

int hart_fault_set(const char *faults)
{
	for_each_hart(h)
		forget(h);
	if (*faults && !are_faults(NULL, faults))
		return -EINVAL;
	wish_for_all(faults);
	for_each_hart(h)
		atomic_store_bool(&wishes[h->index].posts, wishes[h->index].stops, relaxed);
	return 0;
}

/* ---- On the way in --------------------------------------------------------------------------- */

/* It was late; now it goes on. Either. */
static void release(struct hart_meta *h)
{
	for (unsigned place = 0; place < FAULT_PLACES; place++) {
		uint32_t late = HART_LATE;

		/* Relaxed: arch_ipi_send_hart orders it before the interrupt. */
		if (atomic_cas_u32(&h->strike[place], &late, 0, relaxed))
			arch_ipi_send_hart(h->hartid);
	}
}

static void end_delay(struct timer *t)
{
	release(harts[container_of(t, struct wish, timer) - wishes]);
}

void hart_fault_gone_on(void)
{
	atomic_store_bool(&gone_on, true, relaxed);
	/* Before the looks at the words. Partner: hart_fault_arm. */
	fence_full();
	for_each_hart(h)
		if (!wishes[h->index].at.delayed)
			release(h);
}

void hart_fault_arm(struct hart_meta *h)
{
	struct wish *w = &wishes[h->index];
	bool waits = w->at.kind == HART_LATE && !w->at.delayed;

	w->again = w->twice;
	if (!w->at.kind)
		return;
	/* Relaxed: published by the fence in arch_hart_start. */
	atomic_store_u32(&h->strike[w->at.place], w->at.kind, relaxed);
	/* The word before the look. Partner: hart_fault_gone_on. */
	fence_full();
	if (waits && atomic_load_bool(&gone_on, relaxed))
		release(h);
	if (w->at.delayed)
		timer_start(&w->timer, clock_now_ns() + w->at.delay_ms * NS_PER_MS);
}

bool hart_fault_refused(const struct hart_meta *h)
{
	return wishes[h->index].refused;
}

bool hart_fault_twice(const struct hart_meta *h)
{
	return wishes[h->index].twice;
}

bool hart_fault_again(const struct hart_meta *h)
{
	bool again = wishes[h->index].again;

	wishes[h->index].again = false;
	return again;
}

void hart_fault_strike(struct hart_meta *h, enum hart_fault_place place)
{
	uint32_t kind = atomic_load_u32(&h->strike[place], relaxed);

	if (kind == HART_DIES)
		__builtin_trap();
	while (kind) {
		arch_wait_ipi(false);
		arch_ipi_clear();
		/* Only that of one that is late is ever cleared. */
		kind = atomic_load_u32(&h->strike[place], relaxed);
	}
}

/* ---- On the way out -------------------------------------------------------------------------- */

/* The call that was posted as it was about to leave. */
static void answer(void *arg)
{
	struct hart_meta *h = arg;

	wishes[h->index].answered = atomic_load_u32(&h->leave.where, relaxed) == HART_HERE &&
		hart_mask_test(&harts_online, h->index);
}

void hart_fault_brink(struct hart_meta *h)
{
	struct wish *w = &wishes[h->index];

	if (likely(!atomic_load_bool(&w->posts, relaxed)))
		return;
	atomic_store_bool(&w->posts, false, relaxed);
	hart_call_post(h, &w->call);
}

bool hart_fault_stops(const struct hart_meta *h)
{
	return wishes[h->index].stops;
}

bool hart_fault_answered(const struct hart_meta *h)
{
	const struct wish *w = &wishes[h->index];

	return hart_call_done(&w->call) && w->answered;
}
