/* SPDX-License-Identifier: MIT */
/*
 * The machine below the kernel's sources: an image and a tree at fixed addresses, registers that
 * are memory of exactly the size that was asked for (the sanitizer sees an access beside them), a
 * log that is kept as text. One hart, no interrupts, nothing waits.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/hart/bringup.h"
#include "kernel/irq/table.h"
#include "kernel/lock/irqlock.h"
#include "kernel/log.h"
#include "kernel/log/console.h"
#include "kernel/log/tty.h"
#include "kernel/mm/vmap.h"
#include "kernel/panic.h"
#include "kernel/panic/power.h"
#include "lib/errno.h"
#include "tests/fuzz/fuzz.h"

#define BLOCKS_MAX 64
/* Address bits of a page table entry. */
#define PHYS_END ((wide)1 << ARCH_PHYS_BITS)

/* The kernel's data: all that the build puts into this section. */
extern char __start_kdata[], __stop_kdata[];

char kernel_start[1], kernel_end[1];
struct arch_info arch_info;
phys_t arch_phys_base, arch_phys_end;
__thread bool host_irq_on;
__thread void *host_tp;
uint64_t host_time;
char *host_ram;

jmp_buf machine_end;
char machine_said[1 << 16];
char machine_reason[256];
unsigned machine_lines;
int machine_status;

static struct lock_thread boot_thread;
static char page[PAGE_SIZE]; /* what any physical page looks like */
static size_t said;
static void *blocks[BLOCKS_MAX]; /* of one tree, freed before the next */
static unsigned nr_blocks;
static const struct power_device *power;
static char *kept; /* the kernel's data as they were */

noreturn void broken(const char *fmt, ...)
{
	va_list ap;

	fputs("broken: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nThe kernel said:\n%s", machine_said);
	abort();
}

/* The sanitizer guards the gaps between the data, which are copied as well. */
__attribute__((no_sanitize("address"))) static void copy(char *to, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
}

void machine_reset(const void *fdt, size_t size)
{
	size_t n = (size_t)(__stop_kdata - __start_kdata);

	if (!kept) {
		kept = malloc(n);
		must(kept, "no memory for the machine");
		copy(kept, __start_kdata, n);
	}
	copy(__start_kdata, kept, n);
	while (nr_blocks)
		free(blocks[--nr_blocks]);
	power = NULL;
	said = machine_lines = 0;
	machine_said[0] = machine_reason[0] = '\0';
	machine_status = 0;

	arch_phys_base = 0;
	arch_phys_end = (phys_t)128 << 30;
	arch_info = (struct arch_info){.fdt = fdt, .fdt_size = size, .paging = "sv39"};
	boot_hart.lock.thread = &boot_thread;
	host_tp = &boot_hart;
	host_irq_on = false;
}

static void *block(size_t size)
{
	void *p = calloc(1, size);

	must(p && nr_blocks < BLOCKS_MAX, "no room for a block of %zu bytes", size);
	blocks[nr_blocks++] = p;
	return p;
}

void machine_attach_harts(void)
{
	for (unsigned i = 0; i < nr_harts; i++) {
		if (!harts[i])
			hart_attach(block(sizeof(struct hart_meta)), i);
	}
}

void machine_use_devices(void)
{
	if (power && !setjmp(machine_end))
		power->off(EXIT_BAD_TREE);
}

/* ---- Memory and registers ---------------------------------------------------------------- */

phys_t virt_to_phys(const void *va)
{
	if (va == kernel_start)
		return KERNEL_AT;
	if (va == kernel_end)
		return KERNEL_AT + KERNEL_BYTES;
	must(va == arch_info.fdt, "an address that is neither the kernel's nor the tree's");
	return TREE_AT;
}

void *phys_to_virt(phys_t pa)
{
	must(pa % PAGE_SIZE == 0 && judge_in_memory(pa, (wide)pa + PAGE_SIZE),
		"page 0x%llx is used, and is no memory", (unsigned long long)pa);
	return page;
}

