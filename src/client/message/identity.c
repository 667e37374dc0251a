#include "client/message/identity.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/*
 * What is hashed is each field as "name:value\n".  No value has an LF in it, so
 * that no two headers make the same octets.
 */
enum { NAME_MAX_LENGTH = 10, SPACE_MAX = 256 };

static const struct {
	const char *name;
	bool strong;
} fields[] = {
	{ "from", false },
	{ "to", false },
	{ "subject", false },
	{ "date", false },
	{ "message-id", true },
	{ "received", true },
};

enum place {
	PLACE_LINE, /* at the beginning of one */
	PLACE_NAME,
	PLACE_COLON, /* white space behind a name */
	PLACE_VALUE,
	PLACE_OTHER, /* of no interest until the line ends */
	PLACE_BODY,
};

struct identity_reader {
	crypto_hash_sha256_state sha;
	enum place place;
	bool strong;
	bool in_field; /* one of ours: a folded line goes on with it */
	bool any;      /* it has more than white space so far */
	bool field_strong;
	size_t n_name;
	char name[NAME_MAX_LENGTH + 1];
	uint64_t n_cr; /* seen, perhaps before an LF: then they are nothing */
	uint64_t n_space; /* seen, perhaps at the end: then they are nothing */
	char space[SPACE_MAX];
};

/* ---- digests ---- */

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

struct digest
digest_cut(const uint8_t sum[crypto_hash_sha256_BYTES])
{
	struct digest d;

	memcpy(d.v, sum, sizeof(d.v));
	return d;
}

struct digest
digest_of(struct slice s)
{
	uint8_t sum[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(sum, (const uint8_t *)s.p, s.n);
	return digest_cut(sum);
}

char *
digest_text(char out[DIGEST_TEXT], struct digest d)
{
	for (unsigned i = 0; i < DIGEST_TEXT - 1; i++) {
		unsigned bit = 5 * i, at = bit / 8;
		unsigned two = (unsigned)d.v[at] << 8;

		if (at + 1 < DIGEST_SIZE)
			two |= d.v[at + 1];
		out[i] = letters[two >> (11 - bit % 8) & 31];
	}
	out[DIGEST_TEXT - 1] = '\0';
	return out;
}

bool
digest_parse(struct slice text, struct digest *d_r)
{
	struct digest d = { 0 };

	if (text.n != DIGEST_TEXT - 1)
		return false;
	for (unsigned i = 0; i < text.n; i++) {
		const char *c = memchr(letters, text.p[i], 32);
		unsigned bit = 5 * i, at = bit / 8, two;

		if (c == NULL)
			return false;
		two = (unsigned)(c - letters) << (11 - bit % 8);
		d.v[at] |= (uint8_t)(two >> 8);
		if (at + 1 < DIGEST_SIZE)
			d.v[at + 1] |= (uint8_t)two;
	}
	*d_r = d;
	return true;
}

bool
digest_eq(struct digest a, struct digest b)
{
	return memcmp(a.v, b.v, sizeof(a.v)) == 0;
}

/* ---- a field ---- */

static void
hash_octets(struct identity_reader *r, const void *p, size_t n)
{
	crypto_hash_sha256_update(&r->sha, p, n);
}

/* A run that is too long to be kept is known by its length; the LF says that
 * this is not text. */
static void
hash_space(struct identity_reader *r)
{
	size_t n = r->n_space < SPACE_MAX ? (size_t)r->n_space : SPACE_MAX;
	char digits[STR_U64_MAX + 2];

	if (r->any)
		hash_octets(r, r->space, n);
	if (r->any && r->n_space > SPACE_MAX) {
		digits[0] = '\n';
		n = 1 + str_from_u64(digits + 1, r->n_space);
		digits[n++] = ' ';
		hash_octets(r, digits, n);
	}
	r->n_space = 0;
}

static void
hash_text(struct identity_reader *r, const char *p, size_t n)
{
	hash_space(r);
	hash_octets(r, p, n);
	r->any = true;
}

/* They were not before an LF. */
static void
keep_crs(struct identity_reader *r)
{
	for (; r->n_cr > 0; r->n_cr--)
		hash_text(r, "\r", 1);
}

static void
begin_field(struct identity_reader *r)
{
	const struct slice name = { r->name, r->n_name };

	r->place = PLACE_OTHER;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!slice_eq(name, fields[i].name))
			continue;
		hash_octets(r, name.p, name.n);
		hash_octets(r, ":", 1);
		r->in_field = true;
		r->field_strong = fields[i].strong;
		r->any = false;
		r->n_space = 0;
		r->place = PLACE_VALUE;
	}
}

