/* SPDX-License-Identifier: MIT */
/*
 * `irq`: which hart takes which device's interrupts.
 *
 *	irq			a line for each source and each controller, and who decides
 *	irq SOURCE HARTS	the source goes to these harts only: `all`, a list such as 0,2-3, or
 *				a mask such as 0x5 (bit 0 is hart 0); all of them in the reach of
 *				its controller
 *	irq balance [MODE]	who decides from now on (kernel/irq/irq.h)
 *
 * The boot argument irqbalance=MODE says so for the start. Whatever is wrong gets one line, and
 * nothing has changed then.
 */
#include "kernel/hart/hart.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/race.h"
#include "kernel/shell/command.h"
#include "kernel/shell/hart_list.h"
#include "kernel/shell/shell.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/printf.h"
#include "lib/string.h"

#define HARTS_WIDTH 10

/* ---- The table ------------------------------------------------------------------------------- */

static void pad(unsigned printed)
{
	shell_printf("%*s", printed < HARTS_WIDTH ? (int)(HARTS_WIDTH - printed) : 0, "");
}

/* `all`: those that the controller reaches. */
static void print_affinity(const struct irq_info *info)
{
	for (unsigned i = 0; i < nr_harts; i++) {
		if (hart_mask_test(&info->affinity, i) ==
			hart_mask_test(&info->controller->harts, i))
			continue;
		pad(hart_list_print(&info->affinity));
		return;
	}
	shell_printf("%-*s", HARTS_WIDTH, "all");
}

static void print_counts(const uint32_t *counts)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < nr_harts; i++)
		sum += racy_read(counts[i], "a statistic");
	shell_printf(" %10lu ", sum);
	for (unsigned i = 0; i < nr_harts; i++) {
		uint32_t n = racy_read(counts[i], "a statistic");

		if (n)
			shell_printf(" %u:%lu", i, (unsigned long)n);
	}
	shell_printf("\n");
}

static void source_line(const struct irq_info *info)
{
	shell_printf("%6u  %-16s ", info->source, info->name);
	if (info->used && !info->waits)
		shell_printf("%4u  ", info->hart);
	else
		shell_printf("%4s  ", info->used ? "poll" : "-");
	print_affinity(info);
	if (info->used && info->away)
		shell_printf(" %4u", info->home);
	else
		shell_printf(" %4s", "-");
	shell_printf(" %10lu", (unsigned long)info->moves);
	print_counts(info->counts);
}

static void controller_line(const struct irq_controller *c)
{
	char list[HART_LIST_SIZE];

	hart_list_text(&c->harts, list);
	shell_printf("%s: sources %u to %u, reaches harts %s\n", c->name, c->base + 1,
		c->base + c->nr_sources, list);
}

static int list(void)
{
	const struct irq_controller *c;
	struct irq_info info;

	shell_printf("source  name             hart  affinity   home      moves    handled  "
		     "hart:handled\n");
	for (unsigned i = 0; irq_info(i, &info); i++)
		source_line(&info);
	for (unsigned i = 0; (c = irq_controller(i)); i++)
		controller_line(c);
	shell_printf("balance %s; spurious claims %lu, without a handler %lu\n",
		irq_balance_name(irq_balance()), (unsigned long)irq_count_spurious(),
		(unsigned long)irq_count_unhandled());
	return 0;
}

/* ---- Changes --------------------------------------------------------------------------------- */

static int balance(int argc, char **argv)
{
	enum irq_balance mode;

	if (argc == 2) {
		shell_printf("%s\n", irq_balance_name(irq_balance()));
		return 0;
	}
	if (argc > 3)
		return shell_complain("irq: too many arguments: %s", argv[3]);
	if (irq_balance_named(argv[2], &mode))
		return shell_complain(
			"irq: no such mode: %s; there are " IRQ_BALANCE_NAMES, argv[2]);
	irq_balance_set(mode);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Digits of a mask, the last one's bits are harts 0 to 3. -EINVAL: it is none, or names a hart that
 * there is not. */
static int read_mask(const char *digits, struct hart_mask *mask)
{
	size_t n = strlen(digits);

	hart_mask_zero(mask);
	for (size_t i = 0; i < n; i++) {
		int digit = hex_digit(digits[n - 1 - i]);

		if (digit < 0)
			return -EINVAL;
		for (unsigned bit = 0; bit < 4; bit++) {
			if (!(digit & 1 << bit))
				continue;
			if (4 * i + bit >= nr_harts)
				return -EINVAL;
			hart_mask_set(mask, (unsigned)(4 * i) + bit);
		}
	}
	return n ? 0 : -EINVAL;
}

static int read_harts(const char *word, struct hart_mask *mask)
{
	int err = strncmp(word, "0x", 2) == 0 ? read_mask(word + 2, mask)
					      : hart_list_read(word, mask);

	if (err)
		return shell_complain("irq: %s is no set of harts: `all`, a list such as 0,2-3, or "
				      "a mask such as 0x5, up to hart %u",
			word, nr_harts - 1);
	if (hart_mask_empty(mask))
		return shell_complain("irq: %s names no hart", word);
	return 0;
}

static int no_source(const char *word)
{
	struct irq_info info;
	char known[100] = "";
	size_t used = 0;

	for (unsigned i = 0; irq_info(i, &info); i++)
		if (info.used && used < sizeof(known))
			used += (size_t)snprintf(
				known + used, sizeof(known) - used, " %u", info.source);
	return shell_complain(
		"irq: no source %s is in use; there are%s", word, known[0] ? known : " none");
}

/* Every hart that is named has to be in reach; all of them together mean those that are. */
static int check_reach(unsigned source, const char *word, const struct hart_mask *mask)
{
	const struct irq_controller *c = irq_controller_of(source);
	struct hart_mask reached;
	char list[HART_LIST_SIZE];

	if (!c || hart_mask_weight(mask) == nr_harts)
		return 0;
	hart_mask_and(&reached, mask, &c->harts);
	if (hart_mask_weight(&reached) == hart_mask_weight(mask))
		return 0;
	hart_list_text(&c->harts, list);
	return shell_complain("irq: %s cannot send source %u to harts %s: it reaches %s", c->name,
		source, word, list);
}

static int set_affinity(int argc, char **argv)
{
	struct hart_mask mask;
	unsigned source;
	int err;

	if (parse_unsigned(argv[1], &source))
		return shell_complain("irq: %s is neither a source nor `balance`", argv[1]);
	if (argc != 3)
		return shell_complain("irq: a source takes one set of harts");
	if (read_harts(argv[2], &mask))
		return -EINVAL;
	err = check_reach(source, argv[2], &mask);
	if (err)
		return err;
	err = irq_set_affinity(source, &mask);
	if (err == -EINVAL)
		return no_source(argv[1]);
	if (err)
		return shell_complain(
			"irq: no hart of %s is online and in the controller's reach", argv[2]);
	return 0;
}

static int cmd_irq(int argc, char **argv)
{
	if (argc == 1)
		return list();
	if (strcmp(argv[1], "balance") == 0)
		return balance(argc, argv);
	return set_affinity(argc, argv);
}

static const char *complete(unsigned i)
{
	return i ? NULL : "balance";
}
SHELL_COMMAND_COMPLETE(irq, "irq [SOURCE HARTS | balance [MODE]]",
	"which hart takes which device's interrupts", cmd_irq, complete);
