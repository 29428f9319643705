/* SPDX-License-Identifier: MIT */
/*
 * Starting a hart, and its arrival. Who is started when, at boot: modes.c.
 *
 * The handshake
 *	starter		fills the hart_meta, state = STARTING (release), HSM start. The fence in
 *			arch_hart_start publishes the hart_meta; the new hart gets its address.
 *	new hart	opens its mailbox, joins harts_online, flushes its TLB, state = ONLINE
 *			(release).
 *	starter		sees ONLINE (the full fence in hart_start_all).
 * The state moves by compare-and-swap, so "given up" (STARTING -> FAILED), "started again" (FAILED
 * -> STARTING) and "arrived" (STARTING or FAILED -> ONLINE) cannot both win.
 *
 * A hart may be asked to stop again as soon as it arrives: park.c.
 *
 * A start may have to be repeated. OpenSBI 1.1 lets a hart go (START_PENDING) before it stores
 * where to: a hart that polls fast enough then enters the kernel at its first entry, once more. The
 * boot code there recognises it and stops it; here it is seen as a hart that was started, is
 * stopped and has reached no stage. Who looks for such harts need not be who issued the start
 * (modes.c, the tree): so it is repeated only once the firmware has answered to that
 * (hart_meta.asked), for an issued start writes to the hart_meta of a hart that may run by the time
 * of a second one.
 *
 * A hart that was started, is stopped, has not parked and has reached a stage died on its way: it
 * faulted, and stopped itself (secondary_trap in boot.S; kernel_fault). It would die again: FAILED.
 *
 * No locks: while booting, one thread judges arrivals (modes.c says who issues starts); what comes
 * later is called under the lock of the life of harts (kernel/task/hart_life.c), so that one thread
 * at a time issues starts and judges arrivals.
 */
#include "kernel/hart/start.h"

#include "kernel/hart/call.h"
#include "kernel/hart/fault.h"
#include "kernel/hart/leave.h"
#include "kernel/log.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"

#define PATIENCE_NS (30 * NS_PER_SEC)
#define HOLD_NS (3 * NS_PER_SEC)
/* Between two looks while somebody waits. */
#define NAP_NS NS_PER_MS

/* Who waits for one hart alone takes so many naps at least, and a third of those that the patience
 * would hold. */
#define PATIENT_NAPS 100u

/* Asking the firmware costs a call: once in so many naps. */
#define LOST_NAPS 16

/* With more harts than these a line for each arrival would take more than the arrival does. */
#define SAY_MOST 32

uint64_t start_patience_ns = PATIENCE_NS, start_hold_ns = HOLD_NS;
static void (*nap)(uint64_t ns);
static void (*late_hook)(struct hart_meta *h);
/* The boot waits for nobody any more: who arrives from now on is late. */
static atomic_bool gone_on;
static atomic_bool next_fails;
/* Of whom it was said that they are missing. */
static struct hart_mask missing;

void hart_set_nap(void (*fn)(uint64_t ns))
{
	nap = fn;
}

uint64_t hart_set_patience(uint64_t ns)
{
	uint64_t before = start_patience_ns;

	start_patience_ns = ns;
	return before;
}

bool hart_waited_long(uint64_t since_ns, unsigned naps)
{
	return naps >= MAX(PATIENT_NAPS, start_patience_ns / (3 * NAP_NS)) &&
		clock_now_ns() - since_ns >= start_patience_ns;
}

void hart_set_hold(uint64_t ns)
{
	start_hold_ns = ns;
}

void hart_start_fail(void)
{
	atomic_store_bool(&next_fails, true, relaxed);
}

void hart_set_late_hook(void (*fn)(struct hart_meta *h))
{
	late_hook = fn;
}

void start_nap(void)
{
	nap(NAP_NS);
}

void start_gone_on(void)
{
	hart_boot_went_on = arch_time();
	atomic_store_bool(&gone_on, true, relaxed);
	if (CONFIG_HART_FAULTS)
		hart_fault_gone_on();
}

void start_is_missing(const struct hart_meta *h)
{
	hart_mask_atomic_set(&missing, h->index);
}

bool start_give_up(struct hart_meta *h, int err)
{
	uint32_t starting = HART_STARTING;

	if (!atomic_cas_u32(&h->state, &starting, HART_FAILED, relaxed))
		return false;
	h->failure = err;
	return true;
}

/* The firmware does not start it: the error, or 0 if it has arrived all the same. */
static int refused(struct hart_meta *h, int err)
{
	return start_give_up(h, err) ? err : 0;
}

/* A refusal means nothing while the hart is on its way (SBI answers "invalid" during
 * START_PENDING). */
static bool on_its_way(const struct hart_meta *h)
{
	int hsm = arch_hart_state(h->hartid);

	return hsm == ARCH_HSM_START_PENDING || hsm == ARCH_HSM_STARTED;
}

static int ask_firmware(struct hart_meta *h)
{
	if (unlikely(atomic_load_bool(&next_fails, relaxed))) {
		atomic_store_bool(&next_fails, false, relaxed);
		return -EIO;
	}
	if (CONFIG_HART_FAULT_REFUSE && hart_fault_refused(h))
		return -EIO;
	return arch_hart_start(h);
}

