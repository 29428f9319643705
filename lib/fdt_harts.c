/* SPDX-License-Identifier: MIT */
/* Harts in the device tree, and their extensions: lib/fdt.h. */
#include "lib/fdt_internal.h"

static bool is_hart(const void *fdt, int node)
{
	const char *type;

	if (!fdt_read_string(fdt, node, "device_type", &type))
		return !strcmp(type, "cpu");
	return str_starts_with(fdt_name(fdt, node), "cpu@");
}

void fdt_harts_begin(struct fdt_hart_iter *it, const void *fdt)
{
	it->fdt = fdt;
	it->cpus = fdt_find(fdt, "/cpus");
	it->node = it->cpus < 0 ? it->cpus : fdt_child(fdt, it->cpus);
}

/* A string, or "" if it isn't there or isn't one. */
static const char *string_or_empty(const void *fdt, int node, const char *name)
{
	const char *s;

	return fdt_read_string(fdt, node, name, &s) ? "" : s;
}

/* Phandle of the hart's own interrupt controller; 0: none, or not laid out as its binding says. */
static uint32_t intc_of(const void *fdt, int hart)
{
	uint32_t cells;

	for (int node = fdt_child(fdt, hart); node >= 0; node = fdt_sibling(fdt, node)) {
		if (!fdt_is_compatible(fdt, node, "riscv,cpu-intc"))
			continue;
		if (fdt_read_u32(fdt, node, "#interrupt-cells", &cells) || cells != 1)
			return 0;
		return fdt_phandle(fdt, node);
	}
	return 0;
}

/* The extensions as a list that ends in a terminated string, NULL if there is none. */
static const char *extension_list(const void *fdt, int node, size_t *len)
{
	const char *list = fdt_prop(fdt, node, "riscv,isa-extensions", len);

	if (!list || !*len || list[*len - 1]) {
		*len = 0;
		return NULL;
	}
	return list;
}

int fdt_harts_next(struct fdt_hart_iter *it, struct fdt_hart *out)
{
	const void *fdt = it->fdt;
	int node = it->node, ac;
	const char *mmu;
	const void *reg;
	size_t len;

	while (node >= 0 && !is_hart(fdt, node))
		node = fdt_sibling(fdt, node);
	if (node < 0)
		return -ENOENT;
	it->node = fdt_sibling(fdt, node);

	*out = (struct fdt_hart){.node = node,
		.enabled = fdt_enabled(fdt, node),
		.isa = string_or_empty(fdt, node, "riscv,isa"),
		.intc_phandle = intc_of(fdt, node)};
	if (!*out->isa)
		out->isa = string_or_empty(fdt, node, "riscv,isa-base");
	out->isa_extensions = extension_list(fdt, node, &out->isa_extensions_len);
	mmu = string_or_empty(fdt, node, "mmu-type");
	out->mmu = str_starts_with(mmu, "riscv,") ? mmu + strlen("riscv,") : mmu;

	reg = fdt_prop(fdt, node, "reg", &len);
	ac = fdt_address_cells(fdt, it->cpus);
	if (!reg || ac < 1 || ac > 2 || len != (size_t)ac * 4)
		return -EINVAL;
	out->hartid = fdt_cells(reg, (unsigned)ac);
	return 0;
}

int fdt_timebase(const void *fdt, uint32_t *hz)
{
	uint64_t value = 0;
	int cpus = fdt_find(fdt, "/cpus"), err;

	if (cpus < 0)
		return cpus;
	err = fdt_read_u64(fdt, cpus, "timebase-frequency", &value);
	for (int node = fdt_child(fdt, cpus); err == -ENOENT && node >= 0;
		node = fdt_sibling(fdt, node)) {
		if (is_hart(fdt, node))
			err = fdt_read_u64(fdt, node, "timebase-frequency", &value);
	}
	if (err)
		return err;
	if (!value || value > UINT32_MAX)
		return -EINVAL;
	*hz = (uint32_t)value;
	return 0;
}

/* ---- Extensions -------------------------------------------------------------------------- */

/* Whether s[0, n) is a version: digits, or digits p digits. */
static bool is_version(const char *s, size_t n)
{
	size_t i = 0, before;

	while (i < n && char_is_digit(s[i]))
		i++;
	if (!i || i == n)
		return i;
	if (char_to_lower(s[i++]) != 'p')
		return false;
	for (before = i; i < n && char_is_digit(s[i]); i++)
		;
	return i == n && i > before;
}

/* Whether the name s[0, n), perhaps with a version, stands for `ext`. */
static bool stands_for(const char *s, size_t n, const char *ext)
{
	static const char *const general[] = {"i", "m", "a", "f", "d", "zicsr", "zifencei"};
	static const char *const bits[] = {"zba", "zbb", "zbs"};
	size_t len = strlen(ext);

	if (n >= len && len && !strncasecmp(s, ext, len) &&
		(n == len || is_version(s + len, n - len)))
		return true;
	if (n > 1 && !is_version(s + 1, n - 1))
		return false;
	for (size_t i = 0; char_to_lower(*s) == 'g' && i < ARRAY_SIZE(general); i++) {
		if (!strcasecmp(general[i], ext))
			return true;
	}
	for (size_t i = 0; char_to_lower(*s) == 'b' && i < ARRAY_SIZE(bits); i++) {
		if (!strcasecmp(bits[i], ext))
			return true;
	}
	return false;
}

/* Length of the name at s, which is no '_': one letter with its version, or a whole word. */
static size_t name_length(const char *s)
{
	size_t n = 1;

	if (strchr("zsxZSX", *s))
		return strcspn(s, "_");
	while (char_is_digit(s[n]))
		n++;
	if (n > 1 && char_to_lower(s[n]) == 'p' && char_is_digit(s[n + 1])) {
		for (n++; char_is_digit(s[n]); n++)
			;
	}
	return n;
}

bool isa_has(const char *isa, const char *ext)
{
	size_t n;

	if (!strncasecmp(isa, "rv", 2)) {
		for (isa += 2; char_is_digit(*isa); isa++)
			;
	}
	for (; *isa; isa += n) {
		n = *isa == '_' ? 1 : name_length(isa);
		if (*isa != '_' && stands_for(isa, n, ext))
			return true;
	}
	return false;
}

bool fdt_hart_has(const struct fdt_hart *hart, const char *ext)
{
	const char *s = hart->isa_extensions, *end;

	if (!s)
		return isa_has(hart->isa, ext);
	end = s + hart->isa_extensions_len;
	for (; s < end; s += strlen(s) + 1) {
		if (*s && stands_for(s, strlen(s), ext))
			return true;
	}
	return false;
}
