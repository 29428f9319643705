/* SPDX-License-Identifier: MIT */
/* The page allocator: under all harts, from handlers, to the last page. */
#include "kernel/lock/atomic.h"
#include "kernel/mm/page.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

#define HELD 24
#define ROUNDS 400

/* Stamps both ends of a block; a block that two have shows somebody else's stamp. */
static void stamp(struct page *page, unsigned order, uint64_t value)
{
	uint64_t *first = page_virt(page);

	first[0] = value;
	first[(PAGE_SIZE << order) / sizeof(*first) - 1] = ~value;
}

static bool stamped(struct page *page, unsigned order, uint64_t value)
{
	const uint64_t *first = page_virt(page);

	return first[0] == value && first[(PAGE_SIZE << order) / sizeof(*first) - 1] == ~value;
}

struct held {
	struct page *page;
	unsigned order;
	uint64_t value;
};

static void drop(struct held *h)
{
	ktest_check(stamped(h->page, h->order, h->value), "a block of order %u was overwritten",
		h->order);
	page_free(h->page);
	h->page = NULL;
}

static void churn(unsigned worker, void *arg unused_arg)
{
	struct held held[HELD] = {0};
	unsigned rounds = ktest_each(ROUNDS);
	uint64_t seed = worker + 1;

	for (unsigned i = 0; i < rounds; i++) {
		struct held *h = &held[ktest_random(&seed) % HELD];

		if (h->page)
			drop(h);
		h->order = ktest_random(&seed) % 4;
		h->value = (uint64_t)worker << 32 | i;
		h->page = page_alloc(h->order, 0);
		if (!h->page) {
			ktest_check(false, "no block of order %u", h->order);
			break;
		}
		ktest_check(!(page_phys(h->page) & ((PAGE_SIZE << h->order) - 1)),
			"a block of order %u is not aligned", h->order);
		stamp(h->page, h->order, h->value);
	}
	for (unsigned i = 0; i < HELD; i++)
		if (held[i].page)
			drop(&held[i]);
}

KTEST(mm_page, no_page_has_two_owners_under_all_harts)
{
	ktest_parallel(2 * ktest_harts(), churn, NULL);
}

/* ---- Handlers ------------------------------------------------------------------------------- */

#define FIRINGS 200

static struct {
	struct timer timer;
	struct held held[4];
	atomic_u32 fired;
	atomic_u32 failures;
} in_irq;

/* Allocates and frees in the timer interrupt, in the middle of what threads do with the same lists.
 */
static void irq_churn(struct timer *t)
{
	uint32_t n = atomic_add_u32(&in_irq.fired, 1, relaxed);
	struct held *h = &in_irq.held[n % 4];

	if (h->page) {
		if (!stamped(h->page, h->order, h->value))
			atomic_add_u32(&in_irq.failures, 1, relaxed);
		page_free(h->page);
	}
	h->order = n % 3;
	h->value = 0xabcd0000 + n;
	h->page = page_alloc(h->order, MM_ATOMIC);
	if (h->page)
		stamp(h->page, h->order, h->value);
	else
		atomic_add_u32(&in_irq.failures, 1, relaxed);
	if (n + 1 < FIRINGS)
		timer_start(t, clock_now_ns() + 20 * NS_PER_US);
}

KTEST(mm_page, handlers_allocate_in_the_middle_of_threads)
{
	timer_init(&in_irq.timer, irq_churn);
	atomic_store_u32(&in_irq.fired, 0, relaxed);
	atomic_store_u32(&in_irq.failures, 0, relaxed);
	timer_start(&in_irq.timer, clock_now_ns());
	while (atomic_load_u32(&in_irq.fired, relaxed) < FIRINGS && !ktest_failed())
		churn(99, NULL);
	timer_cancel_sync(&in_irq.timer);
	for (unsigned i = 0; i < 4; i++)
		if (in_irq.held[i].page)
			drop(&in_irq.held[i]);
	memset(in_irq.held, 0, sizeof(in_irq.held));
	ktest_check(atomic_load_u32(&in_irq.failures, relaxed) == 0, "in the handler");
}

/* ---- Edges ---------------------------------------------------------------------------------- */

