#include "client/deliver/api_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/b64.h"
#include "base/clock.h"
#include "base/i18n.h"

enum {
	UNAUTHORIZED = 401,
	/* Milliseconds: the first pause when we are too fast, which doubles, and
	 * how often we look whether we are to stop. */
	PAUSE = 1000,
	TICK = 50,
};

void
api_conn_init(struct api_conn *c, const struct destination *at,
    const struct api_conn_conf *conf)
{
	*c = (struct api_conn){ .at = at, .conf = *conf };
}

void
api_conn_free(struct api_conn *c)
{
	transfer_line_close(&c->line);
	str_wipe(c->secret);
	c->secret = NULL;
}

/* ---- patience ---- */

struct api_patience
api_patience(const struct api_conn *c)
{
	return (
	    struct api_patience){ PAUSE, (uint64_t)(1000 * c->conf.timeout) };
}

bool
api_wait(const struct api_conn *c, struct api_patience *p, unsigned retry_after)
{
	const struct timespec tick = { .tv_nsec = TICK * 1000000L };
	uint64_t ms =
	    retry_after != 0 ? 1000 * (uint64_t)retry_after : p->pause;
	uint64_t end = clock_ms() + ms;

	p->pause *= 2;
	if (ms > p->left)
		return false;
	p->left -= ms;
	while (clock_ms() < end && !*c->conf.stopping)
		nanosleep(&tick, NULL);
	return !*c->conf.stopping;
}

/* ---- tokens, passwords ---- */

/* NULL: memory. */
static char *
bearer(const char *token)
{
	char *text;

	return asprintf(&text, "Bearer %s", token) < 0 ? NULL : text;
}

/* RFC 7617; NULL: memory. */
static char *
basic(const char *user, const char *password)
{
	static const char scheme[] = "Basic ";
	const size_t at = sizeof(scheme) - 1;
	char *pair = NULL, *text = NULL;
	size_t n;

	if (asprintf(&pair, "%s:%s", user, password) < 0)
		return NULL;
	n = strlen(pair);
	text = calloc(1, at + B64_ENCODED(n) + 1);
	if (text != NULL) {
		memcpy(text, scheme, at);
		b64_encode(text + at, pair, n);
	}
	str_wipe(pair);
	return text;
}

static enum err
get_secret(struct api_conn *c, bool anew, struct errbuf *eb)
{
	const struct account *a = &c->at->login;
	char *secret;
	enum err e;

	if (c->secret != NULL && !anew)
		return E_OK;
	if ((secret = calloc(1, API_SECRET)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if (c->conf.ask == NULL)
		e = err_set(eb, E_CONFIG, "%s", _("there is no token"));
	else
		e = c->conf.ask(
		    c->conf.ask_arg, a, anew, secret, API_SECRET, eb);
	str_wipe(c->secret);
	c->secret = NULL;
	if (e == E_OK) {
		c->secret = account_uses_token(a) ? bearer(secret)
						  : basic(a->user, secret);
		if (c->secret == NULL)
			e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	str_wipe(secret);
	return e;
}

/* ---- one request ---- */

static enum err
of_transfer(enum err e)
{
	switch (e) {
	case E_IO:
	case E_FORMAT: return E_AGAIN;
	case E_DENIED: return E_CONFIG; /* its certificate */
	default: return e;
	}
}

static enum err
ask_once(struct api_conn *c, const struct api_request *q, struct api_answer *a,
    struct errbuf *eb)
{
	const struct account *login = &c->at->login;
	const struct fetch_question web = {
		.url = q->url,
		.post = q->upload == NULL ? q->text : NULL,
		.post_type = q->type,
		.ca_file = login->ca_file,
		.proxy = login->proxy,
		.timeout = c->conf.timeout,
		.max = q->max,
	};
	struct transfer_more more = {
		.authorization = c->secret,
		.stopping = c->conf.stopping,
		.line = &c->line,
	};
	struct fetch_answer said;
	enum err e = transfer_new(&a->transfer, &web, eb);

	if (e != E_OK)
		return e;
	if (q->upload != NULL) {
		api_upload_rewind(q->upload);
		more.read = api_upload_read;
		more.arg = q->upload;
		more.octets = api_upload_octets(q->upload);
	}
	a->transfer->more = &more;
	transfer_run(a->transfer);
	a->transfer->more = NULL;
	transfer_answer(a->transfer, &said);
	a->gave_up = a->transfer->timed_out;
	if (said.e != E_OK)
		return err_set(eb, of_transfer(said.e), "%s", said.words);
	a->status = said.status;
	a->body = said.body;
	a->location = a->transfer->location;
	a->retry_after = a->transfer->retry_after;
	return E_OK;
}

/* The server may have no words for it. */
static void
judge(struct api_conn *c, const struct api_answer *a)
{
	const struct account *login = &c->at->login;
	bool refused = a->status == UNAUTHORIZED;
	struct errbuf why;

	if (c->conf.judged == NULL || (c->judged && !refused))
		return;
	c->judged = !refused;
	err_set(&why, E_DENIED,
	    _("%s refuses the sign-in of %s; see who signs in there, and how, "
	      "in the block destination"),
	    login->server, login->user);
	c->conf.judged(c->conf.ask_arg, login, refused ? why.text : NULL);
}

enum err
api_ask(struct api_conn *c, const struct api_request *q, struct api_answer *a,
    struct errbuf *eb)
{
	enum err e;

	*a = (struct api_answer){ .status = 0 };
	if ((e = get_secret(c, false, eb)) != E_OK ||
	    (e = ask_once(c, q, a, eb)) != E_OK)
		return e;
	if (a->status == UNAUTHORIZED && account_uses_token(&c->at->login)) {
		/* It may have expired; there may be another one. */
		api_answer_free(a);
		if ((e = get_secret(c, true, eb)) != E_OK ||
		    (e = ask_once(c, q, a, eb)) != E_OK)
			return e;
	}
	judge(c, a);
	return E_OK;
}

void
api_answer_free(struct api_answer *a)
{
	transfer_free(a->transfer);
	*a = (struct api_answer){ .status = 0 };
}
