/* SPDX-License-Identifier: MIT */
/*
 * The runtime of -fsanitize=thread (race.h): watchpoints in software, on accesses chosen by seed.
 *
 * The compiler calls a function here before every plain access of memory. Now and then the hart
 * that comes stops before its access, for a while: it writes what it is about to touch into a slot
 * of a small table, lets the other harts run, and looks again. A hart that is about to touch the
 * same bytes meanwhile, and one of the two writes, has found a race: it leaves its backtrace in the
 * slot, and the first hart reports both. If nobody came but the value is another one, somebody
 * wrote whom the compiler does not tell about (an atomic, assembly): that is a race as well.
 *
 * Nothing needs to be known of locks. Where two accesses are ordered, whatever orders them, a hart
 * cannot arrive at the second while another one stands before the first; so there is no false
 * report. What it cannot see: accesses that met in no watched moment, and those that would meet
 * only on a machine that reorders.
 *
 * Who watches with interrupts on lets them in: a handler that comes for the same bytes on the same
 * hart has found the race of a thread that should have turned interrupts off. Preemption is off
 * meanwhile, so that the thread stays on the hart whose slot of race_harts it uses.
 *
 * Atomics are inline assembly, volatile accesses (racy_read) call other functions: both are marked,
 * and are not watched. Not compiled with the hooks (configs/kernel.mk): this file, what a hart runs
 * before tp is its own, and lib/string.c: its bulk functions come here by the linker, once a call.
 *
 * A slot's key: granule of 8 bytes | mask of its bytes | write. 0: free. The watcher takes a free
 * slot by compare-and-swap and frees it; who finds a conflict claims it by compare-and-swap, fills
 * `other` in, and says KEY_DONE. Slots of one hash are shared: a taken one is not waited for.
 *
 * No locks. Each function: either, any lock held.
 */
#include "kernel/lock/race.h"

#include "kernel/arch.h"
#include "kernel/lock/check.h"
#include "kernel/lock/relax.h"
#include "lib/printf.h"
#include "lib/string.h"

#define GRANULE 8u
#define NR_SLOTS 64u
#define KEY_CLAIMED 1u /* no bytes: conflicts with nothing */
#define KEY_DONE 3u
#define INTERVAL 4000u
#define FOCUS_INTERVAL 2u
#define SPINS 2000u /* of a hart that watches, where harts run side by side */
#define TURNS 2u    /* and where they run in turns */
#define PCS 8u
#define HOOK_FRAMES 4u /* of this file, at most, above the access */

struct access {
	uintptr_t address;
	size_t size;
	bool write;
	uintptr_t pc; /* who makes it */
};

/* The other side of a race. */
struct finder {
	struct access access;
	unsigned hart, nr_pcs;
	const struct lock_thread *thread;
	bool in_handler; /* ...that interrupted the thread */
	uintptr_t pcs[PCS];
};

static struct slot {
	atomic_u64 key;
	struct finder other; /* of who claimed it, until the watcher has freed it */
} slots[NR_SLOTS];

/* Each hart's own. */
static struct race_hart {
	atomic_u32 skip; /* accesses until the next choice; relaxed: losing a step does no harm */
	uint64_t random; /* SIE off */
	bool busy;	 /* SIE off: it is in here, and finds nothing */
	bool watches;	 /* SIE off, and while it lets handlers in: it chooses nothing */
} race_harts[CONFIG_MAX_HARTS];

static atomic_bool started;
static atomic_u32 watching; /* slots in use: nearly always none; relaxed, as a look is */
static atomic_u64 watched;
static atomic_ulong focus_base, focus_size; /* relaxed: a test sets them while it alone runs */

static uint64_t key_of(uintptr_t granule, unsigned mask, bool write)
{
	/* The bits lost at the top repeat the one that stays. */
	return (uint64_t)granule << 6 | (uint64_t)mask << 1 | write;
}

static unsigned mask_of(uintptr_t granule, const struct access *a)
{
	uintptr_t from = MAX(a->address, granule) - granule;
	uintptr_t to = MIN(a->address + a->size, granule + GRANULE) - granule;

	return ((1u << to) - 1) & ~((1u << from) - 1);
}

