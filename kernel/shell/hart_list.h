/* SPDX-License-Identifier: MIT */
/* Sets of harts as people write them: `all`, or numbers and ranges such as 0,2-3. Thread. */
#ifndef KERNEL_SHELL_HART_LIST_H
#define KERNEL_SHELL_HART_LIST_H

#include "kernel/hart/mask.h"

/* 0, -EINVAL: it is no list, or names a hart that there is not. */
int hart_list_read(const char *word, struct hart_mask *mask);
/* As text; what there is no hart for is left out. Returns how many characters that are. */
#define HART_LIST_SIZE (CONFIG_MAX_HARTS / 2 * 5 + 8)
unsigned hart_list_text(const struct hart_mask *mask, char text[HART_LIST_SIZE]);
/* The same by shell_printf. */
unsigned hart_list_print(const struct hart_mask *mask);

#endif
