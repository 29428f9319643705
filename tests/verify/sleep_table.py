# SPDX-License-Identifier: MIT
"""The part of code_table.py about what sleeps, and about reclamation and the log."""


def without(mutants, *names):
    """Those that a tool can flag: the thread sanitizer sees races on plain data only, and only
    what happened; relacy takes every full fence for one that orders all before with all after."""
    return {n: m for n, m in mutants.items() if n not in names}


MUTEX_ORDER = {
    "take_fast_relaxed": ("kernel/wait/pilock.h", "&free, lock_thread()->handle, acquire)",
                          "&free, lock_thread()->handle, relaxed)"),
    "unlock_fast_relaxed": ("kernel/wait/pilock.h",
                            "return likely(atomic_cas_u32(&l->word, &mine, 0, release));",
                            "return likely(atomic_cas_u32(&l->word, &mine, 0, relaxed));"),
    "take_slow_relaxed": ("kernel/wait/pilock.c", "&l->word, &w, mine, acquire));",
                          "&l->word, &w, mine, relaxed));"),
    "give_up_relaxed": ("kernel/wait/pilock.h", """\
	/* Release; partner: whoever takes the lock next. */
	return atomic_cas_u32(&l->word, &mine, 0, release);
""", """\
	return atomic_cas_u32(&l->word, &mine, 0, relaxed);
"""),
}
MUTEX_WAKE = {
    "queued_not_marked": ("kernel/wait/pilock.c",
                          "if (atomic_cas_u32(&l->word, &w, w | PILOCK_QUEUED, relaxed))",
                          "if (true)"),
    "not_woken": ("kernel/wait/waitq.c", """\
	LOCK_EVENT(waitq_wake, wq, wq->lock.class);
	sched_wake(e->thread);
""", """\
	LOCK_EVENT(waitq_wake, wq, wq->lock.class);
"""),
    "woken_not_told": ("kernel/wait/waitq.c", """\
	guarded(&wq->lock, e->woken) = true;
	wait_is_over(""", """\
	wait_is_over("""),
}
MUTEX_FREE = {
    "touched_after_unlock": ("kernel/wait/pilock.c", """\
	} while (!passed && !pilock_give_up(l, mine));
""", """\
	} while (!passed && !pilock_give_up(l, mine));
	l->steals = 0;
"""),
    # Given up by the word, without flags, under wq.lock, which is then released.
    "given_up_before_the_last_touch": ("kernel/wait/pilock.c", """\
	if (waitq_first(&l->wq) || l->posts_pending || (w & PILOCK_ABANDONED)) {
""", """\
	if (waitq_first(&l->wq) || l->posts_pending || (w | PILOCK_ABANDONED)) {
"""),
}

RWMUTEX_ORDER = {
    "reader_enters_relaxed": ("kernel/wait/rwmutex.c", "&rw->count, &n, n + 1, acquire)",
                              "&rw->count, &n, n + 1, relaxed)"),
    "reader_leaves_relaxed": ("kernel/wait/rwmutex.c", "&rw->count, &n, n - 1, release)",
                              "&rw->count, &n, n - 1, relaxed)"),
    "writer_enters_relaxed": ("kernel/wait/rwmutex.c",
                              "atomic_or_u32(&rw->count, RWMUTEX_WRITER, acquire)",
                              "atomic_or_u32(&rw->count, RWMUTEX_WRITER, relaxed)"),
    "writer_leaves_relaxed": ("kernel/wait/rwmutex.c",
                              "atomic_and_u32(&rw->count, ~RWMUTEX_WRITER, release);",
                              "atomic_and_u32(&rw->count, ~RWMUTEX_WRITER, relaxed);"),
    "writer_does_not_wait": ("kernel/wait/rwmutex.c", "RWMUTEX_WRITER, acquire) & ~RWMUTEX_WRITER",
                             "RWMUTEX_WRITER, acquire) & 0"),
}
RWMUTEX_WAKE = {
    "last_reader_silent": ("kernel/wait/rwmutex.c", """\
	if (atomic_add_u32(&rw->count, -1u, release) == (RWMUTEX_WRITER | 1))
		waitq_wake_locked(&rw->drain, 1);
""", """\
	atomic_add_u32(&rw->count, -1u, release);
"""),
}

MIXLOCK_ORDER = {
    "try_relaxed": ("kernel/wait/mixlock.c", "&m->pi.word, &free, my_word(), acquire)",
                    "&m->pi.word, &free, my_word(), relaxed)"),
}
MIXLOCK_ONCE = {
    "claim_relaxed": ("kernel/wait/mixlock.c", "atomic_xchg_u32(&w->queued, 1, acq_rel)",
                      "atomic_xchg_u32(&w->queued, 1, relaxed)"),
    "cleared_after_run": ("kernel/wait/mixlock.c", """\
	atomic_xchg_u32(&w->queued, 0, acq_rel);
	LOCK_EVENT(mixlock_run, m, m->pi.class);
	racy_write(t->posted_work, true, "a handler leaves it to the thread as it was");
	racy_write(*to, m->pi.class, "as above");
	fn(w);
""", """\
	racy_write(t->posted_work, true, "a handler leaves it to the thread as it was");
	racy_write(*to, m->pi.class, "as above");
	fn(w);
	atomic_xchg_u32(&w->queued, 0, acq_rel);
"""),
    "rest_given_to_nobody": ("kernel/wait/mixlock.c", """\
	if (mine)
		work_queue_claimed(&m->drain);
""", ""),
    "posted_on_a_free_lock": MUTEX_WAKE["queued_not_marked"],
}

