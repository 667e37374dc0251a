#include "server/store/inquiry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "server/ipc/control.h"
#include "server/store/claim.h"
#include "server/store/idle.h"
#include "server/store/maildrop.h"

struct inquiry {
	struct job job; /* first */
	struct store *store;
	struct maildrop *maildrop;
	uint64_t token;
	enum inquiry_kind what;
	struct location where;
	struct control_uidl uidl;
	struct control_expire expire;
	struct control_done done;
};

static void
finish(struct inquiry *q)
{
	struct store *st = q->store;
	struct ipc_chan *parent = st->role.parent;
	bool expiry =
	    q->what == INQUIRY_EXPIRY || q->what == INQUIRY_EXPIRY_ACCEPT;
	enum err e;

	ipc_begin(parent, expiry ? IPC_EXPIRY_IS : IPC_UIDL_IS);
	ipc_put_u64(parent, q->token);
	if (expiry)
		ipc_put_fields(parent, &control_expire_fields, &q->expire);
	else
		ipc_put_fields(parent, &control_uidl_fields, &q->uidl);
	ipc_put_fields(parent, &control_done_fields, &q->done);
	if ((e = ipc_end(parent)) != E_OK && e != E_CLOSED)
		log_line(LOG_FAULT, "ev=inquiry error=\"%s\"", err_str(e));
	free(q);
	if (--st->n_sessions == 0)
		idle_begin(st);
}

static void
refuse(struct inquiry *q, enum control_outcome outcome, const char *words)
{
	q->done.outcome = outcome;
	snprintf(q->done.words, sizeof(q->done.words), "%s", words);
	finish(q);
}

static enum err
carry_out(struct inquiry *q, struct holder *holder, struct errbuf *eb)
{
	const struct store_conf *conf = &q->store->conf;
	const struct store_kind *kind = q->where.kind;
	const char *path = q->where.path;

	switch (q->what) {
	case INQUIRY_UIDL: return kind->uidl_show(conf, path, &q->uidl, eb);
	case INQUIRY_UIDL_FORGET: return kind->uidl_forget(path, holder, eb);
	case INQUIRY_EXPIRY: return kind->expire_show(path, &q->expire, eb);
	default: return kind->expire_accept(path, holder, eb);
	}
}

/* On a thread. */
static void
run(struct job *job)
{
	struct inquiry *q = (struct inquiry *)job;
	struct holder holder;
	struct errbuf eb = { .text = "" };
	enum err e = carry_out(q, &holder, &eb);

	q->done.outcome = e == E_OK     ? CONTROL_GOOD
			  : e == E_BUSY ? CONTROL_IN_USE
					: CONTROL_CANNOT;
	if (e == E_BUSY)
		holder_text(&holder, eb.text);
	snprintf(q->done.words, sizeof(q->done.words), "%s", eb.text);
}

static void
on_done(struct job *job)
{
	struct inquiry *q = (struct inquiry *)job;

	maildrop_put(q->maildrop);
	finish(q);
}

/* In its turn: a session that has ended may still be letting go of it. */
static void
ask(struct inquiry *q)
{
	struct store *st = q->store;
	struct maildrop *md = maildrop_get(st, &q->where);

	if (md == NULL) {
		refuse(q, CONTROL_LATER, "out of memory");
		return;
	}
	q->maildrop = md;
	q->job = (struct job){
		.run = run, .done = on_done, .of = md->file_system, .slow = true
	};
	job_add(st->pool, &md->line, &q->job);
}

void
inquiry_begin(
    struct store *st, uint64_t token, const char *mail, enum inquiry_kind what)
{
	struct inquiry *q = calloc(1, sizeof(*q));

	if (q == NULL) {
		log_line(LOG_FAULT, "ev=inquiry error=\"out of memory\"");
		return; /* the parent does not wait for ever */
	}
	q->store = st;
	q->token = token;
	q->what = what;
	if (st->n_sessions++ == 0)
		idle_end(st);
	if (!location_parse(&q->where, mail, &st->conf))
		refuse(
		    q, CONTROL_CANNOT, "the maildrop is not below mail_root");
	else if (st->conf.absent)
		refuse(q, CONTROL_LATER, "mail_root is not mounted");
	else if (st->stopping)
		refuse(q, CONTROL_LATER, "the store is ending");
	else if (inquiry_changes(what) && claim_is_held(st, &q->where))
		refuse(q, CONTROL_IN_USE, "a session has it");
	else
		ask(q);
}
