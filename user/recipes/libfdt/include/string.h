/* SPDX-License-Identifier: MIT */
/* For libfdt inside the kernel: what it calls of <string.h>. */
#ifndef LIBFDT_SHIM_STRING_H
#define LIBFDT_SHIM_STRING_H

#include "lib/string.h"

#endif
