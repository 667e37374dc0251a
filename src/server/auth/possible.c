#include "server/auth/possible.h"

#include <stdio.h>
#include <string.h>

#include "sasl/sasl.h"
#include "server/users/scheme.h"

static bool
is_offered(const struct auth_conf *conf, const char *mechanism)
{
	size_t n = strlen(mechanism);

	for (const char *p = conf->mechanisms; *(p += strspn(p, " ")) != '\0';
	     p += strcspn(p, " "))
		if (strcspn(p, " ") == n && memcmp(p, mechanism, n) == 0)
			return true;
	return false;
}

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
	err_set(eb, E_DENIED,
	    "the password is stored as {%s}, and must be as {%s} or {PLAIN}",
	    stored, scheme);
	return eb->text;
}

static const char *
why_not(const struct auth *a, const struct user *u,
    const struct sasl_mechanism *m, struct errbuf *eb)
{
	if (!is_offered(&a->conf, m->name))
		return "it is not among the mechanisms of any listener";
	if (m->asks == SASL_ANYBODY)
		return "it is for nobody in particular";
	if (scheme_check(u->hash, NULL) == E_DENIED)
		return "the users file locks the user out";
	if (m->asks == SASL_EXTERNAL && a->client_ca == NULL)
		return "client_ca cannot be read";
	if (m->asks == SASL_LOOKUP)
		return why_no_hash(u, scheme_use_of(m), scheme_for(m), eb);
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
possible_tell(struct facts *f, const struct user *u)
{
	bool locked = scheme_check(u->hash, NULL) == E_DENIED;
	const char *why = locked ? "the users file locks the user out" : NULL;
	struct errbuf eb;

	tell(f, "USER", why);
	if (!f->auth->conf.apop)
		why = "the setting apop is off";
	else if (!locked && !(scheme_uses(u->hash) & SCHEME_READABLE))
		why = "the password must be stored as {PLAIN}";
	tell(f, "APOP", why);
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if (sasl_mechanisms[i]->asks != SASL_TOKEN)
			tell(f, sasl_mechanisms[i]->name,
			    why_not(f->auth, u, sasl_mechanisms[i], &eb));
}
