/* SPDX-License-Identifier: MIT */
/* Inside kernel/shell only. */
#ifndef KERNEL_SHELL_SHELL_H
#define KERNEL_SHELL_SHELL_H

#include "kernel/shell/command.h"

void input_init(void);
/* Sleeps until there is input or Ctrl-C (true), or until the deadline (false). Thread. */
bool tty_wait_until(uint64_t deadline_ns);

/* Candidate i for a word that begins with prefix[0, len), in line[0, start) of a command line. */
const char *shell_complete_word(
	const char *line, size_t start, const char *prefix, size_t len, unsigned i);

/* A number of an argument within [min, max]; complains in the name of `what` otherwise. */
int shell_number(const char *what, const char *word, uint64_t min, uint64_t max, uint64_t *out);
/* Complains if there are words beyond `max` (argv[0] counted). */
int shell_max_args(int argc, char **argv, int max);

#endif
