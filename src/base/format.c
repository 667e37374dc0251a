#include "base/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

struct sink {
	char *out;
	size_t room, len; /* room: without the NUL */
	bool quoting;     /* values lose their quotation marks */
	bool quoted;      /* an odd number of them has been in the format */
};

/* What stands between % and the letter. */
struct directive {
	bool has_precision, has_length;
	bool wide; /* 64 bits, by its length */
	int precision;
};

static void
sink_put(struct sink *s, const char *p, size_t n)
{
	size_t left = s->len < s->room ? s->room - s->len : 0;

	if (n != 0 && left != 0)
		memcpy(s->out + s->len, p, n < left ? n : left);
	s->len += n;
}

static void
put_hex(struct sink *s, uint64_t v)
{
	char digits[16];
	size_t n = sizeof(digits);

	do
		digits[--n] = "0123456789abcdef"[v % 16];
	while ((v /= 16) != 0);
	sink_put(s, digits + n, sizeof(digits) - n);
}

static void
put_decimal(struct sink *s, uint64_t v)
{
	char digits[STR_U64_MAX];

	sink_put(s, digits, str_from_u64(digits, v));
}

static void
put_signed(struct sink *s, int64_t v)
{
	if (v < 0)
		sink_put(s, "-", 1);
	put_decimal(s, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/* Text of the format itself. */
static void
put_literal(struct sink *s, const char *p, size_t n)
{
	sink_put(s, p, n);
	for (size_t i = 0; s->quoting && i < n; i++)
		s->quoted ^= p[i] == '"';
}

static void
put_value(struct sink *s, const char *p, size_t n)
{
	const char *mark;

	while (s->quoting && s->quoted && n != 0 &&
	       (mark = memchr(p, '"', n)) != NULL) {
		sink_put(s, p, (size_t)(mark - p));
		sink_put(s, "'", 1);
		n -= (size_t)(mark + 1 - p);
		p = mark + 1;
	}
	sink_put(s, p, n);
}

static void
put_text(struct sink *s, const char *p, const struct directive *d)
{
	if (!d->has_precision || d->precision < 0)
		put_value(s, p, strlen(p));
	else
		put_value(s, p, strnlen(p, (size_t)d->precision));
}

/* Reads what is before the letter; returns where the letter stands. */
static const char *
directive_read(struct directive *d, const char *p, va_list *ap)
{
	*d = (struct directive){ .precision = 0 };
	if (*p == '.') {
		d->has_precision = true;
		if (*++p == '*') {
			d->precision = va_arg(*ap, int);
			p++;
		}
		for (; *p >= '0' && *p <= '9' && d->precision < 10000; p++)
			d->precision = d->precision * 10 + (*p - '0');
	}
	if (*p == 'l' || *p == 'z') {
		bool two = p[0] == 'l' && p[1] == 'l';

		d->has_length = true;
		d->wide = two || sizeof(long) == 8;
		p += two ? 2 : 1;
	}
	return p;
}

_Static_assert(sizeof(long) == sizeof(size_t), "%l and %z are of one length");

/* False: it is not one of ours. */
static bool
directive_put(
    struct sink *s, const struct directive *d, char letter, va_list *ap)
{
	if (d->has_precision && letter != 's')
		return false;
	switch (letter) {
	case 's':
		if (d->has_length)
			return false;
		put_text(s, va_arg(*ap, const char *), d);
		return true;
	case 'c':
		sink_put(s, (const char[]){ (char)va_arg(*ap, int) }, 1);
		return !d->has_length;
	case 'd':
		put_signed(
		    s, d->wide ? va_arg(*ap, int64_t) : va_arg(*ap, int));
		return true;
	case 'u':
		put_decimal(
		    s, d->wide ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned));
		return true;
	case 'x':
		put_hex(
		    s, d->wide ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned));
		return true;
	default: return false;
	}
}

static bool
quick(struct sink *s, const char *fmt, va_list *ap)
{
	struct directive d;

	for (;;) {
		const char *end = strchrnul(fmt, '%');

		put_literal(s, fmt, (size_t)(end - fmt));
		if (*end == '\0')
			break;
		fmt = directive_read(&d, end + 1, ap);
		if (!directive_put(s, &d, *fmt++, ap))
			return false;
	}
	s->out[s->len < s->room ? s->len : s->room] = '\0';
	return true;
}

static int PRINTF(3, 0)
    format_as(struct sink s, size_t size, const char *fmt, va_list ap)
{
	va_list mine;
	bool done;

	va_copy(mine, ap);
	done = quick(&s, fmt, &mine);
	va_end(mine);
	return done ? (int)s.len : vsnprintf(s.out, size, fmt, ap);
}

int
format_v(char *out, size_t size, const char *fmt, va_list ap)
{
	return format_as(
	    (struct sink){ .out = out, .room = size - 1 }, size, fmt, ap);
}

int
format_quoted_v(char *out, size_t size, const char *fmt, va_list ap)
{
	return format_as(
	    (struct sink){ .out = out, .room = size - 1, .quoting = true },
	    size, fmt, ap);
}

int
format(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = format_v(out, size, fmt, ap);
	va_end(ap);
	return n;
}
