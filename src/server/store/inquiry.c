#include "server/store/inquiry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/ipc/control.h"
#include "server/store/claim.h"
#include "server/store/idle.h"
#include "server/store/maildrop.h"

struct inquiry {
	struct job job; /* first */
	struct store *store;
	struct maildrop *maildrop;
	struct terms *terms;
	uint64_t token;
	enum inquiry_kind what;
	struct location where;
	struct control_uidl uidl;
	struct control_expire expire;
	struct control_done done;
	struct inspection found;
};

/* ---- the answer ---- */

/* A struct of its own goes with it. */
static enum err
say_done(struct inquiry *q, enum ipc_type type, const struct ipc_fields *fields,
    const void *from)
{
	struct ipc_chan *parent = q->store->role.parent;

	ipc_begin(parent, (uint16_t)type);
	ipc_put_u64(parent, q->token);
	if (fields != NULL)
		ipc_put_fields(parent, fields, from);
	ipc_put_fields(parent, &control_done_fields, &q->done);
	return ipc_end(parent);
}

static enum err
say_messages(const struct inquiry *q)
{
	static struct control_messages m;
	struct ipc_chan *parent = q->store->role.parent;
	const struct inspection *x = &q->found;
	enum err e = E_OK;

	for (size_t i = 0; i < x->n && e == E_OK; i += m.n) {
		m.n = x->n - i < MESSAGES_PIECE ? (uint16_t)(x->n - i)
						: MESSAGES_PIECE;
		memcpy(m.message, x->message + i, m.n * sizeof(m.message[0]));
		m.next = i + m.n == x->n ? x->next : 0;
		ipc_begin(parent, IPC_MESSAGES);
		ipc_put_u64(parent, q->token);
		ipc_put_fields(parent, &control_messages_fields, &m);
		e = ipc_end(parent);
	}
	return e;
}

static enum err
say_facts(const struct inquiry *q)
{
	struct ipc_chan *parent = q->store->role.parent;
	enum err e = E_OK;

	for (size_t i = 0; i < q->found.n_facts && e == E_OK; i++) {
		const struct inspection_fact *x = &q->found.fact[i];
		struct control_fact f = {
			.row = x->row, .kind = x->kind, .number = x->number
		};

		snprintf(f.name, sizeof(f.name), "%s", x->name);
		snprintf(f.text, sizeof(f.text), "%s", x->text);
		ipc_begin(parent, IPC_FACT);
		ipc_put_u64(parent, q->token);
		ipc_put_fields(parent, &control_fact_fields, &f);
		e = ipc_end(parent);
	}
	return e;
}

static enum err
say(struct inquiry *q)
{
	enum err e;

	switch (q->what) {
	case INQUIRY_UIDL:
	case INQUIRY_UIDL_FORGET:
		return say_done(q, IPC_UIDL_IS, &control_uidl_fields, &q->uidl);
	case INQUIRY_EXPIRY:
	case INQUIRY_EXPIRY_ACCEPT:
		return say_done(
		    q, IPC_EXPIRY_IS, &control_expire_fields, &q->expire);
	default:
		if ((e = say_messages(q)) != E_OK || (e = say_facts(q)) != E_OK)
			return e;
		return say_done(q, IPC_ASKED, NULL, NULL);
	}
}

static void
finish(struct inquiry *q)
{
	struct store *st = q->store;
	enum err e = say(q);

	if (e != E_OK && e != E_CLOSED)
		log_line(LOG_FAULT, "ev=inquiry error=\"%s\"", err_str(e));
	inspection_free(&q->found);
	terms_put(q->terms);
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

/* ---- finding it out ---- */

/* As a session that changes nothing has it, beside one that may be open. */
static enum err
inspect(struct inquiry *q, struct errbuf *eb)
{
	const struct store_kind *kind = q->where.kind;
	struct hold_open o = { .conf = &q->store->conf,
		.path = q->where.path,
		.user = "",
		.peer = "",
		.tag = "inquiry",
		.read_only = true,
		.expires = true };
	enum err e = E_OK;

	if (q->what == INQUIRY_CHECK)
		e = kind->survey(o.conf, o.path, &q->found, eb);
	if (e != E_OK)
		return e;
	if ((e = kind->open(&o)) != E_OK)
		return err_set(eb, e,
		    "the maildrop cannot be opened; the log says why "
		    "(ev=open-failed inquiry)");
	e = kind->inspect(o.hold, &q->found, eb);
	kind->close(o.hold);
	return e == E_OK && q->found.no_memory
		   ? err_set(eb, E_NOMEM, "out of memory")
		   : e;
}

static enum err
carry_out(struct inquiry *q, struct holder *holder, struct errbuf *eb)
{
	const struct store_conf *conf = &q->terms->conf;
	const struct store_kind *kind = q->where.kind;
	const char *path = q->where.path;

	switch (q->what) {
	case INQUIRY_UIDL: return kind->uidl_show(conf, path, &q->uidl, eb);
	case INQUIRY_UIDL_FORGET: return kind->uidl_forget(path, holder, eb);
	case INQUIRY_EXPIRY: return kind->expire_show(path, &q->expire, eb);
	case INQUIRY_EXPIRY_ACCEPT:
		return kind->expire_accept(path, holder, eb);
	default: return inspect(q, eb);
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
inquiry_begin(struct store *st, uint64_t token, const char *mail,
    enum inquiry_kind what, uint32_t number)
{
	struct inquiry *q = calloc(1, sizeof(*q));

	if (q == NULL) {
		log_line(LOG_FAULT, "ev=inquiry error=\"out of memory\"");
		return; /* the parent does not wait for ever */
	}
	q->store = st;
	q->terms = terms_get(st->terms);
	q->token = token;
	q->what = q->found.what = what;
	q->found.number = number != 0 ? number : 1;
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
