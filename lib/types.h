/* SPDX-License-Identifier: MIT */
/*
 * The few words that every file uses, on top of the compiler's own freestanding headers. Safe
 * beside a host's libc headers: nothing of the standard is redefined.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef noreturn
#define noreturn _Noreturn
#endif
#ifndef static_assert
#define static_assert _Static_assert
#endif

#define unused_arg __attribute__((unused))
#define packed_struct __attribute__((packed))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1ul << (n))
#define BIT64(n) (1ull << (n))
#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)

/* The struct of type `type` whose `member` lies at `ptr`; ptr must have the member's type. */
#define container_of(ptr, type, member) \
	({ \
		const __typeof__(((type *)0)->member) *member_ptr_ = (ptr); \
		(type *)((uintptr_t)member_ptr_ - offsetof(type, member)); \
	})

/* Each argument is evaluated once. */
#ifndef MIN
#define MIN(a, b) \
	({ \
		__typeof__(a) min_a_ = (a); \
		__typeof__(b) min_b_ = (b); \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#endif
#ifndef MAX
#define MAX(a, b) \
	({ \
		__typeof__(a) max_a_ = (a); \
		__typeof__(b) max_b_ = (b); \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})
#endif

/*
 * To a multiple of `to`, a power of two of any integer type; the result has the type of x. align_up
 * wraps around where the next multiple doesn't fit into it. Constant for constant arguments.
 */
#define align_down(x, to) ((__typeof__(x))((x) & ~((__typeof__(x))(to) - 1)))
#define align_up(x, to) \
	((__typeof__(x))(((x) + ((__typeof__(x))(to) - 1)) & ~((__typeof__(x))(to) - 1)))
#define is_aligned(x, to) (((x) & ((__typeof__(x))(to) - 1)) == 0)
#define is_power_of_two(x) ((x) != 0 && ((x) & ((x) - 1)) == 0)
#define div_round_up(x, by) (((x) + (by) - 1) / (by))

#endif
