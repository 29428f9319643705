// SPDX-License-Identifier: MIT
//
// Harts as fibers of relacy (machine.h).
//
// gcc's -fsanitize=thread turns each access of the kernel's objects into a call. Here these calls
// are answered by relacy: an atomic one by an object with relacy's history of values and its vector
// clocks, a plain one by relacy's rule for plain variables, byte by byte. So the kernel's sources
// and its kernel/lock/atomic_host.h run under relacy's memory model as they are.
//
// What a plain variable's byte and an atomic share: an atomic access counts as a plain read of its
// first byte, so that memory which is given to another use too early shows as a data race, and a
// plain write to an atomic makes it a new one.
//
// The image's data are put back before each execution (between __start_kdata and __stop_kdata,
// where the link puts them). Executions differ by their number alone.
//
// usage: PROGRAM EXECUTIONS ROUNDS [FIRST]
#define RL_DO_ASSERT 1
#include <relacy/relacy.hpp>
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern "C" {
void vm_init(void);
void vm_deliver(void);
void vm_run_hart(unsigned index);
void program_check(void);
extern unsigned vm_rounds, vm_case;
extern bool vm_amo_is_fence;

extern char __start_kdata[], __stop_kdata[];
}

namespace {

typedef rl::atomic_data_impl<HARTS> atomic_impl;
typedef rl::var_data_impl<HARTS> plain_impl;

// An atomic that the kernel uses: value by value what relacy's history names.
struct cell {
	uint64_t history[rl::atomic_history_size];
	uint64_t value; // the newest
	alignas(16) char data[sizeof(atomic_impl)];

	atomic_impl *impl()
	{
		return reinterpret_cast<atomic_impl *>(data);
	}
};

struct byte {
	alignas(8) char data[sizeof(plain_impl)];

