/* SPDX-License-Identifier: MIT */
/*
 * Calls on a hart that stops and comes back (kernel/hart/call.c, leaf.c).
 *
 * Hart R takes interrupts, closes its mailbox, is off (what is pending is lost) and comes back,
 * once or twice; two harts call it in general: each waits for its answer; two have it flush what
 * they changed. Read-modify-writes are single steps; a plain store waits in its hart's store buffer
 * (slow_*), and loads may pass it, until a full fence or whenever it likes. Nothing is ever sent
 * again: no answer hangs on a time.
 *
 *	here		there
 *	ipi		hart_ipi: clear, exchange the flags, leaf_handle, run_calls
 *	close		hart_mailbox_close: from empty only; until then interrupts run what is there
 *	open		hart_mailbox_open: the store, the full fence, its own interrupt
 *	caller		hart_call_post, mail_send, call_wait
 *	asker		leaf_call_mask: full fence, leaf_post, leaf_wait
 *	walk		R uses what an asker changed: it may keep it until it flushes
 *
 * A call that was accepted is run exactly once and answered, one that was refused is not run; after
 * an asker's return R keeps nothing old of it, now and later. That holds only if R, from the close
 * on until it has flushed, uses nothing that others may take away: `online` ends with the close.
 */
#define CALL 1
#define LEAF 2
#define CALLERS 2
#define ASKERS 2
#ifndef ROUNDS
#define ROUNDS 2
#endif

bit closed, online = 1;
bit posted[CALLERS];		/* the list of calls: who is in it */
bit call_flag, leaf_flag, ssip;
bit operation;			/* leaf_ops */
byte asked, served;		/* tickets */
bit busy[CALLERS];
byte accepted, ran;
bit changed[ASKERS];		/* a page table entry, in memory */
bit slow_change[ASKERS], slow_open;
bit keeps[ASKERS];		/* R's TLB has the old one */
bit returned[ASKERS];
byte finished;

inline flush()
{
	atomic { keeps[0] = 0; keeps[1] = 0 }
}

inline run_calls()
{
	atomic { taken[0] = posted[0]; taken[1] = posted[1]; posted[0] = 0; posted[1] = 0 };
	if
	:: taken[0] -> ran++; assert(busy[0]); taken[0] = 0; busy[0] = 0
	:: else
	fi;
	if
	:: taken[1] -> ran++; assert(busy[1]); taken[1] = 0; busy[1] = 0
	:: else
	fi
}

inline leaf_handle()
{
	ticket = asked;
	if
	:: ticket != served ->
	   atomic { wanted = operation; operation = 0 };
	   if
	   :: wanted -> flush(); wanted = 0
	   :: else
	   fi;
	   served = ticket
	:: else
	fi;
	ticket = 0
}

inline ipi()
{
	ssip = 0;
	atomic { flags = (call_flag -> CALL : 0) + (leaf_flag -> LEAF : 0);
		 call_flag = 0; leaf_flag = 0 };
	leaf_handle();
	if
	:: flags == CALL || flags == CALL + LEAF -> run_calls()
	:: else
	fi;
	flags = 0
}

inline close()
{
	do
	:: atomic { !posted[0] && !posted[1] -> closed = 1; online = 0;
		/* It is the list's own word that says so. */
		posted[0] = 0; posted[1] = 0; break }
	:: (posted[0] || posted[1]) && ssip -> ipi()
	od
}

inline open()
{
	slow_open = 1;
	!slow_open;		/* full fence */
	ssip = 1		/* its own interrupt */
}

proctype R()
{
	byte flags, ticket, round;
	bit taken[CALLERS], wanted;

end:	do
	:: ssip -> ipi()
	:: online && !changed[0] && !keeps[0] -> keeps[0] = 1	/* walk */
	:: online && !changed[1] && !keeps[1] -> keeps[1] = 1
	:: round < ROUNDS ->
	   close();
	   round++;
	   ssip = 0;
	   open();
	   flush();
	   online = 1
	:: finished == CALLERS + ASKERS && !ssip -> break
	od
}

inline send(flag)
{
	if
	:: atomic { !flag -> flag = 1 }; ssip = 1
	:: atomic { flag -> skip }	/* who set it sends */
	fi
}

proctype caller(byte me)
{
	busy[me] = 1;
	if
	:: atomic { closed -> busy[me] = 0 }
	:: atomic { !closed -> posted[me] = 1; accepted++ };
	   send(call_flag);
	   !busy[me]
	fi;
	finished++
}

proctype asker(byte me)
{
	byte mine;

	slow_change[me] = 1;
	!slow_change[me];	/* full fence */
	if
	:: closed
	:: !closed ->
	   operation = 1;
	   atomic { asked++; mine = asked };
	   leaf_flag = 1;
	   ssip = 1;
	   served >= mine || closed
	fi;
	atomic { returned[me] = 1; finished++ }
}

proctype memory()
{
end:	do
	:: atomic { slow_open -> slow_open = 0; closed = 0 }
	:: atomic { slow_change[0] -> slow_change[0] = 0; changed[0] = 1 }
	:: atomic { slow_change[1] -> slow_change[1] = 0; changed[1] = 1 }
	od
}

/* Once an asker has returned, R has nothing old of it while it is online. */
active proctype watch()
{
end:	atomic { online && ((returned[0] && keeps[0]) || (returned[1] && keeps[1])) -> assert(0) }
}

init {
	atomic {
		run R();
		run caller(0);
		run caller(1);
		run asker(0);
		run asker(1);
		run memory()
	};
	finished == CALLERS + ASKERS;
	assert(accepted == ran)
}
