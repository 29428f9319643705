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

unsigned hart_list_text(const struct hart_mask *mask, char text[HART_LIST_SIZE])
{
	const char *comma = "";
	unsigned used = 0;

	text[0] = '\0';
	for (unsigned i = 0, last; i < nr_harts; i = last + 1) {
		last = i;
		if (!hart_mask_test(mask, i))
			continue;
		while (last + 1 < nr_harts && hart_mask_test(mask, last + 1))
			last++;
		used += (unsigned)snprintf(text + used, HART_LIST_SIZE - used,
			last > i ? "%s%u-%u" : "%s%u", comma, i, last);
		comma = ",";
	}
	return used;
}

unsigned hart_list_print(const struct hart_mask *mask)
{
	char text[HART_LIST_SIZE];
	unsigned n = hart_list_text(mask, text);

	shell_printf("%s", text);
	return n;
}
