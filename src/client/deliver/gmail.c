/*
 * Delivery to a mailbox by Gmail's API, users.messages.import: Gmail classifies
 * what comes, and looks for spam, as for mail that comes by SMTP.
 *
 * Each message is a request of its own.  It was taken when the answer is 200 and
 * names it; it is in doubt once all its octets are out and there is no answer, or
 * one of 500 and above.  Then the mailbox is asked (gmail_find.c), and if that
 * cannot be done, by the next run.
 */
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/gmail.h"

enum {
	ATTEMPTS = 2,
	LARGEST = 150 * 1000 * 1000, /* octets: "the maximum size of the
				      * message is 150 MB" */
	BOUNDARY = 16,               /* octets, in hexadecimal digits */
	HEAD = 1024,
	CONFLICT = 409,
};

static enum err
no_memory(struct errbuf *eb)
{
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

static enum err
open_gmail(struct delivery *d, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb)
{
	struct gmail *m = calloc(1, sizeof(*m));

	d->own = m;
	if (m == NULL || (m->label = strdup(dest->mailbox)) == NULL)
		return no_memory(eb);
	m->at = dest->at;
	api_conn_init(&m->conn, dest->at,
	    &(struct api_conn_conf){
		.timeout = env->timeout,
		.ask = env->ask,
		.judged = env->judged,
		.ask_arg = env->ask_arg,
		.stopping = &d->stopping,
	    });
	return E_OK;
}

static void
close_gmail(struct delivery *d)
{
	struct gmail *m = d->own;

	api_conn_free(&m->conn);
	api_ids_free(&m->claims);
	free(m->label);
	free(m);
}

/* Nobody knows any more how to sign in there. */
static bool
has_gone_gmail(const struct dest *dest)
{
	return dest->at == NULL;
}

/* ---- the mailbox ---- */

static enum err
ask_history(struct gmail *m, struct errbuf *eb)
{
	struct gmail_question q;
	struct gmail_error r;
	struct api_answer a;
	enum err e;

	m->history = 0;
	gmail_question_init(&q, "/profile");
	e = gmail_ask(m, &q, &a, &r, eb);
	if (e == E_DENIED)
		e = gmail_refused(m, &r, eb);
	else if (e == E_OK &&
		 (e = gmail_profile_read(&m->history, a.body)) != E_OK)
		e = gmail_not_understood(m, e, eb);
	api_answer_free(&a);
	return e == E_DENIED ? E_AGAIN : e;
}

/* E_NOENT, without words: there is none of that name. */
static enum err
ask_label(struct gmail *m, struct errbuf *eb)
{
	struct gmail_question q;
	struct gmail_error r;
	struct api_answer a;
	enum err e;

	gmail_question_init(&q, "/labels");
	e = gmail_ask(m, &q, &a, &r, eb);
	if (e == E_DENIED)
		e = gmail_refused(m, &r, eb);
	else if (e == E_OK && (e = gmail_label_read(
				   m->label_id, m->label, a.body)) == E_FORMAT)
		e = gmail_not_understood(m, e, eb);
	api_answer_free(&a);
	return e;
}

static enum err
no_label(const struct gmail *m, const struct gmail_error *r, struct errbuf *eb)
{
	char label[80];

	return err_set(eb, E_CONFIG,
	    _("%s has no label \"%s\"; make it in Gmail%s%s"),
	    m->at->login.user,
	    str_quote(label, sizeof(label), m->label, strlen(m->label)),
	    r != NULL ? ": " : "", r != NULL ? r->words : "");
}

static enum err
make_label(struct gmail *m, struct errbuf *eb)
{
	json_t *root = json_pack("{ss}", "name", m->label);
	char *text = json_dumps(root, 0);
	struct gmail_question q;
	struct gmail_error r;
	struct api_answer a = { .status = 0 };
	enum err e = E_NOMEM;

	gmail_question_init(&q, "/labels");
	q.type = "application/json";
	q.text = text;
	if (text != NULL)
		e = gmail_ask(m, &q, &a, &r, eb);
	else
		no_memory(eb);
	/* Somebody else has just made it. */
	if (e == E_DENIED && r.status == CONFLICT)
		e = ask_label(m, eb);
	else if (e == E_DENIED)
		e = r.meaning == GMAIL_FORBIDDEN || r.meaning == GMAIL_REFUSED
			? no_label(m, &r, eb)
			: gmail_refused(m, &r, eb);
	else if (e == E_OK && (e = gmail_id_read(m->label_id, a.body)) != E_OK)
		e = gmail_not_understood(m, e, eb);
	api_answer_free(&a);
	free(text);
	json_decref(root);
	return e == E_NOENT ? no_label(m, NULL, eb) : e;
}

static enum err
know_label(struct gmail *m, struct errbuf *eb)
{
	enum err e;

	if (m->label_id[0] != '\0')
		return E_OK;
	if (strcasecmp(m->label, "INBOX") == 0) {
		snprintf(m->label_id, sizeof(m->label_id), "INBOX");
		return E_OK;
	}
	e = ask_label(m, eb);
	if (e != E_NOENT)
		return e;
	return m->at->creates ? make_label(m, eb) : no_label(m, NULL, eb);
}

static enum err
ready(struct gmail *m, struct errbuf *eb)
{
	enum err e = ask_history(m, eb);

	return e == E_OK ? know_label(m, eb) : e;
}

static enum err
try_gmail(struct delivery *d, struct errbuf *eb)
{
	return ready(d->own, eb);
}

/* ---- before any is sent ---- */

/* What cannot be sent is told at once, and is given no intent of use. */
static enum err
prepare_one(
    struct delivery *d, struct gmail *m, struct parcel *p, struct errbuf *eb)
{
	enum err e = remote_measure(d, p, eb);

	p->epoch = 1;
	p->offset = m->history;
	if (e == E_OK && p->length > LARGEST)
		e = err_set(eb, E_DENIED, _("%s takes no message of that size"),
		    m->at->login.server);
	if (e != E_DENIED)
		return e;
	parcel_fail(p, e, "%s", eb->text);
	p->epoch = 0;
	return E_OK;
}

static enum err
prepare_gmail(
    struct delivery *d, struct parcel **v, size_t n, struct errbuf *eb)
{
	enum err e = ready(d->own, eb);

	for (size_t i = 0; i < n && e == E_OK; i++)
		e = prepare_one(d, d->own, v[i], eb);
	return e;
}

/* ---- one request ---- */

/* How it went. */
struct given {
	char id[GMAIL_ID];
	struct gmail_error r;
	bool may_be_there, gave_up;
	unsigned retry_after; /* seconds */
};

static bool
has_flag(const struct gmail *m, const char *flag)
{
	return m->at->flags != NULL && str_has_word(m->at->flags, flag);
}

static void
write_head(const struct gmail *m, char head[HEAD], const char *boundary)
{
	snprintf(head, HEAD,
	    "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
	    "{\"labelIds\":[\"%s\"%s%s]}\r\n"
	    "--%s\r\nContent-Type: message/rfc822\r\n\r\n",
	    boundary, m->label_id, has_flag(m, "\\Seen") ? "" : ",\"UNREAD\"",
	    has_flag(m, "\\Flagged") ? ",\"STARRED\"" : "", boundary);
}

static enum err
ask_import(struct gmail *m, struct api_upload *up, const char *boundary,
    struct api_answer *a, struct given *g, struct errbuf *eb)
{
	char type[128];
	struct gmail_question q;
	enum err e;

	snprintf(
	    type, sizeof(type), "multipart/related; boundary=%s", boundary);
	gmail_question_init(&q, "/messages/import");
	q.uploads = true;
	q.type = type;
	q.upload = up;
	e = buf_printf(&q.query,
	    "uploadType=multipart&internalDateSource=dateHeader"
	    "&neverMarkSpam=%s&processForCalendar=false&fields=id",
	    m->at->never_spam ? "true" : "false");
	if (e == E_OK)
		e = gmail_ask(m, &q, a, &g->r, eb);
	else
		no_memory(eb);
	gmail_question_free(&q);
	return e;
}

/* E_DENIED, without words: g->r says why not. */
static enum err
import(struct gmail *m, const struct parcel *p, int fd, struct given *g,
    struct errbuf *eb)
{
	char boundary[2 * BOUNDARY + 1], head[HEAD], tail[2 * BOUNDARY + 16];
	uint8_t octets[BOUNDARY];
	struct api_upload up = { .fd = fd, .length = p->length };
	struct api_answer a = { .status = 0 };
	enum err e;

	randombytes_buf(octets, sizeof(octets));
	sodium_bin2hex(boundary, sizeof(boundary), octets, sizeof(octets));
	write_head(m, head, boundary);
	snprintf(tail, sizeof(tail), "\r\n--%s--\r\n", boundary);
	up.head = (struct slice){ head, strlen(head) };
	up.tail = (struct slice){ tail, strlen(tail) };
	*g = (struct given){ .id = "" };
	e = ask_import(m, &up, boundary, &a, g, eb);
	g->retry_after = a.retry_after;
	g->gave_up = a.gave_up;
	if (e == E_OK && (e = gmail_id_read(g->id, a.body)) != E_OK) {
		g->may_be_there = true;
		e = gmail_not_understood(m, e, eb);
	} else if (e == E_DENIED) {
		g->may_be_there = g->r.meaning == GMAIL_DOUBT;
	} else if (e != E_OK) {
		g->may_be_there = api_upload_is_out(&up);
	}
	api_answer_free(&a);
	return e;
}

/* ---- one message ---- */

static enum err
find_gmail(struct delivery *d, const struct parcel *p, enum remote_answer *a_r,
    struct errbuf *eb)
{
	enum err e;
	int fd;

	if ((e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e;
	e = gmail_find(d->own, p, fd, a_r, eb);
	close(fd);
	return e;
}

/* Sends it, and again if we were too fast, as long as there is patience. */
static enum err
import_slowly(struct delivery *d, const struct parcel *p, struct given *g,
    struct errbuf *eb)
{
	struct gmail *m = d->own;
	struct api_patience patience = api_patience(&m->conn);
	enum err e;
	int fd;

	if ((e = parcel_open(d, p, &fd, eb)) != E_OK) {
		*g = (struct given){ .id = "" };
		return e;
	}
	do
		e = import(m, p, fd, g, eb);
	while (e == E_DENIED && g->r.meaning == GMAIL_SLOWER &&
	       api_wait(&m->conn, &patience, g->retry_after));
	close(fd);
	return e;
}

static void
taken(struct delivery *d, struct parcel *p, const char *id)
{
	struct gmail *m = d->own;

	/* Without memory one of two that are the same may be taken for both. */
	(void)!api_ids_add(&m->claims, id);
	parcel_stored(d, p);
}

/* True: it is to be given again.  What a server that is slow does not have yet it
 * may have in a moment: that is asked by the next run. */
static bool
resolve(struct delivery *d, struct parcel *p, const struct given *g, bool last,
    struct errbuf *eb)
{
	struct gmail *m = d->own;
	struct errbuf why = *eb;
	bool stored = false;

	m->settled = false;
	if (!last && !g->gave_up && !d->stopping &&
	    remote_resolve(d, p, find_gmail, &stored, &why) == E_OK) {
		if (stored)
			parcel_stored(d, p);
		return !stored;
	}
	remote_leave_in_doubt(p, eb->text);
	delivery_fail(d, E_AGAIN, eb);
	return false;
}

/* It, or all that follow, cannot be put there. */
static void
refused(
    struct delivery *d, struct parcel *p, enum err e, const struct errbuf *why)
{
	if (e != E_DENIED)
		delivery_fail(d, e, why);
	if (!parcel_is_late(d, p))
		parcel_fail(p, e, "%s", why->text);
}

static void
give(struct delivery *d, struct parcel *p)
{
	struct given g;
	struct errbuf eb;
	enum err e;

	for (unsigned n = 1;; n++) {
		e = import_slowly(d, p, &g, &eb);
		if (e == E_OK) {
			taken(d, p, g.id);
			return;
		}
		if (e == E_DENIED)
			e = gmail_refused(d->own, &g.r, &eb);
		if (!g.may_be_there) {
			refused(d, p, e, &eb);
			return;
		}
		if (!resolve(d, p, &g, n == ATTEMPTS, &eb))
			return;
	}
}

static void
publish_gmail(struct delivery *d, struct parcel **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i]->result != E_DENIED && /* by prepare_one() */
		    !parcel_is_late(d, v[i]))
			give(d, v[i]);
}

static enum err
recover_gmail(struct delivery *d, const struct parcel *intent, bool young,
    bool *stored_r, struct errbuf *eb)
{
	enum err e = remote_recover(d, intent, young, find_gmail, stored_r, eb);

	/* It is the server that is out of order, and not our record. */
	return e == E_FORMAT || e == E_DENIED ? E_AGAIN : e;
}

const struct kind kind_gmail = {
	.open = open_gmail,
	.close = close_gmail,
	.has_gone = has_gone_gmail,
	.try = try_gmail,
	.prepare = prepare_gmail,
	.publish = publish_gmail,
	.recover = recover_gmail,
};
