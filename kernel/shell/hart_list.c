/* SPDX-License-Identifier: MIT */
/* Sets of harts as people write them: see hart_list.h. */
#include "kernel/shell/hart_list.h"

#include "kernel/hart/hart.h"
#include "kernel/shell/command.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/printf.h"
#include "lib/string.h"

/* One number or range of the list; *s moves behind it. */
static int read_range(const char **s, struct hart_mask *mask)
{
	uint64_t first, last;

	if (parse_u64_prefix(*s, &first, s))
		return -EINVAL;
	last = first;
	if (**s == '-' && ((*s)++, parse_u64_prefix(*s, &last, s)))
		return -EINVAL;
	if (last < first || last >= nr_harts)
		return -EINVAL;
	for (; first <= last; first++)
		hart_mask_set(mask, (unsigned)first);
	return 0;
}

int hart_list_read(const char *word, struct hart_mask *mask)
{
	hart_mask_zero(mask);
	if (strcmp(word, "all") == 0) {
		hart_mask_fill(mask, nr_harts);
		return 0;
	}
	for (;;) {
		if (read_range(&word, mask))
			return -EINVAL;
		if (!*word)
			return 0;
		if (*word++ != ',')
			return -EINVAL;
	}
}

unsigned hart_list_print(const struct hart_mask *mask)
{
	const char *comma = "";
	unsigned printed = 0;
	char text[32];

	for (unsigned i = 0, last; i < nr_harts; i = last + 1) {
		last = i;
		if (!hart_mask_test(mask, i))
			continue;
		while (last + 1 < nr_harts && hart_mask_test(mask, last + 1))
			last++;
		printed += (unsigned)snprintf(
			text, sizeof(text), last > i ? "%s%u-%u" : "%s%u", comma, i, last);
		shell_printf("%s", text);
		comma = ",";
	}
	return printed;
}
