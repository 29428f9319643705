/* SPDX-License-Identifier: MIT */
/* Commands that end the system: poweroff, reboot. */
#include "kernel/panic/power.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "lib/errno.h"

static int cmd_poweroff(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	power_off(EXIT_OK);
}
SHELL_COMMAND(poweroff, "poweroff", "switches the machine off", cmd_poweroff);

static int cmd_reboot(int argc, char **argv)
{
	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	power_reset();
}
SHELL_COMMAND(reboot, "reboot", "starts the machine again", cmd_reboot);
