#include "client/message/address.h"

#include <string.h>

/* An address while it is read. */
struct reading {
	struct slice *rest;
	struct address *a;
	size_t n;
	bool long_;  /* more than an address has */
	bool angled; /* it stands, or stood, in angle brackets */
	bool in_angle;
	size_t at; /* behind its @; 0: it has none */
};

static void
forget(struct reading *r)
{
	r->n = r->at = 0;
	r->long_ = false;
}

/* What stands behind an address in angle brackets is no part of it. */
static void
put(struct reading *r, char c)
{
	if (r->angled && !r->in_angle)
		return;
	if (r->n == ADDRESS_MAX)
		r->long_ = true;
	else
		r->a->text[r->n++] = c;
}

static char
take(struct reading *r)
{
	r->rest->n--;
	return *r->rest->p++;
}

/* Comments may stand within each other. */
static void
pass_comment(struct reading *r)
{
	unsigned depth = 1;

	while (depth != 0 && r->rest->n != 0) {
		char c = take(r);

		if (c == '\\' && r->rest->n != 0)
			take(r);
		else if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
	}
}

/* Up to a sign that ends it, as it is. */
static void
take_quoted(struct reading *r, char end)
{
	while (r->rest->n != 0) {
		char c = take(r);

		if (c == end)
			return;
		if (c == '\\' && r->rest->n != 0)
			c = take(r);
		put(r, c);
	}
}

/* False: what this sign ends is over. */
static bool
take_sign(struct reading *r, char c)
{
	bool route = r->n != 0 && r->a->text[0] == '@';

	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n': return true;
	case '(': pass_comment(r); return true;
	case '"': take_quoted(r, c); return true;
	case '[':
		put(r, c);
		take_quoted(r, ']');
		put(r, ']');
		return true;
	case '<':
		forget(r);
		r->angled = r->in_angle = true;
		return true;
	case '>': r->in_angle = false; return true;
	case ':': /* behind a route, or the name of a group */
		forget(r);
		r->angled = r->in_angle;
		return true;
	case ',': return r->in_angle && route;
	case ';': return false;
	default: break;
	}
	put(r, c);
	if (c == '@' && (!r->angled || r->in_angle))
		r->at = r->n;
	return true;
}

bool
address_next(struct slice *rest, struct address *a_r)
{
	while (rest->n != 0) {
		struct reading r = { .rest = rest, .a = a_r };

		while (rest->n != 0 && take_sign(&r, take(&r)))
			;
		a_r->text[r.n] = '\0';
		if (r.at == 0 || r.long_)
			continue;
		a_r->domain = a_r->text + r.at;
		return true;
	}
	return false;
}
