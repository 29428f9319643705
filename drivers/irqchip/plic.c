/* SPDX-License-Identifier: MIT */
/*
 * Platform-level interrupt controllers (RISC-V PLIC specification 1.0; bindings sifive,plic-1.0.0
 * and riscv,plic0): one for the machine, or one for the harts of each NUMA node.
 *
 * Each of a PLIC's harts has a context for supervisor mode; which one says the tree
 * (interrupts-extended). A source is enabled in exactly one context, the one of the hart that it is
 * routed to, so an interrupt bothers one hart. Masking is priority 0 and leaves the enable bit
 * alone; what becomes pending stays so.
 *
 * A completion is ignored where the source is not enabled in the context that completes it, and
 * then the source is dead for ever (chapter 9, "Interrupt Completion"). A source may have been
 * routed away between claim and completion; so complete looks at the route under the lock, and
 * enables it here for the moment if need be.
 *
 * Accesses per interrupt: claim, complete, and the claim that finds nothing more.
 *
 * The registers of a context are open to every hart: that is how the sources of a PLIC are polled
 * while all its harts are away (kernel/irq/poll.c).
 */
#include "drivers/device.h"
#include "drivers/mmio.h"
#include "kernel/hart/bringup.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/irqlock.h"
#include "kernel/log.h"
#include "kernel/mm/vmap.h"
#include "lib/errno.h"
#include "lib/fdt.h"

#define PLIC_PRIORITY(source) (4 * (size_t)(source))
#define PLIC_PENDING_BASE ((size_t)0x1000)
#define PLIC_ENABLE_BASE ((size_t)0x2000)
#define PLIC_ENABLE_STRIDE ((size_t)0x80) /* per context */
#define PLIC_CONTEXT_BASE ((size_t)0x200000)
#define PLIC_CONTEXT_STRIDE ((size_t)0x1000)
#define PLIC_THRESHOLD 0
#define PLIC_CLAIM 4
#define PLIC_SOURCES_MAX 1023

#define CAUSE_SUPERVISOR_EXTERNAL 9 /* Privileged, table of scause */
#define THRESHOLD_ALL 0
#define THRESHOLD_NONE 0xffffffffu /* WARL: the highest there is */
#define NO_HART UINT16_MAX

DEFINE_LOCK_CLASS(plic_class, .name = "plic", .rank = RANK_PLIC,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "a PLIC's enable bits and routes");

/*
 * plic.lock (irqlock, rank PLIC)
 *   Protects: the enable registers, and route_of.
 *   Taken by: completion (handlers), and changes of routes under irq.lock.
 *   Order:    after irq.lock. Never two of them.
 * While it is free: a routed source is enabled in its hart's context and in no other.
 */
struct plic {
	struct irqlock lock;
	void *sources;	/* priorities and enable bits; constant after probe */
	void *contexts; /* thresholds and claims; constant after probe */
	struct irq_controller controller;
	uint16_t route_of[PLIC_SOURCES_MAX + 1] GUARDED_BY(&lock); /* hart index or NO_HART */
};
static struct plic plics[IRQ_CONTROLLERS];
static unsigned nr_plics;

static size_t context_reg(const struct hart_meta *h, size_t reg)
{
	return h->plic_context * PLIC_CONTEXT_STRIDE + reg;
}

/* Sets or clears the bit of a source in the context of a hart. */
static void enable(struct plic *p, const struct hart_meta *h, unsigned source, bool on)
	REQUIRES(&p->lock)
{
	size_t reg = PLIC_ENABLE_BASE + h->plic_context * PLIC_ENABLE_STRIDE + source / 32 * 4;
	uint32_t bits = mmio_read32(p->sources, reg);
	uint32_t bit = UINT32_C(1) << source % 32;

	mmio_write32(p->sources, reg, on ? bits | bit : bits & ~bit);
}

static unsigned plic_claim(void *chip, struct hart_meta *h)
{
	struct plic *p = chip;

	return mmio_read32(p->contexts, context_reg(h, PLIC_CLAIM)) & PLIC_SOURCES_MAX;
}

static void plic_complete(void *chip, struct hart_meta *h, unsigned source)
{
	struct plic *p = chip;
	bool elsewhere;

	irqlock_acquire_in_irq(&p->lock);
	elsewhere = p->route_of[source] != h->index;
	if (elsewhere)
		enable(p, h, source, true);
	mmio_write32(p->contexts, context_reg(h, PLIC_CLAIM), source);
	if (elsewhere)
		enable(p, h, source, false);
	irqlock_release_in_irq(&p->lock);
}

static void plic_mask(void *chip, unsigned source)
{
	struct plic *p = chip;

	mmio_write32(p->sources, PLIC_PRIORITY(source), 0);
}

static void plic_unmask(void *chip, unsigned source)
{
	struct plic *p = chip;

	mmio_write32(p->sources, PLIC_PRIORITY(source), 1);
}

static void plic_route(void *chip, unsigned source, struct hart_meta *h)
{
	struct plic *p = chip;
	unsigned old;

	irqlock_acquire(&p->lock);
	old = p->route_of[source];
	p->route_of[source] = (uint16_t)h->index;
	/* Also where it was: the firmware clears the bits of a hart that it starts. */
	enable(p, h, source, true);
	if (old != NO_HART && old != h->index)
		enable(p, harts[old], source, false);
	irqlock_release(&p->lock);
}

static void plic_hart_enter(void *chip, struct hart_meta *h)
{
	struct plic *p = chip;

	mmio_write32(p->contexts, context_reg(h, PLIC_THRESHOLD), THRESHOLD_ALL);
}

