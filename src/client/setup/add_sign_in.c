#include "client/setup/add_sign_in.h"

#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/i18n.h"
#include "client/message/size.h"
#include "client/secret/secret.h"
#include "client/setup/add_oauth.h"
#include "client/setup/add_server.h"
#include "client/setup/domain.h"
#include "client/setup/talk.h"
#include "client/setup/trial.h"

enum { WORDS = 1024, TRIES = 3 };

/* ---- one trial ---- */

struct trying {
	bool over;
	enum outcome outcome;
	struct facts facts;
	/* Of the step that failed. */
	enum cause cause;
	char words[WORDS], advice[WORDS], said[WORDS];
};

static void
on_step(void *arg, const struct trial_report *r)
{
	struct trying *t = arg;

	t->facts = *r->facts;
	if (r->verdict != TRIAL_FAILED)
		return;
	t->cause = r->cause;
	snprintf(t->words, sizeof(t->words), "%s", r->words);
	snprintf(t->advice, sizeof(t->advice), "%s", r->advice);
	snprintf(t->said, sizeof(t->said), "%s", r->said);
}

static void
on_over(void *arg, enum outcome o)
{
	struct trying *t = arg;

	t->outcome = o;
	t->over = true;
}

/* False: it could not be tried, and the result says why. */
static bool
try_until(struct adding *a, enum trial_step until, struct trying *t)
{
	static const struct trial_hooks hooks = { on_step, NULL, on_over };
	struct client_conf conf;
	const struct account *new;
	struct errbuf eb;
	struct trial *trial;

	*t = (struct trying){ .over = false };
	if (!adding_account(a, &conf, &new, &eb))
		return adding_fail(a, EX_USAGE, "%s", eb.text);
	trial = trial_start(&(struct trial_conf){
	    .loop = a->loop,
	    .dialer = a->dialer,
	    .account = new,
	    .state_dir = a->r->state_dir,
	    .until = until,
	    .hooks = &hooks,
	    .arg = t,
	});
	while (trial != NULL && !t->over)
		ev_run(a->loop, EVRUN_ONCE);
	trial_free(trial);
	client_conf_free(&conf);
	return trial != NULL ||
	       adding_fail(a, EX_OSERR, "%s", _("out of memory"));
}

static void
show_failure(const struct trying *t)
{
	talk_say("", "%s", t->words);
	if (t->said[0] != '\0')
		talk_say("  ", _("the server says: %s"), t->said);
}

/* Nobody is there who could do something else. */
static bool
fail_by(struct adding *a, const struct trying *t, const char *advice)
{
	return adding_fail(a, outcome_exit_code(t->outcome), "%s%s%s%s%s",
	    t->words, t->said[0] != '\0' ? ": " : "", t->said,
	    advice[0] != '\0' ? "; " : "", advice);
}

/* ---- the server ---- */

/* A name that the certificate is for, which could be the server's. */
static bool
other_name(char out[HOST_MAX], const struct trying *t)
{
	const char *names = t->facts.tls.names;
	size_t n;

	for (; *names != '\0'; names += n + strspn(names + n, ", ")) {
		n = strcspn(names, ", ");
		if (n == 0 || n >= HOST_MAX || names[0] == '*')
			continue;
		memcpy(out, names, n);
		out[n] = '\0';
		return true;
	}
	return false;
}

static bool
take_other_name(struct adding *a, const char *name)
{
	if (!offer_set_server(&a->draft.offer, name))
		return adding_ask_server(a);
	a->found.by = FOUND_NOTHING;
	return true;
}

/* Common on shared hosting: the certificate is the hosting company's. */
static bool
wrong_name(struct adding *a, const struct trying *t)
{
	char name[HOST_MAX];

	if (!other_name(name, t)) {
		show_failure(t);
		return adding_ask_server(a);
	}
	switch (talk_confirm(domain_has(a->domain, name),
	    _("The certificate of %s is for %s. Is that the name of your "
	      "provider's server?"),
	    a->draft.offer.server, name)) {
	case TALK_YES: return take_other_name(a, name);
	case TALK_NO: return adding_ask_server(a);
	default: return adding_leave(a);
	}
}

