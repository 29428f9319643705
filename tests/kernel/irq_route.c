/* SPDX-License-Identifier: MIT */
/*
 * Where sources go: affinities, harts that come and go, and the balance. Sources that no device has
 * are registered for it; those of the balance by load are counted by a controller that stands in
 * front of the real one and claims them after the alarm.
 */
#include "kernel/irq/balance.h"
#include "kernel/irq/table.h"
#include "kernel/sched/sched.h"
#include "lib/errno.h"
#include "tests/kernel/alarm.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/on_hart.h"

#define SPARES 12
#define TOO_FEW "too few harts"

static bool info_of(unsigned source, struct irq_info *info)
{
	for (unsigned i = 0; irq_info(i, info); i++)
		if (info->source == source)
			return true;
	return false;
}

static unsigned route_of(unsigned source)
{
	struct irq_info info;

	return info_of(source, &info) && info.used ? info.hart : UINT_MAX;
}

static void never(void *arg unused_arg)
{
}

/* The last sources of the alarm's controller that no driver has, registered; how many there are. */
static unsigned spares_open(unsigned *sources, unsigned n)
{
	const struct irq_controller *c = alarm_controller();
	unsigned got = 0;

	for (unsigned s = c ? c->base + c->nr_sources : 0; s && got < n; s--)
		if (irq_register(s, "spare", never, NULL) == 0)
			sources[got++] = s;
	return got;
}

static void spares_close(const unsigned *sources, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ktest_check(irq_unregister(sources[i]) == 0);
}

static struct hart_mask mask_of(const struct hart_meta *a, const struct hart_meta *b)
{
	struct hart_mask mask;

	hart_mask_zero(&mask);
	hart_mask_set(&mask, a->index);
	if (b)
		hart_mask_set(&mask, b->index);
	return mask;
}

static int send_to(unsigned source, const struct hart_meta *a, const struct hart_meta *b)
{
	struct hart_mask mask = mask_of(a, b);

	return irq_set_affinity(source, &mask);
}

/* ---- Affinities ------------------------------------------------------------------------------ */

/* The alarm is routed to `h`, and comes there. */
static void check_comes_to(const struct hart_meta *h)
{
	uint32_t before = counted(&alarm.handled);

	ktest_check(route_of(alarm.source) == h->index, "routed to hart %u, not %u",
		route_of(alarm.source), h->index);
	alarm_raise();
	ktest_require(wait_count(&alarm.handled, before + 1), "lost");
	ktest_check(alarm.hart == h->index, "on hart %u, not %u", alarm.hart, h->index);
}

/* a, b: its harts; c: another one. */
static void walk(struct hart_meta *a, struct hart_meta *b, struct hart_meta *c)
{
	struct irq_info info;

	ktest_require(send_to(alarm.source, a, NULL) == 0 && send_to(alarm.source, a, b) == 0);
	check_comes_to(a); /* it stays where it is if it may */
	ktest_require(hart_stop(a, false) == 0);
	check_comes_to(b);
	ktest_check(info_of(alarm.source, &info) && info.away && info.home == a->index);
	ktest_require(hart_stop(b, false) == 0);
	ktest_check(route_of(alarm.source) != a->index && route_of(alarm.source) != b->index);
	ktest_check(send_to(alarm.source, a, b) == -ENODEV, "no hart of it is online");
	ktest_check(info_of(alarm.source, &info) && hart_mask_test(&info.affinity, a->index) &&
			hart_mask_test(&info.affinity, b->index) &&
			!hart_mask_test(&info.affinity, c->index),
		"the affinity is forgotten");
	ktest_require(hart_start(b) == 0);
	check_comes_to(b); /* not its home, but one that it is to be on */
	ktest_require(hart_start(a) == 0);
	check_comes_to(a);
	ktest_check(info_of(alarm.source, &info) && !info.away);
}

KTEST(irq_route, an_affinity_is_remembered_while_its_harts_are_away)
{
	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	if (alarm_harts() < 3) {
		alarm_close();
		return ktest_skip(TOO_FEW);
	}
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0);
	for (unsigned i = 0; i < 3 && !ktest_failed(); i++)
		walk(alarm_hart(i), alarm_hart(i + 1), alarm_hart(i + 2));
	ktest_check(irq_unregister(alarm.source) == 0);
	alarm_close();
}

KTEST(irq_route, a_new_affinity_ends_the_way_home)
{
	struct hart_meta *a, *b;

	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	a = alarm_hart(0);
	b = alarm_hart(1);
	if (alarm_harts() < 2) {
		alarm_close();
		return ktest_skip(TOO_FEW);
	}
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0);
	ktest_check(send_to(alarm.source, a, NULL) == 0);
	ktest_require(hart_stop(a, false) == 0);
	ktest_check(send_to(alarm.source, b, NULL) == 0);
	ktest_require(hart_start(a) == 0);
	check_comes_to(b);
	ktest_check(irq_unregister(alarm.source) == 0);
	alarm_close();
}

