/* SPDX-License-Identifier: MIT */
/* Harts that are taken in by demand: see lazy.c. */
#ifndef KERNEL_TASK_LAZY_H
#define KERNEL_TASK_LAZY_H

/* If the plan of the boot is lazy: from now on demand takes harts in. After hart_start_all.
 * Thread, may sleep. */
void lazy_start(void);

#endif
