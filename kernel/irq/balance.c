/* SPDX-License-Identifier: MIT */
/* A look at the load of harts by interrupts: see balance.h. No locks, no state. */
#include "kernel/irq/balance.h"

/* The least busy hart of both masks but `not_this`; the lower one of two. CONFIG_MAX_HARTS: none.
 */
static unsigned least_busy(const struct hart_mask *mask, const struct hart_mask *online,
	unsigned not_this, const uint32_t *load)
{
	unsigned best = CONFIG_MAX_HARTS, i;

	for_each_hart_in_mask(i, online) {
		if (i == not_this || !hart_mask_test(mask, i))
			continue;
		if (best == CONFIG_MAX_HARTS || load[i] < load[best])
			best = i;
	}
	return best;
}

/* The sum on each online hart, no more than fits; the busiest of them, the lower one of two. */
static unsigned add_up(const struct irq_balance_source *sources, unsigned n,
	const struct hart_mask *online, uint32_t *load)
{
	unsigned busiest = CONFIG_MAX_HARTS, i;

	for_each_hart_in_mask(i, online)
		load[i] = 0;
	for (unsigned s = 0; s < n; s++) {
		uint32_t *l = &load[sources[s].hart];

		if (hart_mask_test(online, sources[s].hart))
			*l += MIN(sources[s].events, UINT32_MAX - *l);
	}
	for_each_hart_in_mask(i, online)
		if (busiest == CONFIG_MAX_HARTS || load[i] > load[busiest])
			busiest = i;
	return busiest;
}

bool irq_balance_pick(const struct irq_balance_source *sources, unsigned n,
	const struct hart_mask *online, uint32_t *load, unsigned *source, unsigned *hart)
{
	unsigned busiest = add_up(sources, n, online, load);
	uint32_t most, events;
	bool found = false;

	if (busiest == CONFIG_MAX_HARTS || load[busiest] < IRQ_WORTH_A_MOVE)
		return false;
	most = load[busiest] - load[busiest] / 4;
	events = load[busiest] / 8; /* the most so far */
	for (unsigned s = 0; s < n; s++) {
		unsigned to;

		if (sources[s].hart != busiest || sources[s].rests || sources[s].events <= events)
			continue;
		to = least_busy(sources[s].harts, online, busiest, load);
		if (to == CONFIG_MAX_HARTS || load[to] > most ||
			sources[s].events > most - load[to])
			continue;
		found = true;
		events = sources[s].events;
		*source = s;
		*hart = to;
	}
	return found;
}
