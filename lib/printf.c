/* SPDX-License-Identifier: MIT */
/*
 * Formatting: lib/printf.h. The format is read into a struct spec, the conversion makes a prefix
 * and digits (or text), and one function pads and puts them out.
 */
#include "lib/printf.h"
#include "lib/string.h"

/* The longest number: 64 bits in octal. */
#define MAX_DIGITS 22

enum length {
	LEN_CHAR,
	LEN_SHORT,
	LEN_INT,
	LEN_LONG,
	LEN_LLONG,
	LEN_MAX,
	LEN_SIZE,
	LEN_PTRDIFF
};

struct spec {
	bool minus, plus, space, hash, zero;
	int width;
	int precision; /* -1: none */
	enum length length;
	char conv;
};

struct sink {
	format_out *out;
	void *ctx;
	int written; /* stays at INT_MAX once there */
};

/* va_list may be an array type: in a struct it can be passed by pointer everywhere. */
struct args {
	va_list list;
};

static void put(struct sink *o, const char *s, size_t n)
{
	if (!n)
		return;
	o->out(o->ctx, s, n);
	if (n > (size_t)(INT_MAX - o->written))
		o->written = INT_MAX;
	else
		o->written += (int)n;
}

static void fill(struct sink *o, char c, long n)
{
	char run[64];

	memset(run, c, sizeof(run));
	for (; n > 0; n -= (long)sizeof(run))
		put(o, run, n < (long)sizeof(run) ? (size_t)n : sizeof(run));
}

/* prefix, `zeros` zeros, body: in a field of the spec's width. */
static void put_field(struct sink *o, const struct spec *sp, const char *prefix, long zeros,
	const char *body, size_t n)
{
	long prefix_len = (long)strlen(prefix);
	long pad = sp->width - prefix_len - zeros - (long)n;

	if (!sp->minus)
		fill(o, ' ', pad);
	put(o, prefix, (size_t)prefix_len);
	fill(o, '0', zeros);
	put(o, body, n);
	if (sp->minus)
		fill(o, ' ', pad);
}

static void put_unsigned(struct sink *o, const struct spec *sp, const char *prefix,
	unsigned long long value, unsigned base)
{
	const char *digit = sp->conv == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char buf[MAX_DIGITS], *p = buf + sizeof(buf);
	long n, zeros = 0;

	for (; value; value /= base)
		*--p = digit[value % base];
	n = buf + sizeof(buf) - p;

	if (sp->precision >= 0)
		zeros = sp->precision - n;
	else if (!n)
		zeros = 1;
	if (sp->precision < 0 && sp->zero && !sp->minus)
		zeros = MAX(zeros, sp->width - (long)strlen(prefix) - n);
	if (sp->conv == 'o' && sp->hash)
		zeros = MAX(zeros, 1L);
	put_field(o, sp, prefix, MAX(zeros, 0L), p, (size_t)n);
}

static void put_signed(struct sink *o, const struct spec *sp, long long value)
{
	const char *prefix = value < 0 ? "-" : sp->plus ? "+" : sp->space ? " " : "";
	unsigned long long magnitude = (unsigned long long)value;

	put_unsigned(o, sp, prefix, value < 0 ? -magnitude : magnitude, 10);
}

static void put_pointer(struct sink *o, const struct spec *sp, const void *ptr)
{
	put_unsigned(o, sp, "0x", (uintptr_t)ptr, 16);
}

static void put_string(struct sink *o, const struct spec *sp, const char *s)
{
	size_t n;

	if (!s)
		s = "(null)";
	n = sp->precision < 0 ? strlen(s) : strnlen(s, (size_t)sp->precision);
	put_field(o, sp, "", 0, s, n);
}

static long long signed_arg(struct args *a, enum length length)
{
	switch (length) {
	case LEN_CHAR:
		return (signed char)va_arg(a->list, int);
	case LEN_SHORT:
		return (short)va_arg(a->list, int);
	case LEN_LONG:
		return va_arg(a->list, long);
	case LEN_LLONG:
		return va_arg(a->list, long long);
	case LEN_MAX:
		return va_arg(a->list, intmax_t);
	case LEN_SIZE:
	case LEN_PTRDIFF:
		return va_arg(a->list, ptrdiff_t);
	default:
		return va_arg(a->list, int);
	}
}

static unsigned long long unsigned_arg(struct args *a, enum length length)
{
	switch (length) {
	case LEN_CHAR:
		return (unsigned char)va_arg(a->list, int);
	case LEN_SHORT:
		return (unsigned short)va_arg(a->list, int);
	case LEN_LONG:
		return va_arg(a->list, unsigned long);
	case LEN_LLONG:
		return va_arg(a->list, unsigned long long);
	case LEN_MAX:
		return va_arg(a->list, uintmax_t);
	case LEN_SIZE:
	case LEN_PTRDIFF:
		return va_arg(a->list, size_t);
	default:
		return va_arg(a->list, unsigned);
	}
}

