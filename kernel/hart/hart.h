/* SPDX-License-Identifier: MIT */
/*
 * Harts: who they are, where they stand, and what each has for itself.
 *
 * A hart has an index (dense, 0..nr_harts-1, in the device tree's order) and a hartid (the device
 * tree's; sparse, in any order, never used as an index).
 *
 * Life of a hart. One thread at a time changes it (kernel/task/hart_life.c; while booting, the
 * boot).
 *
 *   OFFLINE   --start-->  STARTING  --it joins-->  ONLINE  --stop, suspend-->  STOPPING
 *
 *   STARTING  refused by the firmware   -->  where it was; FAILED while booting
 *             silent for long           -->  FAILED
 *             asked to park             -->  STOPPED
 *   STOPPING  a step of it fails        -->  ONLINE
 *             the firmware has it       -->  STOPPED    --start-->   STARTING
 *                                       -->  SUSPENDED  --resume-->  STARTING
 *             ... and does not say so   -->  FAILED
 *   FAILED    it comes after all        -->  ONLINE
 *             started again             -->  STARTING
 *
 * OFFLINE is a hart that was never started: the boot has still to do so, or leaves it so (`cold`,
 * kernel/hart/plan.h).
 *
 * A hart_meta is allocated once at boot, lives for ever, and lies in the direct map.
 */
#ifndef KERNEL_HART_HART_H
#define KERNEL_HART_HART_H

#include "kernel/arch.h"
#include "kernel/hart/mask.h"
#include "kernel/lock/context.h"
#include "lib/hart_fault.h"

enum hart_state {
	HART_OFFLINE,
	HART_STARTING,
	HART_ONLINE,
	HART_STOPPING, /* on its way out: takes nothing new; stopped, suspended, or back to ONLINE
			*/
	HART_STOPPED,
	HART_SUSPENDED,
	HART_FAILED,
};

/* How far a start has come. Times: hart_stage_time. */
enum hart_stage {
	HART_CALLED, /* the firmware was asked to start it */
	HART_ENTRY,  /* its first instruction in the kernel */
	HART_MMU,
	HART_TRAPS,  /* it can take traps */
	HART_SCHED,  /* it has joined, and takes threads */
	HART_THREAD, /* the first one runs */
	HART_STAGES
};

struct runq;
struct timerq;
struct workq;
struct thread;

/* Requests that stand in hart_meta.ipi_flags until the handler takes them by exchange. */
enum ipi_flag {
	IPI_RESCHED = 1 << 0, /* look at need_resched on the way out */
	IPI_CALL = 1 << 1,    /* general calls are queued */
	IPI_LEAF = 1 << 2,    /* leaf operations are asked for */
};

struct hart_call;
struct irq_controller;

/* Mailbox of a hart for calls of others: kernel/hart/call.c has the protocol. */
struct hart_mailbox {
	atomic_u32 flags;	 /* enum ipi_flag */
	atomic_ptr calls;	 /* struct hart_call, newest first; MAILBOX_CLOSED when closed */
	atomic_u32 leaf_ops;	 /* enum leaf_op bits */
	atomic_ulong leaf_asked; /* tickets given; wraps around */
	atomic_ulong leaf_done;	 /* tickets served: every leaf request up to here */
};

/* What is asked of a hart that is to leave, and how far it is: kernel/hart/leave.c. */
struct hart_leave {
	atomic_u32 how;		/* enum hart_leave_how */
	atomic_u32 where;	/* enum hart_where */
	atomic_u32 resume;	/* a suspended hart may come back */
	atomic_u32 wakes;	/* ... was woken so often without that, since it was suspended */
	struct hart_meta *heir; /* online meanwhile: takes the timers */
	int err;		/* why it did not leave; valid while `where` is HART_BACK */
};

struct hart_stats {
	/* By whoever changes the life of harts. */
	uint32_t starts, stops, suspends;
	uint64_t irqs[4]; /* per enum irq_kind */
	uint64_t ipis_sent, switches, preemptions, idle_ns, steals;
	uint64_t faults_killed;
};

