/* SPDX-License-Identifier: MIT */
/*
 * Which harts there are. hart_discover reads the tree once and gives every usable hart an index, in
 * the tree's order; starting them is in start.c.
 *
 * Not usable, and said so: harts whose status is not okay, whose ISA string lacks what the kernel
 * is compiled for, whose MMU cannot do the paging mode that the boot hart has, whose hartid stands
 * in the tree twice, or for which CONFIG_MAX_HARTS leaves no room. The boot hart is always usable:
 * it runs.
 *
 * nr_harts, found[] and what hart_attach fills in are constant afterwards; no locks.
 */
#include "kernel/hart/hart.h"

#include "kernel/hart/bringup.h"
#include "kernel/hart/call.h"
#include "kernel/log.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"

#define BOOT_ALIGN 64

struct hart_meta boot_hart __attribute__((aligned(BOOT_ALIGN)));
unsigned nr_harts;
struct hart_meta *harts[CONFIG_MAX_HARTS];
struct hart_mask harts_online;
struct hart_skips hart_skips;

static struct fdt_hart found[CONFIG_MAX_HARTS];
/* Of the harts that are not used, so many were spoken of; no more than there may be harts. */
static unsigned told;

struct hart_meta *this_hart(void)
{
	return container_of(lock_hart_stable(), struct hart_meta, lock);
}

const char *hart_state_name(enum hart_state s)
{
	static const char *const names[] = {
		[HART_OFFLINE] = "offline",
		[HART_STARTING] = "starting",
		[HART_ONLINE] = "online",
		[HART_STOPPING] = "stopping",
		[HART_STOPPED] = "stopped",
		[HART_SUSPENDED] = "suspended",
		[HART_FAILED] = "failed",
	};

	return (unsigned)s < ARRAY_SIZE(names) ? names[s] : "?";
}

const struct fdt_hart *hart_found(unsigned index)
{
	assert(index < nr_harts);
	return &found[index];
}

void hart_attach(struct hart_meta *h, unsigned index)
{
	assert(index < nr_harts && !harts[index]);
	h->index = index;
	h->lock.index = index;
	h->hartid = (uintptr_t)found[index].hartid;
	h->isa = found[index].isa;
	h->mmu_type = found[index].mmu;
	atomic_store_u32(&h->state, HART_OFFLINE, relaxed);
	atomic_store_ptr(&h->mailbox.calls, MAILBOX_CLOSED, relaxed);
	harts[index] = h;
}

/* Bits of virtual addresses of an mmu-type or paging mode: sv39 -> 39; 0: no MMU. */
static unsigned paging_bits(const char *mode)
{
	unsigned bits = 0;

	if (strncmp(mode, "sv", 2) != 0 || parse_unsigned(mode + 2, &bits))
		return 0;
	return bits;
}

/* Why the kernel cannot run on it; NULL: it can. */
static const char *unsuited(const struct fdt_hart *hart)
{
	static const char *const needed[] = {"i", "m", "a", "c"};
	static const char *const lacks[] = {
		"its ISA lacks I", "its ISA lacks M", "its ISA lacks A", "its ISA lacks C"};
	const char *base = CONFIG_ARCH_RV32 ? "rv32" : "rv64";

	if (strncmp(hart->isa, base, 4) != 0)
		return "its ISA has another word length";
	for (unsigned i = 0; i < ARRAY_SIZE(needed); i++)
		if (!fdt_hart_has(hart, needed[i]))
			return lacks[i];
	if (!paging_bits(hart->mmu))
		return "it has no MMU";
	if (paging_bits(hart->mmu) < paging_bits(arch_info.paging))
		return "its MMU lacks the boot hart's paging mode";
	return NULL;
}

static bool known_hartid(uint64_t hartid)
{
	for (unsigned i = 0; i < nr_harts; i++)
		if (found[i].hartid == hartid)
			return true;
	return false;
}

static void skip(unsigned *count, const struct fdt_hart *hart, const char *why)
{
	(*count)++;
	if (told++ >= CONFIG_MAX_HARTS)
		return;
	log_warn("hart with hartid %llu: not used: %s", (unsigned long long)hart->hartid, why);
}

/* Takes one hart of the tree up, or says why not. */
static void consider(const struct fdt_hart *hart)
{
	bool is_boot = hart->hartid == arch_info.boot_hartid;
	const char *why = unsuited(hart);

	if (hart->hartid > UINTPTR_MAX || known_hartid(hart->hartid))
		return skip(&hart_skips.malformed, hart, "its hartid is malformed or a duplicate");
	if (is_boot && (why || !hart->enabled))
		log_warn("hart with hartid %llu: %s, but it runs", (unsigned long long)hart->hartid,
			why ? why : "disabled in the tree");
	if (!is_boot && !hart->enabled)
		return skip(&hart_skips.disabled, hart, "disabled in the tree");
	if (!is_boot && why)
		return skip(&hart_skips.unsuited, hart, why);
	/* The last place is kept for the boot hart. */
	if (nr_harts + (is_boot || known_hartid(arch_info.boot_hartid) ? 0 : 1) >=
		CONFIG_MAX_HARTS) {
		hart_skips.beyond++;
		return;
	}
	found[nr_harts++] = *hart;
}

void hart_discover(void)
{
	struct fdt_hart_iter it;
	struct fdt_hart hart;
	int err;

	fdt_harts_begin(&it, arch_info.fdt);
	while ((err = fdt_harts_next(&it, &hart)) != -ENOENT) {
		if (!err) {
			consider(&hart);
			continue;
		}
		hart_skips.malformed++;
		if (told++ < CONFIG_MAX_HARTS)
			log_warn("a hart of the tree has no usable reg: not used");
	}
	if (told > CONFIG_MAX_HARTS)
		log_warn("%u harts of the tree more are not used", told - CONFIG_MAX_HARTS);
	if (!known_hartid(arch_info.boot_hartid)) {
		log_warn("the tree does not know hartid %lu, which runs",
			(unsigned long)arch_info.boot_hartid);
		found[nr_harts++] = (struct fdt_hart){
			.hartid = arch_info.boot_hartid, .enabled = true, .isa = "", .mmu = ""};
	}
	if (hart_skips.beyond)
		log_warn("%u harts more than CONFIG_MAX_HARTS (%d): not used", hart_skips.beyond,
			CONFIG_MAX_HARTS);
	for (unsigned i = 0; i < nr_harts; i++)
		if (found[i].hartid == arch_info.boot_hartid)
			hart_attach(&boot_hart, i);
}
