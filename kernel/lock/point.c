/* SPDX-License-Identifier: MIT */
/*
 * Points in the lock protocols: counts and chaos (point.h).
 *
 * Chaos draws from no state that harts share in order: a draw is a mixture of the seed, the point's
 * name, the hart, and how many draws that hart made. So a run under instruction counting repeats
 * bit for bit, and one on real harts depends on nothing but the order of each hart's own steps.
 */
#include "kernel/lock/point.h"

#include "kernel/arch.h"
#include "kernel/lock/context.h"
#include "lib/random.h"

#define DRAW_SLOTS 16
/* A point is slow once in so many times, for at most so many steps of arch_pause. */
#define SLOW_ONE_IN 16
#define SLOW_MAX 256
/* ... and one in so many of these for so many times as long: others get past it meanwhile. */
#define STALL_ONE_IN 256
#define STALL_FACTOR 64
/* A window is open once in so many times, and so many times as long. */
#define WINDOW_ONE_IN 4
#define WINDOW_FACTOR 32
/* An occasion is taken once in 2 to 64 times: 2 << (0 to 5). */
#define RARENESS 6

struct lock_hooks lock_hooks;

/* Two words of a seed: 64 bits are no lone value on every machine. 0: no chaos. */
static atomic_u32 seed_low, seed_high;
static atomic_ptr favoured; /* const char *: the beginning of names; NULL: none */
static struct {
	atomic_u32 n;
} __attribute__((aligned(64))) draws[DRAW_SLOTS];

uint64_t lock_chaos_seed(void)
{
	return (uint64_t)atomic_load_u32(&seed_high, relaxed) << 32 |
		atomic_load_u32(&seed_low, relaxed);
}

void lock_chaos_set(uint64_t seed)
{
	/* Relaxed: what is drawn while both change is chaos as well. */
	atomic_store_u32(&seed_low, (uint32_t)seed, relaxed);
	atomic_store_u32(&seed_high, (uint32_t)(seed >> 32), relaxed);
	for (unsigned i = 0; i < DRAW_SLOTS; i++)
		atomic_store_u32(&draws[i].n, 0, relaxed);
}

void lock_chaos_favour(const char *prefix)
{
	/* Release: its text; partner: is_favoured. */
	atomic_store_ptr(&favoured, (void *)prefix, release);
}

static bool is_favoured(const struct lock_point *p)
{
	const char *prefix = atomic_load_ptr(&favoured, acquire), *name = p->name;

	if (!prefix)
		return false;
	while (*prefix && *prefix == *name)
		prefix++, name++;
	return !*prefix;
}

/* The same on every build, unlike an address. */
static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

	while (*name)
		hash = (hash ^ (uint8_t)*name++) * 0x100000001b3u;
	return hash;
}

static uint64_t draw(uint64_t seed, const struct lock_point *p)
{
	unsigned hart = lock_hart()->index;
	uint64_t state = seed ^ hash_name(p->name) ^ (uint64_t)hart << 40;

	/* Relaxed: a lone value. */
	state += (uint64_t)atomic_add_u32(&draws[hart % DRAW_SLOTS].n, 1, relaxed) << 8;
	return splitmix64(&state);
}

/* How rare the occasion `p` is under this seed. */
static unsigned one_in(uint64_t seed, const struct lock_point *p)
{
	uint64_t state = seed + hash_name(p->name);

	if (is_favoured(p))
		return 2;
	return 2u << (splitmix64(&state) % RARENESS);
}

bool lock_chaos(struct lock_point *p)
{
	uint64_t seed = lock_chaos_seed();

	if (likely(!seed) || draw(seed, p) % one_in(seed, p))
		return false;
	atomic_add_u32(&p->count, 1, relaxed);
	return true;
}

static void slow_down(uint64_t seed, const struct lock_point *p)
{
	uint64_t lot = draw(seed, p);
	unsigned steps = (unsigned)(lot >> 32) % SLOW_MAX;

	if (lot % (p->kind == POINT_WINDOW ? WINDOW_ONE_IN : SLOW_ONE_IN))
		return;
	if (p->kind == POINT_WINDOW)
		steps *= WINDOW_FACTOR;
	else if ((lot >> 16) % STALL_ONE_IN == 0)
		steps *= STALL_FACTOR;
	while (steps--)
		arch_pause();
}

void lock_point_hit(
	struct lock_point *p, const void *lock, const struct lock_class *class, uintptr_t pc)
{
	uint64_t seed = lock_chaos_seed();

	atomic_add_u32(&p->count, 1, relaxed);
	if (unlikely(seed))
		slow_down(seed, p);
	if (CONFIG_HUNT && lock_hooks.point)
		lock_hooks.point(p, lock, class, pc);
}

void lock_points_reset(void)
{
	lock_point_for_each(p) atomic_store_u32(&p->count, 0, relaxed);
}
