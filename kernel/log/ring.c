/* SPDX-License-Identifier: MIT */
/*
 * The log's memory. A record is a struct log_record and its text, rounded up to 8 bytes, copied
 * into the ring byte by byte where it wraps. Positions only grow; `size` divides 2^64.
 */
#include "kernel/log/ring.h"

#include "lib/string.h"

#define RECORD_ALIGN 8

static void copy_in(struct log_ring *r, uint64_t pos, const void *src, size_t n);
static void copy_out(const struct log_ring *r, uint64_t pos, void *dst, size_t n);
static size_t record_size(size_t len);

void log_ring_init(struct log_ring *r, char *bytes, size_t size)
{
	*r = (struct log_ring){.bytes = bytes, .size = size};
}

void log_ring_add(struct log_ring *r, const struct log_record *rec, const char *text)
{
	struct log_record full = *rec;
	size_t need = record_size(rec->len);

	while (r->head + need - r->tail > r->size) {
		struct log_record old;

		copy_out(r, r->tail, &old, sizeof(old));
		r->tail += record_size(old.len);
	}
	full.seq = r->next_seq++;
	copy_in(r, r->head, &full, sizeof(full));
	copy_in(r, r->head + sizeof(full), text, rec->len);
	r->head += need;
}

bool log_ring_read(const struct log_ring *r, uint64_t *pos, struct log_entry *out,
	uint64_t *next_seq, uint64_t *missed)
{
	if (*pos < r->tail)
		*pos = r->tail;
	if (*pos == r->head)
		return false;
	copy_out(r, *pos, &out->rec, sizeof(out->rec));
	copy_out(r, *pos + sizeof(out->rec), out->text, out->rec.len);
	out->text[out->rec.len] = '\0';
	*missed += out->rec.seq - *next_seq;
	*next_seq = out->rec.seq + 1;
	*pos += record_size(out->rec.len);
	return true;
}

static size_t record_size(size_t len)
{
	return align_up(sizeof(struct log_record) + len, RECORD_ALIGN);
}

static void copy_in(struct log_ring *r, uint64_t pos, const void *src, size_t n)
{
	size_t at = (size_t)pos & (r->size - 1);
	size_t first = MIN(n, r->size - at);

	memcpy(r->bytes + at, src, first);
	memcpy(r->bytes, (const char *)src + first, n - first);
}

static void copy_out(const struct log_ring *r, uint64_t pos, void *dst, size_t n)
{
	size_t at = (size_t)pos & (r->size - 1);
	size_t first = MIN(n, r->size - at);

	memcpy(dst, r->bytes + at, first);
	memcpy((char *)dst + first, r->bytes, n - first);
}
