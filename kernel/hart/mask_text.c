/* SPDX-License-Identifier: MIT */
/* Sets of harts as people write them: numbers and ranges with commas between. */
#include "kernel/hart/mask.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/printf.h"

/* One number or range; *s moves behind it. */
static int parse_range(const char **s, unsigned n, struct hart_mask *mask)
{
	uint64_t first, last;

	if (parse_u64_prefix(*s, &first, s))
		return -EINVAL;
	last = first;
	if (**s == '-' && ((*s)++, parse_u64_prefix(*s, &last, s)))
		return -EINVAL;
	if (last < first || last >= n)
		return -EINVAL;
	for (; first <= last; first++)
		hart_mask_set(mask, (unsigned)first);
	return 0;
}

int hart_mask_parse(const char *text, unsigned n, struct hart_mask *out)
{
	struct hart_mask mask;

	hart_mask_zero(&mask);
	for (;;) {
		if (parse_range(&text, n, &mask))
			return -EINVAL;
		if (!*text)
			break;
		if (*text++ != ',')
			return -EINVAL;
	}
	hart_mask_copy(out, &mask);
	return 0;
}

char *hart_mask_text(const struct hart_mask *m, unsigned n, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0, last; i < n && used < size; i = last + 1) {
		last = i;
		if (!hart_mask_test(m, i))
			continue;
		while (last + 1 < n && hart_mask_test(m, last + 1))
			last++;
		used += (size_t)snprintf(out + used, size - used, last > i ? "%s%u-%u" : "%s%u",
			used ? "," : "", i, last);
	}
	return out;
}
