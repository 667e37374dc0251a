#include "imap/response.h"

#include <string.h>

enum { TAG = 'A' };

/* ---- words ---- */

static struct slice
slice_after(struct slice s, size_t n)
{
	return n == 0 ? s : (struct slice){ s.p + n, s.n - n };
}

static void
skip_spaces(struct slice *s)
{
	while (s->n != 0 && *s->p == ' ')
		*s = slice_after(*s, 1);
}

bool
imap_word_take(struct slice *s, struct slice *word_r)
{
	size_t n = 0;

	skip_spaces(s);
	while (n < s->n && s->p[n] != ' ')
		n++;
	*word_r = (struct slice){ s->p, n };
	*s = slice_after(*s, n);
	return n != 0;
}

bool
imap_number_take(struct slice *s, uint32_t *v_r)
{
	size_t n = 0;

	skip_spaces(s);
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (n == 0 || !str_to_u32((struct slice){ s->p, n }, v_r))
		return false;
	*s = slice_after(*s, n);
	return true;
}

/* "7", "5:7" or "7:5". */
static bool
range_take(struct slice *s, uint32_t *low_r, uint32_t *high_r)
{
	uint32_t first, last;

	if (!imap_number_take(s, &first))
		return false;
	last = first;
	if (s->n != 0 && *s->p == ':') {
		*s = slice_after(*s, 1);
		if (!imap_number_take(s, &last))
			return false;
	}
	*low_r = first < last ? first : last;
	*high_r = first < last ? last : first;
	return true;
}

void
imap_esearch_read(struct slice rest, size_t most,
    bool (*each)(void *arg, uint32_t number), void *arg)
{
	struct slice word, set = { NULL, 0 };
	uint32_t low, high;

	while (set.n == 0 && imap_word_take(&rest, &word))
		if (slice_caseeq(word, "ALL") && !imap_word_take(&rest, &set))
			return;
	while (range_take(&set, &low, &high)) {
		for (; low <= high && most != 0; low++, most--)
			if (!each(arg, low) || low == UINT32_MAX)
				return;
		if (set.n != 0)
			set = slice_after(set, 1); /* the comma */
	}
}

/* ---- where a response ends ---- */

/* The octets of the literal that a line announces at its end; false: none. */
static bool
literal_at_end(const char *p, size_t n, uint64_t *octets_r)
{
	size_t open = n;

	if (n < 3 || p[n - 1] != '}')
		return false;
	while (open > 0 && p[open - 1] != '{')
		open--;
	return open != 0 &&
	       str_to_u64((struct slice){ p + open, n - 1 - open }, octets_r);
}

static bool
begins_with(struct slice s, const char *word)
{
	size_t n = strlen(word);

	return s.n >= n && slice_caseeq((struct slice){ s.p, n }, word) &&
	       (s.n == n || s.p[n] == ' ');
}

static const struct {
	const char *word;
	enum imap_status status;
} statuses[] = {
	{ "OK", IMAP_OK },
	{ "NO", IMAP_NO },
	{ "BAD", IMAP_BAD },
	{ "BYE", IMAP_BYE },
	{ "PREAUTH", IMAP_PREAUTH },
};

enum { STATUSES = sizeof(statuses) / sizeof(statuses[0]) };

/* Cuts it off. */
static enum imap_status
status_take(struct slice *s)
{
	for (size_t i = 0; i < STATUSES; i++)
		if (begins_with(*s, statuses[i].word)) {
			*s = slice_after(*s, strlen(statuses[i].word));
			skip_spaces(s);
			return statuses[i].status;
		}
	return IMAP_NO_STATUS;
}

/* Words for people may look like a literal; only data has some. */
static bool
may_have_literals(const char *p, size_t n)
{
	struct slice s = { p, n };

	if (!begins_with(s, "*"))
		return false;
	s = slice_after(s, 1);
	skip_spaces(&s);
	return status_take(&s) == IMAP_NO_STATUS;
}

/* *end_r: where its last line ends, *used_r: behind that end. */
static enum err
find_end(const char *p, size_t n, size_t *end_r, size_t *used_r)
{
	bool literals = false;
	size_t at = 0, end;
	uint64_t octets;

	for (;;) {
		const char *lf = memchr(p + at, '\n', n - at);

		if (lf == NULL)
			return n > IMAP_RESPONSE_MAX ? E_FULL : E_AGAIN;
		end = (size_t)(lf - p);
		*used_r = end + 1;
		if (end > at && p[end - 1] == '\r')
			end--;
		if (at == 0)
			literals = may_have_literals(p, end);
		if (!literals || !literal_at_end(p + at, end - at, &octets))
			break;
		if (octets > IMAP_RESPONSE_MAX)
			return E_FULL;
		at = *used_r + (size_t)octets;
		if (at > n)
			return at > IMAP_RESPONSE_MAX ? E_FULL : E_AGAIN;
	}
	*end_r = end;
	return *used_r > IMAP_RESPONSE_MAX ? E_FULL : E_OK;
}

