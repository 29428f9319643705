/* SPDX-License-Identifier: MIT */
/* A controller that watches one source, and may have a bug: see irq_front.h. */
#include "kernel/irq/table.h"

#include "kernel/hart/call.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "lib/assert.h"
#include "tests/kernel/irq_front.h"

#define NOBODY UINT_MAX
/* Rounds in which every hart answers: one would do, were the controller as quick as the calls. */
#define ROUNDS_LOST 500
#define ROUNDS_DOUBLED 3
#define ROUND_NS (20 * NS_PER_US)

const char *const irq_bug_names[IRQ_BUGS] = {
	[IRQ_NO_BUG] = "none",
	[IRQ_BUG_COMPLETION] = "completion",
	[IRQ_BUG_NOT_MINE] = "not-mine",
	[IRQ_BUG_RESEND] = "resend",
};

/* Relaxed, all of them: lone values, which the controller and irq_lock order as far as it matters.
 */
static struct {
	struct irq_controller *controller;
	struct irq_ops ops;
	const struct irq_ops *real;
	const struct irq_watch *watch;
	enum irq_bug bug;
	unsigned source;
	atomic_u32 routed_to;  /* index */
	atomic_u32 claimed_by; /* index or NOBODY */
	atomic_u32 resent;     /* 1: the next claim, by whomever, gets it once more */
	atomic_u32 resent_to;  /* index or NOBODY: whose claim was such a one */
	atomic_u32 in_flight;
} front;

static unsigned self(void)
{
	return this_hart()->index;
}

static bool is_elsewhere(void)
{
	return atomic_load_u32(&front.routed_to, relaxed) != self();
}

/* The controller's number of a source: one controller, and its watched pin. */
static bool is_watched(unsigned pin)
{
	return front.controller->base + pin == front.source;
}

static unsigned front_claim(void *chip, struct hart_meta *h)
{
	unsigned pin;

	front.watch->at(IRQ_PENDING);
	if (atomic_load_u32(&front.resent, relaxed) && atomic_xchg_u32(&front.resent, 0, relaxed)) {
		atomic_store_u32(&front.resent_to, self(), relaxed);
		return front.source - front.controller->base;
	}
	pin = front.real->claim(chip, h);
	if (!is_watched(pin))
		return pin;
	atomic_store_u32(&front.claimed_by, self(), relaxed);
	front.watch->at(IRQ_CLAIMED);
	if (front.bug == IRQ_BUG_NOT_MINE && is_elsewhere()) {
		atomic_store_u32(&front.claimed_by, NOBODY, relaxed);
		front.real->complete(chip, h, pin);
		return front.real->claim(chip, h);
	}
	return pin;
}

static void front_complete(void *chip, struct hart_meta *h, unsigned pin)
{
	bool elsewhere;

	if (!is_watched(pin)) {
		front.real->complete(chip, h, pin);
		return;
	}
	front.watch->at(IRQ_HANDLED);
	if (atomic_load_u32(&front.resent_to, relaxed) == self()) {
		atomic_store_u32(&front.resent_to, NOBODY, relaxed);
		return;
	}
	elsewhere = is_elsewhere();
	atomic_add_u32(&front.in_flight, elsewhere, relaxed);
	atomic_store_u32(&front.claimed_by, NOBODY, relaxed);
	if (front.bug != IRQ_BUG_COMPLETION || !elsewhere)
		front.real->complete(chip, h, pin);
}

static void front_route(void *chip, unsigned pin, struct hart_meta *h)
{
	unsigned from = atomic_load_u32(&front.routed_to, relaxed);

	if (!is_watched(pin) || from == h->index) {
		front.real->route(chip, pin, h);
		return;
	}
	front.watch->moves(from);
	front.real->route(chip, pin, h);
	atomic_store_u32(&front.routed_to, h->index, relaxed);
	if (front.bug == IRQ_BUG_RESEND && atomic_load_u32(&front.claimed_by, relaxed) != NOBODY)
		atomic_store_u32(&front.resent, 1, relaxed);
	front.watch->moved();
}

void irq_front_open(unsigned source, enum irq_bug bug, const struct irq_watch *watch)
{
	struct irq_info info;
	unsigned n = 0;

	while (irq_info(n, &info) && info.source != source)
		n++;
	assert(info.source == source && info.used);
	front.controller = irq_controller_of(source);
	front.real = irq_ops(front.controller);
	assert(front.real != &front.ops);
	front.ops = *front.real;
	front.ops.claim = front_claim;
	front.ops.complete = front_complete;
	front.ops.route = front_route;
	front.watch = watch;
	front.bug = bug;
	front.source = source;
	atomic_store_u32(&front.routed_to, info.hart, relaxed);
	atomic_store_u32(&front.claimed_by, NOBODY, relaxed);
	atomic_store_u32(&front.resent, 0, relaxed);
	atomic_store_u32(&front.resent_to, NOBODY, relaxed);
	atomic_store_u32(&front.in_flight, 0, relaxed);
	irq_exchange_ops(front.controller, &front.ops);
}

/* What is complete already is not harmed by another completion (PLIC specification 1.0, chapter 9).
 */
static void complete_it(void *arg unused_arg)
{
	front.real->complete(
		front.controller->chip, this_hart(), front.source - front.controller->base);
}

static void nothing(void *arg unused_arg)
{
}

void irq_front_close(void)
{
	irq_exchange_ops(front.controller, front.real);
	/* Whoever is in one of the functions above leaves it before it answers. */
	hart_call_mask(&harts_online, nothing, NULL);
	if (front.bug == IRQ_BUG_COMPLETION)
		hart_call(harts[atomic_load_u32(&front.routed_to, relaxed)], complete_it, NULL);
}

void irq_front_moment(enum irq_moment moment)
{
	front.watch->at(moment);
}

unsigned irq_front_in_flight(void)
{
	return atomic_load_u32(&front.in_flight, relaxed);
}

static void one_round(void)
{
	hart_call_mask(&harts_online, nothing, NULL);
	sched_sleep_ns(ROUND_NS);
}

enum irq_verdict irq_verdict(const atomic_u32 *handled, uint32_t raised, bool last)
{
	uint32_t n;

	/* Acquire: what the handler did. */
	for (unsigned i = 0; i < ROUNDS_LOST && atomic_load_u32(handled, acquire) < raised; i++)
		one_round();
	for (unsigned i = 0; last && i < ROUNDS_DOUBLED; i++)
		one_round();
	n = atomic_load_u32(handled, acquire);
	if (n == raised)
		return IRQ_EXACT;
	return n < raised ? IRQ_LOST : IRQ_DOUBLED;
}
