/* Questions to Gmail's API, and what follows from its refusals. */
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "client/deliver/gmail.h"
#include "client/web/form.h"

enum { OK = 200, URL = 16 * 1024 };

#define BASE "https://gmail.googleapis.com"

void
gmail_question_init(struct gmail_question *q, const char *path)
{
	*q = (struct gmail_question){ .path = path };
	buf_init(&q->query, GMAIL_QUERY, false);
}

void
gmail_question_free(struct gmail_question *q)
{
	buf_free(&q->query);
}

/* The user is named, and is not "me": so a token of somebody else is refused. */
static enum err
write_url(
    const struct gmail *m, const struct gmail_question *q, struct buf *url)
{
	enum err e = buf_printf(url, "%s%s/gmail/v1/users/",
	    m->at->url != NULL ? m->at->url : BASE,
	    q->uploads ? "/upload" : "");

	if (e == E_OK)
		e = form_put_text(url, m->at->login.user);
	if (e == E_OK)
		e = buf_put(url, q->path, strlen(q->path));
	if (e == E_OK && q->query.len != 0)
		e = buf_put(url, "?", 1);
	if (e == E_OK && q->query.len != 0)
		e = buf_put(url, buf_data(&q->query), q->query.len);
	return e == E_OK ? buf_put(url, "", 1) : e;
}

enum err
gmail_ask(struct gmail *m, const struct gmail_question *q, struct api_answer *a,
    struct gmail_error *r, struct errbuf *eb)
{
	struct api_request request = {
		.type = q->type,
		.text = q->text,
		.upload = q->upload,
		.max = q->max != 0 ? q->max : API_ANSWER_MAX,
	};
	struct buf url;
	enum err e;

	*a = (struct api_answer){ .status = 0 };
	buf_init(&url, URL, false);
	if (write_url(m, q, &url) != E_OK) {
		buf_free(&url);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	request.url = buf_data(&url);
	e = api_ask(&m->conn, &request, a, eb);
	buf_free(&url);
	if (e == E_FULL && q->max == 0)
		return gmail_not_understood(m, e, eb);
	if (e != E_OK || a->status == OK)
		return e;
	gmail_error_read(r, a->status, a->body);
	return E_DENIED;
}

enum err
gmail_refused(
    const struct gmail *m, const struct gmail_error *r, struct errbuf *eb)
{
	const char *who = m->at->login.server;
	const char *words = r->words[0] != '\0' ? r->words : r->reason;

	switch (r->meaning) {
	case GMAIL_SLOWER:
		return err_set(eb, E_AGAIN,
		    _("%s takes no more for now (\"%s\")"), who, words);
	case GMAIL_LATER:
	case GMAIL_DOUBT:
		return err_set(eb, E_AGAIN,
		    _("%s cannot do it now (status %u, \"%s\")"), who,
		    r->status, words);
	case GMAIL_REFUSED:
		return err_set(eb, E_DENIED,
		    _("%s refuses it (status %u, \"%s\")"), who, r->status,
		    words);
	case GMAIL_GONE:
		return err_set(eb, E_CONFIG,
		    _("%s has no such mailbox (\"%s\")"), who, words);
	default:
		return err_set(eb, E_CONFIG,
		    _("%s does not permit it (\"%s\"); sign in by: malote "
		      "login; malote-oauth(7) says what it needs"),
		    who, words);
	}
}

enum err
gmail_not_understood(const struct gmail *m, enum err e, struct errbuf *eb)
{
	if (e == E_NOMEM)
		return err_set(eb, e, "%s", _("out of memory"));
	return err_set(eb, E_AGAIN,
	    _("%s gives an answer that is not understood"),
	    m->at->login.server);
}
