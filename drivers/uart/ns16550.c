/* SPDX-License-Identifier: MIT */
/*
 * Serial lines of the 16550 family: the console.
 *
 * Output is polled, without a lock, so that the log, the shell and a panic's report can use it from
 * anywhere (struct console); kernel/log keeps lines whole. Input comes by interrupt, byte by byte,
 * to the tty. Reading and writing share no register but the line status, which only the reading of
 * errors changes, so handler and writers need no lock against each other.
 *
 * The layout of the registers comes from the tree: reg-shift, reg-io-width, clock-frequency,
 * current-speed (bindings serial/8250). The line is set up early with what arch_early_mmio gives
 * and goes over to the vmap when the driver is probed.
 */
#include "drivers/device.h"
#include "drivers/mmio.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/relax.h"
#include "kernel/log.h"
#include "kernel/log/console.h"
#include "kernel/log/tty.h"
#include "kernel/mm/vmap.h"
#include "lib/errno.h"
#include "lib/fdt.h"

enum uart_reg {
	UART_DATA = 0, /* RBR, THR; divisor low */
	UART_IER = 1,  /* divisor high */
	UART_FCR = 2,
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
};

#define IER_RX 0x01   /* received data, and the FIFO's time-out */
#define FCR_FIFO 0x07 /* on, both emptied, interrupt from one byte on */
#define LCR_8N1 0x03
#define LCR_DIVISOR 0x80
#define MCR_DTR_RTS_OUT2 0x0b /* OUT2 gates the interrupt line on many boards */
#define LSR_RX_READY 0x01
#define LSR_TX_EMPTY 0x20

#define SPEED_DEFAULT 115200u
/* One interrupt takes at most so many bytes: a line that never runs dry must not keep the hart. */
#define RX_BATCH 256

static struct uart {
	void *regs;
	int node;	       /* of the tree; valid with regs */
	unsigned shift, width; /* of the registers: log2 of the distance, bytes */
} uart;

static uint8_t uart_read(enum uart_reg reg)
{
	size_t offset = (size_t)reg << uart.shift;

	return uart.width == 4 ? (uint8_t)mmio_read32(uart.regs, offset)
			       : mmio_read8(uart.regs, offset);
}

static void uart_write(enum uart_reg reg, uint8_t value)
{
	size_t offset = (size_t)reg << uart.shift;

	if (uart.width == 4)
		mmio_write32(uart.regs, offset, value);
	else
		mmio_write8(uart.regs, offset, value);
}

/* One byte at a time: harts that write at the same moment then mix bytes, but lose none to a full
 * FIFO for good. */
static void uart_write_polled(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		while (!(uart_read(UART_LSR) & LSR_TX_EMPTY))
			relax();
		uart_write(UART_DATA, (uint8_t)s[i]);
	}
}

static const struct console uart_console = {"ns16550", uart_write_polled};

static void let_bytes_come(void)
{
	uart_write(UART_IER, IER_RX);
}

/* Without room in the ring bytes stay in the FIFO, and what does not fit there with the sender. */
static void uart_interrupt(void *arg unused_arg)
{
	for (unsigned n = 0; n < RX_BATCH && (uart_read(UART_LSR) & LSR_RX_READY); n++) {
		if (!tty_room()) {
			uart_write(UART_IER, 0);
			if (tty_hold(let_bytes_come))
				return;
			let_bytes_come();
		}
		tty_input((char)uart_read(UART_DATA));
	}
}

/* How long the registers are that are used. */
static size_t uart_span(void)
{
	return ((size_t)UART_LSR << uart.shift) + uart.width;
}

/* Reads the layout; the registers have to lie in what reg names. */
static int read_layout(const struct device *dev)
{
	uint32_t shift = 0, width = 1;

	fdt_read_u32(dev->fdt, dev->node, "reg-shift", &shift);
	fdt_read_u32(dev->fdt, dev->node, "reg-io-width", &width);
	if (!dev->has_reg || shift > 4 || (width != 1 && width != 4) || (width == 4 && shift < 2) ||
		dev->reg_base % width || dev->reg_size < ((size_t)UART_LSR << shift) + width)
		return -EINVAL;
	uart.shift = shift;
	uart.width = width;
	return 0;
}

/* 8N1 at the tree's speed (115200 if it says none), as far as the clock is known; no interrupts. */
static void set_up_line(const struct device *dev)
{
	uint32_t clock, speed = SPEED_DEFAULT;
	uint32_t divisor = 0;

	fdt_read_u32(dev->fdt, dev->node, "current-speed", &speed);
	if (speed && speed <= UINT32_MAX / 16 &&
		fdt_read_u32(dev->fdt, dev->node, "clock-frequency", &clock) == 0)
		divisor = (uint32_t)(((uint64_t)clock + 8 * (uint64_t)speed) / (16 * speed));
	uart_write(UART_IER, 0);
	if (divisor && divisor <= 0xffff) {
		uart_write(UART_LCR, LCR_8N1 | LCR_DIVISOR);
		uart_write(UART_DATA, (uint8_t)divisor);
		uart_write(UART_IER, (uint8_t)(divisor >> 8));
	}
	uart_write(UART_LCR, LCR_8N1);
	uart_write(UART_FCR, FCR_FIFO);
	uart_write(UART_MCR, MCR_DTR_RTS_OUT2);
}

static void uart_early(const struct device *dev)
{
	if (uart.regs || !dev->is_console || read_layout(dev))
		return;
	/* Only one page of them can be had so early. */
	if (dev->reg_base % PAGE_SIZE + uart_span() > PAGE_SIZE)
		return;
	uart.regs = arch_early_mmio(dev->reg_base);
	if (!uart.regs)
		return;
	uart.node = dev->node;
	set_up_line(dev);
	log_console_set(&uart_console);
}

/* The console is what stdout-path names; without one, the first line in the tree. */
static int uart_probe(const struct device *dev)
{
	bool early = uart.regs;
	void *regs;
	int err;

	if (early ? uart.node != dev->node : !dev->is_console && fdt_stdout(dev->fdt, NULL) >= 0)
		return -EALREADY;
	err = read_layout(dev);
	if (err)
		return err;
	regs = vmap_mmio(dev->reg_base, uart_span());
	if (!regs)
		return -ENOMEM;
	uart.regs = regs;
	uart.node = dev->node;
	if (!early) {
		set_up_line(dev);
		log_console_set(&uart_console);
	}
	err = irq_register(dev->irq, "uart", uart_interrupt, NULL);
	if (err)
		log_warn("%s: no interrupt (error %d): no input", dev->name, err);
	else
		uart_write(UART_IER, IER_RX);
	log_info("uart: %s (%s), interrupt %u", dev->name, dev->compatible, dev->irq);
	return 0;
}

DRIVER_EARLY(ns16550, DRIVER_DEVICE, uart_probe, uart_early, "ns16550a", "ns16550");
