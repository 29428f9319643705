/* SPDX-License-Identifier: MIT */
/*
 * The statuses with which QEMU exits: one a cause, the same for ever (numbers are never reused).
 * 0-2, 124-127 and 128 up are left to make, timeout and the shell.
 */
#ifndef KERNEL_ABI_EXIT_H
#define KERNEL_ABI_EXIT_H

enum exit_status {
	EXIT_OK = 0,		  /* poweroff, all commands of run= succeeded */
	EXIT_COMMAND = 10,	  /* a command of run= failed */
	EXIT_TEST = 11,		  /* a test failed */
	EXIT_PANIC = 20,	  /* panic() */
	EXIT_ASSERT = 21,	  /* an assertion */
	EXIT_FAULT = 22,	  /* a fault of the kernel that no thread could be killed for */
	EXIT_STACK_OVERFLOW = 23, /* the same, on a guard page */
	EXIT_DOUBLE_PANIC = 24,	  /* a panic during a panic's report */
	EXIT_LOCKCHECK = 30,	  /* a report of the lock checker */
	EXIT_DEADLOCK = 31,	  /* a deadlock card */
	EXIT_LOCKUP = 32,	  /* a hart or thread without progress */
	EXIT_NO_MEMORY = 40,	  /* boot could not go on without memory */
	EXIT_BAD_TREE = 41,	  /* the device tree cannot be used */
	EXIT_NO_SHELL = 42,	  /* no console to run a shell on */
};

/* Name of a status as `make run` prints it ("ok", "panic", ...), NULL for unknown ones. */
const char *exit_name(int status);

#endif
