/* SPDX-License-Identifier: MIT */
/*
 * Questions to the flattened device tree (Devicetree Specification 0.4), over libfdt. Pure: no
 * allocation, no state; any context. Nobody else includes libfdt.
 *
 * The tree comes from outside and is not trusted: fdt_check comes first and looks at its whole
 * structure; every question checks the sizes and values of what it reads and returns -Exxx for what
 * is malformed: -EINVAL (wrong size or value), -ERANGE (wraps around the address space), -ENOENT
 * (not there). What is returned as pointer points into the tree; strings are terminated in their
 * property.
 *
 * A node is its offset, >= 0, valid as long as the tree is not changed; the root is 0.
 */
#ifndef LIB_FDT_H
#define LIB_FDT_H

#include "lib/types.h"

#define FDT_ROOT 0
#define FDT_MAX_DEPTH 32
#define FDT_MAX_IRQ_CELLS 4

/* Whether a sound tree of at most `max` bytes lies at fdt (8-byte aligned): 0, -EINVAL, -E2BIG. */
int fdt_check(const void *fdt, size_t max);
/* Bytes of the tree, header included. */
size_t fdt_size(const void *fdt);

/* ---- Nodes ------------------------------------------------------------------------------- */

/* Node at a full path or an alias path; -ENOENT. */
int fdt_find(const void *fdt, const char *path);
/* Next node in the order of the tree (root first: pass -1); *depth, which may be NULL and starts at
 * -1, follows. -ENOENT at the end. */
int fdt_walk(const void *fdt, int node, int *depth);
/* First child and next sibling; -ENOENT. */
int fdt_child(const void *fdt, int node);
int fdt_sibling(const void *fdt, int node);
/* -ENOENT for the root. O(size of the tree). */
int fdt_parent(const void *fdt, int node);
/* Name with unit address, "" for the root. Never NULL. */
const char *fdt_name(const void *fdt, int node);
/* Full path, cut to size; -ERANGE if it was cut. */
int fdt_path(const void *fdt, int node, char *buf, size_t size);
/* Next node after `prev` (-1: from the start) that is compatible; enabled or not. -ENOENT. */
int fdt_next_compatible(const void *fdt, int prev, const char *compatible);
bool fdt_is_compatible(const void *fdt, int node, const char *compatible);
/* status is absent, "okay" or "ok". */
bool fdt_enabled(const void *fdt, int node);
int fdt_by_phandle(const void *fdt, uint32_t phandle);
/* 0: it has none. */
uint32_t fdt_phandle(const void *fdt, int node);

/* ---- Properties -------------------------------------------------------------------------- */

/* Raw bytes; NULL if it is not there. */
const void *fdt_prop(const void *fdt, int node, const char *name, size_t *len);
bool fdt_has_prop(const void *fdt, int node, const char *name);
/* Walks the properties of a node: *cursor starts at 0. False at the end. */
bool fdt_next_prop(
	const void *fdt, int node, int *cursor, const char **name, const void **data, size_t *len);
int fdt_read_u32(const void *fdt, int node, const char *name, uint32_t *out);
/* Element i of an array of 32-bit cells. */
int fdt_read_u32_at(const void *fdt, int node, const char *name, unsigned i, uint32_t *out);
/* A value of one or two cells. */
int fdt_read_u64(const void *fdt, int node, const char *name, uint64_t *out);
/* First string; -EINVAL if it is not terminated. */
int fdt_read_string(const void *fdt, int node, const char *name, const char **out);
/* String i of a list. */
int fdt_read_string_at(const void *fdt, int node, const char *name, unsigned i, const char **out);

/* ---- Addresses and interrupts ------------------------------------------------------------ */

/* Entry i of reg, by the parent's #address-cells and #size-cells, translated to a CPU address
 * through the `ranges` of all buses above. -ENOENT: no such entry; -ENXIO: a bus doesn't map it. */
int fdt_read_reg(const void *fdt, int node, unsigned i, uint64_t *addr, uint64_t *size);

struct fdt_irq {
	int controller; /* node */
	unsigned nr_cells;
	uint32_t cells[FDT_MAX_IRQ_CELLS]; /* [0]: the source's number for a PLIC */
};

/* Interrupt i of a node, from interrupts-extended, else from interrupts and the nearest
 * interrupt-parent. -ENOENT: no such entry. */
int fdt_read_irq(const void *fdt, int node, unsigned i, struct fdt_irq *out);

/*
 * The context of a PLIC through which it interrupts, with `cause` (9: supervisor external), the
 * hart whose interrupt controller has this phandle: the position in interrupts-extended, whose
 * entries are pairs (bindings sifive,plic-1.0.0 and riscv,cpu-intc). -ENOENT.
 */
int fdt_plic_context(const void *fdt, int plic, uint32_t intc_phandle, uint32_t cause);