/* As the options of `malote add` want it. */
static void
server_words(char *out, size_t size, const struct offer *o)
{
	size_t n = (size_t)snprintf(out, size, "--server %s", o->server);

	if (o->port != 995 && n < size)
		n += (size_t)snprintf(out + n, size - n, ":%u", o->port);
	if (o->port != 110 && o->security == SECURITY_STARTTLS && n < size)
		snprintf(out + n, size - n, " --security starttls");
}

/* Its fingerprint is shown; whether it is the right one only the provider can
 * say. */
static bool
unknown_certificate(struct adding *a, const struct trying *t)
{
	char advice[WORDS], server[HOST_MAX + 64];

	server_words(server, sizeof(server), &a->draft.offer);
	snprintf(advice, sizeof(advice),
	    _("if your provider confirms that this is the fingerprint of its "
	      "certificate: malote add %s %s --fingerprint %s"),
	    a->draft.email, server, t->facts.tls.fingerprint);
	return fail_by(a, t, advice);
}

static bool
mend_server(struct adding *a, const struct trying *t)
{
	switch (t->cause) {
	case CAUSE_CERTIFICATE_NAME:
		if (!a->r->terminal)
			break;
		return wrong_name(a, t);
	case CAUSE_CERTIFICATE_EXPIRED:
	case CAUSE_CERTIFICATE_NOT_YET:
	case CAUSE_CERTIFICATE_ISSUER: return unknown_certificate(a, t);
	default: break;
	}
	if (!a->r->terminal)
		return fail_by(a, t, t->advice);
	show_failure(t);
	if (t->advice[0] != '\0')
		talk_say("", "%s", t->advice);
	return adding_ask_server(a);
}

/* As far as it goes without a password. */
static bool
try_server(struct adding *a)
{
	struct trying t;

	for (;;) {
		talk_print(_("Trying %s...\n"), a->draft.offer.server);
		if (!try_until(a, TRIAL_CAPA, &t))
			return false;
		if (t.outcome == OUTCOME_OK)
			return true;
		if (!mend_server(a, &t))
			return false;
	}
}

/* ---- the password ---- */

struct asking {
	bool over;
	enum err e;
	char *value; /* of the draft */
	size_t size;
	char words[WORDS];
};

static void
on_secret(void *arg, enum err e, const char *value, const char *words)
{
	struct asking *s = arg;

	s->over = true;
	s->e = e;
	snprintf(s->words, sizeof(s->words), "%s", words);
	if (e == E_OK && strlen(value) >= s->size) {
		s->e = E_DENIED;
		snprintf(s->words, sizeof(s->words), "%s",
		    _("the password is too long"));
	} else if (e == E_OK) {
		memcpy(s->value, value, strlen(value) + 1);
	}
}

/* False: it could not be asked for. */
static bool
ask_password(struct adding *a, struct asking *s)
{
	struct client_conf conf;
	const struct account *new;
	struct secret *secret;
	struct errbuf eb;
	enum err e;

	a->draft.secret = DRAFT_ASKED;
	if (!adding_account(a, &conf, &new, &eb))
		return adding_fail(a, EX_USAGE, "%s", eb.text);
	e = secret_ask(&secret,
	    &(struct secret_question){
		.loop = a->loop,
		.account = new,
		.kind = SECRET_PASSWORD,
		.terminal = true,
		.timeout = new->timeout,
		.done = on_secret,
		.arg = s,
	    },
	    &eb);
	while (e == E_OK && !s->over)
		ev_run(a->loop, EVRUN_ONCE);
	client_conf_free(&conf);
	return e == E_OK || adding_fail(a, EX_OSERR, "%s", eb.text);
}

static bool
type_password(struct adding *a)
{
	for (;;) {
		struct asking s = { .value = a->draft.value,
			.size = sizeof(a->draft.value) };

		if (!ask_password(a, &s))
			return false;
		if (s.e == E_OK)
			break;
		talk_say("", "%s", s.words);
		if (talk_confirm(true, "%s", _("Try again?")) != TALK_YES)
			return adding_leave(a);
	}
	a->draft.secret = DRAFT_PASSWORD;
	return true;
}

/* For programs: the first line of standard input. */
static bool
read_password(struct adding *a)
{
	char *value = a->draft.value;

	if (fgets(value, sizeof(a->draft.value), stdin) == NULL)
		return adding_fail(a, EX_CONFIG, "%s",
		    _("standard input has no line with the password"));
	value[strcspn(value, "\r\n")] = '\0';
	if (value[0] == '\0')
		return adding_fail(a, EX_CONFIG, "%s",
		    _("the password on standard input is empty"));
	a->draft.secret = DRAFT_PASSWORD;
	return true;
}

