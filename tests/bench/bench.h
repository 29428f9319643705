/* SPDX-License-Identifier: MIT */
/*
 * Measuring inside the kernel: `bench [NAME]` in the shell, `make bench` for the judged table.
 *
 * Every figure is one machine-readable line, `bench: NAME VALUE UNIT`. Times are nanoseconds of
 * clock_now_ns(); under `-icount shift=0` one of them is one instruction, which is how `make bench`
 * reads them. A cost is (N operations - the same loop empty) / N with N = BENCH_N, the operation
 * compiled into the loop as a caller compiles it.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include "kernel/time/clock.h"
#include "lib/types.h"

#define BENCH_N 10000

/* Nanoseconds that n rounds of `body` take, interrupts as they are. */
#define BENCH_LOOP(n, body) \
	({ \
		uint64_t bench_start = clock_now_ns(); \
		for (unsigned bench_i = 0; bench_i < (n); bench_i++) { \
			body; \
			asm volatile("" ::: "memory"); \
		} \
		clock_now_ns() - bench_start; \
	})

/* Cost of `body` in tenths of a nanosecond, the empty loop taken off. */
#define BENCH_COST10(n, body) bench_cost10(BENCH_LOOP(n, body), BENCH_LOOP(n, ), n)

uint64_t bench_cost10(uint64_t with_ns, uint64_t empty_ns, unsigned n);
/* Prints the line of one figure; `tenths` counts tenths of `unit`. Thread. */
void bench_print10(const char *name, uint64_t tenths, const char *unit);
void bench_print(const char *name, uint64_t value, const char *unit);

/* Pins the calling thread to the hart with this index and returns 0, or -Exxx. Thread, may sleep.
 */
int bench_pin(unsigned hart);
/*
 * Pins it to the last hart that is online but one, *here, and names the last one, *other; with one
 * hart both are that. The last ones, because OpenSBI's loop over the harts from the target of an
 * interrupt up is no cost of ours, and short there.
 */
int bench_pin_pair(unsigned *here, unsigned *other);
/* Undoes bench_pin: every hart. */
void bench_unpin(void);

#endif
