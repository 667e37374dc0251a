#include "client/web/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/errand.h"
#include "base/i18n.h"
#include "client/web/transfer.h"

struct fetch {
	struct errand *errand;
	struct transfer *transfer; /* the errand's */
	fetch_done *done;
	void *arg;
};

/* ---- the work of the thread ---- */

static void
transfer_free(void *work)
{
	struct transfer *t = work;

	if (t == NULL)
		return;
	if (t->post != NULL)
		explicit_bzero(t->post, strlen(t->post));
	explicit_bzero(&t->proxy, sizeof(t->proxy));
	free(t->url);
	free(t->post);
	free(t->post_type);
	free(t->ca_file);
	buf_free(&t->body);
	free(t);
}

static void
transfer_work(void *work)
{
	transfer_run(work);
}

static bool
copy(char **to, const char *text)
{
	return text == NULL || (*to = strdup(text)) != NULL;
}

static struct transfer *
transfer_new(const struct fetch_question *q)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->plain = q->plain;
	t->timeout = q->timeout;
	/* One more for the NUL. */
	buf_init(&t->body, q->max + 1, true);
	if (copy(&t->url, q->url) && copy(&t->post, q->post) &&
	    copy(&t->post_type, q->post_type) && copy(&t->ca_file, q->ca_file))
		return t;
	transfer_free(t);
	return NULL;
}

/* ---- what makes sense ---- */

static const char *
behind(const char *url, const char *scheme)
{
	size_t n = strlen(scheme);

	return strncasecmp(url, scheme, n) == 0 ? url + n : NULL;
}

/* Whom it goes to: no name or password is in it, and nothing that would make two
 * readers understand two things. */
static enum err
take_url(struct transfer *t, struct errbuf *eb)
{
	const char *host = behind(t->url, "https://");
	char shown[128];
	size_t n;

	if (host == NULL && t->plain)
		host = behind(t->url, "http://");
	n = host != NULL ? strcspn(host, "/?#") : 0;
	for (const char *p = t->url; n != 0 && *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    *p == '\\')
			n = 0;
	if (n == 0 || n >= sizeof(t->host) || memchr(host, '@', n) != NULL)
		return err_set(eb, E_CONFIG,
		    t->plain ? _("\"%s\" is no address of the web")
			     : _("\"%s\" is no address that begins with "
				 "https://"),
		    str_quote(shown, sizeof(shown), t->url, strlen(t->url)));
	memcpy(t->host, host, n);
	t->host[n] = '\0';
	return E_OK;
}

static enum err
take_proxy(struct transfer *t, const char *proxy, struct errbuf *eb)
{
	t->has_proxy = proxy != NULL;
	return proxy != NULL ? socks_proxy_parse(&t->proxy, proxy, eb) : E_OK;
}

/* ---- in the loop ---- */

static void
tell(const struct fetch *f, struct transfer *t)
{
	struct fetch_answer a = { .e = t->e, .words = t->words };

	if (t->e == E_OK && buf_put(&t->body, "", 1) != E_OK) {
		a.e = E_NOMEM;
		a.words = _("out of memory");
	} else if (t->e == E_OK) {
		a.status = t->status;
		a.body = (struct slice){ buf_data(&t->body), t->body.len - 1 };
		a.words = "";
	}
	f->done(f->arg, &a);
}

static void
fetched(void *arg, bool in_time)
{
	struct fetch *f = arg;
	const struct fetch_answer late = { .e = E_IO,
		.words = _("no answer came in time") };

	if (!in_time) {
		f->done(f->arg, &late);
	} else {
		tell(f, f->transfer);
		transfer_free(f->transfer);
	}
	free(f);
}

static enum err
start(struct fetch *f, const struct fetch_question *q, struct errbuf *eb)
{
	enum err e;

	if (f == NULL || (f->transfer = transfer_new(q)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	f->done = q->done;
	f->arg = q->arg;
	if ((e = take_url(f->transfer, eb)) != E_OK ||
	    (e = take_proxy(f->transfer, q->proxy, eb)) != E_OK)
		return e;
	return errand_start(&f->errand,
	    &(struct errand_question){
		.loop = q->loop,
		/* libcurl counts as well, and says more; this is for what it
		 * cannot end. */
		.timeout = q->timeout + 1,
		.work = f->transfer,
		.run = transfer_work,
		.drop = transfer_free,
		.done = fetched,
		.arg = f,
	    },
	    eb);
}

enum err
fetch_start(
    struct fetch **f_r, const struct fetch_question *q, struct errbuf *eb)
{
	struct fetch *f = calloc(1, sizeof(*f));
	enum err e = start(f, q, eb);

	if (e == E_OK) {
		*f_r = f;
		return E_OK;
	}
	if (f != NULL)
		transfer_free(f->transfer);
	free(f);
	return e;
}

void
fetch_cancel(struct fetch *f)
{
	if (f == NULL)
		return;
	/* The thread may free it as soon as it is left. */
	f->transfer->left = true;
	errand_leave(f->errand);
	free(f);
}
