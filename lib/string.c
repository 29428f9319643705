/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings: lib/string.h.
 *
 * memcpy, memmove and memset work in words where the ends are aligned alike, eight words a turn:
 * page clearing and copying is most of what they do. No access ever reaches outside of the ranges
 * that were given. This file must be compiled with -ffreestanding or -fno-builtin, and with
 * -fno-tree-loop-distribute-patterns, or else the compiler turns the loops into calls of the
 * functions that they implement.
 */
#include "lib/string.h"

typedef unsigned long __attribute__((may_alias)) word;

#define WORD sizeof(word)
#define UNROLL 8

static bool aligned_alike(const void *a, const void *b)
{
	return (((uintptr_t)a ^ (uintptr_t)b) & (WORD - 1)) == 0;
}

/* n bytes upwards; right for overlapping ranges too if dst <= src. */
static void copy_up(unsigned char *d, const unsigned char *s, size_t n)
{
	if (n >= WORD && aligned_alike(d, s)) {
		for (; (uintptr_t)d & (WORD - 1); n--)
			*d++ = *s++;
		for (; n >= UNROLL * WORD; n -= UNROLL * WORD) {
			word *dw = (word *)d;
			const word *sw = (const word *)s;
			word w0 = sw[0], w1 = sw[1], w2 = sw[2], w3 = sw[3];
			word w4 = sw[4], w5 = sw[5], w6 = sw[6], w7 = sw[7];

			dw[0] = w0, dw[1] = w1, dw[2] = w2, dw[3] = w3;
			dw[4] = w4, dw[5] = w5, dw[6] = w6, dw[7] = w7;
			d += UNROLL * WORD;
			s += UNROLL * WORD;
		}
		for (; n >= WORD; n -= WORD) {
			*(word *)d = *(const word *)s;
			d += WORD;
			s += WORD;
		}
	}
	while (n--)
		*d++ = *s++;
}

/* n bytes downwards; right for overlapping ranges if dst >= src. */
static void copy_down(unsigned char *d, const unsigned char *s, size_t n)
{
	d += n;
	s += n;
	if (n >= WORD && aligned_alike(d, s)) {
		for (; (uintptr_t)d & (WORD - 1); n--)
			*--d = *--s;
		for (; n >= WORD; n -= WORD) {
			d -= WORD;
			s -= WORD;
			*(word *)d = *(const word *)s;
		}
	}
	while (n--)
		*--d = *--s;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	copy_up(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	if ((uintptr_t)dst <= (uintptr_t)src)
		copy_up(dst, src, n);
	else
		copy_down(dst, src, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	unsigned char *d = dst;

	if (n >= 2 * WORD) {
		word w = (word)-1 / 0xff * (unsigned char)c;

		for (; (uintptr_t)d & (WORD - 1); n--)
			*d++ = (unsigned char)c;
		for (; n >= UNROLL * WORD; n -= UNROLL * WORD) {
			word *dw = (word *)d;

			dw[0] = w, dw[1] = w, dw[2] = w, dw[3] = w;
			dw[4] = w, dw[5] = w, dw[6] = w, dw[7] = w;
			d += UNROLL * WORD;
		}
		for (; n >= WORD; n -= WORD) {
			*(word *)d = w;
			d += WORD;
		}
	}
	while (n--)
		*d++ = (unsigned char)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const unsigned char *p = s;

	for (; n; n--, p++) {
		if (*p == (unsigned char)c)
			return (void *)p;
	}
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--) {
		a++;
		b++;
	}
	return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

int strncasecmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		int x = char_to_lower((unsigned char)*a), y = char_to_lower((unsigned char)*b);

		if (x != y || !x)
			return x - y;
	}
	return 0;
}

int strcasecmp(const char *a, const char *b)
{
	return strncasecmp(a, b, SIZE_MAX);
}

char *strchrnul(const char *s, int c)
{
	while (*s && *s != (char)c)
		s++;
	return (char *)s;
}

char *strchr(const char *s, int c)
{
	s = strchrnul(s, c);
	return *s == (char)c ? (char *)s : NULL;
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do {
		if (*s == (char)c)
			last = s;
	} while (*s++);
	return (char *)last;
}

char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (;; s++) {
		if (!strncmp(s, what, n))
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

size_t strspn(const char *s, const char *accept)
{
	size_t n = 0;

	while (s[n] && strchr(accept, s[n]))
		n++;
	return n;
}

size_t strcspn(const char *s, const char *reject)
{
	size_t n = 0;

	while (s[n] && !strchr(reject, s[n]))
		n++;
	return n;
}

size_t strlcpy(char *restrict dst, const char *restrict src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		size_t n = len < size ? len : size - 1;

		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return len;
}

size_t strlcat(char *restrict dst, const char *restrict src, size_t size)
{
	size_t len = strnlen(dst, size);

	return len + strlcpy(dst + len, src, size - len);
}

/* Whether s begins with 0x and a digit, as strtoul wants it. */
static bool has_hex_prefix(const char *s)
{
	int v;

	if (s[0] != '0' || char_to_lower((unsigned char)s[1]) != 'x')
		return false;
	v = char_digit_value((unsigned char)s[2]);
	return v >= 0 && v < 16;
}

unsigned long strtoul(const char *restrict s, char **restrict end, int base)
{
	const char *p = s, *digits;
	unsigned long value = 0;
	bool minus = false, overflow = false;

	while (char_is_space((unsigned char)*p))
		p++;
	if (*p == '+' || *p == '-')
		minus = *p++ == '-';
	if ((base == 0 || base == 16) && has_hex_prefix(p)) {
		p += 2;
		base = 16;
	} else if (base == 0) {
		base = *p == '0' ? 8 : 10;
	}

	for (digits = p;; p++) {
		int v = char_digit_value((unsigned char)*p);

		if (v < 0 || v >= base)
			break;
		overflow |= __builtin_mul_overflow(value, (unsigned long)base, &value);
		overflow |= __builtin_add_overflow(value, (unsigned long)v, &value);
	}
	if (end)
		*end = (char *)(p == digits ? s : p);
	if (overflow)
		return ULONG_MAX;
	return minus ? -value : value;
}

bool str_starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}
