# SPDX-License-Identifier: MIT
"""What the programs show, and the mutants of the kernel's sources that they must flag.

ROWS: (program, tool, property, {mutant: (file, what stands there, what the mutant says[, times])}).
"""
import sleep_table

# program: cases, rounds a hart and case
THREADS = {
    "irqlock": (48, 1000),
    "irqrwlock": (16, 2000),
    "seqlock": (8, 3000),
    "counter": (8, 3000),
    "mailbox": (16, 300),
    "mutex": (16, 500),
    "rwmutex": (16, 500),
    "mixlock": (8, 300),
    "event": (8, 500),
    "qs": (8, 100),
    "log": (4, 300),
}
# program: executions, rounds a hart
RELACY = {
    "irqlock": (40000, 2),
    "irqrwlock": (40000, 2),
    "seqlock": (40000, 3),
    "counter": (10000, 3),
    "mailbox": (40000, 2),
    "mutex": (20000, 2),
    "rwmutex": (20000, 2),
    "mixlock": (40000, 2),
    "event": (20000, 2),
    "qs": (20000, 3),
    "log": (10000, 2),
    "sleep": (20000, 3),
}

IRQLOCK_ORDER = {
    "release_relaxed": ("kernel/lock/irqlock.h", "~(IRQLOCK_LOCKED | IRQLOCK_KICK), release)",
                        "~(IRQLOCK_LOCKED | IRQLOCK_KICK), relaxed)"),
    "acquire_relaxed": ("kernel/lock/irqlock.h", "&free, IRQLOCK_LOCKED, acquire)",
                        "&free, IRQLOCK_LOCKED, relaxed)"),
    "newcomer_relaxed": ("kernel/lock/irqlock.c",
                         "&lock->word, word, (*word | LOCKED) + price, acquire));",
                         "&lock->word, word, (*word | LOCKED) + price, relaxed));"),
    "head_relaxed": ("kernel/lock/irqlock.c", "&lock->word, &word, taken, acquire))",
                     "&lock->word, &word, taken, relaxed))"),
    "locked_twice": ("kernel/lock/irqlock.c", "	if (word & LOCKED)\n		return false;\n",
                     ""),
}
IRQLOCK_WAKE = {
    "kick_not_taken": ("kernel/lock/irqlock.h", "~(IRQLOCK_LOCKED | IRQLOCK_KICK)",
                       "~IRQLOCK_LOCKED"),
    "kick_not_sent": ("kernel/lock/park.c", "if (!named)", "if (named < 1000)"),
    "successor_not_named": ("kernel/lock/irqlock.c", "ASLEEP | KICK_OF(successor->index), relaxed",
                            "ASLEEP, relaxed"),
    "look_before_clear": ("kernel/lock/park.c", """\
		mail |= relax_take_ipi();
		if (atomic_load_u32(state, acquire) != parked)
			break;
""", """\
		if (atomic_load_u32(state, acquire) != parked)
			break;
		mail |= relax_take_ipi();
"""),
    "look_before_clear_head": ("kernel/lock/park.c", """\
		mail |= relax_take_ipi();
		if ((atomic_load_u32(word, acquire) & KICK_MASK) != KICK_OF(h->index))
			break;
""", """\
		if ((atomic_load_u32(word, acquire) & KICK_MASK) != KICK_OF(h->index))
			break;
		mail |= relax_take_ipi();
"""),
}
IRQLOCK_IRQ = {
    "interrupts_early": ("kernel/lock/context.h", "if (--h->irq_depth)\n",
                         "if (--h->irq_depth > 1)\n"),
}

