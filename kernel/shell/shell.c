/* SPDX-License-Identifier: MIT */
/*
 * The shell: reads lines, finds commands, runs them. With run= it runs that line, and the machine
 * ends with a status that says whether every command succeeded.
 *
 * shell_mutex (mutex, rank SHELL)
 *   Protects: the running of a command line: commands may use static memory of their own.
 *   Taken by: the shell's thread, and whoever calls shell_run_line.
 *   Order:    outermost.
 */
#include "kernel/shell/shell.h"
#include "kernel/arch.h"
#include "kernel/log.h"
#include "kernel/log/console.h"
#include "kernel/log/tty.h"
#include "kernel/panic.h"
#include "kernel/panic/power.h"
#include "kernel/panic/watchdog.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "kernel/wait/mutex.h"
#include "lib/bootargs.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/lineedit.h"
#include "lib/options.h"
#include "lib/parse.h"
#include "lib/string.h"

#define PROMPT "interlock> "
#define LINE_LEN 4096 /* tests are asked for one by one */
#define WORDS_MAX 24

LINKSET_DECLARE(shell_command, const struct shell_command);

DEFINE_LOCK_CLASS(shell_class, .name = "shell", .rank = RANK_SHELL, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 1000000000, .protects = "the running of one command line");
static struct mutex shell_mutex = MUTEX_INIT(&shell_class);

static void shell_thread(void *arg);
static void run_option(void);
static void prompt_loop(void);
static int run_one(char *text);
static char *cut_command(char **rest);
static const struct shell_command *find_command(const char *name);
static void edit_output(void *ctx, const char *text, size_t n);
static const char *edit_complete(void *ctx, const char *line, size_t start, size_t end, unsigned i);

BOOT_TEXT(run);

static bool is_shell(const struct boot_option *option unused_arg, const char *value)
{
	return option_in_words("kernel", value);
}
BOOT_OPTION(shell, "kernel, which is all there is", is_shell);

void shell_start(void)
{
	struct thread *t;

	input_init();
	watchdog_start();
	t = thread_spawn("shell", shell_thread, NULL);
	if (!t)
		panic_as(EXIT_NO_MEMORY, "no memory for the shell");
	thread_detach(t);
}

int shell_run_line(const char *line)
{
	static char copy[LINE_LEN] GUARDED_BY(&shell_mutex);
	char *rest = copy, *text;
	int status = 0;

	mutex_lock(&shell_mutex);
	if (strlcpy(copy, line, sizeof(copy)) >= sizeof(copy)) {
		shell_complain("shell: a line has at most %d characters", LINE_LEN - 1);
		status = EXIT_COMMAND;
		rest = NULL;
	}
	while (rest && (text = cut_command(&rest)) != NULL) {
		int result = run_one(text);

		if (status == 0)
			status = result;
	}
	mutex_unlock(&shell_mutex);
	return status;
}

const char *shell_complete_word(
	const char *line, size_t start, const char *prefix, size_t len, unsigned i)
{
	const struct shell_command *command;
	size_t begin = 0, end;
	const char *word;
	char name[24];

	while (begin < start && char_is_space(line[begin]))
		begin++;
	if (begin == start) {
		linkset_for_each_by_name(shell_command, const struct shell_command,
			c) if (!strncmp(c->name, prefix, len) && i-- == 0) return c->name;
		return NULL;
	}
	for (end = begin; end < start && !char_is_space(line[end]);)
		end++;
	if (end - begin >= sizeof(name))
		return NULL;
	memcpy(name, line + begin, end - begin);
	name[end - begin] = '\0';
	command = find_command(name);
	if (!command || !command->complete)
		return NULL;
	for (unsigned n = 0; (word = command->complete(n)) != NULL; n++)
		if (!strncmp(word, prefix, len) && i-- == 0)
			return word;
	return NULL;
}

static void shell_thread(void *arg unused_arg)
{
	struct bootarg run;

	if (bootargs_find(fdt_bootargs(arch_info.fdt), "run", &run))
		run_option();
	if (!log_console()) {
		log_error("shell: there is no console");
		power_off(EXIT_NO_SHELL);
	}
	prompt_loop();
}

/* run="cmd; cmd": never returns. */
static void run_option(void)
{
	static char line[LINE_LEN];
	struct bootarg run;
	int status;

	bootargs_find(fdt_bootargs(arch_info.fdt), "run", &run);
	if (bootarg_value(&run, line, sizeof(line)) >= sizeof(line)) {
		log_error("shell: run= has more than %d characters", LINE_LEN - 1);
		power_off(EXIT_COMMAND);
	}
	log_info("shell: run=\"%s\"", line);
	status = shell_run_line(line);
	log_info("shell: %s", status ? "a command failed" : "all commands succeeded");
	power_off(status);
}

