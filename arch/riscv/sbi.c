/* SPDX-License-Identifier: MIT */
/*
 * Calls of the firmware (SBI 1.0), its console and its power switch. No state but what sbi_init
 * found out; no locks: the firmware has its own.
 */
#include "arch/riscv/sbi.h"
#include "lib/errno.h"
#include "lib/printf.h"

enum { /* functions */
	BASE_SPEC_VERSION = 0,
	BASE_IMPL_ID = 1,
	BASE_IMPL_VERSION = 2,
	BASE_PROBE = 3,
	SRST_RESET = 0,
	DBCN_WRITE_BYTE = 2,
};
enum { /* arguments of SRST_RESET, section 10 */
	SRST_SHUTDOWN = 0,
	SRST_COLD_REBOOT = 1,
	SRST_NO_REASON = 0,
	SRST_FAILURE = 1,
};

/* Extensions that the boot log names. */
static const struct {
	unsigned long id;
	char name[8];
} known[] = {
	{SBI_TIME, "TIME"},
	{SBI_IPI, "IPI"},
	{SBI_RFENCE, "RFENCE"},
	{SBI_HSM, "HSM"},
	{SBI_SRST, "SRST"},
	{SBI_PMU, "PMU"},
	{SBI_DBCN, "DBCN"},
	{SBI_SUSP, "SUSP"},
};

static enum {
	CONSOLE_UNKNOWN,
	CONSOLE_NONE,
	CONSOLE_DBCN,
	CONSOLE_LEGACY
} console;

static bool sbi_probe(unsigned long extension);
static void sbi_list(void);

/*
 * Section 3: a7 extension, a6 function, arguments from a0; error and value come back in a0 and a1;
 * every other register is preserved. All argument registers are given away here nevertheless: some
 * firmware was seen to change them, and it costs nothing.
 */
struct sbi_result sbi_call(unsigned long extension, unsigned long function, unsigned long arg0,
	unsigned long arg1, unsigned long arg2)
{
	register unsigned long a0 __asm__("a0") = arg0;
	register unsigned long a1 __asm__("a1") = arg1;
	register unsigned long a2 __asm__("a2") = arg2;
	register unsigned long a3 __asm__("a3") = 0;
	register unsigned long a4 __asm__("a4") = 0;
	register unsigned long a5 __asm__("a5") = 0;
	register unsigned long a6 __asm__("a6") = function;
	register unsigned long a7 __asm__("a7") = extension;

	__asm__ volatile("ecall"
		: "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6), "+r"(a7)
		:
		: "memory");
	return (struct sbi_result){(long)a0, a1};
}

int sbi_errno(long error)
{
	static const short table[] = {
		0,	   /* SBI_SUCCESS */
		-EIO,	   /* SBI_ERR_FAILED */
		-ENOSYS,   /* SBI_ERR_NOT_SUPPORTED */
		-EINVAL,   /* SBI_ERR_INVALID_PARAM */
		-EPERM,	   /* SBI_ERR_DENIED */
		-EFAULT,   /* SBI_ERR_INVALID_ADDRESS */
		-EALREADY, /* SBI_ERR_ALREADY_AVAILABLE */
		-EALREADY, /* SBI_ERR_ALREADY_STARTED */
		-EALREADY, /* SBI_ERR_ALREADY_STOPPED */
	};

	if (error > 0 || -error >= (long)ARRAY_SIZE(table))
		return -EIO;
	return table[-error];
}

void sbi_init(void)
{
	arch_info.sbi_spec = sbi_call(SBI_BASE, BASE_SPEC_VERSION, 0, 0, 0).value;
	arch_info.sbi_impl_id = sbi_call(SBI_BASE, BASE_IMPL_ID, 0, 0, 0).value;
	arch_info.sbi_impl_version = sbi_call(SBI_BASE, BASE_IMPL_VERSION, 0, 0, 0).value;
	sbi_list();
}

/* DBCN by single bytes: it takes physical addresses, and the text may lie on a mapped stack. */
bool arch_console_write(const char *s, size_t n)
{
	if (console == CONSOLE_UNKNOWN) {
		if (sbi_probe(SBI_DBCN))
			console = CONSOLE_DBCN;
		else if (sbi_probe(SBI_LEGACY_PUTCHAR))
			console = CONSOLE_LEGACY;
		else
			console = CONSOLE_NONE;
	}
	if (console == CONSOLE_NONE)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (console == CONSOLE_DBCN)
			sbi_call(SBI_DBCN, DBCN_WRITE_BYTE, (unsigned char)s[i], 0, 0);
		else
			sbi_call(SBI_LEGACY_PUTCHAR, 0, (unsigned char)s[i], 0, 0);
	}
	return true;
}

void arch_power_off(bool failure)
{
	sbi_call(SBI_SRST, SRST_RESET, SRST_SHUTDOWN, failure ? SRST_FAILURE : SRST_NO_REASON, 0);
}

void arch_power_reset(void)
{
	sbi_call(SBI_SRST, SRST_RESET, SRST_COLD_REBOOT, SRST_NO_REASON, 0);
}

static bool sbi_probe(unsigned long extension)
{
	struct sbi_result r = sbi_call(SBI_BASE, BASE_PROBE, extension, 0, 0);

	return r.error == 0 && r.value != 0;
}

/* Names of what is there, for the boot log. */
static void sbi_list(void)
{
	char *out = arch_info.sbi_extensions;
	size_t size = sizeof(arch_info.sbi_extensions), used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (sbi_probe(known[i].id))
			used += snprintf(
				out + used, size - used, "%s%s", used ? " " : "", known[i].name);
	static_assert(sizeof(known) / sizeof(known[0]) * sizeof(known[0].name) <=
			sizeof(arch_info.sbi_extensions),
		"the names fit");
}
