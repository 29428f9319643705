/* SPDX-License-Identifier: MIT */
/*
 * Scripts of the self-test matrix. What a case does, in words separated by blanks:
 *
 *	A		acquire A and release it
 *	A>B>C		acquire A, B under it, C under both; release them the other way round
 *	+A  -A		acquire; release
 *	+Y1^X1		acquire Y1 as the second of two, X1 being the stated first (irqlock, mutex)
 *	?A  ~A		a try that must succeed (released by -A); one that must fail
 *	@A		acquire with a deadline (sleeping locks)
 *	!A		initialise
 *	off{ ... }	with interrupts off
 *	on		interrupts on, inside of off{ }
 *	%{ ... }	in an interrupt handler, of the kind that the row is run for
 *	ipi{ ... }	in a handler of the software interrupt
 *	|		between events of a row that permutes them
 *
 * Locks are of the column's kind, or as the letter before them says: s irqlock, r irqrwlock nested
 * reader, q its plain reader, w its writer, m mutex, W and R rwmutex, x mixlock.
 *
 * Scripts without braces call the locks' own functions. Those with braces run in the checker's
 * simulated context, where locks are acquired raw: the real ones would not let the state arise that
 * the case is about (an irqlock with interrupts on). They stop at the first report, because events
 * in another order may well hold a second violation; an acquire still gives one report at most.
 */
#include "tests/kernel/locktest.h"

#include "kernel/lock/check_test.h"
#include "lib/printf.h"
#include "lib/string.h"

#define CHAIN_MAX 4
#define DEPTH_MAX 4
#define NAME_MAX 40

const char *const locktest_kind_names[LT_KINDS] = {
	"irqlock", "irqrw W", "irqrw R", "irqrw q", "mutex", "rwmutex W", "rwmutex R", "mixlock"};
static const char kind_letters[] = "swrqmWRx"; /* in the order of enum locktest_kind */

static const char *const lock_names[LT_NAMES] = {"A", "B", "C", "D", "X1", "X2", "Y1", "Y2", "Z1"};

static bool ranked;
static const char *linux = ""; /* letters of the columns whose cases are counted as Linux's */

struct lock_use {
	struct locktest_lock *lock;
	enum locktest_kind kind;
};

struct run {
	const char *at;
	enum locktest_kind kind; /* the column's */
	enum irq_kind handler;	 /* what %{ stands for */
	bool raw;
	bool stopped;	/* a report came: nothing more is acquired */
	uint32_t taken; /* raw: a bit for each enum locktest_name */
	uint8_t taken_as[LT_NAMES];
	char open[DEPTH_MAX];		   /* o: off{, h: a handler */
	uint32_t taken_outside[DEPTH_MAX]; /* of each open brace */
	unsigned depth;
	bool bad;
};

static void syntax(struct run *r)
{
	r->bad = true;
	locktest_broken("script");
}

static bool word_ends(char c)
{
	return c == '\0' || c == ' ' || c == '|' || c == '}';
}

/* Takes `word` from the script if it stands there. */
static bool take(struct run *r, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(r->at, word, n))
		return false;
	r->at += n;
	return true;
}

static struct lock_use parse_lock(struct run *r)
{
	struct lock_use use = {NULL, r->kind};
	const char *letter = *r->at ? strchr(kind_letters, *r->at) : NULL;

	if (letter) {
		use.kind = (enum locktest_kind)(letter - kind_letters);
		r->at++;
	}
	for (unsigned i = 0; i < LT_NAMES; i++) {
		if (!take(r, lock_names[i]))
			continue;
		use.lock = &locktest_locks[i];
		return use;
	}
	syntax(r);
	return use;
}

/* ---- What the words do ---------------------------------------------------------------------- */

static uint32_t bit(struct lock_use u)
{
	return UINT32_C(1) << (u.lock - locktest_locks);
}

static bool acquire_raw(struct run *r, struct lock_use u, unsigned flags)
{
	bool got;

	if (r->stopped)
		return false;
	got = locktest_acquire_raw(locktest_address(u.lock, u.kind), u.lock->class, flags);
	if (got) {
		r->taken |= bit(u);
		r->taken_as[u.lock - locktest_locks] = (uint8_t)u.kind;
	}
	r->stopped = lockcheck_counted() > 0;
	return got;
}

