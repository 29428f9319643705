// SPDX-License-Identifier: MIT
//
// The kernel's memory under relacy (machine_relacy.cc): an atomic is an object with relacy's
// history of values and its vector clocks, everything else goes byte by byte by relacy's rule for
// plain variables.
//
// What a plain variable's byte and an atomic share: an atomic access counts as a plain read of its
// first byte, so that memory which is given to another use too early shows as a data race, and a
// plain write to an atomic makes it a new one.
//
// Both are found by their addresses; all of it is forgotten when `execution` counts up. While
// `alone` is set nothing is looked at. Harts are fibers, so nothing here is locked.
#ifndef TESTS_VERIFY_RELACY_MEMORY_HH
#define TESTS_VERIFY_RELACY_MEMORY_HH

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
void vm_deliver(void);
extern bool vm_amo_is_fence;
}

namespace
{

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
char failure[320];

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
	snprintf(failure, sizeof(failure), "data race: %s of %#lx at %p", what, (unsigned long)at,
		pc);
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

const char *const order_names[] = {
	"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};

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

#endif
