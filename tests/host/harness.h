/* SPDX-License-Identifier: MIT */
/*
 * What host tests share: cmocka with the headers that it wants, assert() of the code under test,
 * and a seed. A program is tests/host/test_NAME.c; its head comment names what it is linked with
 * (` * Sources: tests/host/harness.c lib/rbtree.c`).
 */
#ifndef TESTS_HOST_HARNESS_H
#define TESTS_HOST_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * A failed assert of the code under test fails the running test, except inside expect_assert, which
 * fails if `statement` asserts nothing.
 */
#define expect_assert(statement) \
	do { \
		host_expecting_assert = 1; \
		if (!setjmp(host_assert_jump)) { \
			statement; \
			host_expecting_assert = 0; \
			fail_msg("no assertion in: %s", #statement); \
		} \
		host_expecting_assert = 0; \
	} while (0)

extern int host_expecting_assert;
extern jmp_buf host_assert_jump;

/* Seed of randomised tests: SEED of the environment, else a constant; said when a test fails. */
uint64_t host_seed(void);

#endif
