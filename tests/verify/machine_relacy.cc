// SPDX-License-Identifier: MIT
//
// Harts as fibers of relacy (machine.h).
//
// gcc's -fsanitize=thread turns each access of the kernel's objects into a call. Here these calls
// are answered by relacy (relacy_memory.hh). So the kernel's sources and its
// kernel/lock/atomic_host.h run under relacy's memory model as they are.
//
// The image's data are put back before each execution (between __start_kdata and __stop_kdata,
// where the link puts them). Executions differ by their number alone.
//
// usage: PROGRAM EXECUTIONS ROUNDS [FIRST]
#include "tests/verify/relacy_memory.hh"

extern "C" {
void vm_init(void);
void vm_run_hart(unsigned index);
void program_check(void);
extern unsigned vm_rounds, vm_case;

extern char __start_kdata[], __stop_kdata[];
}

namespace
{

bool spurious; // in this execution sleeps may end for no reason
uint64_t random_state;

// The software interrupt's bits, and who sleeps until one is set.
struct pending {
	bool set;
	rl::sync_var<HARTS> order;
	rl::waitset<HARTS> waiting;
} pendings[HARTS];

} // namespace

// ---- What -fsanitize=thread calls -----------------------------------------------------------

#define PC __builtin_return_address(0)

#define PLAIN(n) \
	void __tsan_read##n(void *p) \
	{ \
		plain_read(p, n, PC); \
	} \
	void __tsan_write##n(void *p) \
	{ \
		plain_write(p, n, PC); \
	} \
	void __tsan_unaligned_read##n(void *p) \
	{ \
		plain_read(p, n, PC); \
	} \
	void __tsan_unaligned_write##n(void *p) \
	{ \
		plain_write(p, n, PC); \
	}

#define ATOMIC(bits, type) \
	type __tsan_atomic##bits##_load(const type *p, int mo) \
	{ \
		return load(p, mo, PC); \
	} \
	void __tsan_atomic##bits##_store(type *p, type v, int mo) \
	{ \
		store(p, v, mo, PC); \
	} \
	type __tsan_atomic##bits##_exchange(type *p, type v, int mo) \
	{ \
		return rmw(p, mo, PC, [v](type) { return v; }); \
	} \
	type __tsan_atomic##bits##_fetch_add(type *p, type v, int mo) \
	{ \
		return rmw(p, mo, PC, [v](type old) { return (type)(old + v); }); \
	} \
	type __tsan_atomic##bits##_fetch_or(type *p, type v, int mo) \
	{ \
		return rmw(p, mo, PC, [v](type old) { return (type)(old | v); }); \
	} \
	type __tsan_atomic##bits##_fetch_and(type *p, type v, int mo) \
	{ \
		return rmw(p, mo, PC, [v](type old) { return (type)(old & v); }); \
	} \
	bool __tsan_atomic##bits##_compare_exchange_strong( \
		type *p, type *expected, type v, int mo, int failed) \
	{ \
		return cas(p, expected, v, mo, failed, PC); \
	}

extern "C" {

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_read_range(void *p, size_t n)
{
	plain_read(p, n, PC);
}
void __tsan_write_range(void *p, size_t n)
{
	plain_write(p, n, PC);
}
void __tsan_func_entry(void *)
{
}
void __tsan_func_exit(void)
{
}
void __tsan_init(void)
{
}

void __tsan_atomic_thread_fence(int mo)
{
	if (alone)
		return;
	step();
	note("%p: fence %s", PC, order_names[mo]);
	if (mo == __ATOMIC_SEQ_CST)
		context().atomic_thread_fence_seq_cst();
	else if (mo == __ATOMIC_ACQ_REL)
		context().atomic_thread_fence_acq_rel();
	else if (mo == __ATOMIC_RELEASE)
		context().atomic_thread_fence_release();
	else
		context().atomic_thread_fence_acquire();
}

// ---- What the machine asks for --------------------------------------------------------------

unsigned backend_index(void)
{
	return alone ? 0 : self().index_;
}

unsigned backend_random(unsigned n)
{
	// Not relacy's, whose low bits repeat: a loop that asks twice could get one answer for
	// ever.
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % n;
}

void backend_pause(void)
{
	if (!alone)
		context().yield(1, RL_INFO);
}

void backend_send(unsigned to)
{
	context().sched();
	note("interrupt to hart %u", to);
	pendings[to].order.release(&self());
	if (!pendings[to].set) {
		pendings[to].set = true;
		pendings[to].waiting.unpark_all(context(), RL_INFO);
	}
}

bool backend_knows_fences(void)
{
	return true;
}

bool backend_clear(void)
{
	struct pending &p = pendings[self().index_];
	bool was;

	context().sched();
	was = p.set;
	note("interrupt %s", was ? "cleared" : "was clear");
	p.set = false;
	p.order.acquire(&self());
	return was;
}

bool backend_pending(void)
{
	return !alone && pendings[self().index_].set;
}

void backend_wait(void)
{
	struct pending &p = pendings[self().index_];

	context().sched();
	// Half of the executions have sleeps that end for no reason, half have none that could hide
	// a wake-up that was lost.
	if (!p.set)
		p.waiting.park_current(context(), false, spurious, false, RL_INFO);
}

void backend_fail(const char *text)
{
	snprintf(failure, sizeof(failure), "%s", text);
	context().fail_test(failure, rl::test_result_user_assert_failed, RL_INFO);
	abort();
}

void vm_scribble(void *p, size_t n)
{
	plain_write(p, n, PC);
	memset(p, 0x5a, n);
}
}

// ---- The executions -------------------------------------------------------------------------

static char *fresh;
static unsigned rounds;

struct program : rl::test_suite<program, HARTS> {
	void before()
	{
		memcpy(__start_kdata, fresh, (size_t)(__stop_kdata - __start_kdata));
		execution++;
		alone = true;
		for (auto &p : pendings) {
			p.set = false;
			p.order.iteration_begin();
			new (&p.waiting) rl::waitset<HARTS>();
		}
		vm_rounds = rounds;
		random_state = 0x9e3779b97f4a7c15u *
			(context().rand(1u << 15, rl::sched_type_user) + 1);
		random_state += context().rand(1u << 15, rl::sched_type_user);
		vm_case = backend_random(1u << 20);
		spurious = backend_random(2);
		vm_init();
		alone = false;
	}

	void thread(unsigned index)
	{
		vm_run_hart(index);
	}

	void after()
	{
		alone = true;
		program_check();
	}
};

int main(int argc, char **argv)
{
	rl::test_params params;
	std::ostream nowhere(nullptr);
	size_t size = (size_t)(__stop_kdata - __start_kdata);

	if (argc < 3)
		return 2;
	fresh = (char *)malloc(size);
	memcpy(fresh, __start_kdata, size);
	cells.slots = (decltype(cells.slots))calloc(1u << 12, sizeof(*cells.slots));
	bytes.slots = (decltype(bytes.slots))calloc(1u << 16, sizeof(*bytes.slots));
	rounds = (unsigned)atoi(argv[2]);
	params.iteration_count = (unsigned)atoi(argv[1]);
	params.execution_depth_limit = 200000;
	// No stream that allocates: operator new is relacy's.
	params.output_stream = &std::cout;
	params.progress_stream = &nowhere;
	bool good = rl::simulate<program>(params);
	if (good) {
		printf("executions: %u\n", (unsigned)params.iteration_count);
		return 0;
	}
	std::cout.flush();
	printf("execution %u: %s (%s)\n", (unsigned)params.stop_iteration,
		rl::test_result_str(params.test_result), failure);
	return 1;
}
