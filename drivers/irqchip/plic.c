/* SPDX-License-Identifier: MIT */
/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0; bindings
 * sifive,plic-1.0.0 and riscv,plic0).
 *
 * Each hart has a context for supervisor mode; which one says the tree (interrupts-extended). A
 * source is enabled in exactly one context, the one of the hart that it is routed to, so an
 * interrupt bothers one hart. Masking is priority 0 and leaves the enable bit alone.
 *
 * A completion is ignored where the source is not enabled in the context that completes it, and
 * then the source is dead for ever (chapter 9, "Interrupt Completion"). A source may have been
 * routed away between claim and completion; so complete looks at the route under the lock, and
 * enables it here for the moment if need be.
 *
 * Accesses per interrupt: claim, complete, and the claim that finds nothing more.
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
	.protects = "the PLIC's enable bits and routes");

/*
 * plic.lock (irqlock, rank PLIC)
 *   Protects: the enable registers, and route_of.
 *   Taken by: completion (handlers), and changes of routes under irq.lock.
 *   Order:    after irq.lock.
 * While it is free: a routed source is enabled in its hart's context and in no other.
 */
static struct plic {
	struct irqlock lock;
	void *sources;	/* priorities and enable bits; constant after probe */
	void *contexts; /* thresholds and claims; constant after probe */
	uint16_t route_of[PLIC_SOURCES_MAX + 1] GUARDED_BY(&lock); /* hart index or NO_HART */
} plic = {.lock = IRQLOCK_INIT(&plic_class)};

static size_t context_reg(const struct hart_meta *h, size_t reg)
{
	return h->plic_context * PLIC_CONTEXT_STRIDE + reg;
}

static bool plic_reaches(const struct hart_meta *h)
{
	return h->plic_context != UINT32_MAX;
}

/* Sets or clears the bit of a source in the context of a hart. */
static void enable(const struct hart_meta *h, unsigned source, bool on) REQUIRES(&plic.lock)
{
	size_t reg = PLIC_ENABLE_BASE + h->plic_context * PLIC_ENABLE_STRIDE + source / 32 * 4;
	uint32_t bits = mmio_read32(plic.sources, reg);
	uint32_t bit = UINT32_C(1) << source % 32;

	mmio_write32(plic.sources, reg, on ? bits | bit : bits & ~bit);
}

static unsigned plic_claim(void)
{
	return mmio_read32(plic.contexts, context_reg(this_hart(), PLIC_CLAIM)) & PLIC_SOURCES_MAX;
}

static void plic_complete(unsigned source)
{
	struct hart_meta *h = this_hart();
	bool elsewhere;

	irqlock_acquire_in_irq(&plic.lock);
	elsewhere = plic.route_of[source] != h->index;
	if (elsewhere)
		enable(h, source, true);
	mmio_write32(plic.contexts, context_reg(h, PLIC_CLAIM), source);
	if (elsewhere)
		enable(h, source, false);
	irqlock_release_in_irq(&plic.lock);
}

static void plic_mask(unsigned source)
{
	mmio_write32(plic.sources, PLIC_PRIORITY(source), 0);
}

static void plic_unmask(unsigned source)
{
	mmio_write32(plic.sources, PLIC_PRIORITY(source), 1);
}

static void plic_route(unsigned source, struct hart_meta *h)
{
	unsigned old;

	irqlock_acquire(&plic.lock);
	old = plic.route_of[source];
	plic.route_of[source] = (uint16_t)h->index;
	/* Also where it was: the firmware clears the bits of a hart that it starts. */
	enable(h, source, true);
	if (old != NO_HART && old != h->index)
		enable(harts[old], source, false);
	irqlock_release(&plic.lock);
}

static void plic_hart_enter(struct hart_meta *h)
{
	mmio_write32(plic.contexts, context_reg(h, PLIC_THRESHOLD), THRESHOLD_ALL);
}

static void plic_hart_leave(struct hart_meta *h)
{
	mmio_write32(plic.contexts, context_reg(h, PLIC_THRESHOLD), THRESHOLD_NONE);
}