static void acquire(struct run *r, struct lock_use u)
{
	if (r->raw)
		acquire_raw(r, u, locktest_flags(u.kind));
	else
		locktest_acquire(u.lock, u.kind);
}

static void release(struct run *r, struct lock_use u)
{
	if (!r->raw) {
		locktest_release(u.lock, u.kind);
		return;
	}
	if (r->stopped && !(r->taken & bit(u)))
		return;
	r->taken &= ~bit(u);
	locktest_release_raw(locktest_address(u.lock, u.kind), u.lock->class,
		locktest_flags(u.kind) & ~CHECK_RECURSIVE);
}

/* What is taken beyond `expected` would stay on the record for ever. */
static void give_back(struct run *r, uint32_t expected)
{
	if (!(r->taken & ~expected))
		return;
	locktest_broken("held");
	for (unsigned i = 0; i < LT_NAMES; i++)
		if ((r->taken & ~expected) >> i & 1)
			release(r,
				(struct lock_use){
					&locktest_locks[i], (enum locktest_kind)r->taken_as[i]});
}

static void try_it(struct run *r, struct lock_use u, bool must)
{
	unsigned flags = (locktest_flags(u.kind) & ~CHECK_RECURSIVE) | CHECK_TRY;
	bool got = r->raw ? acquire_raw(r, u, flags) : locktest_try(u.lock, u.kind);

	if (got != must && !r->stopped)
		locktest_broken(must ? "try failed" : "try succeeded");
}

/* Unchecked: the lock is acquired or not as the checker says. A mutex asserts that the first one is
 * held. */
static void acquire_second(struct run *r, struct lock_use u) UNCHECKED_LOCKING
{
	struct lock_use first = parse_lock(r);

	if (r->bad || r->raw || u.kind != first.kind)
		syntax(r);
	else if (u.kind == LT_IRQLOCK)
		irqlock_acquire_second(&u.lock->irqlock, &first.lock->irqlock);
	else if (u.kind == LT_MUTEX && locktest_held(first.lock, LT_MUTEX))
		mutex_lock_second(&u.lock->mutex, &first.lock->mutex);
	else
		syntax(r);
}

static void chain(struct run *r)
{
	struct lock_use uses[CHAIN_MAX];
	unsigned n = 0;

	do {
		uses[n] = parse_lock(r);
		if (r->bad)
			return;
		acquire(r, uses[n++]);
	} while (n < CHAIN_MAX && take(r, ">"));
	while (n > 0)
		release(r, uses[--n]);
}

static void lock_word(struct run *r)
{
	char what = *r->at;
	struct lock_use u;

	if (!what || !strchr("+-?~@!", what)) {
		chain(r);
		return;
	}
	r->at++;
	u = parse_lock(r);
	if (r->bad)
		return;
	switch (what) {
	case '+':
		if (take(r, "^"))
			acquire_second(r, u);
		else
			acquire(r, u);
		break;
	case '-':
		release(r, u);
		break;
	case '@':
		locktest_timed(u.lock, u.kind);
		break;
	case '!':
		locktest_init(u.lock, u.kind);
		break;
	default:
		try_it(r, u, what == '?');
	}
}

/* Linux marks what is held at that moment: this may be the report. */
static void turn_on(struct run *r)
{
	locktest_irq_enable();
	r->stopped = lockcheck_counted() > 0;
}

static void open_brace(struct run *r, char what, enum irq_kind handler)
{
	if (r->depth == DEPTH_MAX) {
		syntax(r);
		return;
	}
	r->taken_outside[r->depth] = r->taken;
	r->open[r->depth++] = what;
	if (what == 'o')
		locktest_irq_disable();
	else
		locktest_irq_enter(handler);
}

static void close_brace(struct run *r)
{
	if (!r->depth) {
		syntax(r);
		return;
	}
	if (r->open[--r->depth] == 'o') {
		locktest_irq_enable();
	} else {
		give_back(r, r->taken_outside[r->depth]);
		locktest_irq_exit();
	}
}