/* Reads a width or precision at *fmt: digits, cut at INT_MAX, or * for an argument. */
static int read_number(const char **fmt, struct args *a)
{
	int n = 0;

	if (**fmt == '*') {
		(*fmt)++;
		return va_arg(a->list, int);
	}
	for (; char_is_digit(**fmt); (*fmt)++) {
		int digit = **fmt - '0';

		n = n > (INT_MAX - digit) / 10 ? INT_MAX : n * 10 + digit;
	}
	return n;
}

static bool read_flag(char c, struct spec *sp)
{
	switch (c) {
	case '-':
		sp->minus = true;
		return true;
	case '+':
		sp->plus = true;
		return true;
	case ' ':
		sp->space = true;
		return true;
	case '#':
		sp->hash = true;
		return true;
	case '0':
		sp->zero = true;
		return true;
	default:
		return false;
	}
}

static enum length read_length(const char **fmt)
{
	switch (*(*fmt)++) {
	case 'h':
		if (**fmt != 'h')
			return LEN_SHORT;
		(*fmt)++;
		return LEN_CHAR;
	case 'l':
		if (**fmt != 'l')
			return LEN_LONG;
		(*fmt)++;
		return LEN_LLONG;
	case 'j':
		return LEN_MAX;
	case 'z':
		return LEN_SIZE;
	case 't':
		return LEN_PTRDIFF;
	default:
		(*fmt)--;
		return LEN_INT;
	}
}

/* fmt is behind the %; returns what is behind the conversion's letter. */
static const char *read_spec(const char *fmt, struct spec *sp, struct args *a)
{
	*sp = (struct spec){.precision = -1};
	while (read_flag(*fmt, sp))
		fmt++;
	sp->width = read_number(&fmt, a);
	if (sp->width < 0) { /* from a *: the minus is a flag */
		sp->minus = true;
		sp->width = sp->width == INT_MIN ? INT_MAX : -sp->width;
	}
	if (*fmt == '.') {
		fmt++;
		sp->precision = read_number(&fmt, a);
		if (sp->precision < 0)
			sp->precision = -1;
	}
	sp->length = read_length(&fmt);
	sp->conv = *fmt;
	return *fmt ? fmt + 1 : fmt;
}

/* False: the conversion is not known, and nothing was done. */
static bool convert(struct sink *o, const struct spec *sp, struct args *a)
{
	unsigned long long value;
	char c;

	switch (sp->conv) {
	case 'd':
	case 'i':
		put_signed(o, sp, signed_arg(a, sp->length));
		return true;
	case 'u':
		put_unsigned(o, sp, "", unsigned_arg(a, sp->length), 10);
		return true;
	case 'o':
		put_unsigned(o, sp, "", unsigned_arg(a, sp->length), 8);
		return true;
	case 'x':
	case 'X':
		value = unsigned_arg(a, sp->length);
		put_unsigned(o, sp,
			!sp->hash || !value	  ? ""
				: sp->conv == 'x' ? "0x"
						  : "0X",
			value, 16);
		return true;
	case 'c':
		c = (char)va_arg(a->list, int);
		put_field(o, sp, "", 0, &c, 1);
		return true;
	case 's':
		put_string(o, sp, va_arg(a->list, const char *));
		return true;
	case 'p':
		put_pointer(o, sp, va_arg(a->list, void *));
		return true;
	case '%':
		put(o, "%", 1);
		return true;
	default:
		return false;
	}
}

int vformat(format_out *out, void *ctx, const char *fmt, va_list args)
{
	struct sink o = {out, ctx, 0};
	struct args a;
	struct spec sp;

	va_copy(a.list, args);
	while (*fmt) {
		const char *percent = strchrnul(fmt, '%');

		put(&o, fmt, (size_t)(percent - fmt));
		if (!*percent)
			break;
		fmt = read_spec(percent + 1, &sp, &a);
		if (!convert(&o, &sp, &a)) {
			put(&o, percent, strlen(percent));
			break;
		}
	}
	va_end(a.list);
	return o.written;
}

struct buffer {
	char *next;
	size_t left; /* room without the terminator */
};

static void buffer_put(void *ctx, const char *text, size_t n)
{
	struct buffer *b = ctx;

	n = MIN(n, b->left);
	memcpy(b->next, text, n);
	b->next += n;
	b->left -= n;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct buffer b = {buf, size ? size - 1 : 0};
	int n = vformat(buffer_put, &b, fmt, args);

	if (size)
		*b.next = '\0';
	return n;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}

size_t vscnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	size_t n = (size_t)vsnprintf(buf, size, fmt, args);

	return n < size ? n : size ? size - 1 : 0;
}

size_t scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = vscnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}
