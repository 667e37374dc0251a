/* malote forget */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/call.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/secret/secret.h"
#include "client/send/outbox.h"
#include "client/setup/conf_edit.h"
#include "client/setup/talk.h"
#include "client/state/account_lock.h"
#include "client/state/state.h"

/* What is to be forgotten. */
struct forgotten {
	const char *name;
	const struct account *account; /* NULL: it is not configured */
	struct state *state;
	int64_t id;
	char maildrop[DIGEST_TEXT];
	uint64_t messages;
	bool block, password; /* these too */
};

/* ---- which ---- */

static enum err
find_configured(
    struct forgotten *f, const struct client_conf *conf, struct errbuf *eb)
{
	struct state_key key = { f->name, f->maildrop, client_conf_has, conf };
	struct state_account sa;
	enum err e;

	if (account_maildrop(f->maildrop, f->account) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if ((e = state_account(f->state, &key, &sa, eb)) == E_OK)
		f->id = sa.id;
	return e;
}

static enum err
find(struct forgotten *f, const struct call *c, struct errbuf *eb)
{
	const struct client_conf *conf = c->set != NULL ? &c->set->conf : NULL;
	struct message *v;
	size_t n;
	enum err e;

	f->account = conf != NULL ? client_conf_find(conf, f->name) : NULL;
	e = f->account != NULL ? find_configured(f, conf, eb)
			       : state_account_find(f->state, f->name, &f->id,
				     f->maildrop, eb);
	if (e != E_OK)
		return e;
	e = state_messages(f->state, f->id, &v, &n, eb);
	f->messages = n;
	free(v);
	return e;
}

/* A run that was interrupted has left a part of a message that only the record
 * knows of; of an account that is not configured no run would mend it. */
static enum err
check_intents(const struct forgotten *f, struct errbuf *eb)
{
	struct state_intent *v;
	size_t n;
	enum err e;

	if (f->account == NULL)
		return E_OK;
	if ((e = state_intents(f->state, f->id, &v, &n, eb)) != E_OK)
		return e;
	state_intents_free(v, n);
	if (n == 0)
		return E_OK;
	return err_set(eb, E_BUSY,
	    _("%s was interrupted while it stored mail; run malote collect %s "
	      "once, which puts that right, and then this again"),
	    f->name, f->name);
}

/* ---- asking ---- */

/* -1: go on; else the exit code. */
static int
ask(struct forgotten *f, const struct call *c)
{
	f->block = option_is_given(c->o, OPT_BLOCK) && f->account != NULL;
	f->password = option_is_given(c->o, OPT_PASSWORD) && f->account != NULL;
	if (option_is_given(c->o, OPT_YES))
		return -1;
	if (!talk_is_possible() || option_is_given(c->o, OPT_JSON))
		return mistyped(c->o,
		    _("%s is not forgotten without a question; if you are "
		      "sure: malote forget --yes %s"),
		    f->name, f->name);
	if (talk_confirm(false,
		ngettext("Forget %s, of which %llu message is on record? The "
			 "mail that is here stays.",
		    "Forget %s, of which %llu messages are on record? The "
		    "mail that is here stays.",
		    (unsigned long)f->messages),
		f->name, (unsigned long long)f->messages) != TALK_YES)
		return done(c->o, "%s", _("nothing has changed"));
	if (f->account == NULL)
		return -1;
	f->block |= talk_confirm(false, _("Remove its block from %s as well?"),
			c->o->conf) == TALK_YES;
	if (f->account->keyring)
		f->password |=
		    talk_confirm(false, "%s",
			_("Remove its password from the keyring as well?")) ==
		    TALK_YES;
	return -1;
}

/* ---- forgetting ---- */

static enum err
remove_block(const struct forgotten *f, const char *path, struct errbuf *eb)
{
	struct conf_edit ed;
	struct conf_block b;
	enum err e = conf_edit_open(&ed, path, eb);

	if (e == E_OK && (e = conf_edit_find(&ed, f->name, &b, eb)) == E_OK &&
	    (e = conf_edit_remove(&ed, &b, eb)) == E_OK)
		e = conf_edit_save(&ed, eb);
	conf_edit_close(&ed);
	return e;
}

/* The record last: without it, but with the block, a timer would collect all
 * again. */
static enum err
forget(const struct forgotten *f, const struct call *c, struct errbuf *eb)
{
	enum err e = E_OK;

	if (f->password)
		e = secret_keep(f->account, NULL, eb);
	if (e == E_OK && f->block)
		e = remove_block(f, c->o->conf, eb);
	if (e == E_OK)
		e = state_account_forget(f->state, f->id, eb);
	return e;
}

/* What waits to be sent by it. */
static unsigned
count_waiting(const struct forgotten *f, const struct options *o)
{
	struct outbox_ids ids = { .n = 0 };
	struct outgoing waits;
	struct outbox b;
	unsigned n = 0;
	bool busy;

	if (outbox_open(&b, o->state, false, NULL) == E_OK)
		(void)!outbox_list(&b, &ids, NULL);
	for (size_t i = 0; i < ids.n; i++) {
		if (outbox_look(&b, &waits, &busy, ids.v[i], NULL) != E_OK)
			continue;
		n += strcmp(waits.account, f->name) == 0 &&
		     outgoing_count(&waits, FATE_WAITING) != 0;
		outgoing_clear(&waits);
	}
	free(ids.v);
	outbox_close(&b);
	return n;
}

static void
say_what_waits(const struct forgotten *f, const struct options *o)
{
	unsigned n = count_waiting(f, o);

	if (n != 0 && (f->account == NULL || f->block))
		(void)done(o,
		    ngettext("%u message of %s still waits in the outbox: "
			     "malote outbox",
			"%u messages of %s still wait in the outbox: malote "
			"outbox",
			n),
		    n, f->name);
}

/* A run that knows nothing of an account looks through its mailbox first. */
static int
say_what_is_true(const struct forgotten *f, const struct options *o)
{
	const struct account *a = f->account;

	if (a == NULL || f->block)
		return done(o,
		    _("%s is forgotten; the mail that is here stays"), f->name);
	if (a->dest.kind == DEST_MAILDIR || a->dest.kind == DEST_MBOX)
		return done(o,
		    _("%s is forgotten; the mail that is here stays. Its block "
		      "is still in %s: the next run collects from %s all that "
		      "it does not find in %s"),
		    f->name, o->conf, a->server, a->dest.text);
	return done(o,
	    _("%s is forgotten; the mail that is here stays. Its block is "
	      "still in %s: the next run collects all that is on %s again"),
	    f->name, o->conf, a->server);
}

static int
forget_locked(struct forgotten *f, const struct call *c)
{
	struct account_lock lock;
	struct errbuf eb;
	int code = -1;
	enum err e =
	    account_lock_take(&lock, c->o->state, f->name, f->maildrop, &eb);

	if (e == E_OK)
		e = check_intents(f, &eb);
	if (e == E_OK && (code = ask(f, c)) == -1)
		e = forget(f, c, &eb);
	account_lock_release(&lock);
	if (e != E_OK)
		return failed_by(c->o, e == E_BUSY ? EX_TEMPFAIL : EX_IOERR,
		    "%s: %s", f->name, eb.text);
	if (code != -1)
		return code;
	say_what_waits(f, c->o);
	return say_what_is_true(f, c->o);
}

int
cmd_forget(struct call *c)
{
	struct forgotten f = { .name = c->argument[0] };
	struct call all = { .o = c->o, .command = c->command };
	struct errbuf eb;
	bool put_aside;
	int code = -1;
	enum err e;

	if (access(c->o->conf, F_OK) == 0)
		code = call_load(&all, &c->set); /* it need not be among them */
	if (code != -1)
		return code;
	e = state_open(&f.state, c->o->state, &put_aside, &eb);
	if (e == E_OK)
		e = find(&f, c, &eb);
	if (e == E_OK)
		code = forget_locked(&f, c);
	else if (e == E_NOENT)
		code = failed_by(c->o, EX_USAGE,
		    _("there is no account %s, neither in %s nor on record"),
		    f.name, c->o->conf);
	else
		code = failed_by(c->o, EX_IOERR, "%s", eb.text);
	state_close(f.state);
	return code;
}
