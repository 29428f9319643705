/* SPDX-License-Identifier: MIT */
/*
 * What plugs into the shell: commands, crashes, stress programs and benches, each one descriptor in
 * a link set.
 *
 *	SHELL_COMMAND(uptime, "uptime", "time since boot", cmd_uptime);
 *
 * A command gets its words (argv[0] is its name), runs in the shell's thread, may sleep, and
 * returns 0 or an error: -EINVAL says the arguments made no sense (the command said which, in one
 * line), any other non-zero value that it failed. An EXIT_* status greater than 0 becomes the
 * status of run=.
 */
#ifndef KERNEL_SHELL_COMMAND_H
#define KERNEL_SHELL_COMMAND_H

#include "kernel/abi/exit.h"
#include "lib/linkset.h"
#include "lib/types.h"

struct shell_command {
	const char *name, *usage, *help;
	int (*fn)(int argc, char **argv);
	/* Completes the word after the command: the i-th candidate or NULL. May be NULL. */
	const char *(*complete)(unsigned i);
};

#define SHELL_COMMAND_COMPLETE(name_, usage_, help_, fn_, complete_) \
	static const struct shell_command shell_command_##name_ = { \
		#name_, usage_, help_, fn_, complete_}; \
	LINKSET_ADD(shell_command, struct shell_command, shell_command_##name_)
#define SHELL_COMMAND(name_, usage_, help_, fn_) \
	SHELL_COMMAND_COMPLETE(name_, usage_, help_, fn_, NULL)

/*
 * `crash NAME`: fn does something fatal; it returns only if that was not noticed. `expect_` is the
 * EXIT_* status that it ends with, or CRASH_KILLS_THREAD: then fn runs in a thread of its own,
 * which is killed while the system goes on. `name_` is a string, `id_` the descriptor's. CRASH_IF:
 * where this configuration has what notices it.
 */
#define CRASH_KILLS_THREAD EXIT_OK
struct crash {
	const char *name, *help;
	enum exit_status expect;
	bool offered;
	void (*fn)(void);
};
#define CRASH_IF(offered_, id_, name_, help_, expect_, fn_) \
	static const struct crash crash_desc_##id_ = {name_, help_, expect_, offered_, fn_}; \
	LINKSET_ADD(crash, struct crash, crash_desc_##id_)
#define CRASH(id_, name_, help_, expect_, fn_) CRASH_IF(true, id_, name_, help_, expect_, fn_)

/*
 * `stress NAME [seconds]`: works for about that long or until shell_interrupted(), checks the data
 * that it worked on and returns 0, or -Exxx after having said what was wrong.
 */
struct stress {
	const char *name, *help;
	int (*fn)(unsigned seconds);
};
#define STRESS(name_, help_, fn_) \
	static const struct stress stress_desc_##name_ = {#name_, help_, fn_}; \
	LINKSET_ADD(stress, struct stress, stress_desc_##name_)

/* `bench [NAME [ARG ...]]`: argv[0] is its name; prints its own lines; returns 0 or -Exxx. */
struct bench {
	const char *name, *help;
	int (*fn)(int argc, char **argv);
};
#define BENCH(name_, help_, fn_) \
	static const struct bench bench_desc_##name_ = {#name_, help_, fn_}; \
	LINKSET_ADD(bench, struct bench, bench_desc_##name_)

/* Output of commands. Thread. */
void shell_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* One line "NAME: text", for complaints; returns -EINVAL. */
int shell_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ctrl-C was typed since the command began: long ones end early. */
bool shell_interrupted(void);
/* Sleeps until a byte comes in; how many were put into buf. Thread, may sleep. */
int tty_read(char *buf, size_t n);

/* Runs one line of commands separated by ';'. 0, or the status of the first that failed. */
int shell_run_line(const char *line);
/* Starts the shell's thread: run= or the prompt. Boot, after all drivers. */
void shell_start(void);

#endif
