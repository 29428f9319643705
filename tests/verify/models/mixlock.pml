/* SPDX-License-Identifier: MIT */
/*
 * The mixed lock's posts (kernel/wait/mixlock.c over pilock.c).
 *
 * Threads 0 and 1 lock and unlock; handlers on their harts post items while SIE is set (a handler's
 * thread stands still meanwhile); thread 1 posts one, too, and item 0 posts itself again once from
 * its own function; the work thread drains. What one atomic access of the source does is one step.
 * wq.lock is a lock (irqlock.pml), taken with interrupts off. Sleeping waits for `wake`
 * (waitq.pml).
 *
 *	here		there
 *	post		mixlock_post: the claim of `queued`, take_or_append, run, release_posts
 *	run_item	run
 *	release_posts	release_posts, pass_on, pilock_pass_or_clear, pilock_grant_locked, give_up
 *	lock		pilock_lock_slow: pilock_take_passed, take_or_queue, sleep_for
 *	drain		mixlock_drain: pilock_take_passed
 *
 * Each post that returned true is run exactly once, under the lock, and a run sees what was stored
 * before any post of the item that came before it, also one that returned false. The lock is never
 * free with posts in its queue; passed to nobody, it has posts and no waiter.
 */
#define ITEMS 2
#define NOBODY 7
#define PASSED 6
#define WORKER 4
#define HANDLER(t) (2 + (t))		/* contexts 2 and 3: the handlers of threads 0 and 1 */
#define THREAD_MAX 1
#define HANDLER_MAX 0
#ifndef ROUNDS
#define ROUNDS 1
#endif

byte owner = NOBODY;	/* the word: owner and QUEUED */
bit Q;
bit wq;
chan posts = [ITEMS + 1] of { byte };
bit posts_pending;
bit item_queued[ITEMS];
bit queued[2], woken[2], wake[2];	/* the threads as waiters; at most one waits */
bit work;				/* the drain is in the work queue */
bit sie[2], handling[2];
byte inside;
byte accepted[ITEMS], ran[ITEMS];	/* posts that returned true; runs */
byte stored[ITEMS], seen[ITEMS];	/* by posters; by the newest run */
bit again;				/* item 0 has posted itself */
byte finished;				/* of the threads and handlers */

#define WAITER (queued[0] || queued[1])
#define FIRST (queued[0] -> 0 : 1)
#define IS_HANDLER(c) ((c) == 2 || (c) == 3)

inline lock_wq(c)
{
	atomic { !wq -> wq = 1;
		if
		:: c < 2 -> sie[c] = 0
		:: else
		fi }
}

inline unlock_wq(c)
{
	atomic {
		assert(owner != NOBODY || len(posts) == 0);
		assert(owner != PASSED || (len(posts) > 0 && !WAITER));
		assert(Q == (len(posts) > 0 || WAITER || (posts_pending && owner != NOBODY)));
		wq = 0;
		if
		:: c < 2 -> sie[c] = 1
		:: else
		fi
	}
}

/* Under wq.lock: the lock, free, for c; took says whether. */
inline take(c)
{
	if
	:: atomic { owner == NOBODY -> owner = c; Q = (posts_pending || WAITER); took = 1 }
	:: atomic { owner != NOBODY -> took = 0 }
	fi
}

/* The item's own post of itself: the lock is its runner's, so it is appended. */
inline post_again(c)
{
	stored[0]++;
	if
	:: atomic { !item_queued[0] -> item_queued[0] = 1 };
	   lock_wq(c);
	   assert(owner != NOBODY);
	   atomic { Q = 1; posts!0; posts_pending = 1; accepted[0]++ };
	   unlock_wq(c)
	:: else
	fi
}

inline run_item(c, w)
{
	assert(owner == c && inside == 0);
	inside++;
	item_queued[w] = 0;			/* the exchange */
	atomic { ran[w]++; seen[w] = stored[w] };
	if
	:: atomic { w == 0 && !again -> again = 1 }; post_again(c)
	:: else
	fi;
	inside--
}