KTEST(mm_page, zeroed_pages_are_zero)
{
	for (unsigned order = 0; order < 4; order++) {
		struct page *page = page_alloc(order, 0);
		const uint64_t *word;
		size_t i, n = (PAGE_SIZE << order) / sizeof(*word);

		ktest_require(page, "no page");
		memset(page_virt(page), 0x77, PAGE_SIZE << order);
		page_free(page);
		page = page_alloc(order, MM_ZERO);
		ktest_require(page, "no page");
		word = page_virt(page);
		for (i = 0; i < n && word[i] == 0; i++)
			;
		ktest_check(i == n, "order %u: word %zu is not zero", order, i);
		page_free(page);
	}
}

KTEST(mm_page, descriptors_and_addresses_name_each_other)
{
	struct page *page = page_alloc(2, 0);

	ktest_require(page, "no page");
	ktest_check(page_of_phys(page_phys(page)) == page, "by physical address");
	ktest_check(page_of_virt(page_virt(page)) == page, "by address");
	ktest_check(page_of_virt((char *)page_virt(page) + PAGE_SIZE - 1) == page, "its last byte");
	ktest_check(
		page_of_virt((char *)page_virt(page) + PAGE_SIZE) == page + 1, "its second page");
	ktest_check(!page_of_phys(0), "nothing is at physical address 0");
	ktest_check(!page_of_phys(~(phys_t)0), "nothing is at the end of the address space");
	page_free(page);
}

/* Blocks linked through their first word. */
static unsigned take_all(unsigned order, struct page **chain)
{
	struct page *page;
	unsigned n = 0;

	while ((page = page_alloc(order, 0)) != NULL) {
		*(struct page **)page_virt(page) = *chain;
		*chain = page;
		n++;
	}
	return n;
}

/* Somebody else may take or give some pages meanwhile: then it is tried again. */
#define TRIES 200u

/* What is not as it should be, NULL: nothing. */
static const char *take_and_give_all(void)
{
	struct page *chain = NULL;
	struct mm_counts before, dry, after;
	unsigned large, small;

	mm_trim();
	mm_count(&before);
	large = take_all(BUDDY_ORDER_MAX, &chain);
	small = take_all(0, &chain);
	mm_count(&dry);
	while (chain) {
		struct page *next = *(struct page **)page_virt(chain);

		page_free(chain);
		chain = next;
	}
	mm_trim();
	mm_count(&after);
	if (dry.free >= 16)
		return "pages were free and not given";
	if ((size_t)large * 1024 + small + 64 <= before.free)
		return "fewer were given than were free";
	if (dry.failures <= before.failures)
		return "failures are not counted";
	if (after.free + 64 <= before.free)
		return "not all came back";
	if (after.free_blocks[BUDDY_ORDER_MAX] + 8 <= before.free_blocks[BUDDY_ORDER_MAX])
		return "large blocks do not come together again";
	return NULL;
}

KTEST(mm_page, the_last_page_is_given_and_all_come_back)
{
	const char *wrong;

	for (unsigned try = 0; (wrong = take_and_give_all()) && try < TRIES; try++)
		sched_sleep_ns(10 * NS_PER_MS);
	ktest_check(!wrong, "%s", wrong);
}

/* Taken one after the other, while others may allocate: they agree at some look. */
static const char *look_at_figures(void)
{
	struct mm_range_info ranges[MM_RANGES_MAX];
	unsigned n = mm_ranges(ranges, MM_RANGES_MAX);
	size_t sum = 0, blocks = 0;
	struct mm_counts c;

	mm_count(&c);
	for (unsigned i = 0; i < n; i++)
		sum += ranges[i].pages;
	if (!n || sum != c.total)
		return "the ranges are not all";
	for (unsigned k = 0; k <= BUDDY_ORDER_MAX; k++)
		blocks += c.free_blocks[k] << k;
	if (c.used + c.free + c.reserved != c.total)
		return "used, free and reserved are not all";
	if (blocks > c.free || c.free - blocks >= 16384)
		return "the blocks are not what is free";
	return c.used >= c.kernel + c.boot + c.slab + c.stack ? NULL : "used has not its parts";
}

KTEST(mm_page, figures_add_up)
{
	const char *wrong;

	for (unsigned try = 0; (wrong = look_at_figures()) && try < TRIES; try++)
		sched_sleep_ns(NS_PER_MS);
	ktest_check(!wrong, "%s", wrong);
}