/* ---- Spread ---------------------------------------------------------------------------------- */

/* The most and the fewest sources of an online hart that the alarm's controller reaches. */
static void check_even(const char *when)
{
	unsigned most = 0, fewest = UINT_MAX;

	for_each_hart(h) {
		struct irq_info info;
		unsigned n = 0;

		if (h->irqchip != alarm_controller())
			continue;
		for (unsigned i = 0; irq_info(i, &info); i++)
			n += info.used && info.hart == h->index;
		if (!hart_is_online(h)) {
			ktest_check(n == 0, "%s: hart %u is away and has %u", when, h->index, n);
			continue;
		}
		most = MAX(most, n);
		fewest = MIN(fewest, n);
	}
	ktest_check(most <= fewest + 1, "%s: from %u to %u on a hart", when, fewest, most);
}

static void crowd(const unsigned *sources, unsigned n, const struct hart_meta *h)
{
	struct hart_mask all;

	hart_mask_fill(&all, nr_harts);
	for (unsigned i = 0; i < n; i++)
		ktest_check(send_to(sources[i], h, NULL) == 0 &&
			irq_set_affinity(sources[i], &all) == 0 &&
			route_of(sources[i]) == h->index);
}

KTEST(irq_route, spread_gives_every_hart_as_many_sources_as_any_other)
{
	enum irq_balance was = irq_balance();
	unsigned sources[SPARES], n;
	struct hart_meta *h = alarm_hart(0);

	irq_balance_set(IRQ_FIXED);
	n = spares_open(sources, SPARES);
	if (n)
		crowd(sources, n, h);
	else
		ktest_skip("no spare source");
	irq_balance_set(IRQ_SPREAD);
	if (n)
		check_even("at once");
	if (n && alarm_harts() > 1) {
		ktest_check(hart_stop(h, false) == 0);
		check_even("one away");
		ktest_check(hart_start(h) == 0);
		check_even("all back");
		spares_close(&sources[n / 2], n - n / 2);
		n /= 2;
		check_even("sources gone");
	}
	spares_close(sources, n);
	irq_balance_set(was);
}

KTEST(irq_route, spread_minds_affinities)
{
	enum irq_balance was = irq_balance();
	unsigned sources[SPARES], n;

	irq_balance_set(IRQ_SPREAD);
	n = spares_open(sources, SPARES);
	for (unsigned i = 0; i < n; i++)
		ktest_check(send_to(sources[i], alarm_hart(0), alarm_hart(1)) == 0);
	for (unsigned i = 0; i < n; i++)
		ktest_check(route_of(sources[i]) == alarm_hart(0)->index ||
			route_of(sources[i]) == alarm_hart(1)->index);
	for (unsigned i = 0; i < n; i++)
		ktest_check(send_to(sources[i], alarm_hart(0), NULL) == 0 &&
			route_of(sources[i]) == alarm_hart(0)->index);
	spares_close(sources, n);
	irq_balance_set(was);
}

static uint32_t moves_of(const unsigned *sources, unsigned n)
{
	struct irq_info info;
	uint32_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += info_of(sources[i], &info) ? info.moves : 0;
	return sum;
}

/* Nothing is left to do for the spread. */
static void check_spread(const unsigned *sources, unsigned n, const char *when)
{
	uint32_t before = moves_of(sources, n), left;

	irq_spread();
	left = moves_of(sources, n) - before;
	ktest_check(left == 0, "%s: %u moves were left to do", when, (unsigned)left);
}

/* What is bound to the two goes to the other one, which then has too much else; and back. */
static void bind_and_stop(const unsigned *sources, unsigned n)
{
	struct hart_meta *a = alarm_hart(0), *b = alarm_hart(1);

	for (unsigned i = 0; i < MIN(n, 8u); i++)
		ktest_check(send_to(sources[i], a, b) == 0);
	check_spread(sources, n, "bound");
	hart_life_fail(HART_STEP_FIRMWARE);
	ktest_check(hart_stop(a, false) == -EIO);
	check_spread(sources, n, "after a stop that failed");
	ktest_require(hart_stop(a, false) == 0);
	check_spread(sources, n, "one away");
	ktest_check(hart_start(a) == 0);
	check_spread(sources, n, "all back");
}