	plain_impl *impl()
	{
		return reinterpret_cast<plain_impl *>(data);
	}
};

// Memory by address, emptied by counting `execution` up.
template <typename T, unsigned SIZE> struct shadow {
	struct slot {
		uintptr_t at;
		unsigned execution;
		T t;
	};
	slot *slots;
	unsigned used, last_execution;

	slot *find(uintptr_t at, unsigned execution)
	{
		unsigned i = (unsigned)((at * 0x9e3779b97f4a7c15u) >> 40) % SIZE;

		if (last_execution != execution)
			last_execution = execution, used = 0;
		while (slots[i].execution == execution && slots[i].at != at)
			i = (i + 1) % SIZE;
		return &slots[i];
	}

	void claim(slot *s, uintptr_t at, unsigned execution)
	{
		if (++used > SIZE / 2)
			fprintf(stderr, "shadow memory is full\n"), abort();
		s->at = at;
		s->execution = execution;
	}
};

shadow<cell, 1u << 12> cells;
shadow<byte, 1u << 16> bytes;
unsigned execution;
bool alone = true; // before or after the harts run
bool spurious;	   // in this execution sleeps may end for no reason
char failure[320];
uint64_t random_state;

// The software interrupt's bits, and who sleeps until one is set.
struct pending {
	bool set;
	rl::sync_var<HARTS> order;
	rl::waitset<HARTS> waiting;
} pendings[HARTS];

rl::context &context()
{
	return rl::ctx();
}

rl::thread_info_base &self()
{
	return *context().threadx_;
}

void note(const char *fmt, ...)
{
	char text[200];
	va_list args;

	if (!context().collecting_history())
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	context().exec_log_msg(RL_INFO, text);
}

void race(uintptr_t at, const char *what, void *pc)
{
	snprintf(failure, sizeof(failure), "data race: %s of %#lx at %p", what, (unsigned long)at, pc);
	context().fail_test(failure, rl::test_result_data_race, RL_INFO);
}

plain_impl *plain(uintptr_t at)
{
	auto *s = bytes.find(at, execution);

	if (s->execution != execution) {
		bytes.claim(s, at, execution);
		new (s->t.data) plain_impl();
	}
	return s->t.impl();
}

void plain_read(const void *p, size_t n, void *pc)
{
	if (alone)
		return;
	for (uintptr_t at = (uintptr_t)p; at < (uintptr_t)p + n; at++)
		if (!plain(at)->load(self()))
			race(at, "read", pc);
}

void plain_write(const void *p, size_t n, void *pc)
{
	if (alone)
		return;
	for (uintptr_t at = (uintptr_t)p; at < (uintptr_t)p + n; at++) {
		if (!plain(at)->store(self()))
			race(at, "write", pc);
		if (at % 4)
			continue;
		auto *s = cells.find(at, execution);
		if (s->execution == execution)
			s->at = 1; // no address: it is an atomic no more
	}
}

template <typename T> cell &atomic_at(const T *p, void *pc)
{
	auto *s = cells.find((uintptr_t)p, execution);

	if (s->execution != execution) {
		cells.claim(s, (uintptr_t)p, execution);
		atomic_impl *impl = new (s->t.data) atomic_impl();
		unsigned index = self().atomic_init(impl);
		for (unsigned i = 0; i < HARTS; i++)
			impl->history_[index].first_seen_order_[i] = (rl::timestamp_t)-1;
		s->t.value = s->t.history[index] = (uint64_t)*p;
	}
	if (!plain((uintptr_t)p)->load(self()))
		race((uintptr_t)p, "atomic access", pc);
	return s->t;
}

void step()
{
	context().sched();
	vm_deliver();
}

const char *const order_names[] = {"relaxed", "consume", "acquire", "release", "acq_rel",
	"seq_cst"};

template <typename T> T load(const T *p, int order, void *pc)
{
	unsigned index;

	if (alone)
		return *p;
	step();
	cell &c = atomic_at(p, pc);
	if (order == __ATOMIC_RELAXED)
		index = self().atomic_load_relaxed(c.impl());
	else if (order == __ATOMIC_SEQ_CST)
		index = self().atomic_load_seq_cst(c.impl());
	else
		index = self().atomic_load_acquire(c.impl());
	note("%p: load %s %p: %#lx%s", pc, order_names[order], (const void *)p,
		(unsigned long)c.history[index], c.history[index] == c.value ? "" : " (old)");
	return (T)c.history[index];
}

template <typename T> void store(T *p, T v, int order, void *pc)
{
	unsigned index;

	if (alone) {
		*p = v;
		return;
	}
	step();
	cell &c = atomic_at(p, pc);
	if (order == __ATOMIC_RELAXED)
		index = self().atomic_store_relaxed(c.impl());
	else if (order == __ATOMIC_SEQ_CST)
		index = self().atomic_store_seq_cst(c.impl());
	else
		index = self().atomic_store_release(c.impl());
	c.value = c.history[index] = (uint64_t)v;
	*p = v;
	note("%p: store %s %p: %#lx", pc, order_names[order], (void *)p, (unsigned long)v);
}

unsigned rmw_index(cell &c, int order)
{
	bool aba;

	switch (order) {
	case __ATOMIC_RELAXED:
		return self().atomic_rmw_relaxed(c.impl(), aba);
	case __ATOMIC_RELEASE:
		return self().atomic_rmw_release(c.impl(), aba);
	case __ATOMIC_ACQ_REL:
		return self().atomic_rmw_acq_rel(c.impl(), aba);
	case __ATOMIC_SEQ_CST:
		return self().atomic_rmw_seq_cst(c.impl(), aba);
	default:
		return self().atomic_rmw_acquire(c.impl(), aba);
	}
}

template <typename T, typename F> T rmw(T *p, int order, void *pc, F changed)
{
	T old = *p;

	if (alone) {
		*p = changed(old);
		return old;
	}
	step();
	bool fence = vm_amo_is_fence && order == __ATOMIC_ACQ_REL;
	if (fence)
		context().atomic_thread_fence_seq_cst();
	cell &c = atomic_at(p, pc);
	old = (T)c.value;
	*p = changed(old);
	unsigned index = rmw_index(c, order);
	c.value = c.history[index] = (uint64_t)*p;
	if (fence)
		context().atomic_thread_fence_seq_cst();
	note("%p: change %s %p: %#lx -> %#lx", pc, order_names[order], (void *)p,
		(unsigned long)old, (unsigned long)*p);
	return old;
}

template <typename T> bool cas(T *p, T *expected, T v, int order, int failed, void *pc)
{
	if (alone) {
		bool same = *p == *expected;

		(same ? *p : *expected) = same ? v : *p;
		return same;
	}
	step();
	cell &c = atomic_at(p, pc);
	T old = (T)c.value;
	note("%p: cas %s %p: %#lx, wanted %#lx -> %#lx", pc, order_names[order], (void *)p,
		(unsigned long)old, (unsigned long)*expected, (unsigned long)v);
	if (old != *expected) {
		if (failed == __ATOMIC_RELAXED)
			self().atomic_load_relaxed_rmw(c.impl());
		else if (failed == __ATOMIC_SEQ_CST)
			self().atomic_load_seq_cst_rmw(c.impl());
		else
			self().atomic_load_acquire_rmw(c.impl());
		*expected = old;
		return false;
	}
	unsigned index = rmw_index(c, order);
	c.value = c.history[index] = (uint64_t)v;
	*p = v;
	return true;
}

} // namespace

// ---- What -fsanitize=thread calls -----------------------------------------------------------

#define PC __builtin_return_address(0)

#define PLAIN(n) \
	void __tsan_read##n(void *p) { plain_read(p, n, PC); } \
	void __tsan_write##n(void *p) { plain_write(p, n, PC); } \
	void __tsan_unaligned_read##n(void *p) { plain_read(p, n, PC); } \
	void __tsan_unaligned_write##n(void *p) { plain_write(p, n, PC); }

#define ATOMIC(bits, type) \
	type __tsan_atomic##bits##_load(const type *p, int mo) { return load(p, mo, PC); } \
	void __tsan_atomic##bits##_store(type *p, type v, int mo) { store(p, v, mo, PC); } \
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

void __tsan_read_range(void *p, size_t n) { plain_read(p, n, PC); }
void __tsan_write_range(void *p, size_t n) { plain_write(p, n, PC); }
void __tsan_func_entry(void *) {}
void __tsan_func_exit(void) {}
void __tsan_init(void) {}

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
	// Not relacy's, whose low bits repeat: a loop that asks twice could get one answer for ever.
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
