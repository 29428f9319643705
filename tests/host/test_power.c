/* SPDX-License-Identifier: MIT */
/*
 * Ending the machine by its test device: the one store says how, and nobody else is asked after it,
 * for it may take effect late.
 *
 * Sources: tests/host/harness.c tests/host/machine.c kernel/panic/power.c
 * Sources: drivers/power/syscon_test.c
 */
#include "drivers/device.h"
#include "kernel/mm/vmap.h"
#include "kernel/panic.h"
#include "kernel/panic/power.h"
#include "tests/host/harness.h"

LINKSET_DECLARE(driver, const struct driver);

static uint32_t early_register, mapped_register;
static jmp_buf waiting;
static unsigned firmware_asked;

void *arch_early_mmio(phys_t phys unused_arg)
{
	return &early_register;
}

void *vmap_mmio(phys_t phys unused_arg, size_t size unused_arg)
{
	return &mapped_register;
}

/* Where the guest waits for its end. */
void arch_wait_ipi(bool timer)
{
	assert_false(timer || host_irq_on);
	longjmp(waiting, 1);
}

void arch_power_off(bool failure unused_arg)
{
	firmware_asked++;
	longjmp(waiting, 2);
}

void arch_power_reset(void)
{
	firmware_asked++;
	longjmp(waiting, 2);
}

void report(const char *fmt unused_arg, ...)
{
	fail_msg("nothing was to be reported");
}

/* What stands in the register once the machine waits for its end. */
static uint32_t stored_by(int status, bool reset, const uint32_t *reg)
{
	early_register = mapped_register = firmware_asked = 0;
	if (!setjmp(waiting)) {
		if (reset)
			power_reset();
		power_off(status);
	}
	assert_int_equal(firmware_asked, 0);
	return *reg;
}

static void check_all(const uint32_t *reg)
{
	assert_int_equal(stored_by(0, false, reg), 0x5555);
	assert_int_equal(stored_by(22, false, reg), 22 << 16 | 0x3333);
	assert_int_equal(stored_by(0, true, reg), 0x7777);
}

static void without_a_device_the_firmware_ends_the_machine(void **state unused_arg)
{
	firmware_asked = 0;
	if (!setjmp(waiting))
		power_off(22);
	if (!setjmp(waiting))
		power_reset();
	assert_int_equal(firmware_asked, 2);
}

static void the_status_is_stored_once_and_nobody_else_is_asked(void **state unused_arg)
{
	struct device dev = {.has_reg = true, .reg_base = 0x100000, .reg_size = 4096};

	linkset_for_each(driver, const struct driver, driver) {
		driver->early(&dev);
		check_all(&early_register);
		assert_int_equal(driver->probe(&dev), 0);
		check_all(&mapped_register);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_device_the_firmware_ends_the_machine),
		cmocka_unit_test(the_status_is_stored_once_and_nobody_else_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
