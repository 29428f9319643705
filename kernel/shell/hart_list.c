/* SPDX-License-Identifier: MIT */
/* Sets of harts as people write them: see hart_list.h. */
#include "kernel/shell/hart_list.h"

#include "kernel/hart/hart.h"
#include "kernel/shell/command.h"
#include "lib/printf.h"
#include "lib/string.h"

int hart_list_read(const char *word, struct hart_mask *mask)
{
	if (strcmp(word, "all") != 0)
		return hart_mask_parse(word, nr_harts, mask);
	hart_mask_fill(mask, nr_harts);
	return 0;
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