/* What draws the line that is being edited. The shell's thread alone. */
static struct {
	bool taken; /* what the editor prints goes in here */
	size_t len; /* may be more than there is room for */
	char text[CONSOLE_FRONT_MAX];
} drawing;

/* Lines of the log may come: the one that is being edited stays the last one of the terminal. */
static void stand_in_front(struct lineedit *le)
{
	drawing.len = 0;
	drawing.taken = true;
	lineedit_show(le);
	drawing.taken = false;
	console_set_front(drawing.text, drawing.len);
}

static void start_line(struct lineedit *le)
{
	console_set_front("", 0);
	lineedit_start(le);
}

static void prompt_loop(void)
{
	static const struct lineedit_ops ops = {edit_output, edit_complete};
	static struct lineedit le;
	char input[32];

	shell_printf("Type `help` for the commands.\n");
	lineedit_init(&le, PROMPT, &ops, NULL);
	start_line(&le);
	for (;;) {
		int n;

		stand_in_front(&le);
		n = tty_read(input, sizeof(input));
		console_set_front("", 0);
		for (int i = 0; i < n; i++) {
			enum lineedit_event event = lineedit_key(&le, input[i]);

			if (event == LINEEDIT_MORE)
				continue;
			if (event == LINEEDIT_LINE)
				shell_run_line(le.line);
			else if (event == LINEEDIT_EOF)
				shell_printf("`poweroff` ends the system.\n");
			start_line(&le);
		}
	}
}

/* One command. 0 or the status of run=. */
static int run_one(char *text)
{
	const struct shell_command *command;
	char *argv[WORDS_MAX];
	int argc = parse_words(text, argv, WORDS_MAX), result;

	if (argc == 0)
		return 0;
	if (argc < 0) {
		shell_complain(argc == -E2BIG
				? "shell: more than %d words"
				: "shell: a quote is not closed (of %d words at most)",
			WORDS_MAX);
		return EXIT_COMMAND;
	}
	command = find_command(argv[0]);
	if (!command) {
		shell_complain("%s: no such command; `help` lists them", argv[0]);
		return EXIT_COMMAND;
	}
	tty_clear_break();
	result = command->fn(argc, argv);
	if (result > 0)
		return result;
	if (result < 0 && result != -EINVAL)
		shell_complain("%s: failed (error %d)", argv[0], -result);
	return result ? EXIT_COMMAND : 0;
}

/* The text up to the next ';' outside of quotes; NULL at the end. */
static char *cut_command(char **rest)
{
	char *begin = *rest, *p = begin, quote = '\0';

	if (!begin)
		return NULL;
	for (; *p; p++) {
		if (quote) {
			if (*p == '\\' && quote == '"' && p[1])
				p++;
			else if (*p == quote)
				quote = '\0';
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else if (*p == '\\' && p[1]) {
			p++;
		} else if (*p == ';') {
			break;
		}
	}
	*rest = *p ? p + 1 : NULL;
	*p = '\0';
	return begin;
}

static const struct shell_command *find_command(const char *name)
{
	linkset_for_each(shell_command, const struct shell_command, c)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void edit_output(void *ctx unused_arg, const char *text, size_t n)
{
	if (!drawing.taken) {
		console_write(text, n);
		return;
	}
	if (drawing.len < sizeof(drawing.text))
		memcpy(drawing.text + drawing.len, text,
			MIN(n, sizeof(drawing.text) - drawing.len));
	drawing.len += n;
}

static const char *edit_complete(
	void *ctx unused_arg, const char *line, size_t start, size_t end, unsigned i)
{
	return shell_complete_word(line, start, line + start, end - start, i);
}

static int cmd_help(int argc, char **argv)
{
	const struct shell_command *c;

	if (shell_max_args(argc, argv, 2))
		return -EINVAL;
	if (argc == 2) {
		c = find_command(argv[1]);
		if (!c)
			return shell_complain("help: no command %s", argv[1]);
		shell_printf("%s: %s\n", c->usage, c->help);
		return 0;
	}
	linkset_for_each_by_name(shell_command, const struct shell_command, i)
		shell_printf("  %-28s %s\n", i->usage, i->help);
	return 0;
}
SHELL_COMMAND(help, "help [COMMAND]", "lists the commands", cmd_help);
