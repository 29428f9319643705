/* SPDX-License-Identifier: MIT */
/* pthreads as harts (harts.h). */
#include "tests/host/harts.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/assert.h"
#include "tests/host/harness.h"

#define HARTID_OF(index) ((index) * 3 + 100)

struct host_hart {
	struct lock_hart lock; /* FIRST: host_tp */
	struct lock_thread thread;
	atomic_u32 pending; /* the software interrupt's bit; a futex */
	uint64_t random;
	pthread_t pthread;
};

static struct host_hart hosts[HOST_HARTS_MAX];
static unsigned nr_hosts;
static atomic_u32 nr_ipis;
static void (*body)(unsigned index);
static pthread_barrier_t start;

void harts_init(unsigned n)
{
	for (; nr_hosts < n; nr_hosts++) {
		struct host_hart *h = &hosts[nr_hosts];

		h->lock.thread = &h->thread;
		h->thread.handle = (nr_hosts + 1) << 2;
		h->random = host_seed() + nr_hosts;
		lock_hart_register(&h->lock, nr_hosts, HARTID_OF(nr_hosts));
	}
	if (!host_tp)
		host_tp = &hosts[0];
}

static void *run(void *arg)
{
	struct host_hart *h = arg;

	host_tp = h;
	host_irq_on = true;
	pthread_barrier_wait(&start);
	body(h->lock.index);
	assert(h->lock.irq_depth == 0 && host_irq_on);
	return NULL;
}

void harts_run(unsigned n, void (*fn)(unsigned index))
{
	assert(n <= nr_hosts);
	alarm(600);
	body = fn;
	pthread_barrier_init(&start, NULL, n);
	for (unsigned i = 0; i < n; i++)
		assert(!pthread_create(&hosts[i].pthread, NULL, run, &hosts[i]));
	for (unsigned i = 0; i < n; i++)
		pthread_join(hosts[i].pthread, NULL);
	alarm(0);
}

uint32_t hart_random(void)
{
	struct host_hart *h = host_tp;

	h->random = h->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(h->random >> 33);
}

uint32_t harts_ipis(void)
{
	return atomic_load_u32(&nr_ipis, relaxed);
}

static void make_pending(struct host_hart *h)
{
	/* seq_cst: the sender's earlier stores are seen by whoever clears the bit. */
	if (!atomic_xchg_u32(&h->pending, 1, seq_cst))
		syscall(SYS_futex, &h->pending.v, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void hart_make_noise(void)
{
	if (hart_random() % 64 == 0)
		make_pending(&hosts[hart_random() % nr_hosts]);
}

void arch_ipi_send_hart(uintptr_t hartid)
{
	unsigned index = (unsigned)(hartid - 100) / 3;

	assert(index < nr_hosts && HARTID_OF(index) == hartid);
	atomic_add_u32(&nr_ipis, 1, relaxed);
	make_pending(&hosts[index]);
}

void arch_ipi_self(void)
{
	make_pending(host_tp);
}

/* Now and then away from the host core, where another hart could come between two steps. */
static void falter(void)
{
	if (hart_random() % 4 == 0)
		sched_yield();
}

bool arch_ipi_clear(void)
{
	struct host_hart *h = host_tp;

	falter();
	return atomic_xchg_u32(&h->pending, 0, seq_cst);
}

bool arch_ipi_pending(void)
{
	struct host_hart *h = host_tp;

	return atomic_load_u32(&h->pending, seq_cst);
}

void arch_wait_ipi(unused_arg bool timer)
{
	struct host_hart *h = host_tp;

	assert(!host_irq_on);
	falter();
	while (!atomic_load_u32(&h->pending, seq_cst))
		syscall(SYS_futex, &h->pending.v, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

unsigned arch_backtrace(unused_arg const void *fp, unused_arg uintptr_t *pcs, unused_arg unsigned n)
{
	return 0;
}
