#include "server/conf/uidl_format.h"

#include <stdio.h>
#include <string.h>

bool
uid_set(struct uid *u_r, struct slice s)
{
	if (s.n == 0 || s.n > INDEX_UID_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	u_r->n = s.n;
	memcpy(u_r->s, s.p, s.n);
	return true;
}

/* ---- Dovecot's templates ---- */

enum { TEXT_MAX = 512 };

/* Between "%" and the letter: a width, 0 for padding, modifiers. */
struct directive {
	unsigned skip, width;
	bool pad, hex, lower, upper;
	char letter;
};

static unsigned
take_width(const char **p)
{
	unsigned v = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++)
		if (v < TEXT_MAX)
			v = v * 10 + (unsigned)(**p - '0');
	return v;
}

/* [skip.][0][width][modifiers] and a letter. */
static bool
directive_get(const char **p, struct directive *d)
{
	*d = (struct directive){ .pad = **p == '0' };
	d->width = take_width(p);
	if (**p == '.') {
		(*p)++;
		d->skip = d->width;
		d->pad = **p == '0';
		d->width = take_width(p);
	}
	for (;; (*p)++) {
		if (**p == 'X')
			d->hex = true;
		else if (**p == 'L')
			d->lower = true;
		else if (**p == 'U')
			d->upper = true;
		else
			break;
	}
	d->letter = **p;
	return *(*p)++ != '\0';
}

/* The text of a variable; false if there is no such. */
static bool
directive_value(
    const struct directive *d, const struct uid_vars *v, char out[TEXT_MAX])
{
	char digits[STR_U64_MAX];
	struct slice s = { digits, 0 };
	uint64_t n;

	switch (d->letter) {
	case 'u': s.n = str_from_u64(digits, v->uid); break;
	case 'v': s.n = str_from_u64(digits, v->validity); break;
	case 'f': s = v->file; break;
	case 'g': s = v->guid; break;
	default: return false;
	}
	/* What is no number is 0 in hexadecimal. */
	if (d->hex)
		snprintf(out, TEXT_MAX, "%llx",
		    str_to_u64(s, &n) ? (unsigned long long)n : 0);
	else
		snprintf(out, TEXT_MAX, "%.*s", (int)s.n, s.p);
	return true;
}

static size_t
expand_directive(const struct directive *d, char *text, char *out, size_t room)
{
	size_t n = strlen(text), o = 0;

	for (char *c = text; *c != '\0'; c++) {
		if (d->lower)
			*c = str_lower1(*c);
		if (d->upper && *c >= 'a' && *c <= 'z')
			*c = (char)(*c - ('a' - 'A'));
	}
	text += d->skip < n ? d->skip : n;
	n = strlen(text);
	for (size_t i = n; d->pad && i < d->width && o < room; i++)
		out[o++] = '0';
	if (!d->pad && d->width != 0 && n > d->width)
		n = d->width;
	for (size_t i = 0; i < n && o < room; i++)
		out[o++] = text[i];
	return o;
}

bool
uid_format(struct uid *u_r, const char *format, const struct uid_vars *vars)
{
	char out[TEXT_MAX], text[TEXT_MAX];
	struct directive d;
	size_t o = 0;

	for (const char *p = format; *p != '\0';) {
		if (o == sizeof(out))
			return false;
		if (*p != '%') {
			out[o++] = *p++;
		} else if (p[1] == '%') {
			out[o++] = '%';
			p += 2;
		} else {
			p++;
			if (!directive_get(&p, &d) ||
			    !directive_value(&d, vars, text))
				return false;
			o += expand_directive(
			    &d, text, out + o, sizeof(out) - o);
		}
	}
	return uid_set(u_r, (struct slice){ out, o });
}
