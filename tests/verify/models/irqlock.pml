/* SPDX-License-Identifier: MIT */
/*
 * The irqlock: queue, parking, stealing (kernel/lock/irqlock.c, irqlock.h, park.c).
 *
 * Contexts 0..N-1 are the harts' threads, N.. the handler of hart 0 (HANDLER). A context is one
 * process; a thread stands still while its hart's handler runs. What one atomic access of the
 * source does is one step here; a compare-and-swap that fails and tries again is the one that
 * succeeds. Waits are blocking steps, so a lost wake-up is a process that cannot end: an invalid
 * end state.
 *
 *	here		there
 *	take		irqlock_take, irqlock_try_slow: take_as_newcomer
 *	newcomer	wait_as_newcomer: attempts with interrupts as before, as often as you like
 *	join		join; next and state of the node are stored relaxed: they wait in a store
 *			buffer (slow_next, slow_state) until the next release of this context
 *	link		the release store of the predecessor's `next`, in the buffer as well
 *	headship	wait_for_headship, park_while_state
 *	head		wait_as_head, park_while_named
 *	pass		pass_headship; its store of the state is slow_head in the buffer
 *	give		irqlock_give and park_kick
 *
 * -DPOLICY=QUEUE|FIFO|TAS, -DHANDLER: hart 0's handler takes lock HANDLER_TAKES, once. -DNESTED:
 * two locks; hart 1 takes B, then A (in the order of ranks), the others take A. A hart has one
 * node, which is asserted; -DTWO_NODES: as if each context had one.
 */
#define QUEUE 0
#define FIFO 1
#define TAS 2
#ifndef POLICY
#define POLICY QUEUE
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef N
#define N 3
#endif
#define CONTEXTS (N + 1)
#define HART(c) ((c) < N -> (c) : 0)
#define MAX_STEALS 1
#define A 0
#define B 1
#ifdef NESTED
#define HANDLER_TAKES B
#else
#define HANDLER_TAKES A
#endif

/* Node states. */
#define WAIT 1
#define PARKED 2
#define HEAD 3
#define HEAD_ASLEEP 4

typedef word {
	bit locked;
	bit asleep;
	byte steals;
	byte tail;		/* context + 1 */
	byte kick
}
word w[2];
byte next[CONTEXTS], state[CONTEXTS];
/* Stores that only their context sees yet. */
bit slow_next[CONTEXTS], slow_state[CONTEXTS];
byte slow_link[CONTEXTS], slow_head[CONTEXTS];	/* whose next, whose state; + 1 */
bit ssip[N], sie[N], handling;
byte inside[2];			/* in the section that the lock guards */
byte linked[N];			/* contexts of the hart that are in a queue */
byte done;

#define TAKEABLE(l) (!w[l].locked && (w[l].tail == 0 || POLICY == TAS || \
	(POLICY == QUEUE && w[l].asleep && w[l].steals < MAX_STEALS)))
#define DRAINED(c) (!slow_next[c] && !slow_state[c] && !slow_link[c] && !slow_head[c])

/* What TAKEABLE allowed. */
inline grab(l)
{
	w[l].locked = 1;
	if
	:: w[l].tail -> w[l].steals++
	:: else
	fi;
	/* No head is passed more often; in strict order none is. */
	assert(w[l].steals <= (POLICY == QUEUE -> MAX_STEALS : (POLICY == TAS -> 255 : 0)))
}

inline enter(l)
{
	assert(inside[l] == 0);
	inside[l]++
}

/* `park(c, asleep)`: while the condition holds and no interrupt is pending. */
inline park(c, while_true)
{
	do
	:: ssip[HART(c)] = 0;			/* relax_take_ipi */
	   if
	   :: !(while_true) -> break
	   :: else
	   fi;
	   ssip[HART(c)]			/* arch_wait_ipi */
	od
}

inline pass(l, c)
{
	next[c] != 0;
	successor = next[c] - 1;
	atomic {
		DRAINED(c) ->			/* release */
		if
		:: state[successor] == WAIT -> state[successor] = HEAD; successor = CONTEXTS
		:: else -> assert(state[successor] == PARKED)
		fi
	};
	if
	:: successor < CONTEXTS ->
	   atomic { w[l].asleep = 1; w[l].kick = successor + 1 };
	   atomic { slow_head[c] = successor + 1; successor = CONTEXTS }
	:: else
	fi
}