/* The firmware has been asked, and is asked the same again. Not for a hart that stops by itself,
 * which would come a second time. */
static void ask_again(const struct hart_meta *h)
{
	int err;

	if (!hart_fault_twice(h) || atomic_load_u32(&h->park, relaxed) != PARK_NOT)
		return;
	err = arch_hart_start_again(h);
	log_warn(
		"hart %u: hartid %lu was started twice, last seen: %s: the firmware says %d to the "
		"second one, which counts for nothing",
		h->index, (unsigned long)h->hartid, hart_stage_name(hart_last_stage(h)), err);
}

int start_issue(struct hart_meta *h, uint32_t from)
{
	int hsm = arch_hart_state(h->hartid);
	int err;

	if (hsm == ARCH_HSM_STOP_PENDING)
		return -EAGAIN;
	/* Relaxed: before the state. */
	atomic_store_u32(&h->asked, 0, relaxed);
	/* Release: the hart_meta before the state. Partners: hart_join, start_repeat_if_lost. One
	 * that had been given up may have come since `from` was looked at: then nothing is left to
	 * do. */
	if (!atomic_cas_u32(&h->state, &from, HART_STARTING, release))
		return 0;
	/* Started by somebody else, or on its way for long: only itself can bring it here. */
	if (hsm != ARCH_HSM_STOPPED)
		return refused(h, hsm < 0 ? hsm : -EALREADY);
	if (from != HART_STARTING)
		hart_mask_atomic_clear(&missing, h->index);
	hart_stages_forget(h);
	h->start_called = arch_time();
	/* How it went is over. Relaxed, both: it is stopped; published as in arch_hart_start. */
	atomic_store_u32(&h->leave.how, LEAVE_NOT, relaxed);
	atomic_store_u32(&h->leave.where, HART_HERE, relaxed);
	if (CONFIG_HART_FAULTS)
		hart_fault_arm(h);
	err = ask_firmware(h);
	if (CONFIG_HART_FAULT_TWICE && !err)
		ask_again(h);
	/* Release: what that wrote. Partner: start_repeat_if_lost. */
	atomic_store_u32(&h->asked, 1, release);
	return err && !on_its_way(h) ? refused(h, err) : 0;
}

/* It has been in the kernel, and the firmware has it again. */
static void has_died(struct hart_meta *h)
{
	if (start_give_up(h, -EFAULT))
		log_error("hart %u: hartid %lu died before it joined: failed, going on without it; "
			  "last seen: %s",
			h->index, (unsigned long)h->hartid, hart_stage_name(hart_last_stage(h)));
}

int start_repeat_if_lost(struct hart_meta *h)
{
	/* Acquires, both; partner: start_issue. The state first: `asked` is of this start then. */
	if (atomic_load_u32(&h->state, acquire) != HART_STARTING ||
		!atomic_load_u32(&h->asked, acquire) ||
		arch_hart_state(h->hartid) != ARCH_HSM_STOPPED)
		return 0;
	/* The firmware's answer before the looks at what the hart had stored by then. Partners: the
	 * fences in arch_hart_stop, arch_hart_die and secondary_trap. */
	fence_acquire();
	if (atomic_load_u32(&h->park, relaxed) == PARK_DONE)
		return 0;
	if (hart_last_stage(h) != HART_CALLED) {
		has_died(h);
		return 0;
	}
	log_warn("hart %u: hartid %lu went astray in the firmware: started again", h->index,
		(unsigned long)h->hartid);
	return start_issue(h, HART_STARTING);
}

/* It failed on its way into a suspension, or out of it. */
static bool is_suspended(const struct hart_meta *h)
{
	uint32_t how = atomic_load_u32(&h->leave.how, relaxed);

	return (how == LEAVE_SUSPEND || how == LEAVE_SUSPEND_LOST) &&
		arch_hart_state(h->hartid) != ARCH_HSM_STOPPED;
}

int hart_bring_up(struct hart_meta *h)
{
	uint32_t before = atomic_load_u32(&h->state, relaxed), failed = HART_FAILED;
	uint64_t since = clock_now_ns();

	if (is_suspended(h))
		return hart_call_back(h);
	atomic_store_u32(&h->park, PARK_NOT, relaxed);
	for (unsigned naps = 1; start_issue(h, before) == -EAGAIN; naps++) {
		if (hart_waited_long(since, naps))
			return -EBUSY;
		nap(NAP_NS);
	}
	for (unsigned naps = 1; atomic_load_u32(&h->state, acquire) == HART_STARTING; naps++) {
		if (hart_waited_long(since, naps) && start_give_up(h, -ETIMEDOUT))
			return -ETIMEDOUT;
		nap(NAP_NS);
		if (naps % LOST_NAPS == 0)
			start_repeat_if_lost(h);
	}
	if (atomic_load_u32(&h->state, relaxed) == HART_FAILED && h->failure == -EFAULT)
		return -EFAULT;
	/* Refused: it is where it was. */
	if (!atomic_cas_u32(&h->state, &failed, before, relaxed))
		return 0;
	log_warn("hart %u: hartid %lu is refused by the firmware (error %d): it stays %s", h->index,
		(unsigned long)h->hartid, h->failure, hart_state_name(before));
	return h->failure;
}

