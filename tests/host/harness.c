/* SPDX-License-Identifier: MIT */
/* assert() and the seed for host tests: see harness.h. */
#include "tests/host/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/types.h"

int host_expecting_assert;
jmp_buf host_assert_jump;

noreturn void assert_fail(const char *expr, const char *file, int line, const char *func);

noreturn void assert_fail(const char *expr, const char *file, int line, const char *func)
{
	if (host_expecting_assert)
		longjmp(host_assert_jump, 1);
	print_error("assertion failed: %s in %s\n", expr, func);
	_fail(file, line);
	abort();
}

uint64_t host_seed(void)
{
	const char *s = getenv("SEED");

	return s ? strtoull(s, NULL, 0) : 20250101;
}
