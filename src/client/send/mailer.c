#include "client/send/mailer.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/secret/asker.h"
#include "client/send/outbox_thread.h"
#include "client/send/post.h"
#include "client/send/sent_copy.h"

enum {
	MINUTE = 60,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
	/* A server that says "later" for so long will never take it (RFC 5321
	 * s4.5.4.1). */
	GIVE_UP = 5 * DAY,
	AWAY_MOST = 15 * MINUTE, /* the network may be back */
	PAUSE_MOST = HOUR,
	PERSON_LEAST = HOUR, /* somebody has to mend something */
};

struct mailer {
	struct mailer_conf conf;
	struct outbox outbox;
	struct outbox_thread *thread;
	struct asker *asker;   /* where a copy may need a secret; or NULL */
	struct outbox_ids ids; /* one that is empty was dealt with */
	ev_timer turn;         /* on with the next account, or over */

	const struct account *account; /* that sends now, or NULL */
	struct submission *submission; /* its session, or NULL */
	bool anew; /* the session has a token that was asked for anew */
	struct outbox_item first; /* what the session is to begin with */
	struct outbox_item item;  /* what it sends, or what is copied */
	size_t sent_before;       /* recipients of the item that had it */
	bool goes_on; /* the item was taken for some: the others follow */
	struct sent_copy *copy;  /* of the item, or NULL */
	struct outbox_item kept; /* that is being put on record, and then: */
	void (*then)(struct mailer *m);  /* or NULL: nothing is */
	struct submission_result failed; /* of the account's session */
};

static int64_t
seconds_now(void)
{
	return (int64_t)(clock_unix_ms() / 1000);
}

/* Has somebody got it, and the folder for what was sent not? */
static bool
lacks_copy(const struct outgoing *o)
{
	return !o->copied && outgoing_count(o, FATE_SENT) != 0;
}

/* Does everybody have it, and the folder for what was sent? */
static bool
is_over(const struct outgoing *o)
{
	return outgoing_count(o, FATE_SENT) == o->n && !lacks_copy(o);
}

bool
outgoing_is_open(const struct outgoing *o)
{
	return outgoing_count(o, FATE_WAITING) != 0 || lacks_copy(o);
}

/* One that is over could not be removed.  A clock that was set back holds up
 * nothing. */
bool
outgoing_is_due(const struct outgoing *o, int64_t now)
{
	return (outgoing_is_open(o) || is_over(o)) &&
	       (o->next_at <= now || o->next_at > now + DAY);
}

bool
mailer_is_needed(struct outbox *b)
{
	struct outbox_ids ids;
	struct outbox_item item;
	bool needed = false;

	if (outbox_list(b, &ids, NULL) != E_OK)
		return false;
	for (size_t i = 0; i < ids.n && !needed; i++) {
		if (outbox_take(b, &item, ids.v[i], NULL) != E_OK)
			continue;
		needed =
		    item.was_left || outgoing_is_due(&item.o, seconds_now());
		outbox_release(&item);
	}
	free(ids.v);
	return needed;
}

/* ---- when it is tried again ---- */

/* Twice as long each time. */
static int64_t
doubled(int64_t least, unsigned tries, int64_t most)
{
	while (tries-- > 1 && least < most)
		least *= 2;
	return least < most ? least : most;
}

static int64_t
pause_after(unsigned tries, enum outcome o)
{
	switch (o) {
	case OUTCOME_NO_HOST:
	case OUTCOME_CONNECT: return doubled(MINUTE, tries, AWAY_MOST);
	case OUTCOME_OK:
	case OUTCOME_BUSY: return doubled(MINUTE, tries, PAUSE_MOST);
	default: return doubled(PERSON_LEAST, tries, DAY);
	}
}

static void
put_off(struct outgoing *o, enum outcome why)
{
	o->tries++;
	o->denied = false;
	o->next_at = seconds_now() + pause_after(o->tries, why);
}

