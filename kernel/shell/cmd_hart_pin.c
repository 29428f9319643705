/* SPDX-License-Identifier: MIT */
/*
 * `hart pin`: the threads that may not run on every hart, and `hart pin THREAD HARTS`, which says
 * where one may run. THREAD is a name that only one thread has, or a handle (0x...) as `ps` shows
 * them; HARTS is `all` or a list such as 0,2-3. What the kernel binds itself (idle and work
 * threads) stays bound.
 */
#include "kernel/hart/hart.h"
#include "kernel/sched/qs.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/cmd_hart.h"
#include "kernel/shell/command.h"
#include "kernel/shell/hart_list.h"
#include "kernel/task/thread.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"

static bool is_bound(const struct thread_info *t)
{
	if (t->is_idle)
		return true;
	for_each_hart(h)
		if (work_is_thread_of(h, t->handle))
			return true;
	return false;
}

static bool runs_anywhere(const struct thread_info *t)
{
	for (unsigned i = 0; i < nr_harts; i++)
		if (!hart_mask_test(&t->affinity, i))
			return false;
	return true;
}

static int list_pinned(void)
{
	struct thread_info t;
	unsigned cursor = 0, n = 0;

	while (thread_info_next(&cursor, &t)) {
		if (runs_anywhere(&t) || is_bound(&t))
			continue;
		shell_printf("0x%08lx  %-*s  harts ", (unsigned long)t.handle, THREAD_NAME_MAX - 1,
			t.name);
		hart_list_print(&t.affinity);
		shell_printf("\n");
		n++;
	}
	if (!n)
		shell_printf("no thread is pinned\n");
	return 0;
}

/* Finds what `word` names. */
static int find_thread(const char *word, struct thread_info *out)
{
	struct thread_info t;
	unsigned cursor = 0, n = 0;
	uint32_t handle = 0;

	if (parse_u32(word, &handle))
		handle = 0;
	while (thread_info_next(&cursor, &t)) {
		if (t.state == THREAD_DEAD || (handle ? t.handle != handle : strcmp(t.name, word)))
			continue;
		*out = t;
		n++;
	}
	if (!n)
		return shell_complain("hart: no thread %s: `ps` lists them", word);
	if (n > 1)
		return shell_complain("hart: %u threads are called %s: take its handle", n, word);
	return 0;
}

static int read_harts(const char *word, struct hart_mask *mask)
{
	if (!hart_list_read(word, mask))
		return 0;
	return shell_complain("hart: %s is no list of harts: `all`, or such as 0,2-3 up to %u",
		word, nr_harts - 1);
}

/* 0, -ESRCH: it has ended, -EINVAL: none of the harts is online. */
static int set_affinity(uint32_t handle, const struct hart_mask *mask)
{
	struct thread *t;
	int err = -ESRCH;

	qs_read_begin();
	t = thread_of_handle(handle);
	if (t)
		err = sched_set_affinity(t, mask);
	qs_read_end();
	return err;
}

int hart_pin(int argc, char **argv)
{
	struct thread_info t;
	struct hart_mask mask;
	int err;

	if (argc == 2)
		return list_pinned();
	if (argc != 4)
		return shell_complain("hart: pin takes a thread and a list of harts, or nothing");
	if (find_thread(argv[2], &t) || read_harts(argv[3], &mask))
		return -EINVAL;
	if (is_bound(&t))
		return shell_complain("hart: the kernel itself binds %s to its hart", t.name);
	err = set_affinity(t.handle, &mask);
	if (err == -EINVAL)
		return shell_complain("hart: none of the harts %s is online", argv[3]);
	if (err)
		return shell_complain("hart: thread %s has ended", argv[2]);
	return 0;
}
