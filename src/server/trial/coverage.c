#include "server/trial/coverage.h"

#include <stdio.h>
#include <string.h>

#include "server/users/scheme.h"

static const struct {
	const char *mechanism;
	unsigned use;
	const char *scheme; /* that serves it */
} table[COVERAGE_ROWS] = {
	{ "SCRAM-SHA-256", SCHEME_SCRAM_SHA_256, "SCRAM-SHA-256" },
	{ "SCRAM-SHA-1", SCHEME_SCRAM_SHA_1, "SCRAM-SHA-1" },
	{ "CRAM-MD5", SCHEME_CRAM_MD5, "CRAM-MD5" },
	{ "APOP", SCHEME_READABLE, "PLAIN" },
};

void
coverage_add(struct coverage *c, const char *user, const char *hash)
{
	unsigned uses = scheme_uses(hash);

	c->users++;
	for (size_t i = 0; i < COVERAGE_ROWS; i++) {
		if ((uses & table[i].use) != 0)
			continue;
		if (c->lacking[i] < COVERAGE_NAMES)
			c->name[i][c->lacking[i]] = user;
		c->lacking[i]++;
	}
}

/* What the mechanisms of a listener need. */
static unsigned
uses_of(const char *p)
{
	unsigned uses = 0;

	while (*(p += strspn(p, " ")) != '\0') {
		struct slice name = { p, strcspn(p, " ") };

		uses |= scheme_use_of(sasl_find(name));
		p += name.n;
	}
	return uses;
}

static unsigned
uses_offered(const struct conf *conf)
{
	unsigned uses = conf->auth.apop ? SCHEME_READABLE : 0;

	for (unsigned i = 0; i < conf->n_listeners; i++)
		uses |= uses_of(conf->listener[i].mechanisms);
	return uses;
}

static const char *
names(const struct coverage *c, size_t i, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned k = 0; k < COVERAGE_NAMES && k < c->lacking[i]; k++)
		n += (size_t)snprintf(out + n, size - n, "%s%s",
		    k != 0 ? ", " : "", c->name[i][k]);
	if (c->lacking[i] > COVERAGE_NAMES)
		snprintf(out + n, size - n, " and %u more",
		    c->lacking[i] - COVERAGE_NAMES);
	return out;
}

/* What a driver can give, as enum scheme_use: what is in its database is not known
 * here. */
static unsigned
uses_of_driver(const struct user_driver *d)
{
	return ((d->can & DRIVER_GIVES_KEYS) != 0
		       ? SCHEME_SCRAM_SHA_1 | SCHEME_SCRAM_SHA_256
		       : 0) |
	       ((d->can & DRIVER_GIVES_PLAIN) != 0
		       ? SCHEME_READABLE | SCHEME_CRAM_MD5
		       : 0);
}

static unsigned
uses_of_databases(const struct conf *conf)
{
	unsigned uses = 0;

	for (unsigned i = 0; i < conf->n_known; i++) {
		const struct user_driver *d =
		    &user_drivers[conf->known[i].db.driver];

		if (d->asker != DRIVER_IS_FILE)
			uses |= uses_of_driver(d);
	}
	return uses;
}

static const char *
what_for(size_t i)
{
	return (table[i].use & (SCHEME_SCRAM_SHA_1 | SCHEME_SCRAM_SHA_256)) != 0
		   ? "key"
		   : "secret";
}

/* Without a users file. */
static void
tell_impossible(size_t i, const struct conf_text *text)
{
	conf_warn(text, 0,
	    "%s is not offered, as no database can give it a %s; take it out "
	    "of the settings, or add users of a driver that can",
	    table[i].mechanism, what_for(i));
}

/* It is offered for the sake of others. */
static void
tell_shut_out(const struct conf *conf, size_t i, struct conf_report *report)
{
	struct conf_text text = conf_text_of(conf, report);

	for (unsigned k = 0; k < conf->n_known; k++) {
		const struct conf_users *u = &conf->known[k];
		const struct user_driver *d = &user_drivers[u->db.driver];

		if ((uses_of_driver(d) & table[i].use) == 0)
			conf_warn(&text, u->line,
			    "%s is offered, but users \"%s\" cannot give it a "
			    "%s: a mail program that takes it cannot sign in, "
			    "and may try nothing else; take it out of the "
			    "settings",
			    table[i].mechanism, u->db.name, what_for(i));
	}
}

static void
tell_lacking(const struct coverage *c, size_t i, bool is_offered,
    const struct conf_text *text)
{
	char who[COVERAGE_NAMES * (NAME_MAX_OCTETS + 2) + 32];

	if (c->lacking[i] == c->users && !is_offered)
		conf_warn(text, 0,
		    "%s is not offered, as no user's stored password serves "
		    "for it: malotectl --scheme %s user passwd NAME",
		    table[i].mechanism, table[i].scheme);
	else if (c->lacking[i] != 0)
		conf_warn(text, 0,
		    "%u of %u users cannot sign in by %s, as their stored "
		    "passwords do not serve for it: malotectl --scheme %s user "
		    "passwd NAME, for %s",
		    c->lacking[i], c->users, table[i].mechanism,
		    table[i].scheme, names(c, i, who, sizeof(who)));
}

static void
tell_upgrade(const char *scheme, size_t i, const struct conf_text *text)
{
	char stored[SCHEME_NAME_MAX + 4];

	snprintf(stored, sizeof(stored), "{%s}-", scheme);
	if (scheme_is_made(scheme) && (scheme_uses(stored) & table[i].use) == 0)
		conf_warn(text, 0,
		    "whoever signs in with the password cannot sign in by %s "
		    "afterwards, as upgrade_scheme = \"%s\" does not serve for "
		    "it; write another one, or offer that no more",
		    table[i].mechanism, scheme);
}

void
coverage_tell(const struct coverage *c, const struct conf *conf,
    const struct conf_text *text)
{
	unsigned uses = uses_offered(conf), can = uses_of_databases(conf);

	for (size_t i = 0; i < COVERAGE_ROWS; i++) {
		bool is_possible = (can & table[i].use) != 0;

		if ((uses & table[i].use) == 0)
			continue;
		if (conf->users[0] == '\0' && !is_possible)
			tell_impossible(i, text);
		if (is_possible || c->lacking[i] < c->users)
			tell_shut_out(conf, i, text->report);
		if (c->users == 0)
			continue;
		tell_lacking(c, i, is_possible, text);
		tell_upgrade(conf->auth.upgrade_scheme, i, text);
	}
}
