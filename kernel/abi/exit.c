/* SPDX-License-Identifier: MIT */
/* Names of the exit statuses, as `make run` prints them. */
#include "kernel/abi/exit.h"

#include "lib/types.h"

const char *exit_name(int status)
{
	static const struct {
		int status;
		const char *name;
	} names[] = {
		{EXIT_OK, "ok"},
		{EXIT_COMMAND, "command-failed"},
		{EXIT_TEST, "test-failed"},
		{EXIT_PANIC, "panic"},
		{EXIT_ASSERT, "assert"},
		{EXIT_FAULT, "fault"},
		{EXIT_STACK_OVERFLOW, "stack-overflow"},
		{EXIT_DOUBLE_PANIC, "double-panic"},
		{EXIT_LOCKCHECK, "lockcheck"},
		{EXIT_DEADLOCK, "deadlock"},
		{EXIT_LOCKUP, "lockup"},
		{EXIT_NO_MEMORY, "no-memory"},
		{EXIT_BAD_TREE, "bad-tree"},
		{EXIT_NO_SHELL, "no-shell"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].status == status)
			return names[i].name;
	return NULL;
}
