/*
 * SASLprep.  ASCII needs no tables: it is unchanged, and of it only control
 * characters are prohibited (RFC 3454 C.2.1).
 */
#include <openssl/crypto.h>
#include <string.h>
#include <stringprep.h>

#include "base/i18n.h"
#include "sasl/field.h"

bool
sasl_is_field(struct slice s)
{
	return s.n > 0 && s.n <= SASL_FIELD_MAX &&
	       memchr(s.p, '\0', s.n) == NULL && str_is_utf8(s.p, s.n);
}

static bool
is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

static bool
has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static enum err
put_prepared(struct buf *out, const char *p, size_t n, struct errbuf *eb)
{
	if (n == 0)
		return err_set(eb, E_FORMAT, _("nothing is left of it"));
	switch (buf_put(out, p, n)) {
	case E_OK: return E_OK;
	case E_FULL: return err_set(eb, E_FORMAT, _("it is too long"));
	default: return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
}

static enum err
prep_failed(int r, struct errbuf *eb)
{
	switch (r) {
	case STRINGPREP_CONTAINS_UNASSIGNED:
		return err_set(
		    eb, E_FORMAT, _("it has a character too new to be stored"));
	case STRINGPREP_CONTAINS_PROHIBITED:
		return err_set(
		    eb, E_FORMAT, _("it has a character that is not allowed"));
	case STRINGPREP_BIDI_BOTH_L_AND_RAL:
	case STRINGPREP_BIDI_LEADTRAIL_NOT_RAL:
	case STRINGPREP_BIDI_CONTAINS_PROHIBITED:
		return err_set(eb, E_FORMAT,
		    _("it mixes right-to-left and left-to-right writing"));
	case STRINGPREP_TOO_SMALL_BUFFER:
		return err_set(eb, E_FORMAT, _("it is too long"));
	case STRINGPREP_MALLOC_ERROR:
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	default: return err_set(eb, E_FORMAT, _("it cannot be prepared"));
	}
}

enum { STEPS = 32 }; /* room for those of a profile, and an end */

/* The profile without its check of the direction of writing. */
static void
take_profile(Stringprep_profile out[STEPS])
{
	size_t n = 0;

	for (const Stringprep_profile *p = stringprep_saslprep;
	     p->operation != 0 && n < STEPS - 1; p++)
		switch (p->operation) {
		case STRINGPREP_BIDI:
		case STRINGPREP_BIDI_PROHIBIT_TABLE:
		case STRINGPREP_BIDI_RAL_TABLE:
		case STRINGPREP_BIDI_L_TABLE: break;
		default: out[n++] = *p; break;
		}
	memset(&out[n], 0, sizeof(out[n]));
}

static enum err
prepare(struct buf *out, struct slice s, enum sasl_prep kind, struct errbuf *eb)
{
	Stringprep_profile without_bidi[STEPS];
	const Stringprep_profile *profile = stringprep_saslprep;
	char text[SASL_FIELD_MAX + 1];
	enum err e;
	int r;

	if (kind == SASL_PREP_NAME) {
		take_profile(without_bidi);
		profile = without_bidi;
	}
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	r = stringprep(text, sizeof(text),
	    kind == SASL_PREP_STORED ? STRINGPREP_NO_UNASSIGNED : 0, profile);
	e = r != STRINGPREP_OK ? prep_failed(r, eb)
			       : put_prepared(out, text, strlen(text), eb);
	OPENSSL_cleanse(text, sizeof(text));
	return e;
}

enum err
sasl_prep(
    struct buf *out, struct slice s, enum sasl_prep kind, struct errbuf *eb)
{
	if (s.n == 0)
		return err_set(eb, E_FORMAT, _("it is empty"));
	if (s.n > SASL_FIELD_MAX)
		return err_set(eb, E_FORMAT, _("it is too long"));
	if (has_control(s))
		return err_set(
		    eb, E_FORMAT, _("it has a character that is not allowed"));
	if (is_ascii(s))
		return put_prepared(out, s.p, s.n, eb);
	if (!sasl_is_field(s))
		return err_set(eb, E_FORMAT, _("it is not UTF-8"));
	return prepare(out, s, kind, eb);
}

enum err
sasl_prep_if_possible(struct buf *out, struct slice s)
{
	enum err e = sasl_prep(out, s, SASL_PREP_QUERY, NULL);

	if (e != E_FORMAT)
		return e;
	return s.n == 0 ? E_OK : buf_put(out, s.p, s.n);
}
