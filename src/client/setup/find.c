#include "client/setup/find.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/setup/autoconfig.h"
#include "client/setup/autodiscover.h"
#include "client/setup/domain.h"
#include "client/setup/knock.h"
#include "client/web/fetch.h"
#include "net/records.h"

#define PATIENCE 8. /* seconds, for the questions of one stage */

enum { DOCUMENT_MAX = 64 * 1024, URL = 1536, NAME = HOST_MAX + 32 };

/* The first two places for autoconfig are the domain's. */
enum { WEB_AUTOCONFIG, WEB_WELL_KNOWN, WEBS };
enum { SRV_TLS, SRV_STLS, SRV_SMTP_TLS, SRV_SMTP_STLS, SRVS };
enum { SRVS_POP3 = SRV_STLS + 1 };

struct find;

/* A question that is under way. */
struct web {
	struct find *find;
	struct fetch *fetch;
	struct autoconfig config; /* what has come */
};

struct service {
	struct find *find;
	struct records *records;
	struct record v[RECORDS_MAX];
	size_t n;
};

enum stage { STAGE_ASK, STAGE_MX_WEB, STAGE_TRY, STAGE_GUESS, STAGE_DISCOVER };

struct find {
	struct find_question q;
	char domain[HOST_MAX];
	enum stage stage;
	ev_timer timer;
	unsigned pending; /* questions of the stage */

	struct records *mx_records;
	struct record mx[RECORDS_MAX];
	size_t n_mx;
	bool mx_failed;
	struct service srv[SRVS];
	struct web web[WEBS];
	struct autodiscover discovered;

	struct offer tried[KNOCKS_MAX];
	size_t n_tried;
	struct knocks *knocks;

	struct found found;
};

static void next_stage(struct find *f);

enum err
find_domain(char out[HOST_MAX], const char *address, struct errbuf *eb)
{
	const char *at = strrchr(address, '@');
	enum err e = host_ascii(out, at != NULL ? at + 1 : address, eb);

	for (char *p = out; e == E_OK && *p != '\0'; p++)
		*p = str_lower1(*p);
	return e;
}

/* ---- the end ---- */

static void
stop(struct find *f)
{
	ev_timer_stop(f->q.loop, &f->timer);
	records_free(f->mx_records);
	f->mx_records = NULL;
	for (size_t i = 0; i < SRVS; i++) {
		records_free(f->srv[i].records);
		f->srv[i].records = NULL;
	}
	for (size_t i = 0; i < WEBS; i++) {
		fetch_cancel(f->web[i].fetch);
		f->web[i].fetch = NULL;
	}
	knocks_free(f->knocks);
	f->knocks = NULL;
	f->pending = 0;
}

void
find_free(struct find *f)
{
	if (f == NULL)
		return;
	stop(f);
	free(f);
}

static void
finish(struct find *f)
{
	struct offer *o = &f->found.offer;

	stop(f);
	if (f->found.by == FOUND_GUESS || o->server[0] == '\0')
		f->found.smtp.server[0] = '\0'; /* it is not the same source */
	if (o->server[0] != '\0' && o->user[0] == '\0')
		snprintf(o->user, sizeof(o->user), "%s", f->q.address);
	f->q.done(f->q.arg, &f->found); /* f may be gone now */
}

/* ---- providers ---- */

static void
take_provider(struct find *f, enum found_by by, const struct provider *p)
{
	struct offer *o = &f->found.offer;
	const char *at = strrchr(f->q.address, '@');

	f->found.by = by;
	f->found.provider = p;
	if (p->server == NULL)
		return;
	snprintf(o->server, sizeof(o->server), "%s", p->server);
	o->port = p->port;
	o->security = p->security;
	o->only_token = p->secret == TAKES_TOKEN;
	if (p->smtp.server != NULL) {
		f->found.smtp = (struct offer){ .port = p->smtp.port,
			.security = p->smtp.security };
		snprintf(f->found.smtp.server, sizeof(f->found.smtp.server),
		    "%s", p->smtp.server);
	}
	snprintf(o->user, sizeof(o->user), "%.*s",
	    p->local_part ? (int)(at - f->q.address) : OFFER_USER,
	    f->q.address);
}