RWLOCK_ORDER = {
    "writer_release_relaxed": ("kernel/lock/irqrwlock.c", "~(WRITER | KICK_MASK), release)",
                               "~(WRITER | KICK_MASK), relaxed)"),
    "reader_release_relaxed": ("kernel/lock/irqrwlock.c", "&word, left, release))",
                               "&word, left, relaxed))"),
    "reader_enters_relaxed": ("kernel/lock/irqrwlock.c", "&word, word + READER, acquire))",
                              "&word, word + READER, relaxed))"),
    "writer_enters_relaxed": ("kernel/lock/irqrwlock.c", "&word, WRITER, acquire);",
                              "&word, WRITER, relaxed);"),
    "gate_enters_relaxed": ("kernel/lock/irqrwlock.c", "(word & ~ASKED) + grant, acquire))",
                            "(word & ~ASKED) + grant, relaxed))"),
    "reader_ignores_writer": ("kernel/lock/irqrwlock.c", "passing ? WRITER : WRITER | ASKED",
                              "passing ? 0 : WRITER | ASKED"),
}
RWLOCK_WAKE = {
    "last_reader_keeps_kick": ("kernel/lock/irqrwlock.c", "left &= ~KICK_MASK;", "left |= 0;"),
    "last_reader_sends_none": ("kernel/lock/irqrwlock.c",
                               "return left & READERS_MASK ? 0 : word;", "return 0;"),
    "writer_keeps_kick": ("kernel/lock/irqrwlock.c", "~(WRITER | KICK_MASK), release)",
                          "~WRITER, release)"),
    "nested_waits": ("kernel/lock/irqrwlock.c",
                     "return (flags & CHECK_RECURSIVE) || lock_hart()->in_irq != IRQ_NONE;",
                     "return lock_hart()->in_irq != IRQ_NONE;"),
}
SEQLOCK_ORDER = {
    "never_retries": ("kernel/lock/seqlock.h", "relaxed) != start)", "relaxed) != start && false)"),
    "write_relaxed": ("kernel/lock/seqlock.h", "atomic_store_u32(a, v, release);",
                      "atomic_store_u32(a, v, relaxed);"),
    "read_relaxed": ("kernel/lock/seqlock.h", "return atomic_load_u32(a, acquire);",
                     "return atomic_load_u32(a, relaxed);"),
    "begin_relaxed": ("kernel/lock/seqlock.c", "(seq = atomic_load_u32(&s->seq, acquire)) & 1",
                      "(seq = atomic_load_u32(&s->seq, relaxed)) & 1"),
    "end_relaxed": ("kernel/lock/seqlock.c", "atomic_store_u32(&s->seq, seq + 1, release);",
                    "atomic_store_u32(&s->seq, seq + 1, relaxed);"),
    "begin_ignores_writer": ("kernel/lock/seqlock.c",
                             "(seq = atomic_load_u32(&s->seq, acquire)) & 1)",
                             "(seq = atomic_load_u32(&s->seq, acquire)) & 1 && false)"),
}
COUNTER = {
    "not_atomic": ("kernel/lock/counter.h", """\
	atomic_add_ulong(&c->slot[lock_hart()->index % COUNTER_SLOTS].n, (unsigned long)n, relaxed);
""", """\
	atomic_ulong *slot = &c->slot[lock_hart()->index % COUNTER_SLOTS].n;

	atomic_store_ulong(slot, atomic_load_ulong(slot, relaxed) + (unsigned long)n, relaxed);
"""),
}
MAIL_CALL = {
    "push_relaxed": ("kernel/hart/call.c", "&head, call, release));", "&head, call, relaxed));"),
    "take_relaxed": ("kernel/hart/call.c", "atomic_xchg_ptr(&h->mailbox.calls, NULL, acquire);",
                     "atomic_xchg_ptr(&h->mailbox.calls, NULL, relaxed);"),
    "done_relaxed": ("kernel/hart/call.c", """\
		 */
		atomic_store_u32(&call->busy, 0, release);
""", """\
		 */
		atomic_store_u32(&call->busy, 0, relaxed);
"""),
    "looked_done_relaxed": ("kernel/hart/call.h", "return !atomic_load_u32(&call->busy, acquire);",
                            "return !atomic_load_u32(&call->busy, relaxed);"),
    "freed_before_next": ("kernel/hart/call.c", """\
		oldest = call->next;
		call->fn(call->arg);
""", """\
		call->fn(call->arg);
		atomic_store_u32(&call->busy, 0, release);
		oldest = call->next;
"""),
}
MAIL_LOST = {
    "flags_before_clear": ("kernel/hart/call.c", """\
	arch_ipi_clear();
	/* Acquire: the messages that the flags announce. Partner: mail_send. */
	flags = atomic_xchg_u32(&h->mailbox.flags, 0, acquire);
""", """\
	flags = atomic_xchg_u32(&h->mailbox.flags, 0, acquire);
	arch_ipi_clear();
"""),
    "flags_not_taken_whole": ("kernel/hart/call.c", """\
	flags = atomic_xchg_u32(&h->mailbox.flags, 0, acquire);
""", """\
	flags = atomic_load_u32(&h->mailbox.flags, acquire);
	atomic_store_u32(&h->mailbox.flags, 0, relaxed);
"""),
    "closed_with_calls": ("kernel/hart/call.c", """\
	if (!atomic_cas_ptr(&h->mailbox.calls, &empty, MAILBOX_CLOSED, acq_rel)) {
		assert(empty != MAILBOX_CLOSED);
		return false;
	}
""", """\
	atomic_xchg_ptr(&h->mailbox.calls, MAILBOX_CLOSED, acq_rel);
	(void)empty;
"""),
    "open_is_silent": ("kernel/hart/call.c", """\
	 * later senders from sending: the handler takes it. */
	arch_ipi_self();
""", """\
	 * later senders from sending: the handler takes it. */
"""),
    "message_after_flag": ("kernel/hart/call.c", """\
	} while (!atomic_cas_ptr(&h->mailbox.calls, &head, call, release));
	mail_send(h, IPI_CALL);
""", """\
		mail_send(h, IPI_CALL);
	} while (!atomic_cas_ptr(&h->mailbox.calls, &head, call, release));
"""),
    "leaf_unserved_in_waits": ("kernel/lock/relax.c", """\
	if (!arch_irq_enabled())
		serve_leaf();
""", ""),
}
MAIL_LEAF = {
    "asker_without_fence": ("kernel/hart/leaf.c", """\
	/* The caller's stores before the look at the mailboxes. Partner: hart_mailbox_open. */
	fence_full();
""", ""),
    "opens_without_fence": ("kernel/hart/call.c", """\
	 */
	fence_full();
	/* A flag that was set while""", """\
	 */
	/* A flag that was set while"""),
    "ticket_before_operation": ("kernel/hart/leaf.c", """\
	atomic_or_u32(&h->mailbox.leaf_ops, op, release);
	atomic_add_ulong(&h->mailbox.leaf_asked, 1, release);
""", """\
	atomic_add_ulong(&h->mailbox.leaf_asked, 1, release);
	atomic_or_u32(&h->mailbox.leaf_ops, op, release);
"""),
    "done_before_it_is": ("kernel/hart/leaf.c", """\
	leaf_do(h, ops, from_handler);
	/* Release: the operations are done. Partner: leaf_wait. */
	atomic_store_ulong(&m->leaf_done, asked, release);
""", """\
	atomic_store_ulong(&m->leaf_done, asked, release);
	leaf_do(h, ops, from_handler);
"""),
    "done_is_relaxed": ("kernel/hart/leaf.c", "atomic_store_ulong(&m->leaf_done, asked, release);",
                        "atomic_store_ulong(&m->leaf_done, asked, relaxed);"),
}

