/* SPDX-License-Identifier: MIT */
/*
 * Harts as pthreads, for the thread sanitizer (machine.h). The program ends with status 0 only if
 * all it promises held in every case; the sanitizer ends it at the first race.
 *
 * usage: PROGRAM CASES ROUNDS SEED
 */
/* First: libc has macros named like enumerators of the kernel. */
#include "tests/verify/machine.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct side {
	atomic_u32 pending; /* the software interrupt's bit; a futex */
	uint64_t random;
} __attribute__((aligned(64))) sides[HARTS];
static __thread unsigned own_index;
static pthread_barrier_t start;

unsigned backend_index(void)
{
	return own_index;
}

unsigned backend_random(unsigned n)
{
	struct side *s = &sides[own_index];

	s->random = s->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(s->random >> 33) % n;
}

/* Now and then away from the host core, where another hart could come between two steps. */
void backend_pause(void)
{
	if (backend_random(4) == 0)
		sched_yield();
}

void backend_send(unsigned to)
{
	/* seq_cst, here and below: the sender's earlier stores are seen by whoever clears it. */
	if (!atomic_xchg_u32(&sides[to].pending, 1, seq_cst))
		syscall(SYS_futex, &sides[to].pending.v, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool backend_knows_fences(void)
{
	return false;
}

bool backend_clear(void)
{
	backend_pause();
	return atomic_xchg_u32(&sides[own_index].pending, 0, seq_cst);
}

bool backend_pending(void)
{
	return atomic_load_u32(&sides[own_index].pending, relaxed);
}

void backend_wait(void)
{
	struct side *s = &sides[own_index];

	backend_pause();
	while (!atomic_load_u32(&s->pending, relaxed))
		syscall(SYS_futex, &s->pending.v, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

void backend_fail(const char *text)
{
	fprintf(stderr, "case %u: %s\n", vm_case, text);
	_exit(1);
}

void vm_scribble(void *p, size_t n)
{
	memset(p, 0x5a, n);
}

static void *run(void *arg)
{
	own_index = (unsigned)(uintptr_t)arg;
	pthread_barrier_wait(&start);
	vm_run_hart(own_index);
	return NULL;
}

static void one_case(void)
{
	pthread_t threads[HARTS];

	vm_init();
	pthread_barrier_init(&start, NULL, HARTS);
	for (uintptr_t i = 0; i < HARTS; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)i))
			backend_fail("no thread");
	for (unsigned i = 0; i < HARTS; i++)
		pthread_join(threads[i], NULL);
	program_check();
}

int main(int argc, char **argv)
{
	unsigned cases = argc > 3 ? (unsigned)atoi(argv[1]) : 0;

	if (!cases)
		return 2;
	vm_rounds = (unsigned)atoi(argv[2]);
	/* A process for each case, so that each begins with a fresh image. */
	for (; vm_case < cases; vm_case++) {
		int status;
		pid_t child;

		for (unsigned i = 0; i < HARTS; i++)
			sides[i].random = (uint64_t)atoi(argv[3]) + vm_case * HARTS + i;
		child = fork();
		if (child == 0) {
			one_case();
			exit(0);
		}
		waitpid(child, &status, 0);
		if (status)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
	}
	printf("runs: %u\n", cases);
	return 0;
}
