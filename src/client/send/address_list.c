#include "client/send/address_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"
#include "net/host.h"

enum { SHOWN = 80, DEPTH = 32, TEXT = 1024 };

/* One mailbox, as far as it was read. */
struct reader {
	struct slice in; /* what is left */
	char text[TEXT]; /* an address, or a word of a name */
	size_t n;
	bool words; /* it has words that stand apart: a name */
	bool apart; /* white space or a comment has come behind the text */
	bool has_angle, in_angle, in_group;
};

void
addresses_free(struct addresses *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	*a = (struct addresses){ .n = 0 };
}

const char *
address_domain(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : NULL;
}

bool
address_is_ascii(const char *address)
{
	for (; *address != '\0'; address++)
		if ((unsigned char)*address >= 0x80)
			return false;
	return true;
}

enum err
address_for_dns(char out[ADDRESS_SIZE], const char *address, struct errbuf *eb)
{
	const char *domain = address_domain(address);
	char ascii[HOST_MAX];
	enum err e;

	if (domain == NULL || domain[0] == '[' || address_is_ascii(domain)) {
		snprintf(out, ADDRESS_SIZE, "%s", address);
		return E_OK;
	}
	if ((e = host_ascii(ascii, domain, eb)) != E_OK)
		return e;
	if (snprintf(out, ADDRESS_SIZE, "%.*s%s", (int)(domain - address),
		address, ascii) >= ADDRESS_SIZE)
		return err_set(
		    eb, E_CONFIG, "%s", _("an address is too long to be sent"));
	return E_OK;
}

/* ---- the list so far ---- */

/* The case of letters counts before the @ only. */
static bool
is_same(const char *a, const char *b)
{
	const char *a_domain = address_domain(a), *b_domain = address_domain(b);

	if (a_domain == NULL || b_domain == NULL)
		return strcmp(a, b) == 0;
	return a_domain - a == b_domain - b &&
	       memcmp(a, b, (size_t)(a_domain - a)) == 0 &&
	       strcasecmp(a_domain, b_domain) == 0;
}

