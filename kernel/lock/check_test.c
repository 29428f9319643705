/* SPDX-License-Identifier: MIT */
/* For tests of the lock checker (check_test.h). */
#include "kernel/lock/check_test.h"

#include "kernel/lock/check_order.h"
#include "lib/assert.h"
#include "lib/string.h"

static struct simulation {
	atomic_ptr hart; /* struct lock_hart; NULL: free */
	/* What the simulated handler interrupted. */
	struct held_lock held[HELD_MAX];
	uint8_t nr_held;
	uint8_t simulated;
} simulations[LOCKTEST_SIMULATIONS];

/* ---- Forgetting ------------------------------------------------------------------------------ */

static void put_class(uint32_t set[GRAPH_WORDS], const struct lock_class *class)
{
	for (unsigned which = 0; which < CLASS_NODES; which++) {
		unsigned node = atomic_load_u32(&class->nodes[which], relaxed);

		if (node >= GRAPH_FIRST)
			set[node / 32] |= 1u << node % 32;
	}
}

void locktest_forget(struct lock_class *const *classes, unsigned n)
{
	uint32_t set[GRAPH_WORDS] = {0};

	for (unsigned i = 0; i < n; i++)
		put_class(set, classes[i]);
	graph_forget(set);
}

static bool is_tests(const struct lock_class *class)
{
	return !strncmp(class->name, "test.", 5) || class->rank <= RANK_UNCHECKED ||
		class->rank == RANK_TEST_OUTER || class->rank == RANK_TEST_SLEEP ||
		class->rank == RANK_TEST_MIX || class->rank == RANK_TEST_SPIN_OUTER ||
		class->rank == RANK_TEST_SPIN;
}

void locktest_forget_all(void)
{
	uint32_t set[GRAPH_WORDS] = {0};

	lock_class_for_each(class)
		if (is_tests(class))
			put_class(set, class);
	graph_forget(set);
}

/* ---- Simulation ------------------------------------------------------------------------------ */

static struct simulation *simulation_of(const struct lock_hart *h)
{
	for (struct simulation *s = simulations; s < simulations + LOCKTEST_SIMULATIONS; s++)
		if (atomic_load_ptr(&s->hart, relaxed) == h)
			return s;
	assert(!"a simulation");
	return NULL;
}

void locktest_sim_begin(void)
{
	struct lock_hart *h;

	irq_off();
	h = lock_hart();
	assert(h->irq_depth == 1 && !h->simulated && !h->nr_held && h->in_irq == IRQ_NONE);
	for (struct simulation *s = simulations; s < simulations + LOCKTEST_SIMULATIONS; s++) {
		void *nobody = NULL;

		if (!atomic_cas_ptr(&s->hart, &nobody, h, acquire))
			continue;
		h->simulated = SIMULATED_ON;
		return;
	}
	assert(!"too many simulations");
}

void locktest_sim_end(void)
{
	struct lock_hart *h = lock_hart();
	struct simulation *s = simulation_of(h);

	assert(!h->nr_held && h->in_irq == IRQ_NONE);
	h->simulated = SIMULATED_NOT;
	atomic_store_ptr(&s->hart, NULL, release);
	irq_on();
}

void locktest_irq_disable(void)
{
	lock_hart()->simulated = SIMULATED_OFF;
}

void locktest_irq_enable(void)
{
	struct lock_hart *h = lock_hart();

	h->simulated = SIMULATED_ON;
	order_irqs_on(h->held, h->nr_held);
}

void locktest_irq_enter(enum irq_kind kind)
{
	struct lock_hart *h = lock_hart();
	struct simulation *s = simulation_of(h);

	assert(h->in_irq == IRQ_NONE);
	memcpy(s->held, h->held, sizeof(s->held));
	s->nr_held = h->nr_held;
	s->simulated = h->simulated;
	h->nr_held = 0;
	h->simulated = SIMULATED_OFF;
	h->in_irq = (uint8_t)kind;
}

void locktest_irq_exit(void)
{
	struct lock_hart *h = lock_hart();
	struct simulation *s = simulation_of(h);

	assert(h->in_irq != IRQ_NONE && !h->nr_held);
	memcpy(h->held, s->held, sizeof(s->held));
	h->nr_held = s->nr_held;
	h->simulated = s->simulated;
	h->in_irq = IRQ_NONE;
}

/* ---- Raw ------------------------------------------------------------------------------------- */

static bool acquire_raw(const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	assert(lock_hart()->simulated);
	flags |= CHECK_RAW;
	if (!check_acquire_slow(lock, class, flags, pc))
		return false;
	check_acquired_slow(lock, class, flags, pc);
	return true;
}

bool locktest_acquire_raw(const void *lock, struct lock_class *class, unsigned flags)
{
	return acquire_raw(lock, class, flags, (uintptr_t)__builtin_return_address(0));
}

bool locktest_acquire_nested_raw(
	const void *lock, struct lock_class *class, unsigned flags, const void *outer)
{
	if (!check_held(outer)) {
		check_guarded(outer, __func__);
		return false;
	}
	return acquire_raw(
		lock, class, flags | CHECK_NESTED, (uintptr_t)__builtin_return_address(0));
}

void locktest_release_raw(const void *lock, struct lock_class *class, unsigned flags)
{
	check_release_slow(lock, class, flags | CHECK_RAW, (uintptr_t)__builtin_return_address(0));
}

/* ---- Tables ---------------------------------------------------------------------------------- */

void locktest_limit(unsigned edges)
{
	graph_limit_edges(edges);
	full_said(true);
}

unsigned locktest_overflow_said(void)
{
	return full_said(false);
}

bool locktest_edge(const struct lock_class *from, const struct lock_class *to)
{
	for (unsigned i = 0; i < CLASS_NODES; i++)
		for (unsigned j = 0; j < CLASS_NODES; j++) {
			unsigned a = atomic_load_u32(&from->nodes[i], relaxed);
			unsigned b = atomic_load_u32(&to->nodes[j], relaxed);

			if (a && b && graph_known_edge(a, b, GRAPH_SR))
				return true;
		}
	return false;
}