static void
end_field(struct identity_reader *r)
{
	if (!r->in_field)
		return;
	hash_octets(r, "\n", 1);
	r->strong = r->strong || (r->field_strong && r->any);
	r->in_field = false;
}

/* ---- octets ---- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void
take_line_start(struct identity_reader *r, char c)
{
	if (c == '\r') {
		r->n_cr++;
		return;
	}
	if (c == '\n') {
		end_field(r);
		r->place = PLACE_BODY;
		return;
	}
	if (r->n_cr > 0 || !is_space(c)) {
		end_field(r);
		r->place = r->n_cr > 0 ? PLACE_OTHER : PLACE_NAME;
		r->n_cr = 0;
		r->n_name = 0;
	} else {
		r->place = r->in_field ? PLACE_VALUE : PLACE_OTHER;
	}
}

static void
take_name(struct identity_reader *r, char c)
{
	if (c == ':')
		begin_field(r);
	else if (c == '\n')
		r->place = PLACE_LINE;
	else if (is_space(c))
		r->place = PLACE_COLON;
	else if (r->place == PLACE_COLON || r->n_name == NAME_MAX_LENGTH)
		r->place = PLACE_OTHER;
	else
		r->name[r->n_name++] = str_lower1(c);
}

/* Takes at least one octet of a value; returns how many. */
static size_t
take_value(struct identity_reader *r, const char *p, size_t n)
{
	size_t text = 0;

	if (*p == '\n') {
		r->n_cr = 0;
		r->place = PLACE_LINE;
		return 1;
	}
	if (*p == '\r') {
		r->n_cr++;
		return 1;
	}
	keep_crs(r);
	if (is_space(*p)) {
		if (r->n_space < SPACE_MAX)
			r->space[r->n_space] = *p;
		r->n_space++;
		return 1;
	}
	while (text < n && p[text] != '\n' && p[text] != '\r' &&
	       !is_space(p[text]))
		text++;
	hash_text(r, p, text);
	return text;
}

static size_t
take_other(struct identity_reader *r, const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);

	if (lf == NULL)
		return n;
	r->place = PLACE_LINE;
	return (size_t)(lf - p) + 1;
}

static size_t
take_octets(struct identity_reader *r, const char *p, size_t n)
{
	switch (r->place) {
	case PLACE_LINE:
		take_line_start(r, *p);
		/* The first octet of a name or of a value is one of it. */
		return r->place == PLACE_LINE || r->place == PLACE_BODY;
	case PLACE_NAME:
	case PLACE_COLON: take_name(r, *p); return 1;
	case PLACE_VALUE: return take_value(r, p, n);
	case PLACE_OTHER: return take_other(r, p, n);
	case PLACE_BODY: break;
	}
	return n;
}

/* ---- a message ---- */

struct identity_reader *
identity_reader_new(void)
{
	struct identity_reader *r = malloc(sizeof(*r));

	if (r != NULL)
		identity_reader_reset(r);
	return r;
}

void
identity_reader_free(struct identity_reader *r)
{
	free(r);
}

void
identity_reader_reset(struct identity_reader *r)
{
	memset(r, 0, sizeof(*r));
	crypto_hash_sha256_init(&r->sha);
}

void
identity_reader_add(struct identity_reader *r, const char *p, size_t n)
{
	while (n > 0) {
		size_t took = take_octets(r, p, n);

		p += took;
		n -= took;
	}
}

bool
identity_reader_done(const struct identity_reader *r)
{
	return r->place == PLACE_BODY;
}

struct identity
identity_reader_end(struct identity_reader *r)
{
	uint8_t sum[crypto_hash_sha256_BYTES];

	end_field(r);
	crypto_hash_sha256_final(&r->sha, sum);
	return (
	    struct identity){ .header = digest_cut(sum), .strong = r->strong };
}
