/* SPDX-License-Identifier: MIT */
/* Sets of harts as people write them: `all`, or numbers and ranges such as 0,2-3. Thread. */
#ifndef KERNEL_SHELL_HART_LIST_H
#define KERNEL_SHELL_HART_LIST_H

#include "kernel/hart/mask.h"

/* 0, -EINVAL: it is no list, or names a hart that there is not. */
int hart_list_read(const char *word, struct hart_mask *mask);
/* As shell_printf; what there is no hart for is left out. Returns how many characters that were. */
unsigned hart_list_print(const struct hart_mask *mask);

#endif
