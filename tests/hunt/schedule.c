/* SPDX-License-Identifier: MIT */
/*
 * The schedule of a hunt: a list of (round, hart, number of an event of that hart in that round),
 * each with what happens there. From a seed, or as text, so that a failing one can be taken apart
 * entry by entry.
 *
 * From a seed, after "probabilistic concurrency testing" (Burckhardt and others, 2010): in each
 * round the harts get priorities in random order, and the highest that can go on does; at 1 to 3
 * moments the hart that is there goes behind all others. The moments are drawn evenly from as many
 * events as the round before had, and for the first one on a logarithmic scale. Beside that come
 * interrupts, at moments that are drawn in the same way.
 *
 * What a round draws depends on seed, round and lengths alone, and its priorities on seed and round
 * alone: a list of entries and the seed repeat the run.
 *
 * Written between rounds by one hart; during a round each hart reads its own entries and marks
 * them.
 */
#include "kernel/panic.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/hunt/engine.h"

#define ENTRIES_MAX 4096
#define LOWERED_MAX 3
#define IRQS_MAX 2 /* of each kind and hart in a round */
#define FIRST_MAGNITUDES 8
#define DELAY_MAGNITUDES 6 /* ticks: 100 instructions each */

static uint64_t base_seed;
static unsigned nr_sched_harts;
static bool listed; /* the entries were given as text */
/* By round, then by hart, then by event. One more, for due_at to look at. */
static struct entry entries[ENTRIES_MAX + 1];
static unsigned nr_entries;
/* Of this round: where the entries of each hart begin, and its next one. */
static unsigned first_of[HUNT_HARTS + 1], position[HUNT_HARTS];
static uint32_t due[HUNT_HARTS]; /* the event of that; UINT32_MAX: none */
static unsigned priority[HUNT_HARTS];

void schedule_init(uint64_t seed, unsigned harts)
{
	base_seed = seed;
	nr_sched_harts = harts;
}

static bool comes_before(const struct entry *a, const struct entry *b)
{
	if (a->round != b->round)
		return a->round < b->round;
	if (a->hart != b->hart)
		return a->hart < b->hart;
	return a->event < b->event;
}

/* In its place; two at one event stay in the order in which they came. */
static int insert(struct entry new)
{
	unsigned i = nr_entries;

	if (nr_entries == ENTRIES_MAX)
		return -EINVAL;
	for (; i > 0 && comes_before(&new, &entries[i - 1]); i--)
		entries[i] = entries[i - 1];
	entries[i] = new;
	nr_entries++;
	return 0;
}

/* In as many instructions whether there is one or not: a drawn entry whose event never comes must
 * cost what it costs not to have it, as in the list of those that were applied. */
static uint32_t due_at(unsigned hart, unsigned at)
{
	return entries[at].event | -(uint32_t)(at == first_of[hart + 1]);
}

static void find_round(unsigned round)
{
	unsigned i = 0;

	while (i < nr_entries && entries[i].round < round)
		i++;
	for (unsigned hart = 0; hart < HUNT_HARTS; hart++) {
		first_of[hart] = i;
		position[hart] = i;
		while (i < nr_entries && entries[i].round == round && entries[i].hart == hart)
			i++;
	}
	first_of[HUNT_HARTS] = i;
	for (unsigned hart = 0; hart < HUNT_HARTS; hart++)
		due[hart] = due_at(hart, position[hart]);
}

static void shuffle_priorities(struct rng *rng)
{
	for (unsigned i = 0; i < nr_sched_harts; i++)
		priority[i] = HUNT_LOWEST + 1 + i;
	for (unsigned i = nr_sched_harts; i > 1; i--) {
		unsigned j = (unsigned)rng_below(rng, i), kept = priority[i - 1];

		priority[i - 1] = priority[j];
		priority[j] = kept;
	}
}

/* 1 to 2^magnitudes, each magnitude with the same share. */
static uint32_t draw_scaled(struct rng *rng, unsigned magnitudes)
{
	return 1 + (uint32_t)rng_below(rng, 1ull << (1 + rng_below(rng, magnitudes)));
}

static uint32_t draw_event(struct rng *rng, uint32_t length)
{
	return length ? 1 + (uint32_t)rng_below(rng, length) : draw_scaled(rng, FIRST_MAGNITUDES);
}