/* ---- questions ---- */

/* Is called last by whoever has taken an answer. */
static void
one_less(struct find *f)
{
	if (f->pending > 0 && --f->pending == 0)
		next_stage(f);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct find *f = w->data;

	stop(f);
	next_stage(f);
}

static void
set_timer(struct find *f, double after)
{
	ev_timer_stop(f->q.loop, &f->timer);
	ev_timer_set(&f->timer, after, 0);
	ev_timer_start(f->q.loop, &f->timer);
}

static void
on_mx(void *arg, enum err e, const struct record *v, size_t n)
{
	struct find *f = arg;
	const struct provider *p = NULL;

	f->mx_failed = e == E_IO;
	memcpy(f->mx, v, n * sizeof(*v));
	f->n_mx = n;
	for (size_t i = 0; i < n && p == NULL; i++) {
		p = provider_of_mx(v[i].host);
		if (p != NULL)
			memcpy(f->found.source, v[i].host, HOST_MAX);
	}
	if (p != NULL) {
		take_provider(f, FOUND_MX, p);
		finish(f);
		return;
	}
	one_less(f);
}

static void
on_srv(void *arg, enum err e, const struct record *v, size_t n)
{
	struct service *s = arg;

	memcpy(s->v, v, n * sizeof(*v));
	s->n = n;
	one_less(s->find);
}

static void
on_web(void *arg, const struct fetch_answer *a)
{
	struct web *w = arg;

	w->fetch = NULL;
	if (a->e != E_OK || a->status != 200 ||
	    !autoconfig_parse(&w->config, a->body, w->find->q.address))
		w->config = (struct autoconfig){ .n = 0 };
	one_less(w->find);
}

static void
on_discovered(void *arg, const struct fetch_answer *a)
{
	struct web *w = arg;
	struct autodiscover d;
	struct find *f = w->find;

	w->fetch = NULL;
	if (a->e == E_OK && a->status == 200 &&
	    autodiscover_parse(&d, a->body) && f->discovered.n == 0) {
		d.imap |= f->discovered.imap;
		f->discovered = d;
	}
	one_less(f);
}

static void
ask_srv(struct find *f, struct service *s, const char *name)
{
	char question[NAME];

	s->find = f;
	snprintf(question, sizeof(question), "%s.%s", name, f->domain);
	if (records_start(&s->records, f->q.loop, NULL, RECORDS_SRV, question,
		on_srv, s, NULL) == E_OK)
		f->pending++;
}

static void
ask_web(struct find *f, struct web *w, const char *url, const char *post,
    fetch_done *done)
{
	const struct fetch_question q = {
		.loop = f->q.loop,
		.url = url,
		.post = post,
		.post_type = post != NULL ? "text/xml" : NULL,
		.timeout = PATIENCE,
		.max = DOCUMENT_MAX,
		.done = done,
		.arg = w,
	};

	w->find = f;
	if (fetch_start(&w->fetch, &q, NULL) == E_OK)
		f->pending++;
}

/* The address as a part of a URL; false: it does not fit. */
static bool
url_escape(char *out, size_t size, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (n + 4 > size)
			return false;
		if (strchr(plain, *text) != NULL)
			out[n++] = *text;
		else
			n += (size_t)snprintf(
			    out + n, size - n, "%%%02X", (unsigned char)*text);
	}
	out[n] = '\0';
	return true;
}

static void
ask_autoconfig(struct find *f, const char *domain)
{
	char url[URL], address[URL / 2];

	if (!url_escape(address, sizeof(address), f->q.address))
		return;
	snprintf(url, sizeof(url),
	    "https://autoconfig.%s/mail/config-v1.1.xml?emailaddress=%s",
	    domain, address);
	ask_web(f, &f->web[WEB_AUTOCONFIG], url, NULL, on_web);
	snprintf(url, sizeof(url),
	    "https://%s/.well-known/autoconfig/mail/config-v1.1.xml", domain);
	ask_web(f, &f->web[WEB_WELL_KNOWN], url, NULL, on_web);
}

/* ---- stages ---- */