/* ---- what it says ---- */

static const struct {
	const char *word;
	enum imap_code code;
} codes[] = {
	{ "APPENDUID", IMAP_CODE_APPENDUID },
	{ "AUTHENTICATIONFAILED", IMAP_CODE_AUTHENTICATIONFAILED },
	{ "AUTHORIZATIONFAILED", IMAP_CODE_AUTHORIZATIONFAILED },
	{ "CAPABILITY", IMAP_CODE_CAPABILITY },
	{ "EXPIRED", IMAP_CODE_EXPIRED },
	{ "INUSE", IMAP_CODE_INUSE },
	{ "LIMIT", IMAP_CODE_LIMIT },
	{ "NONEXISTENT", IMAP_CODE_NONEXISTENT },
	{ "OVERQUOTA", IMAP_CODE_OVERQUOTA },
	{ "SERVERBUG", IMAP_CODE_SERVERBUG },
	{ "TRYCREATE", IMAP_CODE_TRYCREATE },
	{ "UIDNEXT", IMAP_CODE_UIDNEXT },
	{ "UIDVALIDITY", IMAP_CODE_UIDVALIDITY },
	{ "UNAVAILABLE", IMAP_CODE_UNAVAILABLE },
};

/* "[CODE args] words": one that does not end is words. */
static void
read_text(struct imap_response *r, struct slice s)
{
	const char *end =
	    s.n != 0 && s.p[0] == '[' ? memchr(s.p, ']', s.n) : NULL;
	struct slice word;

	r->words = s;
	if (end == NULL)
		return;
	r->args = (struct slice){ s.p + 1, (size_t)(end - s.p) - 1 };
	r->words = slice_after(s, (size_t)(end - s.p) + 1);
	skip_spaces(&r->words);
	imap_word_take(&r->args, &word);
	skip_spaces(&r->args);
	r->code = IMAP_CODE_OTHER;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (slice_caseeq(word, codes[i].word))
			r->code = codes[i].code;
}

static enum err
read_untagged(struct imap_response *r, struct slice s)
{
	if ((r->status = status_take(&s)) != IMAP_NO_STATUS) {
		read_text(r, s);
		return E_OK;
	}
	if (s.n != 0 && s.p[0] >= '0' && s.p[0] <= '9' &&
	    !imap_number_take(&s, &r->number))
		return E_FORMAT;
	if (!imap_word_take(&s, &r->name))
		return E_FORMAT;
	skip_spaces(&s);
	r->rest = s;
	return E_OK;
}

/* "A7 OK ...": only a command can be OK, NO or BAD. */
static enum err
read_tagged(struct imap_response *r, struct slice s)
{
	if (s.n == 0 || s.p[0] != TAG)
		return E_FORMAT;
	s = slice_after(s, 1);
	if (s.n == 0 || s.p[0] == ' ' || !imap_number_take(&s, &r->tag) ||
	    s.n == 0 || s.p[0] != ' ')
		return E_FORMAT;
	skip_spaces(&s);
	r->status = status_take(&s);
	if (r->status != IMAP_OK && r->status != IMAP_NO &&
	    r->status != IMAP_BAD)
		return E_FORMAT;
	read_text(r, s);
	return E_OK;
}

enum err
imap_response_read(
    const char *p, size_t n, struct imap_response *r, size_t *used_r)
{
	struct slice s = { p, 0 };
	enum err e = find_end(p, n, &s.n, used_r);

	if (e != E_OK)
		return e;
	*r = (struct imap_response){ .kind = IMAP_TAGGED };
	if (begins_with(s, "*")) {
		r->kind = IMAP_UNTAGGED;
		s = slice_after(s, 1);
		skip_spaces(&s);
		return read_untagged(r, s);
	}
	if (s.n != 0 && s.p[0] == '+') {
		r->kind = IMAP_CONTINUATION;
		s = slice_after(s, 1);
		skip_spaces(&s);
		r->words = s;
		return E_OK;
	}
	return read_tagged(r, s);
}

/* ---- data ---- */

