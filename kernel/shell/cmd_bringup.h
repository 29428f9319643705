/* SPDX-License-Identifier: MIT */
/* `harts -t`: see cmd_bringup.c. */
#ifndef KERNEL_SHELL_CMD_BRINGUP_H
#define KERNEL_SHELL_CMD_BRINGUP_H

/* argv[1] is "-t". Thread. */
int bringup_report(int argc, char **argv);

#endif
