/* SPDX-License-Identifier: MIT */
/* Ending and restarting the machine. No locks: devices are registered at boot by one hart. */
#include "kernel/panic/power.h"

#include "kernel/arch.h"
#include "kernel/lock/atomic.h"
#include "kernel/panic.h"

#define DEVICES_MAX 4

static const struct power_device *devices[DEVICES_MAX];
/* How many there are; a release store publishes the entries below it. */
static atomic_u32 nr_devices;

void power_register(const struct power_device *dev)
{
	uint32_t n = atomic_load_u32(&nr_devices, relaxed);

	if (n == DEVICES_MAX)
		return;
	devices[n] = dev;
	/* release: the entry; partner: the acquire loads below. */
	atomic_store_u32(&nr_devices, n + 1, release);
}

noreturn void power_off(int status)
{
	arch_irq_disable();
	for (uint32_t i = atomic_load_u32(&nr_devices, acquire); i-- > 0;)
		if (devices[i]->off)
			devices[i]->off(status);
	arch_power_off(status != 0);
	report("power: nothing can switch this machine off; status was %d\n", status);
	for (;;)
		arch_wait_ipi(false);
}

noreturn void power_reset(void)
{
	arch_irq_disable();
	for (uint32_t i = atomic_load_u32(&nr_devices, acquire); i-- > 0;)
		if (devices[i]->reset)
			devices[i]->reset();
	arch_power_reset();
	report("power: nothing can restart this machine\n");
	for (;;)
		arch_wait_ipi(false);
}
