/* SPDX-License-Identifier: MIT */
/* For libfdt inside the kernel: the files of it that are built call nothing of <stdlib.h>. */
#ifndef LIBFDT_SHIM_STDLIB_H
#define LIBFDT_SHIM_STDLIB_H

#include <stddef.h>

#endif
