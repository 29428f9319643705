/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking: the wait queue (kernel/wait/waitq.c) on the scheduler's sleep (kernel/sched/
 * wake.c, sched.c), with a time limit.
 *
 * One thread waits for a condition, twice; a waker makes it true and wakes; a timer fires once in
 * each wait. A store stays in its hart's store buffer (slow_*) until a fence, a lock's release or
 * whenever it likes; loads may pass it.
 *
 *	here		there
 *	lock/unlock	irqlock of the wait queue (wq) and of the run queue (rq): one step each;
 *			irqlock.pml shows that they are locks
 *	prepare		sched_prepare_sleep: the state, relaxed, then the full fence
 *	look		sleep_result: woken, then fired
 *	schedule	schedule: under the run queue's lock, asleep only if the state still says so
 *	wake		sched_wake: full fence, look at the state, then under the lock
 *	fire		limit_reached: fired, release, then wake
 *	waker		the condition, then waitq_wake_all
 *
 * -DNO_WAKER, -DNO_TIMER: without them. The thread ends: no wake-up and no time limit is lost. A
 * wait that says woken found a wake, one that says timed out was fired; after a wake the condition
 * is true.
 */
#define RUNNING 0
#define SLEEPING 1
#define READY 2

bit wq, rq;			/* the locks */
byte state = RUNNING;
bit on_hart = 1;		/* rq.curr is the thread */
bit queued, woken, condition;
bit fired[2];			/* of each wait: lies on the sleeper's stack */
bit slow_state; byte slow_value;
bit slow_condition, slow_fired[2];
byte round;			/* the wait that is on, from 1 */
bit timer_on;			/* started and not cancelled */
bit timer_runs;

#define LOCK(l) atomic { !l -> l = 1 }
#define UNLOCK(l) l = 0

/* What this hart stored is in memory. */
#define SLEEPER_FENCE !slow_state
#define WAKER_FENCE !slow_condition
#define TIMER_FENCE (!slow_fired[0] && !slow_fired[1])

inline store_state(v)
{
	/* One location: its stores stay in order. */
	atomic { !slow_state -> slow_state = 1; slow_value = v }
}

inline set_state_locked(v)
{
	state = v
}

inline wake(fence)
{
	fence;						/* full */
	if
	:: state == SLEEPING ->
	   LOCK(rq);
	   if
	   :: state == SLEEPING && on_hart -> set_state_locked(RUNNING)
	   :: state == SLEEPING && !on_hart -> set_state_locked(READY)
	   :: else
	   fi;
	   UNLOCK(rq)
	:: else
	fi
}

proctype sleeper()
{
	byte result;	/* 0: goes on; 1 woken, 2 timed out, 3: the condition was true */
	byte n;

	for (n : 0 .. 1) {
		LOCK(wq);
		if
		:: condition -> atomic { SLEEPER_FENCE -> UNLOCK(wq) }
		:: else ->
		   atomic { queued = 1; woken = 0 };
		   atomic { timer_on = 1; round = n + 1 };		/* timer_start */
		   do
		   :: store_state(SLEEPING);				/* prepare */
		      SLEEPER_FENCE;
		      result = 0;					/* look */
		      if
		      :: woken -> result = 1
		      :: else ->
			 if
			 :: fired[n] -> result = 2
			 :: else
			 fi
		      fi;
		      if
		      :: result -> break
		      :: else
		      fi;
		      atomic { SLEEPER_FENCE -> UNLOCK(wq) };
		      LOCK(rq);						/* schedule */
		      atomic { SLEEPER_FENCE ->
			      if
			      :: state == SLEEPING -> on_hart = 0
			      :: else
			      fi;
			      UNLOCK(rq) };
		      /* Another thread; idle. */
		      on_hart || state == READY;
		      LOCK(rq);
		      on_hart = 1;
		      state = RUNNING;
		      UNLOCK(rq);
		      LOCK(wq)
		   od;
		   store_state(RUNNING);				/* sched_cancel_sleep */
		   atomic { SLEEPER_FENCE -> UNLOCK(wq) };
		   atomic { timer_on = 0 };				/* timer_cancel_sync */
		   !timer_runs;
		   LOCK(wq);
		   /* sleep_timed looks again: a wake that raced with the limit wins. */
		   if
		   :: woken -> assert(condition && !queued)
		   :: else -> assert(fired[n])
		   fi;
		   queued = 0;						/* waitq_dequeue */
		   atomic { SLEEPER_FENCE -> UNLOCK(wq) }
		fi
	}
}

proctype waker()
{
	slow_condition = 1;
	LOCK(wq);
	if
	:: queued -> atomic { queued = 0; woken = 1 }; wake(WAKER_FENCE)
	:: else
	fi;
	atomic { WAKER_FENCE -> UNLOCK(wq) }
}

proctype timer()
{
	byte n;

	for (n : 0 .. 1) {
		/* Until the wait is over, or this one never comes. */
		if
		:: atomic { timer_on && round == n + 1 -> timer_runs = 1 };
		   slow_fired[n] = 1;
		   wake(TIMER_FENCE);
		   atomic { TIMER_FENCE -> timer_runs = 0 }
		:: condition
		fi
	}
}

proctype memory()
{
end:	do
	:: atomic { slow_state -> state = slow_value; slow_state = 0 }
	:: atomic { slow_condition -> condition = 1; slow_condition = 0 }
	:: atomic { slow_fired[0] -> fired[0] = 1; slow_fired[0] = 0 }
	:: atomic { slow_fired[1] -> fired[1] = 1; slow_fired[1] = 0 }
	od
}

init {
	atomic {
		run sleeper();
#ifndef NO_WAKER
		run waker();
#endif
#ifndef NO_TIMER
		run timer();
#endif
		run memory()
	}
}
