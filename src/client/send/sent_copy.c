#include "client/send/sent_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/errand.h"
#include "base/i18n.h"
#include "client/deliver/delivery.h"

enum { PIECE = 64 * 1024, PATH = 4096, PATIENCE = 10 };

/* What the thread has. */
struct work {
	struct dest dest;
	char *label, *email, *spool;
	unsigned timeout;
	int fd;
	enum err e;
	struct errbuf words;
};

struct sent_copy {
	struct errand *errand;
	struct work *work; /* the errand's */
	sent_copy_done *done;
	void *arg;
};

static void
work_free(void *arg)
{
	struct work *w = arg;

	if (w == NULL)
		return;
	dest_clear(&w->dest);
	free(w->label);
	free(w->email);
	free(w->spool);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

/* ---- on the thread ---- */

static enum err
fill(struct work *w, struct parcel *p, struct errbuf *eb)
{
	char piece[PIECE];
	enum err e = E_OK;
	off_t at = 0;
	ssize_t n = 0;

	while (e == E_OK && (n = pread(w->fd, piece, sizeof(piece), at)) > 0) {
		e = parcel_add(p, piece, (size_t)n, eb);
		at += n;
	}
	return n < 0 ? err_sys(eb, E_IO, _("the message cannot be read")) : e;
}

/* Nobody has to be told of what they have written themselves. */
static void
mark_read(const struct work *w, const struct parcel *p)
{
	char from[PATH], to[PATH];

	if (w->dest.kind != DEST_MAILDIR || p->file == NULL ||
	    snprintf(from, sizeof(from), "%s/new/%s", w->dest.path, p->file) >=
		PATH ||
	    snprintf(to, sizeof(to), "%s/cur/%s:2,S", w->dest.path, p->file) >=
		PATH)
		return;
	(void)!rename(from, to); /* it is there all the same */
}

static enum err
store(struct work *w, struct delivery *d, struct errbuf *eb)
{
	struct parcel *p;
	enum err e;

	if ((e = parcel_begin(d, &p, eb)) != E_OK)
		return e;
	if ((e = fill(w, p, eb)) != E_OK || (e = parcel_end(p, eb)) != E_OK ||
	    (e = delivery_prepare(d, &p, 1, eb)) != E_OK) {
		parcel_drop(p);
		return e;
	}
	delivery_publish(d, &p, 1);
	delivery_release(d, &p, 1);
	if ((e = p->result) != E_OK) {
		err_set(eb, e, "%s", p->why);
		parcel_drop(p);
		return e;
	}
	mark_read(w, p);
	parcel_free(p);
	return E_OK;
}

static void
work_run(void *arg)
{
	struct work *w = arg;
	const struct delivery_env env = {
		.account = w->label,
		.email = w->email,
		.spool = w->spool,
		.timeout = w->timeout,
	};
	struct delivery *d;

	w->e = delivery_open(&d, &w->dest, &env, &w->words);
	if (w->e == E_OK)
		w->e = store(w, d, &w->words);
	delivery_close(d);
}

/* ---- in the loop ---- */

static void
copied(void *arg, bool in_time)
{
	struct sent_copy *c = arg;
	struct work *w = c->work;

	if (in_time)
		c->done(c->arg, w->e, w->words.text);
	else
		c->done(c->arg, E_AGAIN, _("it took too long"));
	if (in_time)
		work_free(w);
	free(c);
}

/* What was sent is no mail that was collected: by another label it is not taken for
 * that when the record has to be made anew. */
static struct work *
work_new(const struct client_conf *conf, const struct account *a,
    const char *state_dir, int fd, struct errbuf *eb)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->timeout = a->timeout;
	w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	w->email = strdup(a->email != NULL ? a->email : a->user);
	if (asprintf(&w->label, "sent/%s", a->name) < 0)
		w->label = NULL;
	if (asprintf(&w->spool, "%s/spool", state_dir) < 0)
		w->spool = NULL;
	if (w->fd >= 0 && w->email != NULL && w->label != NULL &&
	    w->spool != NULL &&
	    client_conf_dest(conf, &w->dest, a->sent.text, eb) == E_OK)
		return w;
	work_free(w);
	return NULL;
}

enum err
sent_copy_start(struct sent_copy **c_r, struct ev_loop *loop,
    const struct client_conf *conf, const struct account *a,
    const char *state_dir, int fd, sent_copy_done *done, void *arg,
    struct errbuf *eb)
{
	struct sent_copy *c = calloc(1, sizeof(*c));
	struct errand_question q;
	enum err e;

	err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if (c == NULL ||
	    (c->work = work_new(conf, a, state_dir, fd, eb)) == NULL) {
		free(c);
		return E_NOMEM;
	}
	c->done = done;
	c->arg = arg;
	q = (struct errand_question){
		.loop = loop,
		/* The delivery counts as well: this is for what it cannot end. */
		.timeout = PATIENCE * (double)a->timeout,
		.work = c->work,
		.run = work_run,
		.drop = work_free,
		.done = copied,
		.arg = c,
	};
	if ((e = errand_start(&c->errand, &q, eb)) == E_OK) {
		*c_r = c;
		return E_OK;
	}
	work_free(c->work);
	free(c);
	return e;
}

void
sent_copy_leave(struct sent_copy *c)
{
	if (c == NULL)
		return;
	errand_leave(c->errand);
	free(c);
}