static enum err
keep(struct addresses *a, const char *address, struct errbuf *eb)
{
	char **v;

	for (size_t i = 0; i < a->n; i++)
		if (is_same(a->v[i], address))
			return E_OK;
	if (a->n == ADDRESSES_MAX)
		return err_set(eb, E_FULL,
		    _("there are more than %d addresses"), ADDRESSES_MAX);
	v = reallocarray(a->v, a->n + 1, sizeof(*v));
	if (v == NULL || (v[a->n] = strdup(address)) == NULL) {
		a->v = v != NULL ? v : a->v;
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	a->v = v;
	a->n++;
	return E_OK;
}

/* ---- pieces ---- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char
take(struct reader *r)
{
	r->in.n--;
	return *r->in.p++;
}

/* False: it does not end. */
static bool
skip_comment(struct reader *r)
{
	unsigned depth = 0;

	do {
		char c = take(r);

		if (c == '\\' && r->in.n != 0)
			take(r);
		else if (c == '(' && ++depth > DEPTH)
			return false;
		else if (c == ')' && --depth == 0)
			return true;
	} while (r->in.n != 0);
	return false;
}

/* White space and comments; false: one does not end. */
static bool
skip_space(struct reader *r)
{
	while (r->in.n != 0 && (is_space(r->in.p[0]) || r->in.p[0] == '(')) {
		r->apart = true;
		if (r->in.p[0] != '(')
			take(r);
		else if (!skip_comment(r))
			return false;
	}
	return true;
}

static bool
put(struct reader *r, char c)
{
	if (r->n == sizeof(r->text) - 1)
		return false;
	r->text[r->n++] = c;
	return true;
}

/* A quoted string or a domain literal, with what is around it, as one word. */
static bool
take_enclosed(struct reader *r, char end)
{
	bool ok = put(r, take(r));

	while (ok && r->in.n != 0) {
		char c = take(r);

		if (c == '\r' || c == '\n')
			continue;
		ok = ((unsigned char)c >= ' ' || c == '\t') && c != 0x7f &&
		     put(r, c);
		if (c == end)
			return ok;
		if (c == '\\' && r->in.n != 0)
			ok = ok && (unsigned char)r->in.p[0] >= ' ' &&
			     put(r, take(r));
	}
	return false;
}

/* Does a word that begins here belong to the address so far, as in the obsolete
 * "ana @ example . org"? */
static bool
is_joined(const struct reader *r)
{
	const char last = r->n != 0 ? r->text[r->n - 1] : '.';

	return !r->apart || last == '.' || last == '@' || r->in.p[0] == '.' ||
	       r->in.p[0] == '@';
}

/* Of a name only its last word is kept. */
static bool
take_word(struct reader *r)
{
	char c = r->in.p[0];
	bool ok;

	if (!is_joined(r)) {
		if (r->in_angle)
			return false;
		r->words = true;
		r->n = 0;
	}
	r->apart = false;
	if (c == '"' || c == '[')
		ok = take_enclosed(r, c == '"' ? '"' : ']');
	else
		ok = (unsigned char)c > ' ' && c != 0x7f && c != ')' &&
		     c != '\\' && c != ']' && put(r, take(r));
	return ok;
}

/* ---- a mailbox ---- */

static void
begin_mailbox(struct reader *r)
{
	r->n = 0;
	r->words = r->apart = r->has_angle = r->in_angle = false;
}

/* At "<": what has come is a name. */
static bool
enter_angle(struct reader *r)
{
	if (r->has_angle)
		return false;
	take(r);
	begin_mailbox(r);
	r->has_angle = r->in_angle = true;
	return true;
}

/* At "," or ";", or at the end; what has no domain is a name of this computer. */
static bool
is_mailbox(const struct reader *r)
{
	const char *at = memrchr(r->text, '@', r->n);

	if (r->in_angle || (r->words && !r->has_angle) ||
	    r->n >= ADDRESS_SIZE || !str_is_utf8(r->text, r->n))
		return false;
	return at == NULL || (at != r->text && at + 1 != r->text + r->n);
}

static enum err
malformed(struct slice list, struct errbuf *eb)
{
	char shown[SHOWN];

	return err_set(eb, E_FORMAT, _("\"%s\" is no list of addresses"),
	    str_quote(shown, sizeof(shown), list.p, list.n));
}

static enum err
end_mailbox(
    struct reader *r, struct addresses *a, struct slice list, struct errbuf *eb)
{
	enum err e = E_OK;

	r->text[r->n] = '\0';
	if (!is_mailbox(r))
		return malformed(list, eb);
	if (r->n != 0)
		e = keep(a, r->text, eb);
	begin_mailbox(r);
	return e;
}

/* The colon of a group, or of a route within angle brackets: what stands before
 * it is left out. */
static bool
take_colon(struct reader *r)
{
	bool ok = r->in_angle ? r->n != 0 && r->text[0] == '@'
			      : !r->has_angle && !r->in_group;

	take(r);
	r->n = 0;
	r->words = r->apart = false;
	if (!r->in_angle)
		r->in_group = true;
	return ok;
}

/* A route is "@one,@two:". */
static bool
is_route(const struct reader *r)
{
	return r->in_angle && r->n != 0 && r->text[0] == '@';
}

static bool
end_group(struct reader *r)
{
	bool ok = r->in_group;

	r->in_group = false;
	return ok;
}

/* One piece of what is left, which is not empty.  False: it makes no sense. */
static bool
take_piece(struct reader *r)
{
	switch (r->in.p[0]) {
	case '<': return enter_angle(r);
	case '>':
		take(r);
		r->apart = true;
		if (!r->in_angle)
			return false;
		r->in_angle = false;
		return true;
	case ':': return take_colon(r);
	default:
		/* Behind "<...>" only comments may follow. */
		return (!r->has_angle || r->in_angle) && take_word(r);
	}
}

enum err
addresses_add(struct addresses *a, struct slice list, struct errbuf *eb)
{
	struct reader r = { .in = list };
	enum err e = E_OK;

	while (e == E_OK) {
		char c;

		if (!skip_space(&r))
			return malformed(list, eb);
		if (r.in.n == 0)
			break;
		c = r.in.p[0];
		if ((c == ',' && !is_route(&r)) || c == ';') {
			take(&r);
			e = end_mailbox(&r, a, list, eb);
			if (c == ';' && !end_group(&r))
				e = malformed(list, eb);
		} else if (!take_piece(&r)) {
			e = malformed(list, eb);
		}
	}
	return e != E_OK ? e : end_mailbox(&r, a, list, eb);
}
