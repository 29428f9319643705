/* SPDX-License-Identifier: MIT */
/* The command fdt: the device tree, from a path on. */
#include "kernel/arch.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/string.h"

#define BYTES_SHOWN 64

/* Printable strings, each terminated, and nothing else: shown as text. */
static bool is_text(const char *s, size_t n)
{
	bool begun = false;

	if (n == 0 || s[n - 1] != '\0')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\0' && !begun)
			return false;
		if (s[i] != '\0' && !char_is_print(s[i]))
			return false;
		begun = s[i] != '\0';
	}
	return true;
}

static void print_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i += strlen(s + i) + 1)
		shell_printf("%s\"%s\"", i ? ", " : "", s + i);
}

static void print_bytes(const unsigned char *p, size_t n)
{
	size_t shown = MIN(n, (size_t)BYTES_SHOWN);
	bool cells = n % 4 == 0;

	shell_printf(cells ? "<" : "[");
	for (size_t i = 0; i < shown; i += cells ? 4 : 1) {
		if (cells)
			shell_printf("%s0x%02x%02x%02x%02x", i ? " " : "", p[i], p[i + 1], p[i + 2],
				p[i + 3]);
		else
			shell_printf("%s%02x", i ? " " : "", p[i]);
	}
	shell_printf("%s%s", shown < n ? " ..." : "", cells ? ">" : "]");
}

static void print_props(const void *fdt, int node, int depth)
{
	const char *name;
	const void *data;
	int cursor = 0;
	size_t len;

	while (fdt_next_prop(fdt, node, &cursor, &name, &data, &len)) {
		shell_printf("%*s%s", depth * 2 + 2, "", name);
		if (len > 0) {
			shell_printf(" = ");
			if (is_text(data, len))
				print_text(data, len);
			else
				print_bytes(data, len);
		}
		shell_printf("\n");
	}
}

static int cmd_fdt(int argc, char **argv)
{
	const void *fdt = arch_info.fdt;
	int node = FDT_ROOT, depth = 0, top;

	if (shell_max_args(argc, argv, 2))
		return -EINVAL;
	if (argc == 2) {
		node = fdt_find(fdt, argv[1]);
		if (node < 0)
			return shell_complain("fdt: no node %s", argv[1]);
	}
	top = depth;
	do {
		const char *name = fdt_name(fdt, node);

		shell_printf("%*s%s:\n", depth * 2, "", name[0] ? name : "/");
		print_props(fdt, node, depth);
		node = fdt_walk(fdt, node, &depth);
	} while (node >= 0 && depth > top && !shell_interrupted());
	return 0;
}
SHELL_COMMAND(fdt, "fdt [PATH]", "the device tree from PATH on", cmd_fdt);