inline release_posts(c, bound)
{
	left = bound;
	do
	:: lock_wq(c);
	   do
	   :: left > 0 && len(posts) > 0 ->
	      left--;
	      posts?item;
	      unlock_wq(c);
	      run_item(c, item);
	      lock_wq(c)
	   :: else -> break
	   od;
	   item = 1;		/* it is not mine any more */
	   if
	   :: len(posts) == 0 ->
	      posts_pending = 0;
	      if
	      :: WAITER ->
		 atomic { owner = NOBODY; Q = 1; woken[FIRST] = 1; wake[FIRST] = 1 }
	      :: else -> atomic { Q = 0; item = 0 }
	      fi
	   :: len(posts) > 0 && WAITER ->
	      atomic { item = FIRST; queued[item] = 0; owner = item; woken[item] = 1;
		       wake[item] = 1; item = 1 }
	   :: else ->
	      owner = PASSED;
	      work = 1
	   fi;
	   unlock_wq(c);
	   if
	   :: item -> break
	   :: atomic { !item && owner == c && !Q -> owner = NOBODY; break }
	   :: !item && Q				/* pilock_give_up failed */
	   fi
	od;
	item = 0;
	left = 0
}

inline unlock(c)
{
	if
	:: atomic { owner == c && !Q -> owner = NOBODY }
	:: else -> assert(owner == c); release_posts(c, THREAD_MAX)
	fi
}

inline post(c, w, bound)
{
	stored[w]++;
	if
	:: atomic { !item_queued[w] -> item_queued[w] = 1 };
	   lock_wq(c);
	   do
	   :: take(c);
	      if
	      :: took -> break
	      :: else
	      fi;
	      if
	      :: atomic { Q || owner != NOBODY -> Q = 1 };	/* pilock_mark_queued */
		 atomic { assert(!(posts??[eval(w)]));
			  posts!w; posts_pending = 1; accepted[w]++ };
		 break
	      :: atomic { !Q && owner == NOBODY -> skip }
	      fi
	   od;
	   unlock_wq(c);
	   if
	   :: took -> accepted[w]++; run_item(c, w); release_posts(c, bound)
	   :: else
	   fi
	:: else
	fi;
	took = 0
}

inline lock(t)
{
	if
	:: atomic { owner == NOBODY && !Q -> owner = t }
	:: else ->
	   lock_wq(t);
	   if
	   :: owner == PASSED -> owner = t; took = 1
	   :: else ->
	      do
	      :: take(t);
		 if
		 :: took -> break
		 :: else
		 fi;
		 if
		 :: atomic { Q || owner != NOBODY -> Q = 1 };
		    atomic { queued[t] = 1; woken[t] = 0; wake[t] = 0 };
		    break
		 :: atomic { !Q && owner == NOBODY -> skip }
		 fi
	      od
	   fi;
	   unlock_wq(t);
	   do
	   :: took -> break
	   :: !took ->
	      atomic { wake[t] -> wake[t] = 0 };
	      lock_wq(t);
	      if
	      :: !queued[t] -> took = 1
	      :: else ->
		 atomic { owner == NOBODY -> queued[t] = 0; owner = t;
			  Q = (posts_pending || WAITER); took = 1 }
	      :: queued[t] && owner != NOBODY -> woken[t] = 0
	      fi;
	      unlock_wq(t)
	   od;
	   took = 0
	fi
}

#define LOCALS byte item, left, i; bit took

/* Threads are processes 1 and 2. */
proctype thread(byte me) provided ((_pid != 1 || !handling[0]) && (_pid != 2 || !handling[1]))
{
	LOCALS;

	for (i : 1 .. ROUNDS) {
		lock(me);
		assert(owner == me && inside == 0);
		inside++;
		inside--;
		unlock(me)
	}
	if
	:: me == 1 -> post(me, 1, THREAD_MAX)
	:: else
	fi;
	finished++
}

/* On the hart of thread t: posts item w, once. */
proctype handler(byte t; byte w)
{
	LOCALS;

	atomic { sie[t] -> sie[t] = 0; handling[t] = 1 };
	i = HANDLER(t);
	post(i, w, HANDLER_MAX);
	atomic { sie[t] = 1; handling[t] = 0; finished++ }
}

proctype worker()
{
	LOCALS;

end:	do
	:: atomic { work -> work = 0 };
	   lock_wq(WORKER);
	   if
	   :: owner == PASSED -> owner = WORKER; took = 1
	   :: else
	   fi;
	   unlock_wq(WORKER);
	   if
	   :: took -> release_posts(WORKER, THREAD_MAX); took = 0
	   :: else
	   fi
	od
}

init {
	byte k;

	atomic {
		sie[0] = 1;
		sie[1] = 1;
		run thread(0);
		run thread(1);
		run handler(0, 0);
		run handler(1, 1);
		run worker()
	};
	/* When all is quiet. */
	finished == 4 && !work && owner == NOBODY && !wq;
	assert(len(posts) == 0 && !Q);
	for (k : 0 .. ITEMS - 1) {
		assert(accepted[k] == ran[k]);
		assert(seen[k] == stored[k])
	}
}