/* What a server has said "later" to for days, and now again: o->words are of a
 * session that has failed otherwise. */
static void
give_up(struct outgoing *o)
{
	char words[1024];

	if (seconds_now() - o->queued_at < GIVE_UP || o->words != NULL)
		return;
	for (size_t i = 0; i < o->n; i++) {
		if (o->v[i].fate != FATE_WAITING || o->v[i].words == NULL)
			continue;
		snprintf(words, sizeof(words),
		    _("given up after %d days; at last %s"), GIVE_UP / DAY,
		    o->v[i].words);
		o->v[i].fate = FATE_REFUSED;
		outgoing_say(&o->v[i].words, words);
	}
}

/* ---- what has become of a message ---- */

static void
move_item(struct outbox_item *to, struct outbox_item *from)
{
	*to = *from;
	*from = (struct outbox_item)OUTBOX_NOTHING;
}

static void
tell(struct mailer *m, const struct outgoing *o)
{
	m->conf.hooks->message(m->conf.arg, o);
}

/* If a message that is over cannot be removed, the record says still that all have
 * it. */
static void
on_kept(void *arg, enum err e, const char *words)
{
	struct mailer *m = arg;
	struct outgoing *o = &m->kept.o;
	void (*then)(struct mailer * m) = m->then;

	m->then = NULL;
	if (e != E_OK && !is_over(o))
		outgoing_say(&o->words, words);
	if (m->goes_on && m->submission != NULL) {
		move_item(&m->first, &m->kept);
	} else {
		tell(m, o);
		outbox_release(&m->kept);
	}
	m->goes_on = false;
	then(m);
}

/* Puts it on record, and tells of it; the item is given back, or goes on. */
static void
keep(struct mailer *m, struct outbox_item *item, void (*then)(struct mailer *m))
{
	bool over = is_over(&item->o);

	move_item(&m->kept, item);
	m->then = then;
	if ((over ? outbox_thread_remove : outbox_thread_save)(
		m->thread, &m->kept, on_kept, m) == NULL)
		on_kept(m, E_NOMEM, _("out of memory"));
}

static void
next_turn(struct mailer *m)
{
	ev_timer_start(m->conf.loop, &m->turn);
}

static void put_off_all(struct mailer *m);

static void
go_on(struct mailer *m)
{
	if (m->submission != NULL)
		submission_next(m->submission);
	else
		put_off_all(m);
}

static void
on_copied(void *arg, enum err e, const char *words)
{
	struct mailer *m = arg;
	struct outgoing *o = &m->item.o;
	char text[512];

	sent_copy_free(m->copy);
	m->copy = NULL;
	if (e != E_OK) {
		snprintf(text, sizeof(text),
		    _("it was sent, but there is no copy at \"%s\" yet: %s"),
		    m->account->sent.text, words);
		outgoing_say(&o->words, text);
		if (outgoing_count(o, FATE_WAITING) == 0)
			put_off(o, OUTCOME_DESTINATION);
	} else if (words[0] != '\0') {
		outgoing_say(&o->words, words);
	}
	keep(m, &m->item, go_on);
}

/* The session has done with it, or there was nothing for it to do. */
static void
settle(struct mailer *m)
{
	struct outgoing *o = &m->item.o;
	const struct sent_copy_conf conf = {
		.thread = m->thread,
		.outbox = &m->outbox,
		.conf = m->conf.conf,
		.account = m->account,
		.state_dir = m->conf.state_dir,
		.asker = m->asker,
	};
	struct errbuf eb;

	if (m->account->sent.text == NULL)
		o->copied = true;
	if (!lacks_copy(o))
		keep(m, &m->item, go_on);
	else if (sent_copy_start(
		     &m->copy, &conf, &m->item, on_copied, m, &eb) != E_OK)
		on_copied(m, E_NOMEM, eb.text);
}

/* Those whom the server has left out for now, as there were too many, follow at
 * once. */