static struct irq_controller plic_controller = {
	.name = "plic",
	.claim = plic_claim,
	.complete = plic_complete,
	.mask = plic_mask,
	.unmask = plic_unmask,
	.route = plic_route,
	.reaches = plic_reaches,
	.hart_enter = plic_hart_enter,
	.hart_leave = plic_hart_leave,
};

static bool context_is_taken(uint32_t context)
{
	for_each_hart(h) {
		if (h->plic_context == context)
			return true;
	}
	return false;
}

/* Gives each hart its context; returns how many contexts have to be mapped. */
static uint32_t find_contexts(const struct device *dev)
{
	uint32_t contexts = 0;

	for_each_hart(h)
		h->plic_context = UINT32_MAX; /* a controller that failed left them */
	for_each_hart(h) {
		int context = fdt_plic_context(dev->fdt, dev->node,
			hart_found(h->index)->intc_phandle, CAUSE_SUPERVISOR_EXTERNAL);

		if (context < 0) {
			log_warn("hart %u: %s does not reach it", h->index, dev->name);
			continue;
		}
		if (context_is_taken((uint32_t)context)) {
			log_warn("hart %u: its context of %s is another hart's", h->index,
				dev->name);
			continue;
		}
		h->plic_context = (uint32_t)context;
		contexts = MAX(contexts, (uint32_t)context + 1);
	}
	return contexts;
}

/* What the firmware may have left behind: nothing is enabled, nothing gets through. */
static void quieten(unsigned nr_sources)
{
	irqlock_acquire(&plic.lock);
	for (unsigned source = 0; source <= nr_sources; source++)
		plic.route_of[source] = NO_HART;
	for_each_hart(h) {
		if (!plic_reaches(h))
			continue;
		for (unsigned word = 0; word <= nr_sources / 32; word++)
			mmio_write32(plic.sources,
				PLIC_ENABLE_BASE + h->plic_context * PLIC_ENABLE_STRIDE + word * 4,
				0);
		plic_hart_leave(h);
	}
	for (unsigned source = 1; source <= nr_sources; source++)
		plic_mask(source);
	irqlock_release(&plic.lock);
}

static int plic_probe(const struct device *dev)
{
	uint32_t nr_sources, contexts;
	size_t sources_size, contexts_size;

	if (plic.sources) {
		log_warn("%s: a second interrupt controller: not used", dev->name);
		return -EALREADY;
	}
	if (!dev->has_reg || dev->reg_base % sizeof(uint32_t) ||
		fdt_read_u32(dev->fdt, dev->node, "riscv,ndev", &nr_sources) || !nr_sources ||
		nr_sources > PLIC_SOURCES_MAX)
		return -EINVAL;
	contexts = find_contexts(dev);
	sources_size = PLIC_ENABLE_BASE + contexts * PLIC_ENABLE_STRIDE;
	contexts_size = contexts * PLIC_CONTEXT_STRIDE;
	if (!contexts || sources_size > PLIC_CONTEXT_BASE ||
		PLIC_CONTEXT_BASE + contexts_size > dev->reg_size)
		return -EINVAL;
	plic.sources = vmap_mmio(dev->reg_base, sources_size);
	if (!plic.sources)
		return -ENOMEM;
	plic.contexts = vmap_mmio(dev->reg_base + PLIC_CONTEXT_BASE, contexts_size);
	if (!plic.contexts) {
		vunmap(plic.sources);
		plic.sources = NULL;
		return -ENOMEM;
	}
	quieten(nr_sources);
	plic_controller.nr_sources = nr_sources;
	irq_set_controller(&plic_controller);
	log_info("plic: %s, %u sources, contexts up to %u", dev->name, (unsigned)nr_sources,
		(unsigned)contexts - 1);
	return 0;
}

DRIVER(plic, DRIVER_IRQCHIP, plic_probe, "sifive,plic-1.0.0", "riscv,plic0");