static void plic_hart_leave(void *chip, struct hart_meta *h)
{
	struct plic *p = chip;

	mmio_write32(p->contexts, context_reg(h, PLIC_THRESHOLD), THRESHOLD_NONE);
}

/* Nothing but this source can be claimed: all that is routed to `h` waits, and is masked. */
static bool plic_take(void *chip, struct hart_meta *h, unsigned source)
{
	struct plic *p = chip;
	uint32_t pending = mmio_read32(p->sources, PLIC_PENDING_BASE + source / 32 * 4);
	unsigned claimed;

	if (!(pending & UINT32_C(1) << source % 32))
		return false;
	irqlock_acquire_in_irq(&p->lock);
	/* Firmware that starts the hart may have cleared it. */
	enable(p, h, source, true);
	plic_hart_enter(p, h);
	plic_unmask(p, source);
	claimed = plic_claim(p, h);
	plic_mask(p, source);
	plic_hart_leave(p, h);
	irqlock_release_in_irq(&p->lock);
	return claimed == source;
}

static const struct irq_ops plic_ops = {
	.claim = plic_claim,
	.complete = plic_complete,
	.take = plic_take,
	.mask = plic_mask,
	.unmask = plic_unmask,
	.route = plic_route,
	.hart_enter = plic_hart_enter,
	.hart_leave = plic_hart_leave,
};

static bool context_is_taken(const struct plic *p, uint32_t context)
{
	unsigned i;

	for_each_hart_in_mask(i, &p->controller.harts)
		if (harts[i]->plic_context == context)
			return true;
	return false;
}

/* Gives each hart that it reaches its context; returns how many contexts have to be mapped. */
static uint32_t find_contexts(struct plic *p, const struct device *dev)
{
	uint32_t contexts = 0;

	hart_mask_zero(&p->controller.harts);
	for_each_hart(h) {
		int context = fdt_plic_context(dev->fdt, dev->node,
			hart_found(h->index)->intc_phandle, CAUSE_SUPERVISOR_EXTERNAL);

		if (context < 0)
			continue;
		if (h->irqchip) {
			log_warn("hart %u: %s has it already: not used by %s", h->index,
				h->irqchip->name, dev->name);
			continue;
		}
		if (context_is_taken(p, (uint32_t)context)) {
			log_warn("hart %u: its context of %s is another hart's", h->index,
				dev->name);
			continue;
		}
		h->plic_context = (uint32_t)context;
		hart_mask_set(&p->controller.harts, h->index);
		contexts = MAX(contexts, (uint32_t)context + 1);
	}
	return contexts;
}

/* What the firmware may have left behind: nothing is enabled, nothing gets through. */
static void quieten(struct plic *p)
{
	unsigned nr_sources = p->controller.nr_sources, i;

	irqlock_acquire(&p->lock);
	for (unsigned source = 0; source <= PLIC_SOURCES_MAX; source++)
		p->route_of[source] = NO_HART;
	for_each_hart_in_mask(i, &p->controller.harts) {
		size_t reg = PLIC_ENABLE_BASE + harts[i]->plic_context * PLIC_ENABLE_STRIDE;

		for (unsigned word = 0; word <= nr_sources / 32; word++)
			mmio_write32(p->sources, reg + word * 4, 0);
		plic_hart_leave(p, harts[i]);
	}
	for (unsigned source = 1; source <= nr_sources; source++)
		plic_mask(p, source);
	irqlock_release(&p->lock);
}

static int map_registers(struct plic *p, const struct device *dev, uint32_t contexts)
{
	size_t sources_size = PLIC_ENABLE_BASE + contexts * PLIC_ENABLE_STRIDE;
	size_t contexts_size = contexts * PLIC_CONTEXT_STRIDE;

	if (!contexts || sources_size > PLIC_CONTEXT_BASE ||
		PLIC_CONTEXT_BASE + contexts_size > dev->reg_size)
		return -EINVAL;
	p->sources = vmap_mmio(dev->reg_base, sources_size);
	if (!p->sources)
		return -ENOMEM;
	p->contexts = vmap_mmio(dev->reg_base + PLIC_CONTEXT_BASE, contexts_size);
	if (p->contexts)
		return 0;
	vunmap(p->sources);
	return -ENOMEM;
}

static int plic_probe(const struct device *dev)
{
	struct plic *p = &plics[nr_plics];
	uint32_t nr_sources, contexts;
	int err;

	if (nr_plics == IRQ_CONTROLLERS)
		return -ENOSPC;
	if (!dev->has_reg || dev->reg_base % sizeof(uint32_t) ||
		fdt_read_u32(dev->fdt, dev->node, "riscv,ndev", &nr_sources) || !nr_sources ||
		nr_sources > PLIC_SOURCES_MAX)
		return -EINVAL;
	contexts = find_contexts(p, dev);
	err = map_registers(p, dev, contexts);
	if (err)
		return err;
	irqlock_init(&p->lock, &plic_class);
	p->controller.name = dev->name;
	p->controller.node = dev->node;
	p->controller.nr_sources = nr_sources;
	p->controller.chip = p;
	quieten(p);
	err = irq_add_controller(&p->controller, &plic_ops);
	if (err)
		goto unmap;
	nr_plics++;
	log_info("plic: %s, sources %u to %u, contexts up to %u, harts %u", dev->name,
		p->controller.base + 1, p->controller.base + (unsigned)nr_sources,
		(unsigned)contexts - 1, hart_mask_weight(&p->controller.harts));
	return 0;

unmap:
	vunmap(p->contexts);
	vunmap(p->sources);
	return err;
}

DRIVER(plic, DRIVER_IRQCHIP, plic_probe, "sifive,plic-1.0.0", "riscv,plic0");
