/* SPDX-License-Identifier: MIT */
/*
 * Registers of devices. Each access is ordered after every earlier memory and device access of the
 * hart, and before every later one, by fences of the io kind (RVWMO orders nothing between main
 * memory and I/O by itself; Unprivileged, chapter "fence"). The volatile accesses are the
 * compiler's half of it.
 */
#ifndef DRIVERS_MMIO_H
#define DRIVERS_MMIO_H

#include "kernel/lock/atomic.h"
#include "lib/types.h"

#define MMIO_ACCESSORS(bits) \
	static inline uint##bits##_t mmio_read##bits(const void *base, size_t offset) \
	{ \
		uint##bits##_t value; \
\
		fence_io(); \
		value = *(const volatile uint##bits##_t *)((const char *)base + offset); \
		fence_io(); \
		return value; \
	} \
	static inline void mmio_write##bits(void *base, size_t offset, uint##bits##_t value) \
	{ \
		fence_io(); \
		*(volatile uint##bits##_t *)((char *)base + offset) = value; \
		fence_io(); \
	} \
	static_assert(bits == 8 || bits == 16 || bits == 32, "a register's width")

MMIO_ACCESSORS(8);
MMIO_ACCESSORS(16);
MMIO_ACCESSORS(32);

#endif
