/* SPDX-License-Identifier: MIT */
/*
 * Changes to trees that leave them trees: what is broken at random in a flattened tree fails its
 * check, and nothing behind it is met. Here properties and nodes come, go and change as wholes,
 * and values are such as trees have, or as nobody expects. Everything follows from the seed.
 */
#include <libfdt.h>
#include <string.h>

#include "lib/types.h"

#define PROP_MAX 4096
#define CHANGES_MAX 4

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static uint64_t state;

static unsigned pick(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? (unsigned)(state >> 20) % n : 0;
}

static const struct {
	const char *name, *value;
} strings[] = {
	{"status", "disabled"},
	{"status", "okay"},
	{"status", ""},
	{"device_type", "cpu"},
	{"device_type", "memory"},
	{"compatible", "riscv,cpu-intc"},
	{"compatible", "sifive,plic-1.0.0"},
	{"compatible", "ns16550a"},
	{"compatible", "sifive,test0"},
	{"compatible", ""},
	{"riscv,isa", "rv64imac"},
	{"riscv,isa", "rv32imac"},
	{"riscv,isa", "rv64g"},
	{"riscv,isa", "rv64"},
	{"mmu-type", "riscv,sv39"},
	{"mmu-type", "riscv,none"},
	{"mmu-type", "riscv,sv18446744073709551656"},
	{"riscv,isa-base", "rv64i"},
	{"riscv,isa-extensions", "m"},
	{"stdout-path", "/soc/serial@10000000"},
	{"stdout-path", "serial0:"},
	{"stdout-path", "/"},
	{"bootargs", "run=\"harts"},
	{"bootargs", "a=\"\\"},
	{"model", "\x1b[31m\n"},
	{"name", "x"},
};

static const char *const numbers[] = {
	"#address-cells",
	"#size-cells",
	"reg",
	"reg",
	"reg",
	"ranges",
	"interrupts-extended",
	"interrupts",
	"riscv,ndev",
	"timebase-frequency",
	"reg-shift",
	"reg-io-width",
	"phandle",
	"interrupt-parent",
	"linux,initrd-start",
	"linux,initrd-end",
	"#interrupt-cells",
	"no-map",
	"clock-frequency",
	"distance-matrix",
	"numa-node-id",
	"current-speed",
	"numa-node-id",
	"cpu",
};

static const uint32_t cells[] = {0, 1, 2, 3, 4, 5, 8, 9, 11, 0x100, 0xffc, 0xfff, 0x1000, 0x80000,
	0x10000000, 0x7fffffff, 0x80000000, 0x80200000, 0x80600000, 0x87fff000, 0xfffff000,
	0xfffff800, 0xfffffffe, 0xffffffff};

static uint32_t cell(void)
{
	return pick(8) ? cells[pick(ARRAY_SIZE(cells))] : (uint32_t)(state >> 11);
}

static int any_node(const void *fdt)
{
	int nodes = 0, node;

	for (node = fdt_next_node(fdt, -1, NULL); node >= 0; node = fdt_next_node(fdt, node, NULL))
		nodes++;
	nodes = (int)pick((unsigned)nodes);
	for (node = fdt_next_node(fdt, -1, NULL); node >= 0 && nodes--;)
		node = fdt_next_node(fdt, node, NULL);
	return node < 0 ? 0 : node;
}

/* Some property of some node; its name and its value are copies. */
static struct {
	char name[64], value[PROP_MAX];
	int node, len;
} prop;

static bool copy_prop(const void *fdt, int at)
{
	const char *name = NULL;
	const void *data = fdt_getprop_by_offset(fdt, at, &name, &prop.len);

	if (!data || strlen(name) >= sizeof(prop.name))
		return false;
	strcpy(prop.name, name);
	prop.len = MIN(prop.len, PROP_MAX);
	memcpy(prop.value, data, (size_t)prop.len);
	return true;
}

/* Returns false if the node that was picked has none. */
static bool any_prop(const void *fdt)
{
	int at, n = 0;

	prop.node = any_node(fdt);
	fdt_for_each_property_offset(at, fdt, prop.node) n++;
	n = (int)pick((unsigned)n);
	fdt_for_each_property_offset(at, fdt, prop.node)
	{
		if (!n--)
			return copy_prop(fdt, at);
	}
	return false;
}