KTEST(irq_route, spread_is_kept_when_a_hart_leaves)
{
	enum irq_balance was = irq_balance();
	unsigned sources[3 * SPARES], n;

	if (alarm_harts() < 3)
		return ktest_skip(TOO_FEW);
	irq_balance_set(IRQ_SPREAD);
	/* So many that each of the two has some that may be anywhere, beside the bound ones. */
	n = spares_open(sources, 5 * MIN(alarm_harts(), 7u) - 1);
	bind_and_stop(sources, n);
	spares_close(sources, n);
	irq_balance_set(was);
}

/* ---- Load ------------------------------------------------------------------------------------ */

#define BUSY 2
#define BURST (2 * IRQ_WORTH_A_MOVE)

/* Behind the alarm's claim come BURST claims of each busy source, on the same hart: they were never
 * the controller's, and are not completed there. */
static struct {
	struct irq_controller *controller;
	const struct irq_ops *real;
	struct irq_ops front;
	unsigned sources[BUSY];
	/* Relaxed: the hart that it names reads its own store. */
	atomic_u32 hart;
	unsigned left; /* that hart's */
	atomic_u32 handled;
} busy;

static unsigned busy_claim(void *chip, struct hart_meta *h)
{
	unsigned pin;

	if (atomic_load_u32(&busy.hart, relaxed) == h->index) {
		if (busy.left)
			return busy.sources[--busy.left % BUSY] - busy.controller->base;
		atomic_store_u32(&busy.hart, UINT_MAX, relaxed);
	}
	pin = busy.real->claim(chip, h);
	if (busy.controller->base + pin == alarm.source) {
		busy.left = BUSY * BURST;
		atomic_store_u32(&busy.hart, h->index, relaxed);
	}
	return pin;
}

static void busy_complete(void *chip, struct hart_meta *h, unsigned pin)
{
	unsigned source = busy.controller->base + pin;

	if (source != busy.sources[0] && source != busy.sources[1])
		busy.real->complete(chip, h, pin);
}

static void busy_handle(void *arg unused_arg)
{
	atomic_add_u32(&busy.handled, 1, release);
}

static bool one_burst(void)
{
	uint32_t before = counted(&busy.handled);

	alarm_raise();
	return wait_count(&busy.handled, before + BUSY * BURST);
}

/* Both busy sources on one hart are on two soon; `by_hand`: looks that the test asks for, otherwise
 * those of the beat. */
static void burst_until_moved(bool by_hand)
{
	unsigned first = route_of(busy.sources[0]), tries = 0;
	bool both = true;

	while (both && tries++ < 100000 && one_burst()) {
		if (by_hand)
			irq_balance_look();
		both = route_of(busy.sources[0]) == first && route_of(busy.sources[1]) == first;
	}
	ktest_check(!both, "both stay on hart %u", first);
}

static void crowd_busy(void)
{
	struct hart_meta *h = alarm_hart(1);

	irq_balance_set(IRQ_FIXED);
	crowd(busy.sources, BUSY, h);
	ktest_check(send_to(alarm.source, h, NULL) == 0);
	ktest_check(one_burst());
	ktest_check(!irq_balance_look(), "a fixed source has moved");
	irq_balance_set(IRQ_LOAD);
}

static void busy_open(void)
{
	unsigned n = spares_open(busy.sources, BUSY);

	ktest_check(n == BUSY, "%u spare sources", n);
	for (unsigned i = 0; i < n; i++)
		ktest_check(irq_unregister(busy.sources[i]) == 0 &&
			irq_register(busy.sources[i], "busy", busy_handle, NULL) == 0);
	ktest_check(irq_register(alarm.source, "alarm", alarm_handle, NULL) == 0);
	atomic_store_u32(&busy.handled, 0, relaxed);
	atomic_store_u32(&busy.hart, UINT_MAX, relaxed);
	busy.controller = alarm_controller();
	busy.real = irq_ops(busy.controller);
	busy.front = *busy.real;
	busy.front.claim = busy_claim;
	busy.front.complete = busy_complete;
	irq_exchange_ops(busy.controller, &busy.front);
}

KTEST(irq_route, load_takes_busy_sources_apart)
{
	enum irq_balance was = irq_balance();

	if (!alarm_open())
		return ktest_skip(NO_ALARM);
	if (alarm_harts() < 2) {
		alarm_close();
		return ktest_skip(TOO_FEW);
	}
	busy_open();
	crowd_busy();
	burst_until_moved(true);
	ktest_check(!irq_balance_look(), "nothing has come, and it moves");
	crowd_busy();
	burst_until_moved(false);
	irq_exchange_ops(busy.controller, busy.real);
	spares_close(busy.sources, BUSY);
	ktest_check(irq_unregister(alarm.source) == 0);
	irq_balance_set(was);
	alarm_close();
}