inline head(l, c)
{
	do
	:: atomic { !w[l].locked ->
		assert(w[l].kick == 0);
		w[l].locked = 1;
		last = (w[l].tail == c + 1);
		w[l].tail = (last -> 0 : w[l].tail);
		w[l].asleep = 0;
		w[l].steals = 0 };
	   if
	   :: !last -> pass(l, c)
	   :: else
	   fi;
	   break
	:: atomic { w[l].locked && w[l].asleep -> w[l].asleep = 0; w[l].kick = 0 }
	:: atomic { w[l].locked && !w[l].asleep -> w[l].asleep = 1; w[l].kick = c + 1 };
	   park(c, w[l].kick == c + 1)
	od
}

inline headship(c)
{
	if
	:: (slow_state[c] == 0 && state[c] == HEAD)
	:: atomic { slow_state[c] == 0 && state[c] == WAIT -> state[c] = PARKED };
	   park(c, state[c] == PARKED)
	fi
}

inline wait_linked(l, c)
{
	if
	:: predecessor ->
	   /* The buffer holds one link; it is empty, for the last one was drained by a release. */
	   slow_link[c] = predecessor;
	   headship(c)
	:: else
	fi;
	head(l, c)
}

inline acquire(l, c, before)
{
	sie[HART(c)] = 0;
	if
	:: atomic { TAKEABLE(l) -> grab(l) }			/* take */
	:: else ->
	   linking = 0;
	   do							/* newcomer */
	   :: sie[HART(c)] = before; sie[HART(c)] = 0;
	      if
	      :: atomic { TAKEABLE(l) -> grab(l); break }
	      :: POLICY != TAS && !TAKEABLE(l) -> linking = 1; break
	      fi
	   od;
	   if
	   :: linking ->
	      slow_next[c] = 1;
	      slow_state[c] = 1;
	      atomic {						/* join */
		      DRAINED(c) ->
		      if
		      :: TAKEABLE(l) -> grab(l); linking = 0
		      :: else ->
			 predecessor = w[l].tail;
			 w[l].tail = c + 1;
			 linked[HART(c)]++;
#ifndef TWO_NODES
			 assert(linked[HART(c)] == 1)
#endif
		      fi
	      };
	      if
	      :: linking ->
		 wait_linked(l, c);
		 linked[HART(c)]--;
	      :: else
	      fi
	   :: else
	   fi
	fi;
	enter(l)
}

inline give(l, c)
{
	inside[l]--;
	atomic { DRAINED(c) ->
		assert(w[l].locked);
		kicked = w[l].kick;
		w[l].locked = 0;
		w[l].kick = 0 };
	if
	:: kicked -> ssip[HART(kicked - 1)] = 1; kicked = 0
	:: else
	fi
}

#define LOCALS byte predecessor, successor = CONTEXTS, kicked, i; bit last, linking

/* Thread 0 is process 1. */
proctype thread(byte me) provided (_pid != 1 || !handling)
{
	LOCALS;

	for (i : 1 .. ROUNDS) {
#ifdef NESTED
		if
		:: me == 1 ->
		   acquire(B, me, 1);
		   acquire(A, me, 0);
		   give(A, me);
		   give(B, me)
		:: else ->
		   acquire(A, me, 1);
		   give(A, me)
		fi;
#else
		acquire(A, me, 1);
		give(A, me);
#endif
		sie[me] = 1
	}
	done++
}

proctype handler()
{
	LOCALS;

	atomic { sie[0] -> handling = 1 };
	i = N;
	acquire(HANDLER_TAKES, i, 0);
	give(HANDLER_TAKES, i);
	atomic { sie[0] = 1; handling = 0; done++ }
}

/* The store buffer of context c: a release store goes after all that came before it. */
proctype buffer(byte c)
{
end:	do
	:: atomic { slow_next[c] -> next[c] = 0; slow_next[c] = 0 }
	:: atomic { slow_state[c] -> state[c] = WAIT; slow_state[c] = 0 }
	:: atomic { slow_link[c] && !slow_next[c] && !slow_state[c] ->
		next[slow_link[c] - 1] = c + 1; slow_link[c] = 0 }
	:: atomic { slow_head[c] && !slow_link[c] ->
		state[slow_head[c] - 1] = HEAD_ASLEEP; slow_head[c] = 0 }
	od
}

/* An interrupt that announces something else. */
proctype noise()
{
	ssip[1] = 1
}

init {
	byte k;

	atomic {
		for (k : 0 .. N - 1) {
			sie[k] = 1;
			run thread(k);
			run buffer(k)
		}
#ifdef HANDLER
		run handler();
		run buffer(N);
#endif
#ifndef QUIET
		run noise()
#endif
	};
#ifdef HANDLER
	done == N + 1;
#else
	done == N;
#endif
	assert(w[A].locked == 0 && w[A].tail == 0 && w[A].kick == 0 && w[A].asleep == 0)
}
