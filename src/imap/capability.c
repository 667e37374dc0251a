#include "imap/capability.h"

#include <stddef.h>
#include <string.h>

#include "imap/response.h"

static const struct {
	const char *word;
	size_t at; /* of a bool */
} words_known[] = {
	{ "IMAP4REV1", offsetof(struct imap_capability, rev1) },
	{ "IMAP4REV2", offsetof(struct imap_capability, rev2) },
	{ "STARTTLS", offsetof(struct imap_capability, starttls) },
	{ "LOGINDISABLED", offsetof(struct imap_capability, logindisabled) },
	{ "SASL-IR", offsetof(struct imap_capability, sasl_ir) },
	{ "LITERAL+", offsetof(struct imap_capability, literal_plus) },
	{ "LITERAL-", offsetof(struct imap_capability, literal_minus) },
	{ "MULTIAPPEND", offsetof(struct imap_capability, multiappend) },
	{ "UTF8=ACCEPT", offsetof(struct imap_capability, utf8) },
	{ "UTF8=ONLY", offsetof(struct imap_capability, utf8) },
	{ "X-GM-EXT-1", offsetof(struct imap_capability, gmail) },
};

static bool
value_of(struct slice word, const char *name, struct slice *value_r)
{
	size_t n = strlen(name);

	if (word.n <= n || !slice_caseeq((struct slice){ word.p, n }, name))
		return false;
	*value_r = (struct slice){ word.p + n, word.n - n };
	return true;
}

static void
add_mechanism(struct imap_capability *c, struct slice name)
{
	size_t n = strlen(c->auth);

	if (n + name.n + 2 > sizeof(c->auth))
		return; /* no server has so many */
	c->auth[n] = ' ';
	memcpy(c->auth + n + 1, name.p, name.n);
	c->auth[n + 1 + name.n] = '\0';
}

static void
take_word(struct imap_capability *c, struct slice word)
{
	struct slice value;
	uint64_t v;

	if (value_of(word, "AUTH=", &value))
		add_mechanism(c, value);
	else if (value_of(word, "APPENDLIMIT=", &value) &&
		 str_to_u64(value, &v))
		c->append_limit = v;
	for (size_t i = 0; i < sizeof(words_known) / sizeof(words_known[0]);
	     i++)
		if (slice_caseeq(word, words_known[i].word))
			*(bool *)((char *)c + words_known[i].at) = true;
}

void
imap_capability_read(struct imap_capability *c, struct slice words)
{
	struct slice word;

	*c = (struct imap_capability){ .known = true,
		.append_limit = UINT64_MAX };
	while (imap_word_take(&words, &word))
		if (memchr(word.p, '\0', word.n) == NULL)
			take_word(c, word);
	/* These are parts of it (RFC 9051 appendix E). */
	c->literal_minus |= c->rev2;
	c->sasl_ir |= c->rev2;
}

bool
imap_capability_is_rev2(const struct imap_capability *c)
{
	return c->rev2 && !c->rev1;
}

bool
imap_capability_has_sasl(const struct imap_capability *c, const char *mechanism)
{
	return str_has_word(c->auth, mechanism);
}
