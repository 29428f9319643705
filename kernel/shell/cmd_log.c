/* SPDX-License-Identifier: MIT */
/* The command log: the lines that the ring still has, by hart and level. */
#include "kernel/hart/hart.h"
#include "kernel/log.h"
#include "kernel/log/ring.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "lib/errno.h"
#include "lib/string.h"

struct filter {
	uint64_t hart;	/* UINT64_MAX: any */
	unsigned level; /* up to this one */
};

static int parse_level(const char *word, unsigned *level)
{
	for (unsigned i = 0; i <= LOG_DEBUG; i++) {
		if (strcmp(word, log_level_name(i)) != 0)
			continue;
		*level = i;
		return 0;
	}
	return shell_complain("log: level is error, warn, info or debug, not %s", word);
}

static int parse_filter(int argc, char **argv, struct filter *f)
{
	for (int i = 1; i < argc; i++) {
		int err;

		if (str_starts_with(argv[i], "hart="))
			err = shell_number("log", argv[i] + 5, 0, nr_harts - 1, &f->hart);
		else if (str_starts_with(argv[i], "level="))
			err = parse_level(argv[i] + 6, &f->level);
		else
			err = shell_complain("log: neither hart= nor level=: %s", argv[i]);
		if (err)
			return err;
	}
	return 0;
}

static int cmd_log(int argc, char **argv)
{
	struct filter filter = {UINT64_MAX, LOG_DEBUG};
	struct log_reader reader = {0};
	static struct log_entry e; /* one command line at a time (shell_mutex) */
	static char line[LOG_TEXT_MAX + 64];
	int err = parse_filter(argc, argv, &filter);

	if (err)
		return err;
	while (log_read(&reader, &e) && !shell_interrupted()) {
		if (e.rec.level > filter.level ||
			(filter.hart != UINT64_MAX && e.rec.hart != filter.hart))
			continue;
		log_format(&e, false, line, sizeof(line));
		shell_printf("%s", line);
	}
	if (reader.missed)
		shell_printf("(%lu older lines are gone)\n", (unsigned long)reader.missed);
	return 0;
}
SHELL_COMMAND(log, "log [hart=N] [level=LEVEL]", "the log's lines", cmd_log);
