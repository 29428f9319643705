/* SPDX-License-Identifier: MIT */
/* Faults of harts from text: lib/hart_fault.h. */
#include "lib/hart_fault.h"

#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"

#define NOT_FOUND UINT_MAX

static const char *const kinds[] = {
	[HART_HANGS] = "hang@",
	[HART_DIES] = "die@",
	[HART_LATE] = "late@",
	[HART_TWICE] = "twice",
	[HART_STOPS] = "stop@ipi",
	[HART_REFUSED] = "refuse",
};

static const char *const places[] = {
	[FAULT_AT_ENTRY] = "entry",
	[FAULT_AT_MMU] = "mmu",
	[FAULT_AT_TRAPS] = "traps",
	[FAULT_AT_PARK] = "park",
	[FAULT_AT_JOIN] = "sched",
};

static bool take(const char **s, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*s, word, n) != 0)
		return false;
	*s += n;
	return true;
}

/* None of the words begins with another one. */
static unsigned take_one_of(const char **s, const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (words[i] && take(s, words[i]))
			return i;
	return NOT_FOUND;
}

static bool take_number(const char **s, uint64_t most, uint64_t *out)
{
	return !parse_u64_prefix(*s, out, s) && *out <= most;
}

/* What follows `late@PLACE`. */
static bool take_delay(const char **s, struct hart_fault *fault)
{
	uint64_t ms;

	if (!take(s, "+"))
		return true;
	if (!take_number(s, HART_FAULT_DELAY_MAX_MS, &ms))
		return false;
	fault->delayed = true;
	fault->delay_ms = (uint32_t)ms;
	return true;
}

static bool take_place(const char **s, struct hart_fault *fault)
{
	fault->place = take_one_of(s, places, ARRAY_SIZE(places));
	if (fault->place == NOT_FOUND)
		return false;
	if (fault->kind == HART_DIES && fault->place == FAULT_AT_PARK)
		return false;
	return fault->kind != HART_LATE || take_delay(s, fault);
}

static bool take_fault(const char **s, struct hart_fault *fault)
{
	uint64_t hart;

	if (!take(s, "hart") || !take_number(s, UINT_MAX, &hart) || !take(s, ":"))
		return false;
	fault->hart = (unsigned)hart;
	fault->kind = take_one_of(s, kinds, ARRAY_SIZE(kinds));
	if (fault->kind == NOT_FOUND)
		return false;
	return fault->kind > HART_LATE || take_place(s, fault);
}

int hart_fault_next(const char **text, struct hart_fault *fault)
{
	struct hart_fault got = {0};
	const char *s = *text;

	if (!*s)
		return -ENOENT;
	if (!take_fault(&s, &got))
		return -EINVAL;
	if (*s && (*s++ != ',' || !*s))
		return -EINVAL;
	*text = s;
	*fault = got;
	return 0;
}