static void
start_ask(struct find *f)
{
	if (records_start(&f->mx_records, f->q.loop, NULL, RECORDS_MX,
		f->domain, on_mx, f, NULL) == E_OK)
		f->pending++;
	ask_srv(f, &f->srv[SRV_TLS], "_pop3s._tcp");
	ask_srv(f, &f->srv[SRV_STLS], "_pop3._tcp");
	ask_srv(f, &f->srv[SRV_SMTP_TLS], "_submissions._tcp"); /* RFC 8314 */
	ask_srv(f, &f->srv[SRV_SMTP_STLS], "_submission._tcp"); /* RFC 6409 */
	ask_autoconfig(f, f->domain);
	set_timer(f, f->pending != 0 ? PATIENCE : 0);
}

/* Those who have the servers of the domain's mail, if they are others. */
static const char *
mx_domain(const struct find *f)
{
	const char *domain =
	    f->n_mx != 0 ? domain_registrable(f->mx[0].host) : NULL;

	return domain != NULL && !domain_has(f->domain, domain) ? domain : NULL;
}

static void
add_offer(
    struct find *f, const char *server, uint16_t port, enum security security)
{
	struct offer *o = &f->tried[f->n_tried];

	if (f->n_tried == KNOCKS_MAX)
		return;
	*o = (struct offer){ .port = port, .security = security };
	if (offer_set_server(o, server))
		f->n_tried++;
}

/* What autoconfig has said; false: nothing of use. */
static bool
take_config(struct find *f, const char *domain)
{
	for (size_t i = 0; i < WEBS; i++) {
		const struct autoconfig *c = &f->web[i].config;

		f->found.imap |= c->imap;
		if (c->n == 0)
			continue;
		memcpy(f->tried, c->v, c->n * sizeof(*c->v));
		f->n_tried = c->n;
		f->found.by = FOUND_AUTOCONFIG;
		f->found.smtp = c->smtp;
		snprintf(
		    f->found.source, sizeof(f->found.source), "%s", domain);
		return true;
	}
	return false;
}

/* TLS from the beginning is the better one. */
static void
take_smtp(struct find *f)
{
	struct offer *o = &f->found.smtp;

	for (size_t i = SRVS_POP3; i < SRVS && o->server[0] == '\0'; i++) {
		if (f->srv[i].n == 0)
			continue;
		*o = (struct offer){ .port = f->srv[i].v[0].port,
			.security = i == SRV_SMTP_TLS ? SECURITY_TLS
						      : SECURITY_STARTTLS };
		if (!offer_set_server(o, f->srv[i].v[0].host))
			o->server[0] = '\0';
	}
}

static bool
take_services(struct find *f)
{
	static const enum security security[] = { SECURITY_TLS,
		SECURITY_STARTTLS };

	for (size_t i = 0; i < SRVS_POP3; i++)
		for (size_t j = 0; j < f->srv[i].n; j++)
			add_offer(f, f->srv[i].v[j].host, f->srv[i].v[j].port,
			    security[i]);
	if (f->n_tried == 0)
		return false;
	f->found.by = FOUND_SRV;
	take_smtp(f);
	snprintf(f->found.source, sizeof(f->found.source), "%s", f->domain);
	return true;
}

static void
take_usual_names(struct find *f)
{
	static const char *const before[] = { "pop.", "pop3.", "mail.", "" };
	char name[NAME];

	f->n_tried = 0;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", before[i], f->domain);
		add_offer(f, name, 995, SECURITY_TLS);
	}
	/* The computer that takes the mail may also give it out. */
	for (size_t i = 0; i < f->n_mx && i < 2; i++)
		add_offer(f, f->mx[i].host, 995, SECURITY_TLS);
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", before[i], f->domain);
		add_offer(f, name, 110, SECURITY_STARTTLS);
	}
}

static void
on_knocks(void *arg, enum knock_answer a, const struct offer *best)
{
	struct find *f = arg;

	if (best != NULL) {
		f->found.offer = *best;
		if (f->stage == STAGE_GUESS)
			f->found.by = FOUND_GUESS;
		finish(f);
		return;
	}
	knocks_free(f->knocks);
	f->knocks = NULL;
	next_stage(f);
}

