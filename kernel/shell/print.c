/* SPDX-License-Identifier: MIT */
/* Output and arguments of commands. Text goes to the console in whole pieces of a line or so. */
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"

#include "kernel/log/console.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/printf.h"
#include "lib/string.h"

struct gather {
	size_t n;
	char text[160];
};

static void gather_out(void *ctx, const char *text, size_t n)
{
	struct gather *g = ctx;

	while (n > 0) {
		size_t fit = MIN(n, sizeof(g->text) - g->n);

		memcpy(g->text + g->n, text, fit);
		g->n += fit;
		text += fit;
		n -= fit;
		if (g->n == sizeof(g->text)) {
			console_write(g->text, g->n);
			g->n = 0;
		}
	}
}

static void print_va(const char *prefix, const char *fmt, va_list ap, const char *suffix)
{
	struct gather g = {.n = 0};

	gather_out(&g, prefix, strlen(prefix));
	vformat(gather_out, &g, fmt, ap);
	gather_out(&g, suffix, strlen(suffix));
	console_write(g.text, g.n);
}

void shell_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_va("", fmt, ap, "");
	va_end(ap);
}

int shell_complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_va("", fmt, ap, "\n");
	va_end(ap);
	return -EINVAL;
}

int shell_number(const char *what, const char *word, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value;

	if (parse_u64(word, &value) || value < min || value > max)
		return shell_complain("%s: %s is no number from %llu to %llu", what, word,
			(unsigned long long)min, (unsigned long long)max);
	*out = value;
	return 0;
}

int shell_max_args(int argc, char **argv, int max)
{
	if (argc > max)
		return shell_complain("%s: too many arguments: %s", argv[0], argv[max]);
	return 0;
}
