#include "client/send/sent_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/deliver/delivery.h"
#include "client/secret/asker.h"

enum { PIECE = 64 * 1024, PATH = 4096 };

struct sent_copy {
	struct sent_copy_conf conf;
	struct outbox_item *item;
	char *label, *spool;
	outbox_done *done;
	void *arg;

	pthread_mutex_t lock; /* of these two */
	struct delivery *d;   /* that is open */
	bool stopping;

	/* The thread's: */
	unsigned n_untold; /* see delivery_untold() */
};

/* ---- places ---- */

static enum err
ask_secret(void *arg, const struct account *login, bool anew, char *secret,
    size_t size, struct errbuf *eb)
{
	return asker_ask(arg, login, anew, secret, size, eb);
}

static void
judged(void *arg, const struct account *login, const char *refused)
{
	asker_judged(arg, login, refused);
}

static enum err
place_open(struct sent_copy *c, const struct dest *dest, struct errbuf *eb)
{
	const struct account *a = c->conf.account;
	const struct delivery_env env = {
		.account = c->label,
		.email = a->email != NULL ? a->email : a->user,
		.spool = c->spool,
		.timeout = a->timeout,
		.seen = true,
		.ask = c->conf.asker != NULL ? ask_secret : NULL,
		.judged = judged,
		.ask_arg = c->conf.asker,
	};
	struct delivery *d;
	enum err e = delivery_open(&d, dest, &env, eb);

	pthread_mutex_lock(&c->lock);
	c->d = d;
	if (d != NULL && c->stopping)
		delivery_stop(d);
	pthread_mutex_unlock(&c->lock);
	return e;
}

static void
place_close(struct sent_copy *c)
{
	struct delivery *d = c->d;

	c->n_untold += delivery_untold(d);
	pthread_mutex_lock(&c->lock);
	c->d = NULL;
	pthread_mutex_unlock(&c->lock);
	delivery_close(d);
}

/* Nobody has to be told of what they have written themselves. */
static void
mark_read(const struct dest *dest, const char *file)
{
	char from[PATH], to[PATH];

	if (dest->kind != DEST_MAILDIR || file == NULL ||
	    snprintf(from, sizeof(from), "%s/new/%s", dest->path, file) >=
		PATH ||
	    snprintf(to, sizeof(to), "%s/cur/%s:2,S", dest->path, file) >= PATH)
		return;
	(void)!rename(from, to); /* it is there all the same */
}

/* ---- one that was begun ---- */

static enum err
look_there(struct sent_copy *c, const struct dest *dest, bool *there_r,
    struct errbuf *eb)
{
	const struct outgoing_copy *begun = &c->item->o.copy;
	const struct parcel intent = {
		.fd = -1,
		.tmp = begun->tmp,
		.file = begun->file,
		.octets = begun->octets,
		.offset = begun->offset,
		.length = begun->length,
		.content = begun->content,
		.epoch = begun->epoch,
	};
	enum err e = place_open(c, dest, eb);

	if (e == E_OK)
		e = delivery_recover(c->d, &intent, begun->at, there_r, eb);
	if (e == E_OK && *there_r)
		mark_read(dest, begun->file);
	if (e == E_OK)
		e = delivery_sweep(c->d, eb);
	place_close(c);
	return e;
}

/* Is it there?  Of a place that is no more, and of one that nobody can sign in to
 * any more, it cannot be told. */
static enum err
look_for_begun(struct sent_copy *c, bool *there_r, struct errbuf *eb)
{
	struct outgoing_copy *begun = &c->item->o.copy;
	struct dest dest;
	enum err e;

	*there_r = false;
	if (begun->dest == NULL)
		return E_OK;
	e = client_conf_dest(c->conf.conf, &dest, begun->dest, eb);
	if (e == E_OK && !delivery_has_gone(&dest))
		e = look_there(c, &dest, there_r, eb);
	else if (e == E_OK || e == E_CONFIG) {
		c->n_untold += begun->epoch != 0;
		e = E_OK;
	}
	dest_clear(&dest);
	if (e == E_OK)
		outgoing_copy_clear(begun);
	return e;
}

/* ---- a new one ---- */

static enum err
fill(const struct outbox_item *item, struct parcel *p, struct errbuf *eb)
{
	char piece[PIECE];
	enum err e = E_OK;
	off_t at = 0;
	ssize_t n = 0;

	while (
	    e == E_OK && (n = pread(item->fd, piece, sizeof(piece), at)) > 0) {
		e = parcel_add(p, piece, (size_t)n, eb);
		at += n;
	}
	return n < 0 ? err_sys(eb, E_IO, _("the message cannot be read")) : e;
}

static char *
copy_or_null(const char *s)
{
	return s != NULL ? strdup(s) : NULL;
}

