/* SPDX-License-Identifier: MIT */
/*
 * Which branches of the locks' protocols were ever taken (CONFIG_LOCKCOVER): the compiler counts
 * each of them, in the sources that configs/kernel.mk names, and the command cover prints the
 * counts, in the compiler's own format, for tests/torture/cover.py to say which source line each
 * belongs to. Points (kernel/lock/point.h) are for schedules and chaos, and stand where somebody
 * put them; this is what no branch escapes.
 *
 * Only some of the counts are kept: the compiler's tool works out the others, as what comes to a
 * place leaves it. So none may be lost, and all are copied at one moment: the other harts wait in a
 * handler, and nobody is within a protocol, as nothing is tortured any more.
 */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/atomic.h"
#include "kernel/lock/relax.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "lib/errno.h"
#include "lib/linkset.h"
#include "lib/printf.h"
#include "lib/string.h"

#define LINE_BYTES 32
#define COPY_BYTES 65536
#define FILES_MAX 16

struct gcov_info;
LINKSET_DECLARE(cover, const struct gcov_info);

/* libgcov's, of the compiler (gcov.h). */
void __gcov_info_to_gcda(const struct gcov_info *info, void (*name_fn)(const char *name, void *arg),
	void (*dump_fn)(const void *data, unsigned n, void *arg),
	void *(*allocate_fn)(unsigned n, void *arg), void *arg);

/* Objects name it as what would merge two files of counts: nobody does. */
void __gcov_merge_add(void);
void __gcov_merge_add(void)
{
}

/* All counts. Of the command, of which one runs at a time. */
static struct {
	uint8_t *bytes; /* COPY_BYTES */
	unsigned n;	/* that there would be, if there is room */
	unsigned nr_files;
	struct {
		const char *name;
		unsigned begin;
	} files[FILES_MAX + 1];
} copy;

static void copy_name(const char *name, void *arg unused_arg)
{
	if (copy.nr_files < FILES_MAX) {
		copy.files[copy.nr_files].name = name;
		copy.files[copy.nr_files].begin = copy.n;
	}
	copy.nr_files++;
}

static void copy_data(const void *data, unsigned n, void *arg unused_arg)
{
	if (copy.n + n <= COPY_BYTES)
		memcpy(copy.bytes + copy.n, data, n);
	copy.n += n;
}

/* Only for counts of values, which are not asked for. */
static void *allocate(unsigned n unused_arg, void *arg unused_arg)
{
	return NULL;
}

static void copy_counts(void)
{
	copy.n = copy.nr_files = 0;
	linkset_for_each(cover, const struct gcov_info, info)
		__gcov_info_to_gcda(info, copy_name, copy_data, allocate, NULL);
	copy.files[MIN(copy.nr_files, (unsigned)FILES_MAX)].begin = copy.n;
}

/* ---- One moment ---------------------------------------------------------------------------- */

static struct hart_call calls[CONFIG_MAX_HARTS];
static atomic_u32 here;
static atomic_bool go_on;

/* relax() is counted, too. */
static void stay(void *arg unused_arg)
{
	atomic_add_u32(&here, 1, release); /* partner: copy_at_once */
	while (!atomic_load_bool(&go_on, acquire))
		arch_pause();
}

/* Thread. */
static void copy_at_once(void)
{
	uint32_t others = 0;
	unsigned hart;
	bool on;

	atomic_store_u32(&here, 0, relaxed);
	atomic_store_bool(&go_on, false, relaxed);
	preempt_disable();
	for_each_hart_in_mask(hart, &harts_online) {
		hart_call_init(&calls[hart], stay, NULL);
		if (harts[hart] != this_hart())
			others += hart_call_post(harts[hart], &calls[hart]) == 0;
	}
	/* Acquire: what they counted before they came. */
	while (atomic_load_u32(&here, acquire) < others)
		arch_pause();
	on = arch_irq_save();
	copy_counts();
	arch_irq_restore(on);
	atomic_store_bool(&go_on, true, release); /* partner: stay */
	for_each_hart_in_mask(hart, &harts_online)
		while (!hart_call_done(&calls[hart]))
			relax();
	preempt_enable();
}

/* ---- Shown --------------------------------------------------------------------------------- */

/* Line by line, so that nothing of the log comes into one. */
static void print_bytes(const uint8_t *bytes, unsigned n)
{
	char text[2 * LINE_BYTES + 1];

	for (unsigned i = 0; i < n; i++) {
		snprintf(&text[2 * (i % LINE_BYTES)], 3, "%02x", bytes[i]);
		if (i % LINE_BYTES == LINE_BYTES - 1 || i == n - 1)
			shell_printf("cover: %s\n", text);
	}
}

static int cmd_cover(int argc, char **argv)
{
	int err = 0;

	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	/* Where it is off, the compiler leaves the rest away. */
	if (!CONFIG_LOCKCOVER)
		return shell_complain("cover: this configuration counts none (CONFIG=debug does)");
	copy.bytes = kmalloc(COPY_BYTES, 0);
	if (!copy.bytes)
		return -ENOMEM;
	copy_at_once();
	if (copy.n > COPY_BYTES || copy.nr_files > FILES_MAX)
		err = shell_complain(
			"cover: %u bytes in %u files are too many", copy.n, copy.nr_files);
	for (unsigned i = 0; !err && i < copy.nr_files; i++) {
		unsigned begin = copy.files[i].begin;

		shell_printf("cover: file %s\n", copy.files[i].name);
		print_bytes(copy.bytes + begin, copy.files[i + 1].begin - begin);
	}
	kfree(copy.bytes);
	return err;
}
SHELL_COMMAND(cover, "cover", "how often each branch of the locks was taken, for make torture",
	cmd_cover);
