#include "client/setup/add.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/conf/value.h"
#include "client/secret/secret.h"
#include "client/setup/add_questions.h"
#include "client/setup/add_server.h"
#include "client/setup/add_sign_in.h"
#include "client/setup/adding.h"
#include "client/setup/conf_edit.h"
#include "client/setup/talk.h"
#include "net/dial.h"

/* ---- the address ---- */

static bool
check_address(const char *address, struct errbuf *eb)
{
	char domain[HOST_MAX];
	char shown[VALUE_SHOWN], *copy = NULL;
	enum err e = value_email(NULL, "email", &copy, address, eb);

	free(copy);
	if (e == E_CONFIG)
		err_set(eb, e, _("\"%s\" is no address; write NAME@DOMAIN"),
		    value_shown(shown, address));
	if (e == E_OK && strlen(address) >= OFFER_USER)
		e = err_set(eb, E_CONFIG, _("that address is too long"));
	if (e == E_OK)
		e = find_domain(domain, address, eb);
	if (e == E_OK && strchr(domain, '.') == NULL)
		e = err_set(eb, E_CONFIG,
		    _("\"%s\" has no dot; write the whole address, as "
		      "ana@example.org"),
		    domain);
	return e == E_OK;
}

static bool
ask_address(struct adding *a)
{
	char *email = a->draft.email;
	struct errbuf eb;

	for (;;) {
		email[0] = '\0';
		if (!talk_ask(email, sizeof(a->draft.email),
			_("E-mail address (Enter: leave): ")) ||
		    email[0] == '\0')
			return adding_leave(a);
		if (check_address(email, &eb))
			return true;
		talk_say("", "%s", eb.text);
	}
}

static bool
find_its_domain(struct adding *a)
{
	struct errbuf eb;

	return find_domain(a->domain, a->draft.email, &eb) == E_OK ||
	       adding_fail(a, EX_USAGE, "%s", eb.text);
}

/* Somebody else may have the domain that a slip leads to. */
static bool
check_slip(struct adding *a)
{
	char *email = a->draft.email;
	const char *like = provider_domain_like(a->domain);
	size_t n = (size_t)(strrchr(email, '@') + 1 - email);

	if (like == NULL || provider_of_domain(a->domain) != NULL ||
	    !a->r->terminal || a->r->yes || a->r->server != NULL)
		return true;
	switch (talk_confirm(
	    true, _("Did you mean %.*s%s?"), (int)n, email, like)) {
	case TALK_LEFT: return adding_leave(a);
	case TALK_NO: return true;
	default: break;
	}
	snprintf(email + n, sizeof(a->draft.email) - n, "%s", like);
	return find_its_domain(a);
}

static bool
take_address(struct adding *a)
{
	struct draft *d = &a->draft;
	const char *given = a->r->address;
	struct errbuf eb;

	if (given != NULL && check_address(given, &eb))
		snprintf(d->email, sizeof(d->email), "%s", given);
	else if (given != NULL && !a->r->terminal)
		return adding_fail(a, EX_USAGE, "%s", eb.text);
	else if (given != NULL)
		talk_say("", "%s", eb.text);
	else if (!a->r->terminal)
		return adding_fail(a, EX_USAGE, "%s",
		    _("name the address: malote add ADDRESS"));
	if (d->email[0] == '\0' && !ask_address(a))
		return false;
	return find_its_domain(a) && check_slip(a);
}

/* ---- what is configured already ---- */

static void
say_fault(void *arg, bool is_error, const char *words)
{
	struct adding *a = arg;

	if (is_error && a->result->words[0] == '\0')
		adding_fail(a, EX_CONFIG, "%s", words);
}

static bool
load_accounts(struct adding *a)
{
	const char *file = a->r->conf_file;
	struct conf_block b;
	struct conf_edit ed;
	struct errbuf eb;
	struct stat st;
	bool none;
	enum err e;

	if (lstat(file, &st) < 0 && errno == ENOENT)
		return true;
	/* What else stands in a file without accounts is read with the new
	 * one. */
	e = conf_edit_open(&ed, file, &eb);
	none = e == E_OK && !conf_edit_block(&ed, 0, &b);
	a->text = ed.text != NULL ? strdup(ed.text) : NULL;
	conf_edit_close(&ed);
	/* Better now than after all questions. */
	if (e == E_DENIED || e == E_IO)
		return adding_fail(a, EX_CANTCREAT, "%s", eb.text);
	return none || client_conf_load(&a->conf, file, say_fault, a) == E_OK;
}

static bool
is_free(const struct adding *a, const char *name)
{
	return client_conf_find(&a->conf, name) == NULL;
}

/* An address may be set up twice, for another server. */
static void
free_name(const struct adding *a, char out[OFFER_USER])
{
	snprintf(out, OFFER_USER, "%.300s", a->draft.email);
	for (char *p = out; *p != '\0'; p++)
		if (*p == '/')
			*p = '_';
	for (unsigned i = 2; !is_free(a, out); i++)
		snprintf(out, OFFER_USER, "%.300s (%u)", a->draft.email, i);
}

