# SPDX-License-Identifier: MIT
"""What the models of models/ show, and the mutants of them that spin must find: see run.

ROWS: (model, "spin", property, {mutant: (what stands there, what the mutant says[, times])}).
RUNS: (model, property): (defines, pan's options, part of the short form).
"""

IRQLOCK_QUEUE = {
    "kick_not_taken": ("		w[l].locked = 0;\n		w[l].kick = 0 };",
                       "		w[l].locked = 0 };"),
    "kick_not_sent": (":: kicked -> ssip[HART(kicked - 1)] = 1; kicked = 0",
                      ":: kicked -> kicked = 0"),
    "look_before_clear": ("""\
	:: ssip[HART(c)] = 0;			/* relax_take_ipi */
	   if
	   :: !(while_true) -> break
	   :: else
	   fi;
""", """\
	:: if
	   :: !(while_true) -> break
	   :: else
	   fi;
	   ssip[HART(c)] = 0;
"""),
    "successor_not_named": ("w[l].kick = successor + 1", "w[l].kick = 0"),
    "parks_without_looking": (
        "atomic { w[l].locked && !w[l].asleep -> w[l].asleep = 1; w[l].kick = c + 1 }",
        "w[l].locked && !w[l].asleep -> atomic { w[l].asleep = 1; w[l].kick = c + 1 }"),
    "taken_twice": ("#define TAKEABLE(l) (!w[l].locked && (", "#define TAKEABLE(l) ((")
}
IRQLOCK_STEALS = {"steals_uncounted": (" && w[l].steals < MAX_STEALS))", "))")}
IRQLOCK_BUFFER = {
    "join_not_release": ("""\
		      DRAINED(c) ->
		      if
		      :: TAKEABLE(l)""", """\
		      if
		      :: TAKEABLE(l)"""),
}
IRQLOCK_FIFO = {"newcomer_steals": ("(POLICY == QUEUE && w[l].asleep", "(w[l].asleep")}
IRQLOCK_TAS = {"taken_twice": IRQLOCK_QUEUE["taken_twice"]}
LINKED_WITH_INTERRUPTS = {
    "interrupts_while_linked": ("		 wait_linked(l, c);", """\
		 sie[HART(c)] = before;
		 wait_linked(l, c);
		 sie[HART(c)] = 0;"""),
}

MUTEX_WAKE = {
    "queued_on_free_lock": (":: atomic { Q || owner != NOBODY -> Q = 1 };", ":: Q = 1;"),
    "unlock_ignores_queued": (":: atomic { owner == me && !Q -> owner = NOBODY }",
                              ":: atomic { owner == me -> owner = NOBODY }"),
    "first_not_woken": ("		 steals++;\n		 nudge(heir)",
                        "		 steals++"),
    "given_up_with_waiters": (":: atomic { heir == NOBODY && owner == me && !Q -> owner",
                              ":: atomic { heir == NOBODY && owner == me -> owner"),
    "gave_up_leaves_queued": (":: first == NOBODY -> Q = 0", ":: first == NOBODY -> skip"),
    "gives_up_though_woken": ("""\
	      :: woken[me] ->
		 gone = 0;
""", """\
	      :: woken[me] && !gone ->
"""),
}
MUTEX_HAND_OFF = {
    "handed_over_late": (":: heir != NOBODY && (RT(heir) || steals >= MAX_STEALS) ->",
                         ":: heir != NOBODY && (RT(heir) || steals > MAX_STEALS) ->"),
}

WAITQ_WAKE = {
    "condition_after_wake": ("""\
	slow_condition = 1;
	LOCK(wq);
	if
	:: queued -> atomic { queued = 0; woken = 1 }; wake(WAKER_FENCE)
	:: else
	fi;
	atomic { WAKER_FENCE -> UNLOCK(wq) }
""", """\
	LOCK(wq);
	if
	:: queued -> atomic { queued = 0; woken = 1 }; wake(WAKER_FENCE)
	:: else
	fi;
	atomic { WAKER_FENCE -> UNLOCK(wq) };
	slow_condition = 1
"""),
    "sleeps_whatever_the_state": ("""\
			      :: state == SLEEPING -> on_hart = 0
""", """\
			      :: true -> on_hart = 0
"""),
    "looked_before_lock": ("""\
		LOCK(wq);
		if
		:: condition -> atomic""", """\
		result = condition;
		LOCK(wq);
		if
		:: result -> atomic"""),
}
WAITQ_LIMIT = {
    "no_fence_before_look": ("""\
		      SLEEPER_FENCE;
		      result = 0;""", """\
		      result = 0;"""),
    "no_fence_in_wake": ("	fence;						/* full */\n", ""),
    "state_after_look": ("""\
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
""", """\
		   :: result = 0;					/* look */
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
		      store_state(SLEEPING);
		      atomic { SLEEPER_FENCE -> UNLOCK(wq) };
"""),
}
WAITQ_BOTH = {
    "woken_but_queued": (":: queued -> atomic { queued = 0; woken = 1 };",
                         ":: queued -> woken = 1;"),
}