static struct slot *slot_of(uintptr_t granule)
{
	return &slots[(granule / GRANULE ^ granule >> 12) % NR_SLOTS];
}

static bool conflict(uint64_t key, uint64_t mine)
{
	return key >> 9 == mine >> 9 && (key & mine & 0x1fe) && ((key | mine) & 1);
}

static uint32_t random_below(struct race_hart *r, uint32_t n)
{
	r->random = r->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(r->random >> 33) % n;
}

/* ---- Who finds ------------------------------------------------------------------------------ */

/* From the access on, without the functions of this file. */
static void trace(struct finder *f)
{
	uintptr_t pcs[PCS + HOOK_FRAMES];
	unsigned n = arch_backtrace(NULL, pcs, ARRAY_SIZE(pcs)), first = 0;

	while (first < n && pcs[first] != f->access.pc)
		first++;
	if (first == n)
		first = 0;
	f->nr_pcs = MIN(n - first, PCS);
	for (unsigned i = 0; i < f->nr_pcs; i++)
		f->pcs[i] = pcs[first + i];
}

static void found(struct slot *slot, uint64_t key, const struct access *a)
{
	bool before = arch_irq_save();
	struct lock_hart *h = lock_hart();
	struct race_hart *r = &race_harts[h->index];

	if (r->busy || h->panicking)
		goto out;
	r->busy = true;
	/* Acquire; partner: the watcher's, which has read `other` before it freed the slot. */
	if (atomic_cas_u64(&slot->key, &key, KEY_CLAIMED, acquire)) {
		slot->other.access = *a;
		slot->other.hart = h->index;
		slot->other.thread = h->thread;
		slot->other.in_handler = h->in_irq != IRQ_NONE;
		trace(&slot->other);
		/* Release; partner: unwatch. */
		atomic_store_u64(&slot->key, KEY_DONE, release);
	}
	r->busy = false;
out:
	arch_irq_restore(before);
}

/* ---- Who watches ---------------------------------------------------------------------------- */

static uint64_t value_at(uintptr_t granule, unsigned mask)
{
	uint64_t value = racy_read(*(const uint64_t *)granule, "a change is what it looks for");
	uint64_t bytes = 0;

	for (unsigned i = 0; i < GRANULE; i++)
		if (mask & 1u << i)
			bytes |= 0xffull << 8 * i;
	return value & bytes;
}

/* Unlike relax() it serves nobody: the access may be in the middle of that. */
static void step(bool turns)
{
	if (turns)
		arch_turn_pass();
	else
		arch_pause();
}

/* Turns can be passed without a trace only by Sstc; without, nobody is let in. */
static bool in_turns(void)
{
	return arch_info.has_sstc && !strcmp(relax_mode(), "turn");
}

/* SIE off. `open`: handlers of this hart come as well, between two steps. */
static void let_others_run(struct race_hart *r, bool open)
{
	bool turns = in_turns();

	for (unsigned left = turns ? TURNS : SPINS + random_below(r, SPINS); left; left--) {
		step(turns);
		arch_irq_restore(open);
		arch_irq_disable();
	}
}

/* The thread stays here, and who wants it to leave is heard afterwards. SIE off. */
static void let_all_run(struct lock_hart *h, struct race_hart *r, bool open)
{
	if (!open) {
		let_others_run(r, false);
		return;
	}
	h->thread->preempt_depth++;
	let_others_run(r, true);
	if (!--h->thread->preempt_depth && h->need_resched)
		arch_ipi_self();
}

/* Frees the slot; true if somebody found it, with its side in *other. */
static bool unwatch(struct slot *slot, uint64_t key, struct finder *other)
{
	/* Release; partner: the next one's compare-and-swap. */
	if (atomic_cas_u64(&slot->key, &key, 0, release))
		return false;
	/* Acquire; partner: found. The claimer runs, with interrupts off, and waits for nobody. */
	while (atomic_load_u64(&slot->key, acquire) != KEY_DONE)
		step(in_turns());
	*other = slot->other;
	atomic_store_u64(&slot->key, 0, release);
	return true;
}

static const char *word(bool write)
{
	return write ? "write" : "read";
}

