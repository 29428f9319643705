/* SPDX-License-Identifier: MIT */
/*
 * The relax step (relax.h): what a hart does between two looks at what it waits for.
 *
 * Software interrupts are announcements; what was announced stands in memory (the mailbox). Taking
 * the pending bit is harmless if the mailbox is looked at afterwards, and whatever it holds that
 * cannot be served here (anything but leaf requests) makes the bit pending again: a sender stores
 * its message before it sends, so a message that the look missed comes with a bit of its own.
 */
#include "kernel/lock/relax.h"

#include "kernel/arch.h"
#include "kernel/lock/atomic.h"
#include "kernel/lock/point.h"
#include "lib/string.h"

bool (*relax_serve_leaf)(void);
void (*relax_arm_tick)(void);

static bool turn; /* constant after relax_init */

bool relax_init(const char *mode)
{
	if (!mode || !*mode || !strcmp(mode, "pause"))
		turn = false;
	else if (!strcmp(mode, "turn"))
		turn = true;
	else
		return false;
	return true;
}

const char *relax_mode(void)
{
	return turn ? "turn" : "pause";
}

static bool serve_leaf(void)
{
	return relax_serve_leaf && relax_serve_leaf();
}

bool relax_take_ipi(void)
{
	arch_ipi_clear();
	return serve_leaf();
}

void relax_unpark(bool mail)
{
	if (!mail)
		return;
	LOCK_WAITING(relax_mail);
	arch_ipi_self();
}

static void pass_the_turn(void)
{
	bool before = arch_irq_save();

	arch_ipi_self();
	arch_wait_ipi(false);
	relax_unpark(relax_take_ipi());
	arch_irq_restore(before);
}

void relax(void)
{
	LOCK_HOOK(relax);
	if (turn) {
		pass_the_turn();
		return;
	}
	/* With interrupts on the handler serves; the pending bit is left to it in any case. */
	if (!arch_irq_enabled())
		serve_leaf();
	arch_pause();
}

void relax_step(struct relax *r)
{
	if (++r->steps >= RELAX_SPIN_BOUND) {
		r->steps = 0;
		if (relax_arm_tick)
			relax_arm_tick();
	}
	relax();
}