MIXLOCK_ONCE = {
    "claimed_twice": (":: atomic { !item_queued[w] -> item_queued[w] = 1 };",
                      ":: item_queued[w] = 1;"),
    "cleared_after_run": ("""\
	item_queued[w] = 0;			/* the exchange */
	atomic { ran[w]++; seen[w] = stored[w] };
""", """\
	atomic { ran[w]++; seen[w] = stored[w] };
	item_queued[w] = 0;
"""),
    "work_thread_not_asked": ("	      owner = PASSED;\n	      work = 1\n",
                              "	      owner = PASSED\n"),
}
MIXLOCK_FREE = {
    "unlock_ignores_posts": (":: atomic { owner == c && !Q -> owner = NOBODY }",
                             ":: atomic { owner == c -> owner = NOBODY }"),
    "given_up_at_the_bound": ("	      owner = PASSED;\n	      work = 1\n",
                              "	      owner = NOBODY;\n	      work = 1\n"),
    "given_up_with_posts": (":: atomic { !item && owner == c && !Q -> owner",
                            ":: atomic { !item && owner == c -> owner"),
    "posted_on_a_free_lock": ("""\
	      :: atomic { Q || owner != NOBODY -> Q = 1 };	/* pilock_mark_queued */
""", """\
	      :: Q = 1;
"""),
    "queues_behind_nobody": ("	   :: owner == PASSED -> owner = t; took = 1\n", ""),
    "run_outside": ("	assert(owner == c && inside == 0);\n	inside++;\n"
                    "	item_queued[w] = 0;", "	owner = NOBODY;\n	inside++;\n"
                    "	item_queued[w] = 0;"),
}

MAILBOX_CALL = {
    "flags_before_clear": ("""\
	ssip = 0;
	atomic { flags = (call_flag -> CALL : 0) + (leaf_flag -> LEAF : 0);
		 call_flag = 0; leaf_flag = 0 };
""", """\
	atomic { flags = (call_flag -> CALL : 0) + (leaf_flag -> LEAF : 0);
		 call_flag = 0; leaf_flag = 0 };
	ssip = 0;
"""),
    "closed_with_calls": (":: atomic { !posted[0] && !posted[1] -> closed = 1;",
                          ":: atomic { closed = 1;"),
    "open_is_silent": ("	ssip = 1		/* its own interrupt */", "	skip"),
    "flag_before_message": ("""\
	:: atomic { !closed -> posted[me] = 1; accepted++ };
	   send(call_flag);
""", """\
	:: !closed ->
	   send(call_flag);
	   atomic { posted[me] = 1; accepted++ };
"""),
}
MAILBOX_LEAF = {
    "opens_without_fence": ("	!slow_open;		/* full fence */\n", ""),
    "asker_without_fence": ("	!slow_change[me];	/* full fence */\n", ""),
    "comes_back_without_flush": ("	   open();\n	   flush();\n", "	   open();\n"),
    "used_after_close": ("closed = 1; online = 0;", "closed = 1;"),
    "ticket_before_operation": ("""\
	   operation = 1;
	   atomic { asked++; mine = asked };
""", """\
	   atomic { asked++; mine = asked };
	   operation = 1;
"""),
    "served_before_done": ("""\
	:: ticket != served ->
	   atomic { wanted""", """\
	:: ticket != served ->
	   served = ticket;
	   atomic { wanted"""),
}

_TABLE = [
    ("irqlock", "one holder, no lost wake-up", ["ROUNDS=1"], True, IRQLOCK_QUEUE),
    ("irqlock", "a head is passed a bounded number of times", ["ROUNDS=3", "N=2"], True,
     IRQLOCK_STEALS),
    ("irqlock", "a node is published before it is linked (store buffers)", ["ROUNDS=2", "N=2"],
     True, IRQLOCK_BUFFER),
    ("irqlock", "policy FIFO: in order", ["ROUNDS=1", "POLICY=FIFO"], False, IRQLOCK_FIFO),
    ("irqlock", "policy TAS: one holder", ["ROUNDS=2", "POLICY=TAS"], False, IRQLOCK_TAS),
    ("irqlock", "one node a hart is enough", ["ROUNDS=1", "N=2", "HANDLER"], True,
     LINKED_WITH_INTERRUPTS),
    ("irqlock", "a handler never waits behind its own thread", ["ROUNDS=1", "N=2", "HANDLER",
                                                                "TWO_NODES"], True,
     LINKED_WITH_INTERRUPTS),
    ("irqlock", "nor behind it by way of another lock", ["ROUNDS=1", "HANDLER", "NESTED",
                                                         "TWO_NODES", "QUIET"], False,
     LINKED_WITH_INTERRUPTS),
    ("mutex", "one holder, no waiter is forgotten", ["ROUNDS=2"], True, MUTEX_WAKE),
    ("mutex", "hand-off after a bounded number of steals", ["ROUNDS=2"], True, MUTEX_HAND_OFF),
    ("waitq", "no wake-up is lost", ["NO_TIMER"], True, WAITQ_WAKE),
    ("waitq", "no time limit is lost (store buffers)", ["NO_WAKER"], True, WAITQ_LIMIT),
    ("waitq", "a wait says what ended it", [], True, WAITQ_BOTH),
    ("mixlock", "a post runs exactly once, and sees what came before", [], True, MIXLOCK_ONCE),
    ("mixlock", "never free with posts; items run under the lock", [], True, MIXLOCK_FREE),
    ("mailbox", "an accepted call is answered once, also around a stop", ["ROUNDS=1"], True,
     MAILBOX_CALL),
    ("mailbox", "nothing old is used after a flush (store buffers)", ["ROUNDS=1"], True,
     MAILBOX_LEAF),
]
ROWS = [(model, "spin", text, mutants) for model, text, _, _, mutants in _TABLE]
RUNS = {(model, text): (defines, [], short) for model, text, defines, short, _ in _TABLE}