static void draw_irqs(struct rng *rng, struct entry e, uint32_t length)
{
	for (unsigned n = (unsigned)rng_below(rng, IRQS_MAX + 1); n; n--) {
		e.kind = ENTRY_TIMER;
		e.event = draw_event(rng, length);
		e.n = (uint16_t)(draw_scaled(rng, DELAY_MAGNITUDES) - 1);
		insert(e);
	}
	for (unsigned n = (unsigned)rng_below(rng, IRQS_MAX + 1); n; n--) {
		e.kind = ENTRY_IPI;
		e.event = draw_event(rng, length);
		e.n = (uint16_t)rng_below(rng, nr_sched_harts);
		insert(e);
	}
}

static void draw_entries(struct rng *rng, unsigned round, const uint32_t *lengths)
{
	struct entry e = {.round = (uint16_t)round};

	for (unsigned hart = 0; hart < nr_sched_harts; hart++) {
		e.hart = (uint8_t)hart;
		/* A hart of which nothing came has none to come, except in the first round. */
		if (lengths[hart] || !round)
			draw_irqs(rng, e, lengths[hart]);
	}
	for (unsigned n = 1 + (unsigned)rng_below(rng, LOWERED_MAX); n;) {
		unsigned hart = (unsigned)rng_below(rng, nr_sched_harts);

		if (round && !lengths[hart])
			continue;
		insert((struct entry){.round = (uint16_t)round,
			.hart = (uint8_t)hart,
			.kind = ENTRY_LOWER,
			.event = draw_event(rng, lengths[hart])});
		n--;
	}
}

void schedule_round(unsigned round, const uint32_t *lengths)
{
	struct rng rng;

	rng_seed(&rng, base_seed * 1000003 + round);
	shuffle_priorities(&rng);
	if (!listed)
		draw_entries(&rng, round, lengths);
	find_round(round);
}

/* Digits up to a character that is none. */
static bool read_number(const char **text, uint32_t *out)
{
	const char *p = *text;
	uint32_t n = 0;

	for (; *p >= '0' && *p <= '9' && n < 100000000; p++)
		n = n * 10 + (uint32_t)(*p - '0');
	if (p == *text)
		return false;
	*text = p;
	*out = n;
	return true;
}

static bool read_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* ROUND.HART:EVENT, ROUND.HART:EVENT+TICKS or ROUND.HART:EVENT!HART */
static bool read_entry(const char **text, struct entry *out)
{
	uint32_t round, hart, n;

	*out = (struct entry){.kind = ENTRY_LOWER};
	if (!read_number(text, &round) || round > UINT16_MAX || !read_char(text, '.') ||
		!read_number(text, &hart) || hart >= nr_sched_harts || !read_char(text, ':') ||
		!read_number(text, &out->event))
		return false;
	out->round = (uint16_t)round;
	out->hart = (uint8_t)hart;
	if (read_char(text, '+'))
		out->kind = ENTRY_TIMER;
	else if (read_char(text, '!'))
		out->kind = ENTRY_IPI;
	else
		return true;
	if (!read_number(text, &n) ||
		n > (out->kind == ENTRY_IPI ? nr_sched_harts - 1 : UINT16_MAX))
		return false;
	out->n = (uint16_t)n;
	return true;
}

int schedule_from_text(const char *text)
{
	struct entry e;

	listed = true;
	if (strcmp(text, "none") == 0)
		return 0;
	do {
		if (!read_entry(&text, &e) || insert(e))
			return -EINVAL;
	} while (read_char(&text, ','));
	return *text ? -EINVAL : 0;
}

unsigned schedule_priority(unsigned hart)
{
	return priority[hart];
}

const struct entry *schedule_next(unsigned hart, uint32_t event)
{
	unsigned at = position[hart];

	if (event < due[hart])
		return NULL;
	position[hart] = at + 1;
	due[hart] = due_at(hart, at + 1);
	entries[at].applied = true;
	return &entries[at];
}

static const char *const signs[] = {
	[ENTRY_TIMER] = "+",
	[ENTRY_IPI] = "!",
};

void schedule_report(void)
{
	for (unsigned i = 0; i < nr_entries; i++) {
		const struct entry *e = &entries[i];

		if (!e->applied)
			continue;
		if (e->kind == ENTRY_LOWER)
			report("hunt-entry: %u.%u:%u\n", e->round, e->hart, (unsigned)e->event);
		else
			report("hunt-entry: %u.%u:%u%s%u\n", e->round, e->hart, (unsigned)e->event,
				signs[e->kind], e->n);
	}
}
