/* SPDX-License-Identifier: MIT */
/* Sets of harts as people write them: see hart_list.h. */
#include "kernel/shell/hart_list.h"

#include "kernel/hart/hart.h"
#include "kernel/shell/command.h"
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
	return (unsigned)strlen(hart_mask_text(mask, nr_harts, text, HART_LIST_SIZE));
}

unsigned hart_list_print(const struct hart_mask *mask)
{
	char text[HART_LIST_SIZE];
	unsigned n = hart_list_text(mask, text);

	shell_printf("%s", text);
	return n;
}
