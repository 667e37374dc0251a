#include "server/parent/certificates_watch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/slurp.h"
#include "server/parent/child.h"
#include "server/parent/child_tell.h"

enum { LOOK_SECONDS = 2, DAY = 86400 };

/* ---- how the files are ---- */

static void
look_at(const struct conf_certificate *of, struct certificate_state *out)
{
	const char *path[CERTIFICATE_FILES] = { of->file, of->key, of->ocsp };

	for (size_t i = 0; i < CERTIFICATE_FILES; i++)
		if (path[i][0] == '\0' || stat(path[i], &out->st[i]) < 0)
			memset(&out->st[i], 0, sizeof(out->st[i]));
}

static bool
is_same(const struct certificate_state *a, const struct certificate_state *b)
{
	for (size_t i = 0; i < CERTIFICATE_FILES; i++)
		if (!slurp_is_same(&a->st[i], &b->st[i]))
			return false;
	return true;
}

/* ---- taking over ---- */

static void
warn(const struct errbuf *note)
{
	if (note->text[0] != '\0')
		log_line(
		    LOG_WARNING, "ev=certificate warning=\"%s\"", note->text);
}

/* False: it cannot be used, and the one that there was stays. */
static bool
take(struct conf_certificate *of, struct certificate_watch *w)
{
	const struct certificate_files files = { of->file, of->key, of->ocsp };
	struct certificate_notes notes;
	struct certificate new;
	struct errbuf eb;
	bool about_key;

	if (certificate_read(&files, &new, &notes, &about_key, &eb) != E_OK) {
		log_line(LOG_FAULT,
		    "ev=certificate kept=the-old-one error=\"%s\"", eb.text);
		snprintf(w->problem, sizeof(w->problem), "%s", eb.text);
		return false;
	}
	certificate_free(&of->read);
	of->read = new;
	w->problem[0] = '\0';
	warn(&notes.validity);
	warn(&notes.key);
	warn(&notes.names);
	warn(&notes.ocsp);
	log_line(LOG_EVENT, "ev=certificate file=\"%s\" names=\"%s\"", of->file,
	    of->read.names);
	return true;
}

/* Whoever writes them may not be ready yet: they are read when they have been the
 * same for one look. */
static bool
is_to_be_read(struct certificate_watch *w, const struct certificate_state *now)
{
	bool still = is_same(now, &w->seen);

	w->seen = *now;
	return still && !is_same(now, &w->tried);
}

static void
tell_workers(struct parent *p)
{
	child_tell_role(p, ROLE_WORKER, child_tell_certificates);
}

/* ---- time ---- */

static void
warn_of_time(const struct conf_certificate *of, struct certificate_watch *w)
{
	const struct certificate *c = &of->read;
	int64_t now = time(NULL);
	bool soon = c->ends - now < CERTIFICATE_SOON;
	bool old = c->staple != NULL && c->staple_until <= now;

	if (now / DAY == w->warned || (!soon && !old))
		return;
	w->warned = now / DAY;
	if (soon)
		log_line(LOG_WARNING,
		    "ev=certificate-expires file=\"%s\" days=%lld", of->file,
		    (long long)(c->ends > now ? (c->ends - now) / DAY : 0));
	if (old)
		log_line(LOG_WARNING,
		    "ev=ocsp file=\"%s\" error=\"it is out of date and not "
		    "shown any more; ask for one anew\"",
		    of->ocsp);
}

static void
on_look(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct parent *p = t->data;
	struct conf *c = p->conf;
	struct certificate_state now;
	bool any = false;

	if (p->reload.under_way)
		return; /* it reads them, too */
	for (unsigned i = 0; i < c->n_certificates; i++) {
		struct certificate_watch *w = &p->certificates[i];

		look_at(&c->certificates[i], &now);
		if (is_to_be_read(w, &now)) {
			w->tried = now;
			any = take(&c->certificates[i], w) || any;
		}
		warn_of_time(&c->certificates[i], w);
	}
	if (any)
		tell_workers(p);
}

void
certificates_watch_start(struct parent *p)
{
	ev_timer_stop(p->loop, &p->certificates_look);
	memset(p->certificates, 0, sizeof(p->certificates));
	for (unsigned i = 0; i < p->conf->n_certificates; i++) {
		struct certificate_watch *w = &p->certificates[i];

		look_at(&p->conf->certificates[i], &w->tried);
		w->seen = w->tried;
	}
	ev_timer_init(
	    &p->certificates_look, on_look, LOOK_SECONDS, LOOK_SECONDS);
	p->certificates_look.data = p;
	if (p->conf->n_certificates != 0)
		ev_timer_start(p->loop, &p->certificates_look);
}
