/* SPDX-License-Identifier: MIT */
/* Harts that are stopped while an IPI to them is under way, on demand: kernel/hart/fault.c. */
#ifndef KERNEL_TASK_HART_FAULT_H
#define KERNEL_TASK_HART_FAULT_H

/* Stops them, in a thread of its own, if the boot arguments name any. Thread, after the boot has
 * started the harts. */
void hart_fault_stop_them(void);

#endif
