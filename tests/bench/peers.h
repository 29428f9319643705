/* SPDX-License-Identifier: MIT */
/*
 * The locks that the irqlock is measured against: plain test-and-set, ticket and MCS, as textbooks
 * have them. All inside irq_off/irq_on, which is the interrupt save and restore that
 * irqlock_acquire does. They wait by spinning with a pause hint: that is what is compared.
 *
 * Orders: taking is an acquire (partner: the releasing store of the one before), giving up is a
 * release.
 */
#ifndef TESTS_BENCH_PEERS_H
#define TESTS_BENCH_PEERS_H

#include "kernel/hart/hart.h"
#include "kernel/lock/atomic.h"
#include "kernel/lock/context.h"

struct tas_lock {
	atomic_u32 taken;
};

static inline void tas_acquire(struct tas_lock *l)
{
	irq_off();
	while (atomic_xchg_u32(&l->taken, 1, acquire))
		arch_pause();
}

static inline void tas_release(struct tas_lock *l)
{
	atomic_store_u32(&l->taken, 0, release);
	irq_on();
}

struct ticket_lock {
	atomic_u32 next, serving;
};

static inline void ticket_acquire(struct ticket_lock *l)
{
	irq_off();
	uint32_t mine = atomic_add_u32(&l->next, 1, relaxed);

	while (atomic_load_u32(&l->serving, acquire) != mine)
		arch_pause();
}

static inline void ticket_release(struct ticket_lock *l)
{
	/* Only the holder writes `serving`, so the load needs no order. */
	uint32_t mine = atomic_load_u32(&l->serving, relaxed);

	atomic_store_u32(&l->serving, mine + 1, release);
	irq_on();
}

/* A hart waits for one MCS lock at a time (interrupts are off): one node a hart is enough. */
struct mcs_node {
	atomic_u32 wait;
	atomic_u32 next; /* index + 1 */
} __attribute__((aligned(64)));

struct mcs_lock {
	atomic_u32 tail; /* index + 1 */
	struct mcs_node node[CONFIG_MAX_HARTS];
};

static inline void mcs_acquire(struct mcs_lock *l)
{
	irq_off();
	unsigned me = lock_hart()->index;
	struct mcs_node *n = &l->node[me];

	atomic_store_u32(&n->next, 0, relaxed);
	atomic_store_u32(&n->wait, 1, relaxed);
	/* acq_rel: the node's fields before the link (partner: the successor's or predecessor's
	 * loads), the critical section after the exchange. */
	uint32_t before = atomic_xchg_u32(&l->tail, me + 1, acq_rel);

	if (!before)
		return;
	atomic_store_u32(&l->node[before - 1].next, me + 1, release);
	while (atomic_load_u32(&n->wait, acquire))
		arch_pause();
}

static inline void mcs_release(struct mcs_lock *l)
{
	unsigned me = lock_hart()->index;
	struct mcs_node *n = &l->node[me];
	uint32_t next = atomic_load_u32(&n->next, acquire);

	if (!next) {
		uint32_t mine = me + 1;

		if (atomic_cas_u32(&l->tail, &mine, 0, release)) {
			irq_on();
			return;
		}
		while (!(next = atomic_load_u32(&n->next, acquire)))
			arch_pause();
	}
	atomic_store_u32(&l->node[next - 1].wait, 0, release);
	irq_on();
}

#endif