static void
on_done(void *arg, struct outbox_item *item)
{
	struct mailer *m = arg;
	struct outgoing *o = &item->o;
	bool progress = outgoing_count(o, FATE_SENT) > m->sent_before;

	give_up(o);
	put_off(o, OUTCOME_OK);
	m->goes_on = progress && outgoing_count(o, FATE_WAITING) != 0;
	settle(m);
}

/* ---- which messages ---- */

/* The account has perhaps another name by now, or is another one, at a provider
 * where the address has moved to.  NULL: none sends from that address. */
static const struct account *
account_of(const struct mailer *m, const struct outgoing *o)
{
	const struct account *a = client_conf_find(m->conf.conf, o->account);

	return a != NULL && a->smtp.server != NULL
		   ? a
		   : post_account(m->conf.conf, o->sender);
}

/* Whoever has sent it was killed, or lost the power. */
static void
note_left(struct mailer *m, struct outbox_item *item)
{
	item->was_left = false;
	/* What is not on record is told once more by another run. */
	(void)!outbox_thread_save(m->thread, item, NULL, NULL);
	tell(m, &item->o);
}

/* To be sent by the account's session; else of any account, whatever it needs. */
static bool
is_for(const struct mailer *m, const struct outgoing *o, bool any)
{
	return any || (outgoing_count(o, FATE_WAITING) != 0 &&
			  account_of(m, o) == m->account);
}

/* The next one that is due. */
static bool
take_next(struct mailer *m, struct outbox_item *item, bool any)
{
	for (size_t i = 0; i < m->ids.n; i++) {
		char *id = m->ids.v[i];

		if (id[0] == '\0' ||
		    outbox_take(&m->outbox, item, id, NULL) != E_OK)
			continue;
		if (is_for(m, &item->o, any)) {
			if (item->was_left)
				note_left(m, item);
			if (outgoing_is_due(&item->o, seconds_now())) {
				id[0] = '\0';
				return true;
			}
		}
		outbox_release(item);
	}
	return false;
}

static struct outbox_item *
on_next(void *arg)
{
	struct mailer *m = arg;

	if (m->first.fd >= 0)
		move_item(&m->item, &m->first);
	else if (!take_next(m, &m->item, false))
		return NULL;
	m->sent_before = outgoing_count(&m->item.o, FATE_SENT);
	return &m->item;
}

/* If the server cannot be reached, or does not let us in, what was to go there waits,
 * one after the other.  Then it is another account's turn. */
static void
put_off_all(struct mailer *m)
{
	if (m->failed.outcome == OUTCOME_OK ||
	    (m->first.fd < 0 && !take_next(m, &m->first, false))) {
		next_turn(m);
		return;
	}
	put_off(&m->first.o, m->failed.outcome);
	m->first.o.denied = m->failed.denied;
	if (m->failed.denied) /* whether it is another is seen here */
		m->first.o.next_at = seconds_now() + AWAY_MOST;
	outgoing_say(&m->first.o.words, m->failed.words);
	keep(m, &m->first, put_off_all);
}

/* ---- sessions ---- */

static void start_session(struct mailer *m);

static void
on_over(void *arg, const struct submission_result *r)
{
	struct mailer *m = arg;
	bool again = r->refused_token && !m->anew && m->account->client != NULL;

	m->failed = *r;
	submission_free(m->submission);
	m->submission = NULL;
	if (again) {
		m->anew = true;
		m->failed.outcome = OUTCOME_OK;
		start_session(m);
		return;
	}
	if (m->copy == NULL && m->then == NULL) /* else that goes on */
		put_off_all(m);
}

static void
on_trace(void *arg, bool received, const char *line)
{
	struct mailer *m = arg;

	m->conf.hooks->trace(m->conf.arg, received, line);
}

