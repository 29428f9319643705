/* SPDX-License-Identifier: MIT */
/*
 * The kernel's reading of device trees under libFuzzer: what the files of this folder share.
 *
 *	tree.c     a tree comes in: the questions of lib/fdt.h, then a boot as far as trees matter
 *	machine.c  the machine below the kernel's sources: memory, registers, log, the way out
 *	judge.c    what must hold of their answers, by arithmetic that cannot wrap
 *	mutate.c   changes to trees that leave them trees
 *	args.c     boot arguments, those of trees and those of words.c, a program of its own
 *
 * The kernel's sources are the real ones, with small tables (CONFIG_MAX_HARTS), so that full tables
 * are met soon. Their data are put back before each tree (machine_reset).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <setjmp.h>

#include "kernel/arch.h"
#include "kernel/mm/early.h"
#include "kernel/mm/page.h"
#include "lib/fdt.h"

#define KERNEL_AT ((phys_t)0x80200000)
#define KERNEL_BYTES ((size_t)0x200000)
#define TREE_AT ((phys_t)0x80600000)
/* A tree of QEMU's memory is never longer here than what lies between it and this. */
#define TREE_BYTES_MAX ((size_t)1 << 20)
/* Questions that have not ended after so many answers never end. */
#define TURNS_MAX 200000u
/* Whatever a tree says, the log has no more lines about it. */
#define LINES_MAX 200u

typedef unsigned __int128 wide;

struct span {
	wide base, end;
};

/* Ends the program with the text unless `ok`: libFuzzer keeps the tree that did it. */
#define must(ok, ...) \
	do { \
		if (!(ok)) \
			broken(__VA_ARGS__); \
	} while (0)
noreturn void broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- machine.c --------------------------------------------------------------------------- */

/* The boot's way out of bad_tree, panic_as and the like: setjmp returns 1. */
extern jmp_buf machine_end;
/* What the kernel said, lines separated by \n; the status it ended with, 0: it goes on. */
extern char machine_said[1 << 16];
extern unsigned machine_lines;
extern int machine_status;
/* Why the tree cannot be used, as bad_tree was told; "" if it was not. */
extern char machine_reason[256];

/* Puts the kernel's data back; the tree (may be NULL) lies at TREE_AT. */
void machine_reset(const void *fdt, size_t size);
/* Uses what drivers registered: power's register is written, if there is one. */
void machine_use_devices(void);
/* Harts but the boot hart get their hart_meta, as the room with memory does it. */
void machine_attach_harts(void);

/* ---- args.c ------------------------------------------------------------------------------ */

/* Asks a text of boot arguments everything. */
void ask_words(const char *text);

/* ---- judge.c ----------------------------------------------------------------------------- */

/* Reads the tree's own memory and reservations; false: more of them than the judge has room for. */
bool judge_read(const void *fdt);
bool judge_in_memory(wide base, wide end);
void judge_paging(const struct phys_range *ranges, unsigned n);
void judge_memory(void);
void judge_harts(const void *fdt);
void judge_topology(void);
void judge_contexts(void);
/* After the boot has ended early. */
void judge_refusal(void);

#endif
