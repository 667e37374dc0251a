/* malote rename */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/command/call.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/send/outbox.h"
#include "client/setup/conf_edit.h"
#include "client/state/state.h"

static const struct account *
old_account(const struct call *c)
{
	return client_conf_find(&c->set->conf, c->argument[0]);
}

/* -1: it may be called so; else the exit code. */
static int
check_name(const struct call *c)
{
	const char *name = c->argument[1];
	char shown[256];

	if (!account_name_is_good(name))
		return failed_by(c->o, EX_USAGE,
		    _("\"%s\" cannot be an account's name; write letters and "
		      "digits"),
		    str_quote(shown, sizeof(shown), name, strlen(name)));
	if (client_conf_find(&c->set->conf, name) != NULL)
		return failed_by(c->o, EX_USAGE,
		    _("there is an account %s already in %s"), name,
		    c->set->conf.file);
	return -1;
}

static enum err
rename_block(const struct call *c, struct errbuf *eb)
{
	struct conf_edit ed;
	struct conf_block b;
	enum err e = conf_edit_open(&ed, c->o->conf, eb);

	if (e == E_OK &&
	    (e = conf_edit_find(&ed, c->argument[0], &b, eb)) == E_OK &&
	    (e = conf_edit_rename(&ed, &b, c->argument[1], eb)) == E_OK)
		e = conf_edit_save(&ed, eb);
	conf_edit_close(&ed);
	return e;
}

/* A run would find it by its maildrop, but not while the server or the user is
 * called otherwise than before. */
static enum err
rename_record(const struct call *c, struct errbuf *eb)
{
	const struct account *a = old_account(c);
	char maildrop[DIGEST_TEXT];
	struct state_key key = { a->name, maildrop, client_conf_has,
		&c->set->conf };
	struct state_account sa;
	struct state *s;
	bool put_aside;
	enum err e;

	if (account_maildrop(maildrop, a) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	e = state_open(&s, c->o->state, &put_aside, eb);
	if (e == E_OK)
		e = state_account(s, &key, &sa, eb);
	if (e == E_OK && (e = rename_block(c, eb)) == E_OK)
		e = state_account_rename(s, sa.id, c->argument[1], eb);
	state_close(s);
	return e;
}

/* What waits to be sent keeps its account.  What is being sent meanwhile, or
 * cannot be written, finds it by its address. */
static void
rename_in_outbox(const struct call *c)
{
	struct outbox_ids ids = { .n = 0 };
	struct outbox_item item;
	struct outbox b;

	if (outbox_open(&b, c->o->state, false, NULL) == E_OK)
		(void)!outbox_list(&b, &ids, NULL);
	for (size_t i = 0; i < ids.n; i++) {
		if (outbox_take(&b, &item, ids.v[i], NULL) != E_OK)
			continue;
		if (strcmp(item.o.account, c->argument[0]) == 0) {
			outgoing_say(&item.o.account, c->argument[1]);
			(void)!outbox_save(&b, &item, NULL);
		}
		outbox_release(&item);
	}
	free(ids.v);
	outbox_close(&b);
}

int
cmd_rename(struct call *c)
{
	struct errbuf eb;
	int code = check_name(c);
	enum err e;

	if (code != -1)
		return code;
	if ((e = rename_record(c, &eb)) != E_OK)
		return failed_by(
		    c->o, e == E_BUSY ? EX_TEMPFAIL : EX_IOERR, "%s", eb.text);
	rename_in_outbox(c);
	return done(c->o, _("%s is called %s now; nothing is downloaded again"),
	    c->argument[0], c->argument[1]);
}
