/* SPDX-License-Identifier: MIT */
/*
 * The log's memory: the newest lines in a ring of bytes. Pure, the caller serialises. Also compiled
 * for the host.
 *
 * Records are named by their position: bytes ever written before them. `tail` is the position of
 * the oldest that is still there, `head` that of the next one. A reader keeps a position; if it was
 * overtaken it goes on at the tail and is told how many records it missed.
 */
#ifndef KERNEL_LOG_RING_H
#define KERNEL_LOG_RING_H

#include "lib/types.h"

#define LOG_TEXT_MAX 200

struct log_record {
	uint64_t time_ns;
	uint64_t seq;  /* of the record since boot, from 0 */
	uint16_t hart; /* index */
	uint8_t level; /* enum log_level */
	uint8_t len;   /* of the text that follows */
};

struct log_ring {
	char *bytes;
	size_t size;	     /* a power of two, at least 1024 */
	uint64_t head, tail; /* positions */
	uint64_t next_seq;
};

struct log_entry {
	struct log_record rec;
	char text[LOG_TEXT_MAX + 1];
};

void log_ring_init(struct log_ring *r, char *bytes, size_t size);
/* Adds a record, dropping the oldest as needed; len <= LOG_TEXT_MAX. */
void log_ring_add(struct log_ring *r, const struct log_record *rec, const char *text);
/* Copies the record at *pos (or the oldest after it) and moves *pos behind it; false at the head.
 * Adds the number of records that were overwritten before they were read to *missed. */
bool log_ring_read(const struct log_ring *r, uint64_t *pos, struct log_entry *out,
	uint64_t *next_seq, uint64_t *missed);

/* The kernel's ring (kernel/log/log.c). Either; rank LOG. */
struct log_reader {
	uint64_t pos, next_seq, missed;
};
bool log_read(struct log_reader *reader, struct log_entry *out);
/* `[   0.001234] hart 0: text\n` into out (coloured if asked); returns the length. */
size_t log_format(const struct log_entry *e, bool color, char *out, size_t n);
const char *log_level_name(unsigned level);
/* Reads color= and loglevel= of the boot arguments. Boot hart, after arch_info is filled. */
void log_init(void);

#endif