static void report_unknown(const struct access *a)
{
	char keys[80];

	snprintf(keys, sizeof(keys), " at=%p", (void *)a->pc);
	lockcheck_report_keys(KIND_RACE, "changed", keys, (void *)a->address, NULL,
		"a race: %u bytes at %p changed while hart %u stood before a plain %s of them",
		(unsigned)a->size, (void *)a->address, lock_hart()->index, word(a->write));
}

static void report_race(const struct access *a, const struct finder *other)
{
	static const char *const whats[] = {"read-read", "read-write", "write-read", "write-write"};
	char keys[80], where[600] = "", name[64];
	const struct access *b = &other->access;

	for (unsigned i = 0; i < other->nr_pcs; i++) {
		size_t used = strlen(where);

		snprintf(where + used, sizeof(where) - used, "\n  %p %s", (void *)other->pcs[i],
			lockcheck_symbol ? lockcheck_symbol(other->pcs[i], name, sizeof(name))
					 : "");
	}
	snprintf(keys, sizeof(keys), " at=%p other_hart=%u", (void *)a->pc, other->hart);
	lockcheck_report_keys(KIND_RACE, whats[a->write * 2 + b->write], keys, (void *)a->address,
		NULL,
		"a race: %s of %u bytes at %p here; %s of %u at %p by %sthread %s on hart %u:%s\n"
		"here:",
		word(a->write), (unsigned)a->size, (void *)a->address, word(b->write),
		(unsigned)b->size, (void *)b->address, other->in_handler ? "a handler over " : "",
		lockcheck_thread_name ? lockcheck_thread_name(other->thread) : "?", other->hart,
		where);
}

/* SIE off; `open`: it was on. */
static void watch(const struct access *a, struct lock_hart *h, struct race_hart *r, bool open)
{
	uintptr_t granule = align_down(a->address, GRANULE);
	unsigned mask = mask_of(granule, a);
	struct slot *slot = slot_of(granule);
	uint64_t key = key_of(granule, mask, a->write), none = 0, before;
	struct finder other;
	bool met;

	before = value_at(granule, mask);
	/* Acquire; partner: unwatch. */
	if (!atomic_cas_u64(&slot->key, &none, key, acquire))
		return;
	atomic_add_u32(&watching, 1, relaxed);
	atomic_add_u64(&watched, 1, relaxed);
	r->busy = false;
	let_all_run(h, r, open);
	r->busy = true;
	met = unwatch(slot, key, &other);
	atomic_add_u32(&watching, -1u, relaxed);
	if (met)
		report_race(a, &other);
	else if (value_at(granule, mask) != before)
		report_unknown(a);
}

static __attribute__((noinline)) void chosen(const struct access *a)
{
	bool before = arch_irq_save();
	struct lock_hart *h = lock_hart();
	struct race_hart *r = &race_harts[h->index];
	uint32_t interval = atomic_load_ulong(&focus_size, relaxed) ? FOCUS_INTERVAL : INTERVAL;

	if (!r->busy && !r->watches && !h->panicking && h->thread) {
		r->busy = r->watches = true;
		atomic_store_u32(&r->skip, 1 + random_below(r, 2 * interval), relaxed);
		watch(a, h, r, before);
		r->busy = r->watches = false;
	}
	arch_irq_restore(before);
}

/* ---- Every access --------------------------------------------------------------------------- */

static inline bool in_focus(uintptr_t address)
{
	unsigned long size = atomic_load_ulong(&focus_size, relaxed);

	return likely(!size) || address - atomic_load_ulong(&focus_base, relaxed) < size;
}

/* Somebody watches. */
static __attribute__((noinline)) void look(const struct access *a)
{
	uintptr_t g = align_down(a->address, GRANULE);

	for (; g < a->address + a->size; g += GRANULE) {
		struct slot *slot = slot_of(g);
		/* Relaxed: found asks again. */
		uint64_t key = atomic_load_u64(&slot->key, relaxed);

		if (unlikely(key) && conflict(key, key_of(g, mask_of(g, a), a->write)))
			found(slot, key, a);
	}
}

