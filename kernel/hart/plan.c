/* SPDX-License-Identifier: MIT */
/* Which harts are brought up, and how: kernel/hart/plan.h. No locks: all is the caller's. */
#include "kernel/hart/plan.h"

#include "lib/errno.h"
#include "lib/string.h"

static const char *const names[] = {
	[BRING_PARALLEL] = "parallel",
	[BRING_SEQUENTIAL] = "sequential",
	[BRING_TREE] = "tree",
	[BRING_LAZY] = "lazy",
	[BRING_COLD] = "cold",
};

const char *plan_mode_name(enum bring_mode mode)
{
	return (unsigned)mode < ARRAY_SIZE(names) ? names[mode] : "?";
}

/* The mode at the start of the text, up to a comma or its end; *text moves behind it. */
static bool take_mode(const char **text, enum bring_mode *mode)
{
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(*text, names[i], n) != 0 || ((*text)[n] && (*text)[n] != ','))
			continue;
		*text += n;
		*mode = i;
		return true;
	}
	return false;
}

int plan_parse(const char *text, unsigned nr, struct bring_plan *plan)
{
	struct bring_plan got = *plan;
	int err;

	got.mode = BRING_PARALLEL;
	got.listed = false;
	if (take_mode(&text, &got.mode) && !*text++) {
		*plan = got;
		return 0;
	}
	err = hart_mask_parse(text, nr, &got.list);
	if (err)
		return err;
	got.listed = true;
	*plan = got;
	return 0;
}

void plan_wanted(
	const struct bring_plan *plan, unsigned nr, unsigned boot, struct hart_mask *wanted)
{
	unsigned n = 1;

	hart_mask_zero(wanted);
	if (plan->listed)
		hart_mask_copy(wanted, &plan->list);
	else if (plan->mode != BRING_LAZY && plan->mode != BRING_COLD)
		hart_mask_fill(wanted, nr);
	hart_mask_set(wanted, boot);
	for (unsigned i = 0; i < nr; i++)
		if (i != boot && hart_mask_test(wanted, i) && n++ >= plan->most)
			hart_mask_clear(wanted, i);
}
