/* SPDX-License-Identifier: MIT */
/*
 * The sleeping lock with an owner and its hand-off (kernel/wait/pilock.c), as the mutex uses it.
 *
 * N threads, each locks and unlocks ROUNDS times; thread 0 is real-time, the others are fair;
 * thread 1 may give up its wait (a time limit, a kill). What one atomic access of the source does
 * is one step; a compare-and-swap that fails and tries again is the one that succeeds. Sleeping is
 * a step that waits for `wake`: waitq.pml shows that no wake-up is lost on the way there. Orders
 * between the accesses are the business of relacy; here is who gets the lock.
 *
 *	here		there
 *	fast		pilock_try_fast, also out of spin
 *	take_word	take_word, goes_before, others_behind
 *	mark		pilock_mark_queued
 *	sleep		waitq_sleep, sleep_for, take_as_waiter
 *	gave_up		gave_up
 *	unlock_fast	pilock_unlock_fast
 *	pass		pilock_pass_or_clear, pilock_pass_locked, pilock_grant_locked; give_up
 *
 * Whenever wq.lock is free (RULES, pilock.c): the word has QUEUED if and only if somebody is
 * queued; and if it is free while somebody is queued, the first one has been woken.
 */
#ifndef N
#define N 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define MAX_STEALS 1
#define NOBODY N
#define RT(t) ((t) == 0)

byte owner = NOBODY;	/* the word: owner and QUEUED */
bit Q;
bit wq;			/* wq.lock */
bit queued[N], woken[N], wake[N];
byte order[N];		/* of arrival in the queue */
byte arrivals;
byte steals;
byte inside;
byte stolen;		/* times that it was taken past the queue since a waiter got it */

inline lock_wq()
{
	atomic { !wq -> wq = 1 }
}

/* The first of the queue: by priority, then by arrival. */
inline find_first(f)
{
	f = NOBODY;
	k = 0;
	do
	:: k < N ->
	   if
	   :: queued[k] && (f == NOBODY || RT(k) || (!RT(f) && order[k] < order[f])) -> f = k
	   :: else
	   fi;
	   k++
	:: else -> break
	od;
	k = 0
}

inline unlock_wq()
{
	atomic {
		find_first(first);
		assert(Q == (first != NOBODY));
		assert(owner != NOBODY || first == NOBODY || woken[first]);
		first = NOBODY;
		wq = 0
	}
}

inline enter()
{
	assert(inside == 0);
	inside++
}

/* Under wq.lock. `took` says whether. */
inline take_word(me)
{
	atomic {
		find_first(first);
		if
		:: owner != NOBODY -> took = 0
		:: owner == NOBODY && first != NOBODY && first != me && RT(first) && !RT(me) ->
		   took = 0			/* goes_before: nobody steals past real-time */
		:: else ->
		   took = 1;
		   owner = me;
		   if
		   :: first != NOBODY && first != me ->
		      Q = 1;			/* others_behind */
		      assert(RT(me) || !RT(first));
		      stolen++;
		      assert(stolen <= MAX_STEALS)
		   :: else ->
		      /* Somebody behind the first, which is me? */
		      k = 0;
		      Q = 0;
		      do
		      :: k < N ->
			 if
			 :: queued[k] && k != me -> Q = 1
			 :: else
			 fi;
			 k++
		      :: else -> break
		      od;
		      k = 0
		   fi
		fi;
		first = NOBODY
	}
}

inline waiter_has_it()
{
	steals = 0;
	stolen = 0
}

inline lock(me, may_give_up)
{
	got = 0;
	if
	:: atomic { owner == NOBODY && !Q -> owner = me; got = 1 }	/* fast */
	:: lock_wq();
	   do								/* take_or_queue */
	   :: take_word(me);
	      if
	      :: took -> got = 1; break
	      :: else
	      fi;
	      /* mark: fails if there is no owner any more, unless QUEUED is set already. */
	      if
	      :: atomic { Q || owner != NOBODY -> Q = 1 };
		 atomic { queued[me] = 1; woken[me] = 0; wake[me] = 0;
			  order[me] = arrivals; arrivals++ };
		 break
	      :: atomic { !Q && owner == NOBODY -> skip }
	      fi
	   od;
	   unlock_wq();
	   do								/* sleep */
	   :: got -> break
	   :: !got ->
	      if
	      :: atomic { wake[me] -> wake[me] = 0 }
	      :: may_give_up && !gone -> gone = 1
	      fi;
	      lock_wq();
	      if
	      :: woken[me] ->
		 gone = 0;
		 woken[me] = 0;
		 if
		 :: !queued[me] -> got = 1				/* granted */
		 :: else ->
		    take_word(me);
		    if
		    :: took -> atomic { queued[me] = 0; waiter_has_it(); got = 1 }
		    :: else
		    fi
		 fi
	      :: !woken[me] && gone ->
		 queued[me] = 0;
		 atomic {						/* gave_up */
			 find_first(first);
			 if
			 :: first == NOBODY -> Q = 0
			 :: else
			 fi
		 };
		 unlock_wq();
		 break
	      :: else
	      fi;
	      unlock_wq()
	   od
	fi;
	gone = 0
}

inline nudge(t)
{
	atomic { woken[t] = 1; wake[t] = 1 }
}

inline unlock(me)
{
	inside--;
	if
	:: atomic { owner == me && !Q -> owner = NOBODY }		/* unlock_fast */
	:: atomic { owner == me && Q -> skip };
	   do
	   :: lock_wq();						/* pass */
	      find_first(heir);
	      if
	      :: heir != NOBODY && (RT(heir) || steals >= MAX_STEALS) ->
		 atomic { queued[heir] = 0; waiter_has_it(); owner = heir;
			  find_first(first); Q = (first != NOBODY) };
		 nudge(heir)
	      :: heir == NOBODY -> Q = 0
	      :: else ->
		 owner = NOBODY;
		 steals++;
		 nudge(heir)
	      fi;
	      unlock_wq();
	      /* Nothing of the lock is touched after it was given up. */
	      if
	      :: heir != NOBODY -> break
	      :: atomic { heir == NOBODY && owner == me && !Q -> owner = NOBODY; break }
	      :: heir == NOBODY && Q				/* give_up failed */
	      fi
	   od;
	   heir = NOBODY
	fi
}

proctype thread(byte me)
{
	byte k, first = NOBODY, heir = NOBODY, i;
	bit took, got, gone;

	for (i : 1 .. ROUNDS) {
		lock(me, me == 1);
		if
		:: got ->
		   assert(owner == me);
		   enter();
		   unlock(me)
		:: else -> assert(me == 1)
		fi
	}
}

init {
	byte t;

	atomic {
		for (t : 0 .. N - 1) {
			run thread(t)
		}
	}
	_nr_pr == 1;
	assert(owner == NOBODY && !Q)
}