static void
start_session(struct mailer *m)
{
	static const struct submission_hooks quiet = { on_next, on_done,
		on_over, NULL };
	static const struct submission_hooks loud = { on_next, on_done, on_over,
		on_trace };
	struct submission_conf conf = {
		.loop = m->conf.loop,
		.dialer = m->conf.dialer,
		.account = m->account,
		.state_dir = m->conf.state_dir,
		.thread = m->thread,
		.terminal = m->conf.terminal,
		.insist = m->conf.insist,
		.anew = m->anew,
		.hooks = m->conf.hooks->trace != NULL ? &loud : &quiet,
		.arg = m,
	};
	struct errbuf eb;

	if (submission_start(&m->submission, &conf, &eb) == E_OK)
		return;
	m->failed.outcome = OUTCOME_INTERNAL;
	snprintf(m->failed.words, sizeof(m->failed.words), "%s", eb.text);
	put_off_all(m);
}

/* Of an account that is not configured any more, or sends nothing any more, and no
 * other has its address. */
static void
keep_orphan(struct mailer *m)
{
	snprintf(m->failed.words, sizeof(m->failed.words),
	    _("there is no account %s with an smtp_server"),
	    m->first.o.account);
	m->failed.outcome = OUTCOME_CONFIG;
	put_off(&m->first.o, OUTCOME_CONFIG);
	outgoing_say(&m->first.o.words, m->failed.words);
	keep(m, &m->first, next_turn);
}

static void
on_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct mailer *m = w->data;

	m->failed = (struct submission_result){ .outcome = OUTCOME_OK };
	m->anew = false;
	if (m->first.fd < 0 && !take_next(m, &m->first, true)) {
		m->conf.hooks->over(m->conf.arg);
		return;
	}
	m->account = account_of(m, &m->first.o);
	if (m->account == NULL) {
		keep_orphan(m);
	} else if (outgoing_count(&m->first.o, FATE_WAITING) == 0) {
		move_item(&m->item, &m->first); /* only the copy is missing */
		settle(m);
	} else {
		start_session(m);
	}
}

static void
mailer_clear(struct mailer *m)
{
	if (m->asker != NULL)
		asker_close(m->asker);
	outbox_thread_free(m->thread);
	asker_free(m->asker);
	free(m->ids.v);
	free(m);
}

static enum err
get_ready(struct mailer *m, struct errbuf *eb)
{
	const struct mailer_conf *conf = &m->conf;

	if (conf->conf->n_places != 0 &&
	    (m->asker = asker_new(conf->loop, conf->state_dir, conf->terminal,
		 conf->insist)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return outbox_thread_new(&m->thread, conf->loop, &m->outbox, eb);
}

enum err
mailer_start(struct mailer **m_r, const struct mailer_conf *conf,
    struct outbox *outbox, struct outbox_item *item, struct errbuf *eb)
{
	struct mailer *m = calloc(1, sizeof(*m));
	enum err e = E_OK;

	if ((*m_r = m) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	m->conf = *conf;
	if (item->fd < 0)
		e = outbox_list(outbox, &m->ids, eb);
	if (e != E_OK || (e = get_ready(m, eb)) != E_OK) {
		mailer_clear(m);
		return e;
	}
	move_item(&m->first, item);
	m->item = m->kept = (struct outbox_item)OUTBOX_NOTHING;
	m->outbox = *outbox;
	*outbox = (struct outbox){ .fd = -1 };
	ev_timer_init(&m->turn, on_turn, 0, 0);
	m->turn.data = m;
	ev_timer_start(m->conf.loop, &m->turn);
	return E_OK;
}

void
mailer_free(struct mailer *m)
{
	struct sent_copy *copy;

	if (m == NULL)
		return;
	copy = m->copy;
	ev_timer_stop(m->conf.loop, &m->turn);
	submission_free(m->submission);
	sent_copy_stop(copy);
	if (m->asker != NULL)
		asker_close(m->asker);
	outbox_thread_free(m->thread);
	m->thread = NULL;
	sent_copy_free(copy);
	outbox_release(&m->first);
	outbox_release(&m->item);
	outbox_release(&m->kept);
	outbox_close(&m->outbox);
	mailer_clear(m);
}
