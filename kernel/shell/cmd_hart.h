/* SPDX-License-Identifier: MIT */
/* What the files of the `hart` command share. Thread. */
#ifndef KERNEL_SHELL_CMD_HART_H
#define KERNEL_SHELL_CMD_HART_H

struct hart_meta;

/* The hart of that index; otherwise says so, and NULL. */
struct hart_meta *hart_of_word(const char *word);
/* `hart pin ...`: argv[1] is "pin". */
int hart_pin(int argc, char **argv);

#endif