/* One event: up to a '|' or the end. */
static void run_event(struct run *r)
{
	while (*r->at && *r->at != '|' && !r->bad) {
		if (take(r, " "))
			continue;
		if (take(r, "off{"))
			open_brace(r, 'o', IRQ_NONE);
		else if (take(r, "%{"))
			open_brace(r, 'h', r->handler);
		else if (take(r, "ipi{"))
			open_brace(r, 'h', IRQ_IPI);
		else if (take(r, "}"))
			close_brace(r);
		else if (take(r, "on"))
			turn_on(r);
		else
			lock_word(r);
		if (!r->bad && !word_ends(*r->at) && r->at[-1] != '{' && r->at[-1] != '}')
			syntax(r);
	}
	if (r->depth && !r->bad)
		syntax(r);
	while (r->depth)
		close_brace(r);
}

/* ---- Rows ----------------------------------------------------------------------------------- */

struct script_case {
	const char *script;
	const char *order; /* of the events: their numbers */
	enum locktest_kind kind;
	enum irq_kind handler;
};

/* Where event `n`, from '1', begins; NULL: the script has not so many. */
static const char *event(const char *script, char n)
{
	for (; n > '1' && script; n--) {
		script = strchr(script, '|');
		script = script ? script + 1 : NULL;
	}
	return script;
}

static void script_body(const void *arg)
{
	const struct script_case *c = arg;
	struct run r = {.kind = c->kind, .handler = c->handler, .raw = strchr(c->script, '{')};

	if (ranked)
		locktest_set_ranks(c->kind);
	if (r.raw)
		locktest_sim_begin();
	for (const char *n = c->order; *n && !r.bad; n++) {
		r.at = event(c->script, *n);
		if (r.at)
			run_event(&r);
		else
			syntax(&r);
	}
	if (event(c->script, (char)('1' + strlen(c->order))))
		syntax(&r);
	if (r.raw) {
		give_back(&r, 0);
		locktest_sim_end();
	}
}

/* `fmt` with `handler` where it has its '%'. */
static void row_name(char name[NAME_MAX], const char *fmt, const char *handler)
{
	const char *mark = strchr(fmt, '%');
	int before = (int)(mark ? mark - fmt : 0);

	if (mark)
		snprintf(name, NAME_MAX, "%.*s%s%s", before, fmt, handler, mark + 1);
	else
		snprintf(name, NAME_MAX, "%s", fmt);
}

static void row(const struct locktest_script *s, enum irq_kind handler)
{
	static const char *const once[] = {"1", NULL};
	static const char *const twice[] = {"12", "21", NULL};
	static const char *const thrice[] = {"123", "132", "213", "231", "312", "321", NULL};
	unsigned events = 1;
	const char *const *order;
	char name[NAME_MAX];

	while (event(s->script, (char)('1' + events)))
		events++;
	order = events == 3 ? thrice : events == 2 ? twice : once;

	row_name(name, s->name, handler == IRQ_IPI ? "ipi" : "hard");
	for (; *order; order++) {
		struct script_case c = {s->script, *order, LT_IRQLOCK, handler};

		if (events > 1)
			locktest_row("%s/%s", name, *order);
		else
			locktest_row("%s", name);
		for (; c.kind < LT_KINDS; c.kind++) {
			locktest_cell(s->want[c.kind] ? s->want[c.kind] : NO_CASE, script_body, &c);
			if (handler == IRQ_TIMER && strchr(linux, kind_letters[c.kind]))
				locktest_is_of_linux();
		}
		locktest_row_end();
	}
}

bool locktest_run_script(
	const char *script, enum locktest_kind kind, char want, char verdict[LOCKTEST_VERDICT_MAX])
{
	struct script_case c = {script, "1", kind, IRQ_TIMER};

	return locktest_run(want, script_body, &c, verdict);
}

void locktest_ranked(bool on)
{
	ranked = on;
}

void locktest_scripts(const struct locktest_script *rows, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		row(&rows[i], IRQ_TIMER);
		if (strchr(rows[i].name, '%'))
			row(&rows[i], IRQ_IPI);
	}
}

void locktest_scripts_of_linux(const char *columns, const struct locktest_script *rows, unsigned n)
{
	linux = columns;
	locktest_scripts(rows, n);
	linux = "";
}
