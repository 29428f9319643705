/* SPDX-License-Identifier: MIT */
/*
 * assert(x) states an invariant of the code itself. It is always compiled in, x has no side effect,
 * and what a user, a device, the firmware or the device tree may send is never asserted.
 */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

#include "lib/types.h"

/* Given by kernel/panic, or by the host tests. Any context. */
noreturn void assert_fail(const char *expr, const char *file, int line, const char *func);

#undef assert
#define assert(x) (likely(x) ? (void)0 : assert_fail(#x, __FILE__, __LINE__, __func__))

#endif
