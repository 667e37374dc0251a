/* Questions to a JMAP server: its session, and one method call at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "client/deliver/jmap.h"

enum { OK = 200, MOVES = 4 };

static enum err
no_memory(struct errbuf *eb)
{
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

/* ---- words ---- */

static enum err
refused(const struct jmap *m, const struct jmap_error *r, struct errbuf *eb)
{
	switch (r->meaning) {
	case JMAP_FULL:
		return err_set(eb, E_AGAIN,
		    _("%s has no room for it now (\"%s\")"), m->domain,
		    r->words);
	case JMAP_REFUSED:
		return err_set(eb, E_DENIED, _("%s refuses it (\"%s\")"),
		    m->domain, r->words);
	case JMAP_FORBIDDEN:
		return err_set(eb, E_CONFIG,
		    _("%s does not permit it (\"%s\"); see who signs in there, "
		      "and how, in the block destination"),
		    m->domain, r->words);
	default:
		return err_set(eb, E_AGAIN,
		    _("%s takes no more for now (\"%s\")"), m->domain,
		    r->words);
	}
}

enum err
jmap_result(const struct jmap *m, enum err e, const struct jmap_error *r,
    struct errbuf *eb)
{
	switch (e) {
	case E_DENIED: return refused(m, r, eb);
	case E_NOMEM: return no_memory(eb);
	case E_FORMAT:
		return err_set(eb, E_AGAIN,
		    _("%s gives an answer that is not understood"), m->domain);
	default: return e;
	}
}

/* ---- the session ---- */

static bool
is_moved(unsigned status)
{
	return status == 301 || status == 302 || status == 303 ||
	       status == 307 || status == 308;
}

/* Where the server sends us is told by it, as its certificate has shown. */
static enum err
ask_moving(struct jmap *m, char *url, size_t size, struct api_answer *a,
    struct errbuf *eb)
{
	const struct api_request q = { .url = url, .max = API_ANSWER_MAX };
	enum err e;

	for (unsigned n = 0; n < MOVES; n++) {
		e = api_ask(&m->conn, &q, a, eb);
		if (e != E_OK || !is_moved(a->status) || a->location == NULL)
			return e;
		snprintf(url, size, "%s", a->location);
		api_answer_free(a);
	}
	return err_set(eb, E_AGAIN, _("%s sends us from one place to the next"),
	    m->domain);
}

static enum err
ask_session(struct jmap *m, struct errbuf *eb)
{
	struct jmap_error r = { .type = "" };
	struct api_answer a = { .status = 0 };
	char url[JMAP_URL];
	enum err e;

	if (m->at->url != NULL)
		snprintf(url, sizeof(url), "%s", m->at->url);
	else
		snprintf(
		    url, sizeof(url), "https://%s/.well-known/jmap", m->domain);
	e = ask_moving(m, url, sizeof(url), &a, eb);
	if (e == E_OK && a.status != OK) {
		jmap_error_read(&r, a.status, a.body);
		e = jmap_result(m, E_DENIED, &r, eb);
	} else if (e == E_OK) {
		e = jmap_result(
		    m, jmap_session_read(&m->session, url, a.body), &r, eb);
	}
	api_answer_free(&a);
	if (e == E_NOENT)
		return err_set(eb, E_CONFIG,
		    _("%s has no mail of %s that could be added to"), m->domain,
		    m->at->login.user);
	return e == E_DENIED || e == E_FULL ? E_AGAIN : e;
}

enum err
jmap_open(struct jmap *m, struct errbuf *eb)
{
	enum err e;

	if (m->knows_session)
		return E_OK;
	e = ask_session(m, eb);
	m->knows_session = e == E_OK;
	return e;
}

/* ---- a call ---- */

/* NULL: memory. */
static char *
write_call(const char *method, json_t *args)
{
	json_t *root =
	    json_pack("{s[ss]s[[sos]]}", "using", "urn:ietf:params:jmap:core",
		"urn:ietf:params:jmap:mail", "methodCalls", method, args, "c");
	char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	return text;
}

/* The octets go out once only: libcurl repeats none of it by itself. */
static enum err
send_call(struct jmap *m, const char *text, struct api_answer *a,
    struct jmap_failure *f, struct errbuf *eb)
{
	struct api_upload up = { .fd = -1, .head = { text, strlen(text) } };
	const struct api_request q = {
		.url = m->session.api,
		.type = "application/json",
		.upload = &up,
		.max = API_ANSWER_MAX,
	};
	enum err e = api_ask(&m->conn, &q, a, eb);

	f->gave_up = a->gave_up;
	f->retry_after = a->retry_after;
	if (e != E_OK) {
		f->may_be_done = api_upload_is_out(&up);
		return e == E_FULL ? jmap_result(m, E_FORMAT, &f->r, eb) : e;
	}
	if (a->status == OK)
		return E_OK;
	jmap_error_read(&f->r, a->status, a->body);
	f->may_be_done = f->r.meaning == JMAP_DOUBT;
	return E_DENIED;
}

enum err
jmap_call(struct jmap *m, const char *method, json_t *args,
    struct api_answer *a, struct jmap_failure *f, struct errbuf *eb)
{
	char *text = args != NULL ? write_call(method, args) : NULL;
	enum err e;

	*a = (struct api_answer){ .status = 0 };
	*f = (struct jmap_failure){ .gave_up = false };
	if (text == NULL)
		return no_memory(eb);
	e = send_call(m, text, a, f, eb);
	free(text);
	return e;
}