void arch_paging_init(const struct phys_range *ranges, unsigned n, phys_t (*alloc)(void))
{
	judge_paging(ranges, n);
	for (unsigned i = 0; i < 3; i++)
		must(alloc(), "a page for tables is at 0");
}

/* Registers as the drivers see them, at the same place in a word as in the machine. */
static void *registers(phys_t pa, size_t size)
{
	size_t offset = pa % sizeof(uint64_t);

	must((wide)pa + size <= PHYS_END, "registers at 0x%llx, which no page table can name",
		(unsigned long long)pa);
	must(!judge_in_memory(pa, (wide)pa + 1), "registers at 0x%llx, which is memory",
		(unsigned long long)pa);
	return (char *)block(offset + size) + offset;
}

void *arch_early_mmio(phys_t pa)
{
	static unsigned slots;

	/* However many there are in this run, some driver may not get one. */
	if (++slots % 7 == 0)
		return NULL;
	return registers(pa, PAGE_SIZE - pa % PAGE_SIZE);
}

void *vmap_mmio(phys_t pa, size_t size)
{
	must(size && size <= UINT32_MAX, "registers of %zu bytes", size);
	return registers(pa, size);
}

void vunmap(void *va unused_arg)
{
}

/* ---- What is said, and the end ----------------------------------------------------------- */

void log_line(enum log_level level unused_arg, const char *fmt, ...)
{
	va_list ap;
	int n;

	must(++machine_lines <= LINES_MAX, "more than %u lines about one tree", LINES_MAX);
	va_start(ap, fmt);
	n = vsnprintf(machine_said + said, sizeof(machine_said) - said - 1, fmt, ap);
	va_end(ap);
	said = MIN(said + (size_t)n, sizeof(machine_said) - 2);
	machine_said[said++] = '\n';
	machine_said[said] = '\0';
}

static noreturn void end(int status)
{
	must(!machine_status, "ended twice, with %d and %d", machine_status, status);
	machine_status = status;
	longjmp(machine_end, 1);
}

noreturn void bad_tree(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(machine_reason, sizeof(machine_reason), fmt, ap);
	va_end(ap);
	log_line(LOG_ERROR, "the device tree cannot be used: %s", machine_reason);
	end(EXIT_BAD_TREE);
}

noreturn void panic_as(enum exit_status status, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_line(LOG_ERROR, "%s", text);
	end(status);
}

noreturn void assert_fail(const char *expr, const char *file, int line, const char *func);
noreturn void assert_fail(const char *expr, const char *file, int line, const char *func)
{
	broken("assertion failed: %s in %s (%s:%d)", expr, func, file, line);
}

void power_register(const struct power_device *dev)
{
	power = dev;
}

void log_console_set(const struct console *con)
{
	must(con->write_polled, "a console that cannot write");
}

void arch_wait_ipi(bool timer unused_arg)
{
	longjmp(machine_end, 1);
}

/* ---- Interrupts -------------------------------------------------------------------------- */

void irq_route_init(void)
{
}

void irq_poll_init(void)
{
}

int irq_register(unsigned source, const char *name, void (*fn)(void *arg), void *arg unused_arg)
{
	struct irq_controller *c = irq_controller_of(source);
	const struct irq_ops *ops;
	unsigned pin;

	must(name && fn, "an interrupt without a handler");
	if (!irq_controller(0))
		return -ENODEV;
	if (!source)
		return -EINVAL;
	must(c, "a source that no controller has");
	pin = source - c->base;
	ops = irq_ops(c);
	/* All that a route does to the controller's registers. */
	for_each_hart(h) {
		if (h->irqchip != c)
			continue;
		ops->route(c->chip, pin, h);
		ops->hart_enter(c->chip, h);
		host_tp = h;
		(void)ops->claim(c->chip, h);
		host_tp = &boot_hart;
		ops->hart_leave(c->chip, h);
	}
	ops->unmask(c->chip, pin);
	return 0;
}

bool tty_room(void)
{
	return true;
}

bool tty_hold(void (*resume)(void) unused_arg)
{
	return false;
}

void tty_input(char c unused_arg)
{
}
