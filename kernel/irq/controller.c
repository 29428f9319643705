/* SPDX-License-Identifier: MIT */
/*
 * The controllers of the machine, each with its sources and its harts.
 *
 * A hart has one pin for external interrupts, so it belongs to one controller at most: the first
 * of the tree that names it. Everything here is set while the boot hart is alone, and constant
 * afterwards, but for the operations that tests exchange: no lock.
 */
#include "kernel/hart/hart.h"
#include "kernel/irq/irq.h"
#include "kernel/irq/table.h"
#include "kernel/log.h"
#include "lib/assert.h"
#include "lib/errno.h"

static struct irq_controller *controllers[IRQ_CONTROLLERS];
static unsigned nr_controllers;
static unsigned nr_numbers; /* given to sources: 1..nr_numbers */

int irq_add_controller(struct irq_controller *c, const struct irq_ops *ops)
{
	if (nr_controllers == IRQ_CONTROLLERS || c->nr_sources >= IRQ_SOURCE_MAX - nr_numbers)
		return -ENOSPC;
	if (!nr_controllers) {
		irq_route_init();
		irq_poll_init();
	}
	c->base = nr_numbers;
	nr_numbers += c->nr_sources;
	atomic_store_ptr(&c->ops, (void *)ops, relaxed);
	for_each_hart(h) {
		if (!hart_mask_test(&c->harts, h->index))
			continue;
		assert(!h->irqchip);
		h->irqchip = c;
	}
	controllers[nr_controllers++] = c;
	return 0;
}

void irq_check_reach(void)
{
	if (!nr_controllers)
		return;
	for_each_hart(h)
		if (!h->irqchip)
			log_warn("hart %u: no interrupt controller reaches it", h->index);
}

struct irq_controller *irq_controller(unsigned n)
{
	return n < nr_controllers ? controllers[n] : NULL;
}

unsigned irq_source(int node, unsigned pin)
{
	for (unsigned i = 0; i < nr_controllers; i++)
		if (controllers[i]->node == node)
			return pin && pin <= controllers[i]->nr_sources ? controllers[i]->base + pin
									: 0;
	return 0;
}

struct irq_controller *irq_controller_of(unsigned source)
{
	for (unsigned i = 0; source && i < nr_controllers; i++)
		if (source - 1 - controllers[i]->base < controllers[i]->nr_sources)
			return controllers[i];
	return NULL;
}

const struct irq_ops *irq_exchange_ops(struct irq_controller *c, const struct irq_ops *ops)
{
	/* Acquire, release: what its functions use was stored before. */
	return atomic_xchg_ptr(&c->ops, (void *)ops, acq_rel);
}