static void
start_knocks(struct find *f, enum stage stage)
{
	f->stage = stage;
	f->knocks = knocks_start(
	    f->q.loop, f->q.dialer, f->tried, f->n_tried, on_knocks, f);
	if (f->knocks == NULL)
		finish(f);
}

static void
start_guess(struct find *f)
{
	/* What was said stays what is found, if no usual name is there. */
	if (f->n_tried != 0)
		f->found.offer = f->tried[0];
	take_usual_names(f);
	start_knocks(f, STAGE_GUESS);
}

static void
after_questions(struct find *f, const char *domain)
{
	const char *others = mx_domain(f);

	if (take_config(f, domain)) {
		start_knocks(f, STAGE_TRY);
	} else if (f->stage == STAGE_ASK && others != NULL) {
		f->stage = STAGE_MX_WEB;
		ask_autoconfig(f, others);
		set_timer(f, f->pending != 0 ? PATIENCE : 0);
	} else if (take_services(f)) {
		start_knocks(f, STAGE_TRY);
	} else {
		start_guess(f);
	}
}

static void
after_discovery(struct find *f)
{
	const struct autodiscover *d = &f->discovered;

	f->found.imap = d->imap;
	if (d->n == 0) {
		finish(f);
		return;
	}
	f->found.by = FOUND_AUTODISCOVER;
	f->found.offer = d->v[0];
	snprintf(f->found.source, sizeof(f->found.source), "%s", f->domain);
	memcpy(f->tried, d->v, d->n * sizeof(*d->v));
	f->n_tried = d->n;
	start_knocks(f, STAGE_DISCOVER);
}

static void
next_stage(struct find *f)
{
	ev_timer_stop(f->q.loop, &f->timer);
	switch (f->stage) {
	case STAGE_ASK: after_questions(f, f->domain); break;
	case STAGE_MX_WEB: after_questions(f, mx_domain(f)); break;
	case STAGE_TRY: start_guess(f); break;
	case STAGE_GUESS:
		f->found.offline = f->mx_failed;
		f->found.no_mail = !f->mx_failed && f->n_mx == 0;
		finish(f);
		break;
	case STAGE_DISCOVER:
		if (f->n_tried == 0)
			after_discovery(f);
		else
			finish(f); /* it does not answer */
		break;
	}
}

/* ---- Autodiscover ---- */

static void
start_discovery(struct find *f)
{
	char request[AUTODISCOVER_REQUEST], url[URL];

	f->stage = STAGE_DISCOVER;
	if (autodiscover_request(request, f->q.address)) {
		snprintf(url, sizeof(url),
		    "https://autodiscover.%s/autodiscover/autodiscover.xml",
		    f->domain);
		ask_web(f, &f->web[0], url, request, on_discovered);
		snprintf(url, sizeof(url),
		    "https://%s/autodiscover/autodiscover.xml", f->domain);
		ask_web(f, &f->web[1], url, request, on_discovered);
	}
	set_timer(f, f->pending != 0 ? PATIENCE : 0);
}

/* ---- the beginning ---- */

static void
on_known(struct ev_loop *loop, ev_timer *w, int revents)
{
	finish(w->data);
}

enum err
find_start(struct find **f_r, const struct find_question *q, struct errbuf *eb)
{
	const struct provider *p;
	struct find *f = calloc(1, sizeof(*f));
	enum err e;

	*f_r = NULL;
	if (f == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if ((e = find_domain(f->domain, q->address, eb)) != E_OK) {
		free(f);
		return e;
	}
	f->q = *q;
	f->mx_failed = true; /* until it is answered */
	ev_init(&f->timer, on_timer);
	f->timer.data = f;
	if (q->autodiscover) {
		start_discovery(f);
	} else if ((p = provider_of_domain(f->domain)) != NULL) {
		take_provider(f, FOUND_PROVIDER, p);
		ev_set_cb(&f->timer, on_known);
		set_timer(f, 0);
	} else {
		start_ask(f);
	}
	*f_r = f;
	return E_OK;
}
