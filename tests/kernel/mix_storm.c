/* SPDX-License-Identifier: MIT */
/* Mixed locks under timer and IPI handlers of all harts and threads at once. */
#include "kernel/hart/call.h"
#include "kernel/time/timer.h"
#include "kernel/wait/mixlock.h"
#include "tests/kernel/wait_util.h"

DEFINE_LOCK_CLASS(test_storm_class, .name = "test.mix.storm", .rank = RANK_TEST_MIX,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000, .post_prio = 30,
	.protects = "the data of a storm");

#define STREAMS_MAX 16u /* one poster each: its items' order is known */
#define STREAM_ITEMS 8

struct stream;
struct parcel {
	struct mixwork work;
	struct stream *stream;
	uint32_t number;       /* of the post; written before it */
	atomic_bool under_way; /* from its post to the end of its run */
};

struct stream {
	struct parcel item[STREAM_ITEMS];
	struct timer timer;
	struct hart_call call;
	uint32_t posted;  /* true posts; of the stream's one poster at a time */
	uint32_t last;	  /* number of the last one that ran; under the lock */
	uint32_t ran;	  /* under the lock */
	atomic_bool busy; /* a handler of this stream is under way */
};

static struct {
	struct mixlock lock;
	struct stream stream[STREAMS_MAX];
	uint32_t inside;
	unsigned a, b;
	atomic_u32 holds;
} storm;

static void use_data(uint32_t who)
{
	ktest_check(!storm.inside, "%x is inside", (unsigned)storm.inside);
	storm.inside = who;
	storm.a++;
	arch_pause();
	storm.b++;
	ktest_check(storm.a == storm.b && storm.inside == who);
	storm.inside = 0;
}

static void deliver(struct mixwork *w)
{
	struct parcel *p = container_of(w, struct parcel, work);
	struct stream *s = p->stream;

	use_data(1);
	ktest_check(p->number == s->last + 1, "number %u after %u", p->number, s->last);
	s->last = p->number;
	s->ran++;
	/* Release; partner: post_next. */
	atomic_store_bool(&p->under_way, false, release);
}

/* The stream's next item, if it is free. */
static void post_next(struct stream *s)
{
	struct parcel *p = &s->item[s->posted % STREAM_ITEMS];

	/* Its number may change only while its function does not read it; nobody else posts it. */
	if (atomic_load_bool(&p->under_way, acquire))
		return;
	atomic_store_bool(&p->under_way, true, relaxed);
	p->number = s->posted + 1;
	s->posted++;
	ktest_check(mixlock_post(&storm.lock, &p->work));
}

static void post_some(struct stream *s)
{
	for (unsigned i = 0; i < 3; i++)
		post_next(s);
	/* Release; partner: the stream's thread. */
	atomic_store_bool(&s->busy, false, release);
}

static void post_from_timer(struct timer *t)
{
	post_some(container_of(t, struct stream, timer));
}

static void post_from_ipi(void *arg)
{
	post_some(arg);
}

static void stream_begin(struct stream *s)
{
	*s = (struct stream){0};
	for (unsigned i = 0; i < STREAM_ITEMS; i++) {
		mixwork_init(&s->item[i].work, deliver);
		s->item[i].stream = s;
	}
	timer_init(&s->timer, post_from_timer);
	hart_call_init(&s->call, post_from_ipi, s);
}

/* Each thread keeps a stream of handlers going, and takes the lock itself meanwhile. */
static void storm_member(unsigned i, void *arg)
{
	struct stream *s = &storm.stream[i];
	uint64_t seed = i + 1;

	(void)arg;
	for (unsigned n = 0; n < 400; n++) {
		if (!atomic_xchg_bool(&s->busy, true, acq_rel)) {
			unsigned way = ktest_random(&seed) % 3;

			if (way == 0)
				timer_start(
					&s->timer, clock_now_ns() + ktest_random(&seed) % 20000);
			else if (way == 1 && hart_call_done(&s->call) &&
				!hart_call_post(harts[ktest_random(&seed) % nr_harts], &s->call))
				continue;
			else
				post_some(s);
		}
		if (ktest_random(&seed) % 4 == 0) {
			mixlock_lock(&storm.lock);
		} else if (!mixlock_try(&storm.lock)) {
			continue;
		}
		use_data(lock_thread()->handle);
		count_up(&storm.holds);
		if (n % 32 == 0)
			sched_sleep_ns(3000);
		mixlock_unlock(&storm.lock);
	}
	ktest_check(ktest_eventually(!atomic_load_bool(&s->busy, acquire)));
	timer_cancel_sync(&s->timer);
	ktest_check(ktest_eventually(hart_call_done(&s->call)));
}

static bool all_free(unsigned streams)
{
	for (unsigned i = 0; i < streams; i++)
		for (unsigned k = 0; k < STREAM_ITEMS; k++)
			if (atomic_load_bool(&storm.stream[i].item[k].under_way, acquire))
				return false;
	return !pilock_owner(&storm.lock.pi);
}

KTEST(mix, every_post_of_all_handlers_runs_once_in_order_under_the_lock)
{
	unsigned n = MIN(2 * ktest_harts(), STREAMS_MAX);
	uint32_t posted = 0;

	mixlock_init(&storm.lock, &test_storm_class);
	storm.a = 0;
	storm.b = 0;
	atomic_store_u32(&storm.holds, 0, relaxed);
	for (unsigned i = 0; i < n; i++)
		stream_begin(&storm.stream[i]);
	ktest_parallel(n, storm_member, NULL);
	ktest_check(ktest_eventually(all_free(n)));
	mixlock_lock(&storm.lock);
	for (unsigned i = 0; i < n; i++) {
		struct stream *s = &storm.stream[i];

		ktest_check(s->ran == s->posted && s->last == s->posted, "stream %u: %u of %u", i,
			s->ran, s->posted);
		posted += s->posted;
	}
	ktest_check(posted);
	ktest_check(storm.a == storm.b && storm.a == posted + seen(&storm.holds), "%u, %u + %u",
		storm.a, posted, seen(&storm.holds));
	mixlock_unlock(&storm.lock);
	wait_check_idle(&storm.lock.pi, "after the storm");
	mixlock_destroy(&storm.lock);
}
