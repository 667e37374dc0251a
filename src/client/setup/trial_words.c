#include "client/setup/trial_words.h"

#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "client/message/size.h"

static const struct {
	const char *name, *title;
} steps[TRIAL_STEPS] = {
	[TRIAL_CONFIGURATION] = { "configuration", N_("configuration") },
	[TRIAL_SECRET] = { "password", N_("password") },
	[TRIAL_NAMES] = { "names", N_("name") },
	[TRIAL_CONNECT] = { "connection", N_("connection") },
	[TRIAL_TLS] = { "tls", N_("encryption") },
	[TRIAL_GREETING] = { "greeting", N_("greeting") },
	[TRIAL_CAPA] = { "capabilities", N_("capabilities") },
	[TRIAL_SIGN_IN] = { "sign-in", N_("sign-in") },
	[TRIAL_STAT] = { "stat", N_("contents") },
	[TRIAL_UIDL] = { "uidl", N_("unique-ids") },
	[TRIAL_TOP] = { "top", N_("headers") },
	[TRIAL_DESTINATION] = { "destination", N_("destination") },
	[TRIAL_SPACE] = { "space", N_("space") },
};

const char *
trial_step_name(enum trial_step step)
{
	return steps[step].name;
}

const char *
trial_step_title(enum trial_step step)
{
	return _(steps[step].title);
}

/* ---- the settings ---- */

/* A port that is another service's, or that of the other kind of TLS. */
static const char *
odd_port(const struct account *a)
{
	switch (a->port) {
	case 143:
	case 993: return _("that is a port of IMAP, another protocol");
	case 25:
	case 465:
	case 587: return _("that is a port for sending mail");
	case 110:
		return a->security == SECURITY_TLS
			   ? _("at that port security = \"starttls\" is usual")
			   : NULL;
	case 995:
		return a->security == SECURITY_STARTTLS
			   ? _("at that port security = \"tls\" is usual")
			   : NULL;
	default: return NULL;
	}
}

static enum trial_verdict
configured(
    char words[TRIAL_WORDS], char advice[TRIAL_WORDS], const struct account *a)
{
	const char *odd = odd_port(a);

	snprintf(words, TRIAL_WORDS,
	    _("%s port %u, security = \"%s\", user %s"), a->server, a->port,
	    security_name(a->security), a->user);
	if (odd == NULL && a->security == SECURITY_NONE)
		odd = _("without encryption anybody on the way can read the "
			"password and the mail");
	snprintf(advice, TRIAL_WORDS, "%s", odd != NULL ? odd : "");
	return odd != NULL ? TRIAL_NOTED : TRIAL_PASSED;
}

/* ---- the connection ---- */

static void
named(char words[TRIAL_WORDS], const struct account *a, const struct facts *f)
{
	size_t n;

	if (a->proxy != NULL) {
		snprintf(
		    words, TRIAL_WORDS, "%s", _("the proxy finds the server"));
		return;
	}
	if (f->n_addresses == 1 && strcmp(f->addresses[0], a->server) == 0) {
		snprintf(words, TRIAL_WORDS, _("%s is an address"), a->server);
		return;
	}
	n = (size_t)snprintf(words, TRIAL_WORDS, "%s:", a->server);
	for (unsigned i = 0; i < f->n_addresses && n < TRIAL_WORDS; i++)
		n += (size_t)snprintf(
		    words + n, TRIAL_WORDS - n, " %s", f->addresses[i]);
}

static void
encrypted(char words[TRIAL_WORDS], const struct facts *f)
{
	const struct tls_found *t = &f->tls;

	snprintf(words, TRIAL_WORDS,
	    _("%s, certificate for %s, issued by \"%s\", valid until %s"),
	    t->version, t->names[0] != '\0' ? t->names : t->subject, t->issuer,
	    t->until);
}

