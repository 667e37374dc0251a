#include "server/auth/possible.h"

#include <stdio.h>
#include <string.h>

#include "sasl/sasl.h"
#include "server/users/scheme.h"

static const char not_by_app[] = "an app password does not serve it";

/* The name of what is stored for a mechanism. */
static const char *
scheme_for(const struct sasl_mechanism *m)
{
	switch (scheme_use_of(m)) {
	case SCHEME_SCRAM_SHA_1: return "SCRAM-SHA-1";
	case SCHEME_SCRAM_SHA_256: return "SCRAM-SHA-256";
	default: return "CRAM-MD5";
	}
}

/* NULL: it is possible. */
static const char *
why_no_hash(
    const struct user *u, unsigned use, const char *scheme, struct errbuf *eb)
{
	const char *stored = scheme_name(u->hash);

	if ((scheme_uses(u->hash) & use) != 0)
		return NULL;
	if (u->is_verified_there)
		return "the database verifies passwords, and gives none away";
	err_set(eb, E_DENIED,
	    "the password is stored as {%s}, and must be as {%s} or {PLAIN}",
	    stored, scheme);
	return eb->text;
}

static const char *
why_not(const struct auth *a, const struct user *u, bool for_app,
    const struct sasl_mechanism *m, struct errbuf *eb)
{
	const char *never = user_never(u);

	if (!str_has_word(a->conf.mechanisms, m->name))
		return "it is not among the mechanisms of any listener";
	if (m->asks == SASL_ANYBODY)
		return "it is for nobody in particular";
	if (never != NULL)
		return never;
	if (m->asks == SASL_EXTERNAL && a->client_ca == NULL)
		return "client_ca cannot be read";
	if (m->asks == SASL_TICKET && a->realms[0] == '\0')
		return "there is no key that can be used in keytab";
	if (m->asks == SASL_LOOKUP && for_app)
		return not_by_app;
	if (m->asks == SASL_LOOKUP)
		return why_no_hash(u, scheme_use_of(m), scheme_for(m), eb);
	return NULL;
}

static const char *
why_no_apop(const struct auth *a, const struct user *u, bool for_app)
{
	if (!a->conf.apop)
		return "the setting apop is off";
	if (user_never(u) != NULL)
		return user_never(u);
	if (for_app)
		return not_by_app;
	if (!(scheme_uses(u->hash) & SCHEME_READABLE))
		return "the password must be stored as {PLAIN}";
	return NULL;
}

static void
tell(struct facts *f, const char *mechanism, const char *why)
{
	f->row++;
	fact_text(f, "mechanism", mechanism);
	fact_flag(f, "possible", why == NULL);
	fact_text(f, "why_not", why != NULL ? why : "");
}

void
possible_tell(struct facts *f, const struct user *u, bool for_app)
{
	struct errbuf eb;

	tell(f, "USER", user_never(u));
	tell(f, "APOP", why_no_apop(f->auth, u, for_app));
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		tell(f, sasl_mechanisms[i]->name,
		    why_not(f->auth, u, for_app, sasl_mechanisms[i], &eb));
}