static void change_value(void *fdt)
{
	char *value = prop.value;
	int len;

	if (!any_prop(fdt))
		return;
	len = prop.len;
	switch (pick(6)) {
	case 0:
		fdt_delprop(fdt, prop.node, prop.name);
		return;
	case 1: /* shorter */
		len = (int)pick((unsigned)len + 1);
		break;
	case 2: /* its beginning once more behind it, again and again */
		for (unsigned i = 1 + pick(80); i-- && len && len <= 512;) {
			memcpy(value + len, value, (size_t)MIN(len, 64));
			len += MIN(len, 64);
		}
		break;
	case 3:
		len = (int)LLVMFuzzerMutate((uint8_t *)value, (size_t)len, PROP_MAX);
		break;
	default:
		for (unsigned i = 1 + pick(2); i-- && len >= 4;)
			fdt32_st(value + pick((unsigned)len / 4) * 4, cell());
		break;
	}
	fdt_setprop(fdt, prop.node, prop.name, value, len);
}

static void set_string(void *fdt)
{
	unsigned i = pick(ARRAY_SIZE(strings));

	fdt_setprop_string(fdt, any_node(fdt), strings[i].name, strings[i].value);
}

/* Numbers that say where memory is get a run of entries now and then, more than tables take. */
static void set_number(void *fdt)
{
	const char *name = numbers[pick(ARRAY_SIZE(numbers))];
	unsigned n = pick(8) ? pick(6) : 4 * pick(100);
	fdt32_t value[400];

	for (unsigned i = 0; i < n; i++)
		fdt32_st(&value[i], cell());
	for (unsigned i = 0; n > 6 && i < n; i++) {
		uint32_t run[] = {0, 0x80000000 + i * 0x1000, 0, 0x1000};

		fdt32_st(&value[i], run[i % 4]);
	}
	fdt_setprop(fdt, any_node(fdt), name, value, (int)(n * 4));
}

/* A property somewhere else. */
static void move_prop(void *fdt)
{
	if (any_prop(fdt))
		fdt_setprop(fdt, any_node(fdt), prop.name, prop.value, prop.len);
}

/* A node with its properties once more, beside it or elsewhere. */
static void copy_node(void *fdt)
{
	static const char *const names[] = {"cpu@7", "memory@1000", "reserved-memory", "chosen",
		"cpus", "soc", "x", "interrupt-controller", "aliases"};
	int from = any_node(fdt), to, at, len;
	struct {
		char name[64], value[PROP_MAX];
		int len;
	} static props[24];
	unsigned n = 0;

	fdt_for_each_property_offset(at, fdt, from)
	{
		const char *name;
		const void *data = fdt_getprop_by_offset(fdt, at, &name, &len);

		if (!data || len > PROP_MAX || strlen(name) >= 64 || n == ARRAY_SIZE(props))
			continue;
		strcpy(props[n].name, name);
		memcpy(props[n].value, data, (size_t)len);
		props[n++].len = len;
	}
	to = pick(2) ? fdt_parent_offset(fdt, from) : any_node(fdt);
	to = fdt_add_subnode(fdt, MAX(to, 0), names[pick(ARRAY_SIZE(names))]);
	for (unsigned i = 0; i < n && to >= 0; i++)
		fdt_setprop(fdt, to, props[i].name, props[i].value, props[i].len);
}

static void change(void *fdt)
{
	int node;

	switch (pick(12)) {
	case 0:
	case 1:
		set_string(fdt);
		break;
	case 2:
	case 3:
		set_number(fdt);
		break;
	case 4:
		move_prop(fdt);
		break;
	case 5:
		copy_node(fdt);
		break;
	case 6:
		node = any_node(fdt);
		if (node > 0)
			fdt_del_node(fdt, node);
		break;
	case 7:
		if (pick(2) || fdt_num_mem_rsv(fdt) <= 0)
			fdt_add_mem_rsv(fdt, (uint64_t)cell() << (pick(2) * 32) | cell(),
				(uint64_t)cell() << (pick(2) * 32) | cell());
		else
			fdt_del_mem_rsv(fdt, 0);
		break;
	default:
		change_value(fdt);
		break;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static uint8_t buf[1 << 18] __attribute__((aligned(8)));
	int room = (int)MIN(max, sizeof(buf));

	state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	if (size > sizeof(buf) || pick(16) == 0)
		return LLVMFuzzerMutate(data, size, max);
	memcpy(buf, data, size);
	if (size < FDT_V17_SIZE || fdt_check_full(buf, size) || fdt_open_into(buf, buf, room))
		return LLVMFuzzerMutate(data, size, max);
	for (unsigned n = 1 + pick(CHANGES_MAX); n--;)
		change(buf);
	fdt_pack(buf);
	if (fdt_totalsize(buf) > max)
		return size;
	memcpy(data, buf, fdt_totalsize(buf));
	return fdt_totalsize(buf);
}