/* Cuts a string off: quoted, a literal, or an atom; without what encloses it. */
static bool
string_take(struct slice *s, struct slice *v_r)
{
	size_t n;

	skip_spaces(s);
	if (s->n != 0 && s->p[0] == '"') {
		for (n = 1; n < s->n && s->p[n] != '"'; n++)
			if (s->p[n] == '\\')
				n++;
		if (n >= s->n)
			return false;
		*v_r = (struct slice){ s->p + 1, n - 1 };
		*s = slice_after(*s, n + 1);
		return true;
	}
	if (s->n != 0 && (s->p[0] == '{' || s->p[0] == '~')) {
		const char *lf = memchr(s->p, '\n', s->n);
		size_t line = lf != NULL ? (size_t)(lf - s->p) : 0;
		uint64_t octets;

		if (lf == NULL ||
		    !literal_at_end(
			s->p, line - (line != 0 && lf[-1] == '\r'), &octets) ||
		    octets > s->n - line - 1)
			return false;
		*v_r = (struct slice){ lf + 1, (size_t)octets };
		*s = slice_after(*s, line + 1 + (size_t)octets);
		return true;
	}
	for (n = 0; n < s->n && strchr(" ()\"", s->p[n]) == NULL; n++)
		;
	*v_r = (struct slice){ s->p, n };
	*s = slice_after(*s, n);
	return n != 0;
}

/* Cuts off "(...)" with all that it holds; *in_r is what is between. */
static bool
list_take(struct slice *s, struct slice *in_r)
{
	struct slice from, v;
	size_t depth = 0;

	skip_spaces(s);
	if (s->n == 0 || s->p[0] != '(')
		return false;
	from = slice_after(*s, 1);
	do {
		skip_spaces(s);
		if (s->n == 0)
			return false;
		if (s->p[0] == '(' || s->p[0] == ')') {
			depth += s->p[0] == '(' ? 1 : (size_t)-1;
			*s = slice_after(*s, 1);
		} else if (!string_take(s, &v)) {
			return false;
		}
	} while (depth != 0);
	*in_r = (struct slice){ from.p, (size_t)(s->p - from.p) - 1 };
	return true;
}

bool
imap_status_read(struct slice rest, struct imap_mailbox *m_r)
{
	struct slice name, in, word;

	*m_r = (struct imap_mailbox){ 0 };
	if (!string_take(&rest, &name) || !list_take(&rest, &in))
		return false;
	while (imap_word_take(&in, &word)) {
		uint32_t v;

		if (!imap_number_take(&in, &v))
			return false;
		if (slice_caseeq(word, "UIDVALIDITY"))
			m_r->uidvalidity = v;
		else if (slice_caseeq(word, "UIDNEXT"))
			m_r->uidnext = v;
	}
	return true;
}

/* "BODY[HEADER.FIELDS (A B)]<0>" is one name. */
static bool
item_take(struct slice *s, struct slice *name_r)
{
	size_t n = 0;
	bool inside = false;

	skip_spaces(s);
	while (n < s->n && (inside || strchr(" ()\"", s->p[n]) == NULL)) {
		if (s->p[n] == '[' || s->p[n] == ']')
			inside = s->p[n] == '[';
		n++;
	}
	*name_r = (struct slice){ s->p, n };
	*s = slice_after(*s, n);
	return n != 0 && !inside;
}

static bool
take_item_value(struct slice *in, struct slice name, struct imap_fetch *f)
{
	static const char body[] = "BODY[";
	struct slice v;

	skip_spaces(in);
	if (in->n != 0 && in->p[0] == '(')
		return list_take(in, &v);
	if (!string_take(in, &v))
		return false;
	if (slice_caseeq(name, "UID"))
		return str_to_u32(v, &f->uid);
	if (slice_caseeq(name, "RFC822.SIZE")) {
		f->has_size = true;
		return str_to_u64(v, &f->size);
	}
	if (name.n >= sizeof(body) - 1 &&
	    slice_caseeq((struct slice){ name.p, sizeof(body) - 1 }, body)) {
		f->has_body = true;
		if (!slice_caseeq(v, "NIL"))
			f->body = v;
	}
	return true;
}

bool
imap_fetch_read(struct slice rest, struct imap_fetch *f_r)
{
	struct slice in, name;

	*f_r = (struct imap_fetch){ .body = { "", 0 } };
	if (!list_take(&rest, &in))
		return false;
	for (skip_spaces(&in); in.n != 0; skip_spaces(&in))
		if (!item_take(&in, &name) || !take_item_value(&in, name, f_r))
			return false;
	return true;
}

bool
imap_list_read(struct slice rest, struct imap_list *l_r)
{
	struct slice delimiter;

	return list_take(&rest, &l_r->flags) &&
	       string_take(&rest, &delimiter) && string_take(&rest, &l_r->name);
}
