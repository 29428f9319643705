/* SPDX-License-Identifier: MIT */
/* Stacks: guard pages of every kind, lookup, high-water marks, reuse; and W^X everywhere. */
#include "kernel/hart/hart.h"
#include "kernel/mm/page.h"
#include "kernel/mm/stack.h"
#include "kernel/mm/vmap.h"
#include "kernel/task/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

/* Mapped, read and write, not to be executed; the page below is not there at all. */
static void must_be_guarded(uintptr_t base, uintptr_t top, const char *what)
{
	phys_t pa;

	ktest_check(base && base < top && base % PAGE_SIZE == 0, "%s: 0x%lx..0x%lx", what,
		(unsigned long)base, (unsigned long)top);
	for (uintptr_t va = base; va < top; va += PAGE_SIZE)
		ktest_check(arch_kquery(va, &pa) == (ARCH_PROT_READ | ARCH_PROT_WRITE), "%s: 0x%lx",
			what, (unsigned long)va);
	ktest_check(arch_kquery(base - PAGE_SIZE, &pa) == -EFAULT, "%s: no guard below 0x%lx", what,
		(unsigned long)base);
	ktest_check(arch_kquery(base - 1, &pa) == -EFAULT, "%s: guard's last byte", what);
}

KTEST(mm_stack, every_stack_has_a_guard_page)
{
	struct stack_info s;
	unsigned n = 0;

	for (unsigned i = 0; stack_iterate(i, &s); i++) {
		if (!s.stack.base || !s.in_use)
			continue;
		must_be_guarded(s.stack.base, s.stack.top, s.name);
		n++;
	}
	ktest_check(n >= ktest_harts(), "%u stacks", n);
	for_each_hart(h) {
		if (!hart_is_online(h))
			continue;
		must_be_guarded(h->arch.irq.base, h->arch.irq.top, "interrupt stack");
		must_be_guarded(h->arch.emergency.base, h->arch.emergency.top, "emergency stack");
		must_be_guarded(h->arch.boot.base, h->arch.boot.top, "boot and idle stack");
	}
}

KTEST(mm_stack, lookup_tells_stack_from_guard_from_nothing)
{
	struct stack s;
	struct stack_info found;

	ktest_require(stack_alloc_named(&s, 2, "ktest") == 0, "no stack");
	ktest_check(stack_lookup(s.base, &found) == STACK_INSIDE, "its first byte");
	ktest_check(!strcmp(found.name, "ktest"), "its name");
	ktest_check(stack_lookup(s.top - 1, &found) == STACK_INSIDE, "its last byte");
	ktest_check(found.stack.base == s.base && found.stack.top == s.top, "its bounds");
	ktest_check(stack_lookup(s.base - 1, &found) == STACK_GUARD, "the guard's last byte");
	ktest_check(stack_lookup(s.base - PAGE_SIZE, &found) == STACK_GUARD, "its first one");
	ktest_check(stack_lookup(s.top, &found) == STACK_NONE, "behind its end");
	stack_free(&s);
	ktest_check(stack_lookup(0, &found) == STACK_NONE, "address 0");
	ktest_check(stack_lookup((uintptr_t)-1, &found) == STACK_NONE, "the last address");
	ktest_check(stack_alloc(&s, 0) == -EINVAL, "no pages");
	ktest_check(stack_alloc(&s, 100000) == -EINVAL, "too many pages");
}

KTEST(mm_stack, the_deepest_use_is_remembered_and_forgotten_on_reuse)
{
	struct stack a, b;
	uintptr_t base;

	ktest_require(stack_alloc_near(&a, 3, "ktest", 0) == 0, "no stack");
	base = a.base;
	ktest_check(stack_high_water(&a) == 0, "fresh: %zu", stack_high_water(&a));
	*(uintptr_t *)(a.top - 5000) = 1;
	*(uintptr_t *)(a.top - 100) = 1;
	ktest_check(stack_high_water(&a) == 5000, "used: %zu", stack_high_water(&a));
	stack_free(&a);
	ktest_require(stack_alloc_near(&b, 3, "ktest", 0) == 0, "no stack");
	ktest_check(b.base == base, "the kept one is used again");
	ktest_check(stack_high_water(&b) == 0, "reused: %zu", stack_high_water(&b));
	stack_free(&b);
}