static bool
take_name(struct adding *a)
{
	const char *given = a->r->name;

	if (given == NULL) {
		free_name(a, a->draft.name);
		return true;
	}
	if (strlen(given) >= sizeof(a->draft.name))
		return adding_fail(
		    a, EX_USAGE, "%s", _("that name is too long"));
	if (!is_free(a, given))
		return adding_fail(a, EX_USAGE,
		    _("there is an account %s already; choose another --name"),
		    given);
	memcpy(a->draft.name, given, strlen(given) + 1);
	return true;
}

/* Two accounts with one maildrop would collect each other's mail. */
static bool
check_maildrop(struct adding *a)
{
	char mine[DIGEST_TEXT];
	struct client_conf conf;
	struct errbuf eb;
	const struct account *same = NULL, *new;
	char other[DIGEST_TEXT];

	if (!adding_account(a, &conf, &new, &eb))
		return adding_fail(a, EX_USAGE, "%s", eb.text);
	if (account_maildrop(mine, new) != NULL)
		for (size_t i = 0; i < a->conf.n && same == NULL; i++)
			if (account_maildrop(other, &a->conf.v[i]) != NULL &&
			    strcmp(mine, other) == 0)
				same = &a->conf.v[i];
	client_conf_free(&conf);
	return same == NULL ||
	       adding_fail(a, EX_USAGE,
		   _("account %s collects from there already: malote "
		     "collect %s"),
		   same->name, same->name);
}

/* ---- saving ---- */

/* Another malote may have used the name meanwhile. */
static enum err
check_still_free(
    const struct adding *a, const struct conf_edit *ed, struct errbuf *eb)
{
	struct conf_block b;

	if (!conf_edit_block(ed, 0, &b) ||
	    conf_edit_find(ed, a->draft.name, &b, NULL) != E_OK)
		return E_OK;
	return err_set(eb, E_BUSY,
	    _("there is an account %s already; choose another --name"),
	    a->draft.name);
}

static bool
save(struct adding *a)
{
	struct conf_edit ed;
	struct errbuf eb;
	char *block = malloc(DRAFT_BLOCK);
	enum err e;

	if (block == NULL || !draft_block(block, &a->draft)) {
		free(block);
		return adding_fail(a, EX_OSERR, "%s", _("out of memory"));
	}
	if ((e = conf_edit_open(&ed, a->r->conf_file, &eb)) == E_OK &&
	    (e = check_still_free(a, &ed, &eb)) == E_OK &&
	    (e = conf_edit_append(&ed, block, &eb)) == E_OK)
		e = conf_edit_save(&ed, &eb);
	conf_edit_close(&ed);
	explicit_bzero(block, DRAFT_BLOCK);
	free(block);
	if (e != E_OK)
		return adding_fail(a, e == E_CONFIG ? EX_CONFIG : EX_CANTCREAT,
		    "%s: %s", a->r->conf_file, eb.text);
	talk_print(
	    _("Saved in %s as account %s.\n"), a->r->conf_file, a->draft.name);
	snprintf(a->result->name, sizeof(a->result->name), "%s", a->draft.name);
	a->result->code = EX_OK;
	return true;
}

/* ---- all of it ---- */

static void
on_signal(int number)
{
	secret_restore_terminal();
	signal(number, SIG_DFL);
	raise(number);
}

/* An address without a server is asked for again: the first thing to think of
 * is a slip in it. */
static bool
find_server(struct adding *a)
{
	while (!adding_server(a)) {
		if (!a->other_address || !ask_address(a) ||
		    !find_its_domain(a) || !check_slip(a))
			return false;
		a->other_address = false;
		a->draft.offer = a->draft.smtp = (struct offer){ .port = 0 };
	}
	return true;
}

static bool
run_steps(struct adding *a)
{
	return adding_answers(a) && take_address(a) && load_accounts(a) &&
	       find_server(a) && take_name(a) && check_maildrop(a) &&
	       adding_sign_in(a) && check_maildrop(a) && adding_keep(a) &&
	       adding_deliver(a) && adding_place(a) && save(a);
}

void
add_account(struct add_result *result, const struct add_request *r)
{
	struct adding *a = calloc(1, sizeof(*a));
	struct errbuf eb;

	*result = (struct add_result){ .code = EX_OSERR };
	if (a == NULL) {
		snprintf(result->words, sizeof(result->words), "%s",
		    _("out of memory"));
		return;
	}
	a->r = r;
	a->result = result;
	a->loop = ev_default_loop(0);
	snprintf(a->draft.fingerprint, sizeof(a->draft.fingerprint), "%s",
	    r->fingerprint != NULL ? r->fingerprint : "");
	snprintf(a->draft.ca_file, sizeof(a->draft.ca_file), "%s",
	    r->ca_file != NULL ? r->ca_file : "");
	if (r->quiet)
		talk_be_quiet();
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (dialer_new(&a->dialer, a->loop, &eb) != E_OK)
		adding_fail(a, EX_OSERR, "%s", eb.text);
	else if (run_steps(a))
		result->words[0] = '\0';
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	dialer_free(a->dialer);
	client_conf_free(&a->conf);
	if (a->text != NULL)
		explicit_bzero(a->text, strlen(a->text));
	free(a->text);
	draft_wipe(&a->draft);
	free(a);
}