bool hart_is_hung(const struct hart_meta *h)
{
	int hsm = arch_hart_state(h->hartid);

	return atomic_load_u32(&h->state, relaxed) == HART_FAILED &&
		atomic_load_u32(&h->leave.how, relaxed) == LEAVE_NOT &&
		atomic_load_u32(&h->leave.where, relaxed) == HART_HERE &&
		(hsm == ARCH_HSM_STARTED || hsm == ARCH_HSM_START_PENDING);
}

bool hart_may_die(const struct hart_meta *h)
{
	uint32_t state = atomic_load_u32(&h->state, relaxed);

	return (state == HART_STARTING || state == HART_FAILED) &&
		atomic_load_u32(&h->leave.how, relaxed) == LEAVE_NOT &&
		!hart_mask_test(&harts_online, h->index) &&
		atomic_load_ptr(&h->mailbox.calls, relaxed) == MAILBOX_CLOSED;
}

int hart_call_back(struct hart_meta *h)
{
	uint32_t before = atomic_load_u32(&h->state, relaxed);
	uint64_t since = clock_now_ns();

	/* It may come now, if it was called before. */
	if (!atomic_load_u32(&h->leave.resume, relaxed)) {
		hart_stages_forget(h);
		h->start_called = arch_time();
	}
	if (!atomic_cas_u32(&h->state, &before, HART_STARTING, relaxed))
		return 0;
	/* Release: the state before the leave to come. Partner: stay_suspended. */
	atomic_store_u32(&h->leave.resume, 1, release);
	for (unsigned naps = 1; atomic_load_u32(&h->state, acquire) == HART_STARTING; naps++) {
		if (hart_waited_long(since, naps) && start_give_up(h, -ETIMEDOUT))
			return -ETIMEDOUT;
		/* Again and again: the firmware may drop one that comes while it suspends the hart.
		 */
		arch_ipi_send_hart(h->hartid);
		nap(NAP_NS);
	}
	return 0;
}

void hart_open(struct hart_meta *h)
{
	hart_mailbox_open(h);
	hart_obey_stop();
	timer_hart_forget();
	hart_mask_atomic_set(&harts_online, h->index);
	/* Whatever was unmapped, or written as code, while this hart could not be asked to flush.
	 * After the open: its fence orders the flush and all later walks behind it. Partner:
	 * leaf_call_mask. */
	arch_tlb_flush_all();
	arch_icache_flush();
}

/* The time of the first arrival; later ones are somebody's command, who says it. */
static void say_arrival(const struct hart_meta *h)
{
	uint64_t ticks = h->online_at - h->start_called;

	log_line(h->stats.starts || nr_harts > SAY_MOST ? LOG_DEBUG : LOG_INFO,
		"online after %llu us, hartid %lu",
		(unsigned long long)(ticks_to_ns(ticks) / NS_PER_US), (unsigned long)h->hartid);
}

/* What else there is to say of it, which was somewhere else when others looked. */
static void say_late(struct hart_meta *h, uint32_t before)
{
	bool missed = hart_mask_atomic_clear(&missing, h->index);

	if (before == HART_FAILED) {
		h->failure = 0;
		log_warn("hartid %lu had been given up", (unsigned long)h->hartid);
	} else if (missed) {
		log_warn("hartid %lu was missing: it is late, and taken in",
			(unsigned long)h->hartid);
	}
}

void hart_join(struct hart_meta *h)
{
	uint32_t before = atomic_load_u32(&h->state, relaxed);
	bool first = !h->stats.starts;

	assert(h == this_hart());
	if (before == HART_ONLINE) {
		log_warn("hartid %lu arrives twice, last seen: %s: it counts once",
			(unsigned long)h->hartid, hart_stage_name(hart_last_stage(h)));
		return;
	}
	/* The boot hart begins without a start. */
	assert(before != HART_OFFLINE || h == &boot_hart);
	if (before != HART_OFFLINE)
		hart_fault_at(h, FAULT_AT_JOIN);
	h->arrived = arch_time();
	atomic_store_u32(&h->leave.how, LEAVE_NOT, relaxed);
	hart_open(h);
	h->online_at = arch_time();
	if (before != HART_OFFLINE)
		say_arrival(h);
	h->stats.starts++;
	/* Release: the fields above. Partner: hart_start_all, hart_bring_up. */
	while (!atomic_cas_u32(&h->state, &before, HART_ONLINE, release))
		assert(before != HART_ONLINE);
	say_late(h, before);
	/* The state before the look. Partner: hart_start_all. */
	fence_full();
	/* What a hart that joins for the first time, or unexpectedly, is still to be given. */
	if (atomic_load_bool(&gone_on, relaxed) && (first || before == HART_FAILED))
		late_hook(h);
}