KTEST(mm_stack, generations_never_go_back)
{
	struct stack s[4];
	uint64_t last = 0;

	stack_trim();
	for (unsigned i = 0; i < 4; i++) {
		ktest_require(stack_alloc(&s[i], 1) == 0, "no stack");
		ktest_check(s[i].generation > last, "stack %u", i);
		last = s[i].generation;
	}
	ktest_check(stack_generation() >= last, "the latest is the greatest");
	for (unsigned i = 0; i < 4; i++)
		stack_free(&s[i]);
}

/* Calls itself until 9000 bytes are in use. */
static uintptr_t __attribute__((noinline)) go_down(uintptr_t from)
{
	char block[512];
	uintptr_t here = (uintptr_t)block;

	/* The compiler cannot know what becomes of the block, so it has to be there. */
	block[0] = 1;
	__asm__ volatile("" : : "r"(block) : "memory");
	if (from - here <= 9000)
		here = go_down(from);
	__asm__ volatile("" : : "r"(block) : "memory");
	return here;
}

static void deep_thread(void *arg)
{
	*(uintptr_t *)arg = go_down((uintptr_t)__builtin_frame_address(0));
}

KTEST(mm_stack, a_thread_s_depth_shows)
{
	struct thread *t;
	uintptr_t deepest = 0;
	struct stack_info s;
	size_t used = 0, seen = 0;

	/* The stack is kept, painted as it was left, when the thread is gone. */
	t = thread_spawn("deep", deep_thread, &deepest);
	ktest_require(t, "no thread");
	thread_join(t, NULL);
	thread_settle();
	for (unsigned i = 0; stack_usage(i, &s, &used); i++)
		if (deepest >= s.stack.base && deepest < s.stack.top)
			seen = used;
	ktest_check(seen >= 9000, "%zu bytes", seen);
}

/* ---- W^X ------------------------------------------------------------------------------------- */

extern char text_start[], text_end[], rodata_start[], rodata_end[], data_start[], data_end[];

static void must_have(const char *from, const char *to, int prot, const char *what)
{
	uintptr_t va = align_down((uintptr_t)from, PAGE_SIZE);
	phys_t pa;

	ktest_check(from < to, "%s is empty", what);
	for (; va < (uintptr_t)to; va += PAGE_SIZE) {
		int is = arch_kquery(va, &pa);

		/* The guards of the boot hart's stacks are holes in the data. */
		if (is == -EFAULT && prot & ARCH_PROT_WRITE)
			continue;
		ktest_check(is == prot, "%s at 0x%lx: %d", what, (unsigned long)va, is);
		if (ktest_failed())
			return;
	}
}

KTEST(mm_protection, sections_are_writable_or_executable_never_both)
{
	must_have(text_start, text_end, ARCH_PROT_READ | ARCH_PROT_EXEC, "text");
	must_have(rodata_start, rodata_end, ARCH_PROT_READ, "constants");
	must_have(data_start, data_end, ARCH_PROT_READ | ARCH_PROT_WRITE, "data");
}

KTEST(mm_protection, nothing_of_the_direct_map_is_executable)
{
	struct mm_range_info ranges[MM_RANGES_MAX];
	unsigned n = mm_ranges(ranges, MM_RANGES_MAX), mapped = 0;
	phys_t pa, back;

	for (unsigned i = 0; i < n; i++) {
		for (pa = ranges[i].base; pa < ranges[i].end; pa += 512 * PAGE_SIZE) {
			int is = arch_kquery((uintptr_t)phys_to_virt(pa), &back);

			if (is == -EFAULT)
				continue;
			mapped++;
			ktest_check(!(is & ARCH_PROT_EXEC), "0x%llx", (unsigned long long)pa);
			ktest_check(back == pa, "0x%llx shows 0x%llx", (unsigned long long)pa,
				(unsigned long long)back);
		}
	}
	ktest_check(mapped > 0, "the direct map shows memory");
}

KTEST(mm_protection, the_vmap_is_never_executable)
{
	struct stack_info s;
	phys_t pa;
	char *va = vmap_alloc(2 * PAGE_SIZE);

	ktest_require(va, "no range");
	ktest_check(arch_kquery((uintptr_t)va, &pa) == (ARCH_PROT_READ | ARCH_PROT_WRITE), "range");
	vunmap(va);
	for (unsigned i = 0; stack_iterate(i, &s); i++)
		if (s.stack.base && s.in_use)
			ktest_check(
				!(arch_kquery(s.stack.base, &pa) & ARCH_PROT_EXEC), "%s", s.name);
	ktest_check(arch_kquery(0, &pa) == -EFAULT, "address 0 is not mapped");
}
