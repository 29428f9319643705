/* SPDX-License-Identifier: MIT */
/* The variables behind tests/host/include/arch/inline.h. */
#include <stdlib.h>
#include <string.h>

#include "arch/inline.h"
#include "lib/assert.h"

__thread bool host_irq_on = true;
__thread void *host_tp;
uint64_t host_time;

char *host_ram;
size_t host_ram_size;
phys_t arch_phys_base, arch_phys_end;

void host_ram_init(phys_t base, size_t size)
{
	size_t align = PAGE_SIZE;

	while (align < size && align < (size_t)1 << 30)
		align *= 2;
	host_ram_size = align_up(size, align);
	host_ram = aligned_alloc(align, host_ram_size);
	assert(host_ram);
	memset(host_ram, 0, host_ram_size);
	arch_phys_base = base;
	arch_phys_end = base + size;
}

void host_ram_free(void)
{
	free(host_ram);
	host_ram = NULL;
	host_ram_size = 0;
}