/* As the server names them. */
static void
capable(char words[TRIAL_WORDS], const struct facts *f)
{
	const struct pop3_capa *c = &f->capa;
	const struct {
		bool is;
		const char *name;
	} all[] = {
		{ c->uidl, "UIDL" },
		{ c->top, "TOP" },
		{ c->user, "USER" },
		{ c->pipelining, "PIPELINING" },
		{ c->stls, "STLS" },
		{ c->resp_codes, "RESP-CODES" },
		{ c->utf8, "UTF8" },
		{ c->lang, "LANG" },
	};
	size_t n;

	if (!c->known) {
		snprintf(words, TRIAL_WORDS, "%s",
		    _("the server does not say what it can; that will do"));
		return;
	}
	n = (size_t)snprintf(words, TRIAL_WORDS, "%s", _("it offers:"));
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].is)
			n += (size_t)snprintf(
			    words + n, TRIAL_WORDS - n, " %s", all[i].name);
	if (c->has_sasl)
		snprintf(words + n, TRIAL_WORDS - n, "; SASL%.300s", c->sasl);
}

/* ---- the mailbox ---- */

static void
counted(char words[TRIAL_WORDS], const struct facts *f)
{
	char size[REPORT_SIZE];

	if (!f->counted)
		snprintf(words, TRIAL_WORDS, "%s",
		    _("the server does not say how much there is"));
	else if (f->count == 0)
		snprintf(words, TRIAL_WORDS, "%s", _("no messages"));
	else
		snprintf(words, TRIAL_WORDS,
		    ngettext("%u message, %s", "%u messages, %s", f->count),
		    f->count, report_size(size, f->octets));
}

static enum trial_verdict
has(bool it, char words[TRIAL_WORDS], char advice[TRIAL_WORDS], const char *yes,
    const char *no, const char *so)
{
	snprintf(words, TRIAL_WORDS, "%s", it ? yes : no);
	snprintf(advice, TRIAL_WORDS, "%s", so);
	return it ? TRIAL_PASSED : TRIAL_NOTED;
}

static void
free_space(char words[TRIAL_WORDS], const struct facts *f)
{
	char size[REPORT_SIZE];

	snprintf(words, TRIAL_WORDS, _("the disk has %s left"),
	    report_size(size, f->space));
}

void
trial_words_space(char words[TRIAL_WORDS], const struct facts *f)
{
	char space[REPORT_SIZE], mail[REPORT_SIZE];

	snprintf(words, TRIAL_WORDS,
	    _("the disk has %s left, and there is %s of mail"),
	    report_size(space, f->space), report_size(mail, f->octets));
}

/* ---- all ---- */

enum trial_verdict
trial_words(char words[TRIAL_WORDS], char advice[TRIAL_WORDS],
    enum trial_step step, const struct account *a, const struct facts *f)
{
	switch (step) {
	case TRIAL_CONFIGURATION: return configured(words, advice, a);
	case TRIAL_SECRET:
		snprintf(
		    words, TRIAL_WORDS, "%s", _("what signs in is at hand"));
		break;
	case TRIAL_NAMES: named(words, a, f); break;
	case TRIAL_CONNECT:
		snprintf(words, TRIAL_WORDS, _("connected to %s"), f->peer);
		break;
	case TRIAL_TLS: encrypted(words, f); break;
	case TRIAL_GREETING:
		snprintf(words, TRIAL_WORDS, "%s", _("it speaks POP3"));
		break;
	case TRIAL_CAPA: capable(words, f); break;
	case TRIAL_SIGN_IN:
		snprintf(words, TRIAL_WORDS, _("signed in as %s by %s"),
		    a->user, f->sign_in);
		break;
	case TRIAL_STAT: counted(words, f); break;
	case TRIAL_UIDL:
		return has(f->has_uidl, words, advice,
		    _("messages have unique-ids"),
		    _("messages have no unique-ids"),
		    _("their headers tell them apart, which takes longer"));
	case TRIAL_TOP:
		return has(f->has_top, words, advice,
		    _("headers can be had alone"),
		    _("headers cannot be had alone"),
		    _("unique-ids tell messages apart all the same"));
	case TRIAL_DESTINATION:
		snprintf(words, TRIAL_WORDS,
		    f->place_is_new ? _("%s will be made") : _("%s takes mail"),
		    a->dest.text);
		break;
	case TRIAL_SPACE: free_space(words, f); break;
	case TRIAL_STEPS: break;
	}
	return TRIAL_PASSED;
}
