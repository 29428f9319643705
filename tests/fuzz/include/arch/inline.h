/* SPDX-License-Identifier: MIT */
/*
 * The machine of tests/fuzz: the host's (tests/host/include/arch/inline.h), but for its memory,
 * which is nowhere: only the kernel's image and the tree have addresses (machine.c).
 */
#ifndef FUZZ_ARCH_INLINE_H
#define FUZZ_ARCH_INLINE_H

#define phys_to_virt host_phys_to_virt
#define virt_to_phys host_virt_to_phys
#include "tests/host/include/arch/inline.h"
#undef phys_to_virt
#undef virt_to_phys

void *phys_to_virt(phys_t pa);
phys_t virt_to_phys(const void *va);

#endif