struct hart_meta {
	struct lock_hart lock; /* FIRST: tp points here */
	unsigned index;	       /* constant */
	uintptr_t hartid;      /* constant */
	atomic_u32 state;      /* enum hart_state */
	int failure;	       /* why HART_FAILED: -Exxx */
	const char *isa;       /* the tree's string; constant */
	const char *mmu_type;  /* the tree's string; constant */
	struct thread *idle;   /* constant once online */
	struct runq *runq;
	struct timerq *timerq;
	struct workq *workq;
	struct hart_mailbox mailbox;
	struct irq_controller *irqchip; /* that interrupts it, NULL: none; constant after boot */
	uint32_t plic_context;		/* S-mode context there, from the tree; with irqchip */
	uint64_t start_called;		/* arch_time(): HSM call, arrival, online */
	uint64_t arrived;
	uint64_t online_at;
	uint64_t sched_at, thread_at; /* the last two stages, arch_time() */
	uint64_t parked_ticks;	      /* from the call to the arrival, of the start to park */
	atomic_u32 park;	      /* enum hart_park: start.h */
	atomic_u32 asked;	      /* the firmware has answered to its last start: start.c */
	/* enum hart_fault_kind that it is to have there, 0: none: fault.c, boot.S */
	atomic_u32 strike[FAULT_PLACES];
	struct hart_leave leave;
	struct hart_stats stats;
	/* Last: it is long, and what stands before it is used on every switch and interrupt. */
	struct arch_hart arch; /* boot row, interrupt and emergency stacks */
};

/* The hart that the firmware entered the kernel on: tp points here from the start. arch fills in
 * `arch` and hartid; kernel_main's first act is to store its thread. */
extern struct hart_meta boot_hart;
extern unsigned nr_harts; /* constant after hart_discover */
/* [0, nr_harts): NULL until bring-up gave the hart its memory, or if there was none for it. */
extern struct hart_meta *harts[CONFIG_MAX_HARTS];
/* Harts that are online. Read anywhere; changed by a hart for itself. */
extern struct hart_mask harts_online;

/* This hart. Asserts that preemption or interrupts are off. */
struct hart_meta *this_hart(void);
/* The same for reports and statistics: may be wrong by the time it is used. */
static inline struct hart_meta *this_hart_unstable(void)
{
	return (struct hart_meta *)arch_lock_hart();
}

#define for_each_hart(h) \
	for (unsigned i_##h = 0; i_##h < nr_harts; i_##h++) \
		for (struct hart_meta *h = harts[i_##h]; h; h = NULL)

/* It runs, and stays: not so while it is on its way out. */
static inline bool hart_is_online(const struct hart_meta *h)
{
	return atomic_load_u32(&h->state, relaxed) == HART_ONLINE;
}

const char *hart_state_name(enum hart_state s);

/* arch_time() of a stage of its last start, 0: it has not come so far. The boot hart was not
 * called. For reports. */
uint64_t hart_stage_time(const struct hart_meta *h, enum hart_stage stage);
/* The last one that it has reached; HART_CALLED also if nobody has seen it yet. */
enum hart_stage hart_last_stage(const struct hart_meta *h);
const char *hart_stage_name(enum hart_stage stage);
/* A start begins: none is reached. Its starter. */
void hart_stages_forget(struct hart_meta *h);
/* arch_time() when the boot stopped waiting for harts, 0: it has not. */
extern uint64_t hart_boot_went_on;

/* Reads the harts of the tree: who is usable, nr_harts, and which of them boot_hart is. Takes no
 * memory: the others get theirs in kernel/task/bringup.c. Boot hart, once, nothing held, before
 * anything is kept or said by a hart's index. */
void hart_discover(void);
/*
 * Starts the harts that the plan wants (plan.h), and parks the others; waits for arrivals by
 * progress, not for long if there is none: who is missing then is said so, stays HART_STARTING and
 * may still come. Thread, may sleep (hart_set_nap). Returns how many are online.
 */
unsigned hart_start_all(void);
/* One look for those, under the lock of the life of harts: true when nobody is missing any more;
 * who has not come for long is HART_FAILED, and said so. To be called again after a while. Thread.
 */
bool hart_await_look(void);
/* Called by a hart in hart_main, SIE off: opens the mailbox, joins harts_online, flushes its TLB,
 * says that it arrived. The boot hart calls it too. */
void hart_join(struct hart_meta *h);

#endif