/* ---- Memory ------------------------------------------------------------------------------ */

struct fdt_memory_iter {
	const void *fdt;
	int node;
	unsigned entry;
	int found; /* the tree's node of what was read last */
};

/* Ranges of the enabled memory nodes, in the order of the tree; empty ones are left out. */
void fdt_memory_begin(struct fdt_memory_iter *it, const void *fdt);
/* 0; -ENOENT at the end; -EINVAL for a malformed node, -ERANGE for an entry that wraps around: it
 * has been passed, go on. */
int fdt_memory_next(struct fdt_memory_iter *it, uint64_t *start, uint64_t *size);

struct fdt_reserved {
	uint64_t start, size;
	bool no_map;
	const char *name; /* "memreserve", or the node's name */
};

struct fdt_reserved_iter {
	const void *fdt;
	int entry; /* of the memory reservation block, -1: done with it */
	int node;
	unsigned reg;
};

/* Memory reservation block, then /reserved-memory's enabled children that have a reg. The tree
 * itself and the initrd are not among them unless it says so. Same results as fdt_memory_next. */
void fdt_reserved_begin(struct fdt_reserved_iter *it, const void *fdt);
int fdt_reserved_next(struct fdt_reserved_iter *it, struct fdt_reserved *out);

/* ---- Harts ------------------------------------------------------------------------------- */

struct fdt_hart {
	int node;
	uint64_t hartid;
	bool enabled;
	const char *isa;	    /* riscv,isa, else riscv,isa-base; "" if neither is there */
	const char *isa_extensions; /* riscv,isa-extensions: a list of strings, NULL: none */
	size_t isa_extensions_len;
	const char *mmu;       /* mmu-type without "riscv,": "sv39"...; "" for none */
	uint32_t intc_phandle; /* of its riscv,cpu-intc; 0: none */
};

struct fdt_hart_iter {
	const void *fdt;
	int cpus, node;
};

/* Children of /cpus that are harts (device_type "cpu"; cpu-map and others are not), in the order of
 * the tree, enabled or not. */
void fdt_harts_begin(struct fdt_hart_iter *it, const void *fdt);
/* 0; -ENOENT at the end; -EINVAL for a hart without a usable reg: it has been passed, go on. */
int fdt_harts_next(struct fdt_hart_iter *it, struct fdt_hart *out);
/* Whether it has an extension ("sstc", "zba", "d"), by whichever property the tree uses. */
bool fdt_hart_has(const struct fdt_hart *hart, const char *ext);
/* The same by an ISA string ("rv64imafdch_zicsr_sstc"): case ignored, versions passed over, g and b
 * stand for what they imply. */
bool isa_has(const char *isa, const char *ext);
/* In /cpus, or else in the first hart that has it. -EINVAL if it is 0 or above 32 bits. */
int fdt_timebase(const void *fdt, uint32_t *hz);

/* ---- Topology ---------------------------------------------------------------------------- */

#define FDT_NUMA_MAX 16

/* Where a hart stands. All numbers are dense, from 0: nodes by their ids, others in the order of
 * the tree. */
struct fdt_place {
	uint32_t node, socket, cluster, core;
	uint32_t phandle; /* the hart's; 0: none */
};

struct fdt_topology {
	/* 1 at least each. Among the latter two may be some of harts that were not asked about. */
	unsigned nr_nodes, nr_sockets, nr_clusters, nr_cores;
	uint32_t node_id[FDT_NUMA_MAX];		      /* numa-node-id of each node, ascending */
	uint8_t distance[FDT_NUMA_MAX][FDT_NUMA_MAX]; /* 10 from a node to itself, else more */
	/* Why a part of the tree is not used: a phrase; NULL: it is, or is not there. */
	const char *numa_fault, *distance_fault, *map_fault;
};

/*
 * Places of n harts, given by their nodes in the tree (negative: it does not know this one), by
 * numa-node-id, /distance-map and /cpus/cpu-map. What is not there, or is not used, counts as: one
 * node of memory; distances 10 and 20; the harts of a node are one cluster.
 */
void fdt_read_topology(const void *fdt, const int *harts, unsigned n, struct fdt_topology *out,
	struct fdt_place *places);
/* The NUMA node, densely numbered, of a hart or memory in the tree; 0 if it has none. */
unsigned fdt_numa_node(const struct fdt_topology *t, const void *fdt, int node);

/* ---- /chosen ----------------------------------------------------------------------------- */

/* "" if there are none (or not a string). Never NULL. */
const char *fdt_bootargs(const void *fdt);
/* -ENOENT: none; -EINVAL: not a range. */
int fdt_initrd(const void *fdt, uint64_t *start, uint64_t *end);
/* Node of stdout-path, which may be a path or an alias; what follows a colon (may be NULL) is the
 * options, "" for none. */
int fdt_stdout(const void *fdt, const char **options);

#endif