ROWS = sleep_table.ROWS + [
    ("irqlock", "threads", "one holder; the next one sees what it did", IRQLOCK_ORDER),
    ("irqlock", "relacy", "one holder; the next one sees what it did", IRQLOCK_ORDER),
    ("irqlock", "relacy", "no wake-up is lost, nothing is left in the word", IRQLOCK_WAKE),
    ("irqlock", "relacy", "interrupts stay off to the last release", IRQLOCK_IRQ),
    ("irqrwlock", "threads", "writers exclude all, readers see whole writes", RWLOCK_ORDER),
    ("irqrwlock", "relacy", "writers exclude all, readers see whole writes", RWLOCK_ORDER),
    ("irqrwlock", "relacy", "no wake-up is lost, nested readers pass", RWLOCK_WAKE),
    # Each access is an atomic one, on a host that orders them all: order is relacy's to see.
    ("seqlock", "threads", "a reader keeps one whole write",
     {"never_retries": SEQLOCK_ORDER["never_retries"]}),
    ("seqlock", "relacy", "a reader keeps one whole write", SEQLOCK_ORDER),
    ("counter", "threads", "the sum is exact", COUNTER),
    ("counter", "relacy", "the sum is exact", COUNTER),
    ("mailbox", "threads", "a call is run, and its end told, with all that was stored", MAIL_CALL),
    ("mailbox", "relacy", "a call is run, and its end told, with all that was stored", MAIL_CALL),
    ("mailbox", "relacy", "no call is lost, also when harts come and go", MAIL_LOST),
    ("mailbox", "relacy", "a leaf operation sees what its asker stored", MAIL_LEAF),
]