EVENT = {
    "complete_uncounted": ("kernel/wait/completion.c", "		c->done++;\n", ""),
    "complete_touches_later": ("kernel/wait/completion.c", """\
	waitq_unlock(&c->wq);
}

void complete_all""", """\
	waitq_unlock(&c->wq);
	if (c->done == 77)
		c->done = 0;
}

void complete_all"""),
    "up_uncounted": ("kernel/wait/semaphore.c", "w + UNIT, release)", "w, release)"),
    "unit_given_relaxed": ("kernel/wait/semaphore.c", "w + UNIT, release)", "w + UNIT, relaxed)"),
    "unit_taken_relaxed": ("kernel/wait/semaphore.c", "w - UNIT, acquire)", "w - UNIT, relaxed)"),
    "up_past_waiters": ("kernel/wait/semaphore.c", "while (!(w & QUEUED)) {", "while (true) {"),
    "marked_with_units": ("kernel/wait/semaphore.c", """\
		if (atomic_cas_u32(&s->word, &none, QUEUED, relaxed) || none == QUEUED)
""", """\
		if (atomic_or_u32(&s->word, QUEUED, relaxed) || none == 0)
"""),
    "gave_up_marked": ("kernel/wait/semaphore.c", """\
		LOCK_POINT(semaphore_gave_up);
		clear_if_empty(s);
""", ""),
    "granted_marked": ("kernel/wait/semaphore.c", """\
	if (granted)
		clear_if_empty(s);
""", ""),
    "condvar_queues_late": ("kernel/wait/condvar.c", """\
	join(cv, &e);
	mutex_unlock(m);
""", """\
	mutex_unlock(m);
	join(cv, &e);
"""),
    "not_woken": MUTEX_WAKE["not_woken"],
}

QS = {
    "passes_at_once": ("kernel/sched/qs.c", "return now != noted ||", "return true ||"),
    "by_the_order_of_c_alone": ("tests/verify/program_qs.c", "vm_amo_is_fence = true;",
                                "vm_amo_is_fence = false;"),
}
SLEEP_FENCES = {
    "sleeps_without_fence": ("kernel/sched/wake.c", """\
	fence_full();
}

void sched_cancel_sleep""", """\
}

void sched_cancel_sleep"""),
    "wakes_without_fence": ("kernel/sched/wake.c", """\
	fence_full();
	LOCK_POINT(sched_wake);
""", ""),
}

TTY_ORDER = {
    "put_relaxed": ("kernel/log/tty.c", "atomic_store_u32(&put, at + 1, release);",
                    "atomic_store_u32(&put, at + 1, relaxed);"),
    "taken_relaxed": ("kernel/log/tty.c", "atomic_store_u32(&taken, at + (uint32_t)i, release);",
                      "atomic_store_u32(&taken, at + (uint32_t)i, relaxed);"),
    "room_relaxed": ("kernel/log/tty.c", "atomic_load_u32(&taken, acquire)",
                     "atomic_load_u32(&taken, relaxed)", 2),
}
TTY_HOLD = {
    "holds_without_fence": ("kernel/log/tty.c", """\
	fence_full();
	return !tty_room()""", """\
	return !tty_room()"""),
    "lets_go_without_fence": ("kernel/log/tty.c", "	fence_full(); /* partner: tty_hold */\n",
                              ""),
}

ROWS = [
    ("mutex", "threads", "one holder; the next one sees what it did",
     without(MUTEX_ORDER, "give_up_relaxed")),
    ("mutex", "relacy", "one holder; the next one sees what it did", MUTEX_ORDER),
    ("mutex", "relacy", "no waiter is forgotten", MUTEX_WAKE),
    ("mutex", "relacy", "its last holder may give it away", MUTEX_FREE),
    ("rwmutex", "threads", "writers exclude all, readers see whole writes", RWMUTEX_ORDER),
    ("rwmutex", "relacy", "writers exclude all, readers see whole writes",
     without(RWMUTEX_ORDER, "reader_leaves_relaxed")),
    ("rwmutex", "relacy", "no waiter is forgotten", RWMUTEX_WAKE),
    ("mixlock", "threads", "a post runs exactly once, and sees what came before",
     {"run_without_the_lock": ("kernel/wait/mixlock.c",
                               "if (pilock_take_locked(&m->pi, my_word(), true))", "if (true)")}),
    ("mixlock", "relacy", "one holder; the next one sees what it did", MIXLOCK_ORDER),
    ("mixlock", "relacy", "a post runs exactly once, and sees what came before", MIXLOCK_ONCE),
    ("event", "threads", "a completion may lie on its waiter's stack",
     {"complete_touches_later": EVENT["complete_touches_later"]}),
    ("event", "relacy", "semaphore, completion, condvar, waitq: nothing is lost", EVENT),
    # A fence is nothing to the thread sanitizer, so the order of the counters is seen there.
    ("qs", "threads", "given back after every section",
     {"count_relaxed": ("kernel/sched/qs.c", "->quiescent, acquire);", "->quiescent, relaxed);")}),
    ("qs", "relacy", "given back after every section", QS),
    ("sleep", "relacy", "a sleep and a wake without a lock meet", SLEEP_FENCES),
    ("log", "threads", "each byte comes in once, and in order",
     without(TTY_ORDER, "room_relaxed")),
    ("log", "relacy", "each byte comes in once, and in order", TTY_ORDER),
    ("log", "relacy", "a device that was kept back is let go", TTY_HOLD),
]