/* By what it will be known goes on record before it can be there. */
static enum err
intend(struct sent_copy *c, const struct parcel *p, struct errbuf *eb)
{
	struct outgoing_copy *begun = &c->item->o.copy;

	*begun = (struct outgoing_copy){
		.dest = strdup(delivery_text(c->d)),
		.tmp = copy_or_null(p->tmp),
		.file = copy_or_null(p->file),
		.octets = p->octets,
		.offset = p->offset,
		.length = p->length,
		.content = p->content,
		.epoch = p->epoch,
		.at = (int64_t)(clock_unix_ms() / 1000),
	};
	if (begun->dest == NULL || begun->tmp == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return outbox_save(c->conf.outbox, c->item, eb);
}

/* From here on the parcel must not be dropped: perhaps the record has it. */
static enum err
publish(struct sent_copy *c, struct parcel *p, struct errbuf *eb)
{
	enum err e = intend(c, p, eb);

	if (e == E_OK)
		delivery_publish(c->d, &p, 1);
	delivery_release(c->d, &p, 1);
	if (e != E_OK)
		return e;
	if (p->result != E_OK)
		err_set(eb, p->result, "%s", p->why);
	if (!p->in_doubt)
		outgoing_copy_clear(&c->item->o.copy);
	return p->result;
}

static enum err
store(struct sent_copy *c, const struct dest *dest, struct errbuf *eb)
{
	struct parcel *p;
	enum err e = parcel_begin(c->d, &p, eb);

	if (e != E_OK)
		return e;
	if ((e = fill(c->item, p, eb)) == E_OK &&
	    (e = parcel_end(p, eb)) == E_OK)
		e = delivery_prepare(c->d, &p, 1, eb);
	if (e != E_OK) {
		parcel_drop(p);
		return e;
	}
	if ((e = publish(c, p, eb)) == E_OK)
		mark_read(dest, p->file);
	parcel_free(p);
	return e;
}

static enum err
make(struct sent_copy *c, struct errbuf *eb)
{
	const struct dest *dest = &c->conf.account->sent;
	enum err e = place_open(c, dest, eb);

	/* What such a malote has left in between. */
	if (e == E_OK)
		e = delivery_sweep(c->d, eb);
	if (e == E_OK)
		e = store(c, dest, eb);
	place_close(c);
	return e;
}

/* ---- on the thread ---- */

static enum err
copy_run(void *arg, struct errbuf *eb)
{
	struct sent_copy *c = arg;
	bool there;
	enum err e;

	/* What was sent is on record before it may take long. */
	if ((e = outbox_save(c->conf.outbox, c->item, eb)) != E_OK ||
	    (e = look_for_begun(c, &there, eb)) != E_OK)
		return e;
	if (!there && (e = make(c, eb)) != E_OK)
		return e;
	c->item->o.copied = true;
	eb->text[0] = '\0';
	if (c->n_untold != 0)
		err_set(eb, E_OK,
		    _("the copy of it at \"%s\" may be there twice: nobody can "
		      "tell whether it was there before malote was killed"),
		    c->conf.account->sent.text);
	return E_OK;
}

/* ---- in the loop ---- */

static void
copied(void *arg, enum err e, const char *words)
{
	struct sent_copy *c = arg;

	c->done(c->arg, e, words);
}

void
sent_copy_stop(struct sent_copy *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	if (c->d != NULL)
		delivery_stop(c->d);
	pthread_mutex_unlock(&c->lock);
}

void
sent_copy_free(struct sent_copy *c)
{
	if (c == NULL)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c->label);
	free(c->spool);
	free(c);
}

/* By a label of its own what was sent is not taken for mail that was collected, when
 * the record of that has to be made anew, nor one message for another. */
static bool
name_it(struct sent_copy *c)
{
	if (asprintf(&c->label, "sent/%s/%s", c->conf.account->name,
		c->item->o.id) < 0)
		c->label = NULL;
	if (asprintf(&c->spool, "%s/spool", c->conf.state_dir) < 0)
		c->spool = NULL;
	return c->label != NULL && c->spool != NULL;
}

enum err
sent_copy_start(struct sent_copy **c_r, const struct sent_copy_conf *conf,
    struct outbox_item *item, outbox_done *done, void *arg, struct errbuf *eb)
{
	struct sent_copy *c = calloc(1, sizeof(*c));

	*c_r = NULL;
	if (c == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	c->conf = *conf;
	c->item = item;
	c->done = done;
	c->arg = arg;
	pthread_mutex_init(&c->lock, NULL);
	if (!name_it(c) ||
	    outbox_thread_run(conf->thread, copy_run, copied, c) == NULL) {
		sent_copy_free(c);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	*c_r = c;
	return E_OK;
}