static inline void accessed(uintptr_t address, size_t size, bool write, uintptr_t pc)
{
	struct race_hart *r;
	uint32_t skip;

	if (unlikely(!atomic_load_bool(&started, relaxed) || !size))
		return;
	if (unlikely(atomic_load_u32(&watching, relaxed)))
		look(&(struct access){address, size, write, pc});
	if (!in_focus(address))
		return;
	/* The hart may be another one by now: any hart's count is as good. */
	r = &race_harts[lock_hart()->index];
	skip = atomic_load_u32(&r->skip, relaxed);
	if (likely(skip > 1))
		atomic_store_u32(&r->skip, skip - 1, relaxed);
	else
		chosen(&(struct access){address, size, write, pc});
}

void race_start_slow(uint64_t seed)
{
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++)
		race_harts[i].random = seed * 0x9e3779b97f4a7c15u + i;
	/* Release: only this hart runs yet. */
	atomic_store_bool(&started, true, release);
}

void race_focus_slow(const void *base, size_t size)
{
	atomic_store_ulong(&focus_base, (uintptr_t)base, relaxed);
	atomic_store_ulong(&focus_size, size, relaxed);
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++)
		atomic_store_u32(&race_harts[i].skip, 1, relaxed);
}

uint64_t race_watched_slow(void)
{
	return atomic_load_u64(&watched, relaxed);
}

/* ---- What the compiler calls ----------------------------------------------------------------- */

#define HOOKS(n) \
	void __tsan_read##n(const void *p); \
	void __tsan_read##n(const void *p) \
	{ \
		accessed((uintptr_t)p, n, false, (uintptr_t)__builtin_return_address(0)); \
	} \
	void __tsan_write##n(const void *p); \
	void __tsan_write##n(const void *p) \
	{ \
		accessed((uintptr_t)p, n, true, (uintptr_t)__builtin_return_address(0)); \
	} \
	void __tsan_volatile_read##n(const void *p); \
	void __tsan_volatile_read##n(const void *p unused_arg) \
	{ \
	} \
	void __tsan_volatile_write##n(const void *p); \
	void __tsan_volatile_write##n(const void *p unused_arg) \
	{ \
	}
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

#define UNALIGNED(n) \
	void __tsan_unaligned_read##n(const void *p); \
	void __tsan_unaligned_read##n(const void *p) \
	{ \
		accessed((uintptr_t)p, n, false, (uintptr_t)__builtin_return_address(0)); \
	} \
	void __tsan_unaligned_write##n(const void *p); \
	void __tsan_unaligned_write##n(const void *p) \
	{ \
		accessed((uintptr_t)p, n, true, (uintptr_t)__builtin_return_address(0)); \
	}
UNALIGNED(2)
UNALIGNED(4)
UNALIGNED(8)
UNALIGNED(16)

void __tsan_read_range(const void *p, size_t size);
void __tsan_read_range(const void *p, size_t size)
{
	accessed((uintptr_t)p, size, false, (uintptr_t)__builtin_return_address(0));
}

void __tsan_write_range(const void *p, size_t size);
void __tsan_write_range(const void *p, size_t size)
{
	accessed((uintptr_t)p, size, true, (uintptr_t)__builtin_return_address(0));
}

/* The linker leads calls of these here (--wrap). */
void *__real_memset(void *p, int byte, size_t n);
void *__wrap_memset(void *p, int byte, size_t n);
void *__wrap_memset(void *p, int byte, size_t n)
{
	accessed((uintptr_t)p, n, true, (uintptr_t)__builtin_return_address(0));
	return __real_memset(p, byte, n);
}

#define COPY(name) \
	void *__real_##name(void *to, const void *from, size_t n); \
	void *__wrap_##name(void *to, const void *from, size_t n); \
	void *__wrap_##name(void *to, const void *from, size_t n) \
	{ \
		uintptr_t pc = (uintptr_t)__builtin_return_address(0); \
\
		accessed((uintptr_t)from, n, false, pc); \
		accessed((uintptr_t)to, n, true, pc); \
		return __real_##name(to, from, n); \
	}
COPY(memcpy)
COPY(memmove)

/* Every object has a constructor that calls it; the linker drops the list of these. */
void __tsan_init(void);
void __tsan_init(void)
{
}
