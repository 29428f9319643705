/* SPDX-License-Identifier: MIT */
/*
 * The shell's command that shows the gallery, and runs what the lock checker finds (gallery.h).
 *
 *	gallery				a line for each bug
 *	gallery check [NAME]		both variants of each, reports counted
 *	gallery run NAME [fixed]	one variant; a report ends the system, as reports do
 *
 * The fixed variant is checked first: what it taught the checker about the order of its locks is
 * right and may stay, while the cycle that the other one closes is known from then on, and would be
 * neither new nor reported again.
 */
#include "kernel/shell/command.h"
#include "kernel/hart/hart.h"
#include "kernel/shell/shell.h"
#include "kernel/task/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/gallery/gallery.h"

struct variant {
	const struct gallery_bug *bug;
	bool fixed;
};

static atomic_ptr failure; /* const char *; relaxed: constant texts, so a pointer is all */

void gallery_fail(const char *what)
{
	void *none = NULL;

	atomic_cas_ptr(&failure, &none, (void *)what, relaxed);
}

static const char *variant_name(bool fixed)
{
	return fixed ? "fixed" : "buggy";
}

static void list(void)
{
	gallery_for_each(bug)
	{
		if (bug->run)
			shell_printf("gallery: bug=%s by=checker kind=%s what=%s harts=%u: %s\n",
				bug->name, report_kind_name(bug->kind), bug->what, bug->harts,
				bug->title);
		else
			shell_printf("gallery: bug=%s by=hunt: %s\n", bug->name, bug->title);
	}
}

static void variant_body(void *arg)
{
	const struct variant *v = arg;

	v->bug->run(v->fixed);
}

/* In a thread of its own, at the end of which a lock that was left would be noticed. 0, -ENOMEM, or
 * -EIO after gallery_fail. */
static int run_variant(const struct gallery_bug *bug, bool fixed)
{
	struct variant v = {bug, fixed};
	struct thread *t;

	atomic_store_ptr(&failure, NULL, relaxed);
	t = thread_spawn(bug->name, variant_body, &v);
	if (!t)
		return -ENOMEM;
	thread_join(t, NULL);
	return atomic_load_ptr(&failure, relaxed) ? -EIO : 0;
}

/* True: the checker said what it must, and nothing else. */
static bool check_variant(const struct gallery_bug *bug, bool fixed)
{
	unsigned by_kind[KIND_COUNT];
	const char *last = "", *failed;
	bool ok;

	lockcheck_count_begin();
	ok = !run_variant(bug, fixed);
	lockcheck_count_end(by_kind, &last);
	shell_printf("gallery: bug=%s variant=%s", bug->name, variant_name(fixed));
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		bool wanted = !fixed && kind == bug->kind;

		if (by_kind[kind])
			shell_printf(" kind=%s what=%s reports=%u", report_kind_name(kind), last,
				by_kind[kind]);
		ok &= wanted ? by_kind[kind] > 0 && !strcmp(last, bug->what) : !by_kind[kind];
	}
	failed = atomic_load_ptr(&failure, relaxed);
	shell_printf(" verdict=%s%s%s\n", ok ? "ok" : "FAILED", failed ? ": " : "",
		failed ? failed : "");
	return ok;
}

static bool enough_harts(const struct gallery_bug *bug)
{
	if (bug->harts <= hart_mask_weight(&harts_online))
		return true;
	shell_printf("gallery: bug=%s needs %u harts\n", bug->name, bug->harts);
	return false;
}

static int check(const char *name)
{
	unsigned passed = 0, failed = 0;

	gallery_for_each(bug)
	{
		if (!bug->run || (name && strcmp(bug->name, name)) || !enough_harts(bug))
			continue;
		for (unsigned fixed = 2; fixed-- > 0;) {
			if (check_variant(bug, fixed))
				passed++;
			else
				failed++;
		}
	}
	shell_printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed ? EXIT_TEST : 0;
}

static const struct gallery_bug *find(const char *name)
{
	gallery_for_each(bug) if (!strcmp(bug->name, name)) return bug;
	return NULL;
}

static int run(const char *name, bool fixed)
{
	const struct gallery_bug *bug = find(name);
	int rc;

	if (!bug)
		return shell_complain("gallery: no such bug: %s", name);
	if (!bug->run)
		return shell_complain("gallery: %s is hunted: make hunt PROG=gallery_%s%s", name,
			name, fixed ? "_fixed" : "");
	if (!enough_harts(bug))
		return EXIT_TEST;
	rc = run_variant(bug, fixed);
	shell_printf("gallery: bug=%s variant=%s: %s\n", name, variant_name(fixed),
		!rc		     ? "nothing was reported"
			: rc == -EIO ? (const char *)atomic_load_ptr(&failure, relaxed)
				     : "no memory");
	return rc ? EXIT_TEST : 0;
}

static const char *bug_name(unsigned i)
{
	gallery_for_each(bug) if (i-- == 0) return bug->name;
	return NULL;
}

static int cmd_gallery(int argc, char **argv)
{
	bool fixed = argc == 4 && !strcmp(argv[3], "fixed");

	if (argc == 1) {
		list();
		return 0;
	}
	if (!strcmp(argv[1], "check") && argc <= 3)
		return check(argc == 3 ? argv[2] : NULL);
	if (!strcmp(argv[1], "run") && (argc == 3 || fixed))
		return run(argv[2], fixed);
	return shell_complain("usage: gallery [check [NAME] | run NAME [fixed]]");
}
SHELL_COMMAND_COMPLETE(gallery, "gallery [check [NAME] | run NAME [fixed]]",
	"shows planted bugs, and how the lock checker reports them", cmd_gallery, bug_name);