/* Without a line to type it on. */
static bool
take_secret(struct adding *a, enum draft_secret kind, const char *value)
{
	struct draft *d = &a->draft;

	if (strlen(value) >= sizeof(d->value))
		return adding_fail(
		    a, EX_USAGE, "%s", _("that command is too long"));
	memcpy(d->value, value, strlen(value) + 1);
	d->secret = kind;
	return true;
}

static bool
get_password(struct adding *a)
{
	if (a->r->terminal)
		return type_password(a);
	if (a->r->keep_password != NULL)
		return read_password(a);
	return adding_fail(a, EX_USAGE, "%s",
	    _("there is no terminal to ask for the password on; add "
	      "--password-command COMMAND, or --keep-password PLACE, and give "
	      "the password on standard input"));
}

static bool
get_secret(struct adding *a)
{
	const struct add_request *r = a->r;

	if (r->token_command != NULL)
		return take_secret(a, DRAFT_TOKEN_COMMAND, r->token_command);
	if (r->password_command != NULL)
		return take_secret(
		    a, DRAFT_PASSWORD_COMMAND, r->password_command);
	if (r->keyring)
		return take_secret(a, DRAFT_KEYRING, "yes");
	if (!adding_oauth(a))
		return false;
	return a->draft.secret == DRAFT_OAUTH ? adding_allow(a)
					      : get_password(a);
}

/* ---- signing in ---- */

static void
show_count(const struct trying *t)
{
	char size[REPORT_SIZE];

	talk_print(
	    ngettext("Signed in: there is %u message (%s) on the server.\n",
		"Signed in: there are %u messages (%s) on the server.\n",
		t->facts.count),
	    t->facts.count, report_size(size, t->facts.octets));
}

/* The name may be the reason as well. */
static bool
ask_user(struct adding *a)
{
	struct offer *o = &a->draft.offer;
	char question[OFFER_USER + 64], user[OFFER_USER];

	snprintf(user, sizeof(user), "%s", o->user);
	snprintf(
	    question, sizeof(question), _("User name (Enter: %s): "), o->user);
	if (!talk_ask(user, sizeof(user), question))
		return adding_leave(a);
	if (!offer_set_user(o, user))
		talk_say("", _("\"%s\" is no user name"), user);
	return true;
}

/* Nearly always it is the password, and whoever types that where the user's name is
 * asked for shows it to all who look on. */
static bool
mend_password(struct adding *a)
{
	struct asking s = { .value = a->draft.value,
		.size = sizeof(a->draft.value) };

	talk_say("", "%s",
	    _("Type the password again, or Enter alone for another user "
	      "name."));
	if (!ask_password(a, &s))
		return false;
	a->draft.secret = DRAFT_PASSWORD;
	return s.e == E_OK || (ask_user(a) && type_password(a));
}

/* What the person can do about a sign-in that failed; false: leave. */
static bool
mend_sign_in(struct adding *a, const struct trying *t)
{
	show_failure(t);
	if (t->advice[0] != '\0')
		talk_say("", "%s", t->advice);
	if (a->draft.secret == DRAFT_PASSWORD &&
	    (t->cause == CAUSE_APP_PASSWORD || t->cause == CAUSE_POP_OFF))
		return type_password(a);
	if (a->draft.secret == DRAFT_PASSWORD && t->outcome == OUTCOME_DENIED)
		return mend_password(a);
	if (talk_confirm(true, "%s", _("Try again?")) != TALK_YES)
		return adding_leave(a);
	return a->draft.secret != DRAFT_OAUTH || t->outcome != OUTCOME_DENIED ||
	       adding_allow(a);
}

bool
adding_sign_in(struct adding *a)
{
	struct trying t;

	if (!try_server(a) || !get_secret(a))
		return false;
	for (int i = 0;; i++) {
		if (!try_until(a, TRIAL_TOP, &t))
			return false;
		if (t.outcome == OUTCOME_OK)
			break;
		if (!a->r->terminal || i == TRIES)
			return fail_by(a, &t, t.advice);
		if (!mend_sign_in(a, &t))
			return false;
	}
	if (t.facts.counted)
		show_count(&t);
	return true;
}
