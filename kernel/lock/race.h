/* SPDX-License-Identifier: MIT */
/*
 * Races on data: two harts at the same bytes at the same time, one of them writing, and neither by
 * an atomic (CONFIG_RACE; gcc -fsanitize=thread calls race.c before every plain access).
 *
 * Some data is read without its lock on purpose: for a report, a statistic, a first look that is
 * repeated under the lock. Such an access says so where it stands, with the reason:
 *
 *	n = racy_read(q->nr, "a hint: repeated under the lock");
 *
 * It is one load of the machine, never torn for what a register holds, never repeated or left out
 * by the compiler, and orders nothing.
 */
#ifndef KERNEL_LOCK_RACE_H
#define KERNEL_LOCK_RACE_H

#include "lib/types.h"

#define racy_read(x, why) \
	({ \
		static_assert(sizeof("" why) > 1, "a racy access has a reason"); \
		*(const volatile __typeof__(x) *)&(x); \
	})
#define racy_write(x, v, why) \
	do { \
		static_assert(sizeof("" why) > 1, "a racy access has a reason"); \
		*(volatile __typeof__(x) *)&(x) = (v); \
	} while (0)
/* Two of them at once may count once. */
#define racy_add(x, n, why) racy_write(x, racy_read(x, why) + (n), why)

void race_start_slow(uint64_t seed);
void race_focus_slow(const void *base, size_t size);
uint64_t race_watched_slow(void);

/* From here on accesses are watched, chosen by the seed. Boot hart. */
static inline void race_start(uint64_t seed)
{
	if (CONFIG_RACE)
		race_start_slow(seed);
}

/* For tests: only accesses to these bytes are chosen, and about every second one of them; size 0:
 * all again. Either. */
static inline void race_focus(const void *base, size_t size)
{
	if (CONFIG_RACE)
		race_focus_slow(base, size);
}

/* Accesses that were watched so far, on all harts. Either. */
static inline uint64_t race_watched(void)
{
	return CONFIG_RACE ? race_watched_slow() : 0;
}

#endif
