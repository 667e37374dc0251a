/*
 * Delivery to a mailbox of a JMAP server (RFC 8620, 8621 s4.8).
 *
 * The octets of each message are uploaded, which may be done twice, as nobody sees
 * them; then Email/import makes messages of many of them in one call.  A message
 * was taken when the answer says that it was created, or exists already; all of a
 * call are in doubt once it is out and there is no answer that is understood.  Then
 * the server is asked (jmap_find.c), and if that cannot be done, by the next run.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/jmap.h"

enum {
	ATTEMPTS = 2, /* for one group */
	GROUP = 50,   /* messages in one call */
	CREATED = 201,
	FLAG = 64,
};

/* How far a message of a group has come. */
struct sending {
	enum { SENT_NOT, SENT_UPLOADED, SENT_WAITS, SENT_ANSWERED } how;
	char blob[JMAP_ID];
};

/* Some messages in one call. */
struct group {
	struct parcel **v;
	size_t n;
	struct sending sent[GROUP];
};

static enum err
no_memory(struct errbuf *eb)
{
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

static enum err
open_jmap(struct delivery *d, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb)
{
	struct jmap *m = calloc(1, sizeof(*m));

	d->own = m;
	if (m == NULL || (m->mailbox = strdup(dest->mailbox)) == NULL ||
	    (m->domain = strdup(dest->host)) == NULL)
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
close_jmap(struct delivery *d)
{
	struct jmap *m = d->own;

	api_conn_free(&m->conn);
	api_ids_free(&m->claims);
	free(m->mailbox);
	free(m->domain);
	free(m);
}

/* Nobody knows any more how to sign in there. */
static bool
has_gone_jmap(const struct dest *dest)
{
	return dest->at == NULL;
}

/* ---- the mailbox ---- */

/* For a call that changes nothing. */
static enum err
settle(const struct jmap *m, enum err e, const struct jmap_failure *f,
    struct errbuf *eb)
{
	e = jmap_result(m, e, &f->r, eb);
	return e == E_DENIED ? E_AGAIN : e;
}

static enum err
ask_state(struct jmap *m, struct errbuf *eb)
{
	struct jmap_failure f;
	struct api_answer a;
	enum err e = jmap_call(m, "Email/get",
	    json_pack("{ss s[]}", "accountId", m->session.account, "ids"), &a,
	    &f, eb);

	if (e == E_OK)
		e = jmap_state_read(m->state, &f.r, a.body);
	api_answer_free(&a);
	return settle(m, e, &f, eb);
}

/* E_NOENT, without words: there is none of that name. */
static enum err
ask_mailbox(struct jmap *m, struct errbuf *eb)
{
	struct jmap_failure f;
	struct api_answer a;
	enum err e = jmap_call(m, "Mailbox/get",
	    json_pack("{ss sn s[ssss]}", "accountId", m->session.account, "ids",
		"properties", "id", "name", "parentId", "role"),
	    &a, &f, eb);

	if (e == E_OK)
		e = jmap_mailbox_read(m->box, m->mailbox, &f.r, a.body);
	api_answer_free(&a);
	if (e != E_OK)
		m->box[0] = '\0';
	return settle(m, e, &f, eb);
}

static enum err
no_mailbox(const struct jmap *m, const char *words, struct errbuf *eb)
{
	char box[80];

	return err_set(eb, E_CONFIG,
	    _("%s has no mailbox \"%s\": it says \"%s\""), m->domain,
	    str_quote(box, sizeof(box), m->mailbox, strlen(m->mailbox)), words);
}

static enum err
not_made(const struct jmap *m, struct errbuf *eb)
{
	char box[80];

	return err_set(eb, E_CONFIG,
	    _("%s has no mailbox \"%s\"; make it there, or write another"),
	    m->domain,
	    str_quote(box, sizeof(box), m->mailbox, strlen(m->mailbox)));
}

/* One below another is for its owner to make. */
static enum err
make_mailbox(struct jmap *m, struct errbuf *eb)
{
	struct jmap_failure f;
	struct api_answer a;
	enum err e;

	if (strchr(m->mailbox, '/') != NULL ||
	    strcasecmp(m->mailbox, "INBOX") == 0)
		return not_made(m, eb);
	e = jmap_call(m, "Mailbox/set",
	    json_pack("{ss s{s{ss sn}}}", "accountId", m->session.account,
		"create", "m", "name", m->mailbox, "parentId"),
	    &a, &f, eb);
	if (e == E_OK)
		e = jmap_made_read(m->box, &f.r, a.body);
	api_answer_free(&a);
	if (e == E_OK)
		return E_OK;
	m->box[0] = '\0';
	return e == E_DENIED && (f.r.meaning == JMAP_REFUSED ||
				    f.r.meaning == JMAP_FORBIDDEN)
		   ? no_mailbox(m, f.r.words, eb)
		   : settle(m, e, &f, eb);
}

static enum err
know_mailbox(struct jmap *m, struct errbuf *eb)
{
	enum err e = ask_mailbox(m, eb);

	if (e != E_NOENT)
		return e;
	return m->at->creates ? make_mailbox(m, eb) : not_made(m, eb);
}

static enum err
ready(struct jmap *m, struct errbuf *eb)
{
	enum err e = jmap_open(m, eb);

	if (e == E_OK)
		e = ask_state(m, eb);
	return e == E_OK && m->box[0] == '\0' ? know_mailbox(m, eb) : e;
}

static enum err
try_jmap(struct delivery *d, struct errbuf *eb)
{
	struct jmap *m = d->own;

	m->box[0] = '\0';
	return ready(m, eb);
}

/* ---- before any is sent ---- */

/* What cannot be sent is told at once, and is given no intent of use. */
static enum err
prepare_one(
    struct delivery *d, struct jmap *m, struct parcel *p, struct errbuf *eb)
{
	enum err e = remote_measure(d, p, eb);

	p->epoch = 1;
	free(p->file);
	if ((p->file = strdup(m->state)) == NULL)
		return no_memory(eb);
	if (e == E_OK && p->length > m->session.max_upload)
		e = err_set(eb, E_DENIED, _("%s takes no message of that size"),
		    m->domain);
	if (e != E_DENIED)
		return e;
	parcel_fail(p, e, "%s", eb->text);
	p->epoch = 0;
	return E_OK;
}

static enum err
prepare_jmap(struct delivery *d, struct parcel **v, size_t n, struct errbuf *eb)
{
	enum err e = ready(d->own, eb);

	for (size_t i = 0; i < n && e == E_OK; i++)
		e = prepare_one(d, d->own, v[i], eb);
	return e;
}

/* ---- uploads ---- */

/* E_DENIED, without words: f->r says why not. */
static enum err
upload_once(struct jmap *m, const struct parcel *p, int fd, struct sending *s,
    struct jmap_failure *f, struct errbuf *eb)
{
	char url[JMAP_URL];
	struct api_upload up = { .fd = fd, .length = p->length };
	const struct api_request q = {
		.url = url,
		.type = "message/rfc822",
		.upload = &up,
		.max = API_ANSWER_MAX,
	};
	struct api_answer a = { .status = 0 };
	enum err e = E_FORMAT;

	*f = (struct jmap_failure){ .gave_up = false };
	if (jmap_url(url, m->session.upload, m->session.account, ""))
		e = api_ask(&m->conn, &q, &a, eb);
	f->retry_after = a.retry_after;
	if (e == E_OK && a.status != CREATED && a.status != 200) {
		jmap_error_read(&f->r, a.status, a.body);
		e = E_DENIED;
	} else if (e == E_OK) {
		e = jmap_upload_read(s->blob, a.body);
	}
	api_answer_free(&a);
	return e == E_FULL || e == E_FORMAT
		   ? jmap_result(m, E_FORMAT, &f->r, eb)
		   : e;
}

static enum err
upload(struct delivery *d, const struct parcel *p, struct sending *s,
    struct errbuf *eb)
{
	struct jmap *m = d->own;
	struct api_patience patience = api_patience(&m->conn);
	struct jmap_failure f;
	enum err e;
	int fd;

	if ((e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e;
	do
		e = upload_once(m, p, fd, s, &f, eb);
	while (e == E_DENIED && f.r.meaning == JMAP_SLOWER &&
	       api_wait(&m->conn, &patience, f.retry_after));
	close(fd);
	return jmap_result(m, e, &f.r, eb);
}

/* It, or all that follow, cannot be put there. */
static void
put_back(struct delivery *d, struct parcel *p, struct sending *s, enum err e,
    bool all, const struct errbuf *why)
{
	s->how = SENT_ANSWERED;
	if (all)
		delivery_fail(d, e, why);
	if (!parcel_is_late(d, p))
		parcel_fail(p, e, "%s", why->text);
}

static void
upload_group(struct delivery *d, struct group *g)
{
	struct errbuf eb;
	enum err e;

	for (size_t i = 0; i < g->n; i++) {
		struct sending *s = &g->sent[i];

		if (s->how != SENT_NOT)
			continue;
		if (parcel_is_late(d, g->v[i])) {
			s->how = SENT_ANSWERED;
			continue;
		}
		e = upload(d, g->v[i], s, &eb);
		if (e == E_OK)
			s->how = SENT_UPLOADED;
		else
			put_back(d, g->v[i], s, e, e != E_DENIED, &eb);
	}
}

/* ---- importing ---- */

/* The name of a keyword for a flag of IMAP (RFC 8621 s4.1.1). */
static void
keyword(char out[FLAG], const char *flag, size_t n)
{
	snprintf(out, FLAG, "%s%.*s", flag[0] == '\\' ? "$" : "",
	    (int)(flag[0] == '\\' ? n - 1 : n),
	    flag[0] == '\\' ? flag + 1 : flag);
	for (char *p = out; *p != '\0'; p++)
		*p = str_lower1(*p);
}

static json_t *
keywords(const struct jmap *m)
{
	json_t *all = json_object();
	const char *p = m->at->flags != NULL ? m->at->flags : "";

	for (size_t n; *p != '\0'; p += n + (p[n] == ' ')) {
		char name[FLAG];

		n = strcspn(p, " ");
		keyword(name, p, n);
		json_object_set_new(all, name, json_true());
	}
	return all;
}

/* NULL: memory. */
static json_t *
describe(struct delivery *d, const struct parcel *p, const struct sending *s)
{
	struct jmap *m = d->own;
	struct remote_head head = { .arrived = 0 };
	struct errbuf eb;
	char date[32];
	struct tm tm;
	time_t t;
	json_t *one = json_pack("{ss s{sb} so}", "blobId", s->blob,
	    "mailboxIds", m->box, 1, "keywords", keywords(m));
	int fd;

	if (parcel_open(d, p, &fd, &eb) == E_OK) {
		remote_head_read(fd, &head);
		close(fd);
	}
	t = (time_t)head.arrived;
	if (one != NULL && head.arrived > 0 && gmtime_r(&t, &tm) != NULL &&
	    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm) == 20)
		json_object_set_new(one, "receivedAt", json_string(date));
	return one;
}

/* Of those that have been uploaded. */
static json_t *
describe_group(struct delivery *d, const struct group *g)
{
	struct jmap *m = d->own;
	json_t *all = json_object();
	char key[32];

	for (size_t i = 0; i < g->n; i++) {
		if (g->sent[i].how != SENT_UPLOADED)
			continue;
		snprintf(key, sizeof(key), "m%zu", i);
		if (json_object_set_new(
			all, key, describe(d, g->v[i], &g->sent[i])) != 0) {
			json_decref(all);
			return NULL;
		}
	}
	return json_pack(
	    "{ss so}", "accountId", m->session.account, "emails", all);
}

static void
taken(struct delivery *d, struct parcel *p, struct sending *s, const char *id)
{
	struct jmap *m = d->own;

	/* Without memory one of two that are the same may be taken for both. */
	if (id[0] != '\0')
		(void)!api_ids_add(&m->claims, id);
	s->how = SENT_ANSWERED;
	parcel_stored(d, p);
}

/* It concerns all messages, and not this one. */
static bool
concerns_all(enum jmap_meaning meaning)
{
	return meaning == JMAP_SLOWER || meaning == JMAP_LATER ||
	       meaning == JMAP_FORBIDDEN;
}

/* What the answer says to one; E_AGAIN: nothing that is understood. */
static enum err
take_one(struct delivery *d, struct group *g, size_t i, struct slice json)
{
	struct jmap *m = d->own;
	char id[JMAP_ID];
	struct jmap_error r;
	struct errbuf eb;
	enum err e = jmap_import_read(id, i, &r, json);

	if (e == E_OK) {
		taken(d, g->v[i], &g->sent[i], id);
	} else if (e == E_DENIED && r.meaning == JMAP_EXISTS) {
		taken(d, g->v[i], &g->sent[i], r.id);
	} else if (e == E_DENIED && r.meaning != JMAP_DOUBT) {
		e = jmap_result(m, e, &r, &eb);
		if (r.meaning == JMAP_LATER)
			m->box[0] = '\0'; /* it may be the mailbox */
		put_back(
		    d, g->v[i], &g->sent[i], e, concerns_all(r.meaning), &eb);
	} else {
		return E_AGAIN;
	}
	return E_OK;
}

/* E_OK: each has been answered.  E_AGAIN: those that wait are in doubt. */
static enum err
take_answers(
    struct delivery *d, struct group *g, struct slice json, struct errbuf *eb)
{
	struct jmap *m = d->own;
	struct jmap_error r = { .type = "" };
	enum err e = E_OK;

	for (size_t i = 0; i < g->n; i++)
		if (g->sent[i].how == SENT_WAITS &&
		    take_one(d, g, i, json) != E_OK)
			e = jmap_result(m, E_FORMAT, &r, eb);
	return e;
}

static size_t
count(const struct group *g, int how)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += (int)g->sent[i].how == how;
	return n;
}

static void
mark(struct group *g, int from, int to)
{
	for (size_t i = 0; i < g->n; i++)
		if ((int)g->sent[i].how == from)
			g->sent[i].how = to;
}

/* None of them has been taken. */
static void
put_all_back(
    struct delivery *d, struct group *g, enum err e, const struct errbuf *why)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->sent[i].how == SENT_UPLOADED)
			put_back(d, g->v[i], &g->sent[i],
			    e == E_DENIED ? E_AGAIN : e, true, why);
}

/* After it those that wait are in doubt, by eb. */
static void
import_group(struct delivery *d, struct group *g, struct jmap_failure *f,
    struct errbuf *eb)
{
	struct jmap *m = d->own;
	struct api_patience patience = api_patience(&m->conn);
	struct api_answer a;
	enum err e;

	for (;;) {
		e = jmap_call(
		    m, "Email/import", describe_group(d, g), &a, f, eb);
		if (e != E_DENIED || f->r.meaning != JMAP_SLOWER ||
		    !api_wait(&m->conn, &patience, f->retry_after))
			break;
		api_answer_free(&a);
	}
	if (e == E_OK || f->may_be_done)
		mark(g, SENT_UPLOADED, SENT_WAITS);
	if (e == E_OK)
		e = take_answers(d, g, a.body, eb);
	else
		e = jmap_result(m, e, &f->r, eb);
	api_answer_free(&a);
	if (e != E_OK)
		put_all_back(d, g, e, eb);
}

/* ---- in doubt ---- */

static enum err
find_jmap(struct delivery *d, const struct parcel *p, enum remote_answer *a_r,
    struct errbuf *eb)
{
	enum err e;
	int fd;

	if ((e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e;
	e = jmap_find(d->own, p, fd, a_r, eb);
	close(fd);
	return e;
}

/* E_OK: those that wait have gone, and those that are not there are to be sent
 * again. */
static enum err
resolve(struct delivery *d, struct group *g)
{
	struct jmap *m = d->own;
	struct errbuf eb;
	bool stored;
	enum err e = E_OK;

	m->settled = false;
	for (size_t i = 0; i < g->n && e == E_OK; i++) {
		if (g->sent[i].how != SENT_WAITS)
			continue;
		e = remote_resolve(d, g->v[i], find_jmap, &stored, &eb);
		if (e != E_OK)
			break;
		g->sent[i].how = stored ? SENT_ANSWERED : SENT_NOT;
		if (stored)
			parcel_stored(d, g->v[i]);
	}
	return e;
}

static void
leave_group(struct delivery *d, struct group *g, const struct errbuf *why)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->sent[i].how == SENT_WAITS)
			remote_leave_in_doubt(g->v[i], why->text);
	delivery_fail(d, E_AGAIN, why);
}

/* What a server that is slow does not have yet it may have in a moment: that is
 * asked by the next run. */
static void
give_group(struct delivery *d, struct group *g)
{
	struct jmap_failure f;
	struct errbuf eb = { .text = "" };

	for (unsigned n = 1; count(g, SENT_NOT) != 0; n++) {
		upload_group(d, g);
		if (count(g, SENT_UPLOADED) == 0)
			return;
		import_group(d, g, &f, &eb);
		if (count(g, SENT_WAITS) != 0 &&
		    (n == ATTEMPTS || f.gave_up || d->stopping ||
			resolve(d, g) != E_OK))
			leave_group(d, g, &eb);
	}
}

static void
publish_jmap(struct delivery *d, struct parcel **v, size_t n)
{
	struct jmap *m = d->own;
	size_t most = m->session.max_objects < GROUP
			  ? (size_t)m->session.max_objects
			  : GROUP;

	for (size_t i = 0; i < n;) {
		struct group g = { .v = v + i,
			.n = n - i < most ? n - i : most };

		for (size_t k = 0; k < g.n; k++)
			if (g.v[k]->result == E_DENIED) /* by prepare_one() */
				g.sent[k].how = SENT_ANSWERED;
		give_group(d, &g);
		i += g.n;
	}
}

static enum err
recover_jmap(struct delivery *d, const struct parcel *intent, bool young,
    bool *stored_r, struct errbuf *eb)
{
	enum err e = remote_recover(d, intent, young, find_jmap, stored_r, eb);

	/* It is the server that is out of order, and not our record. */
	return e == E_FORMAT || e == E_DENIED ? E_AGAIN : e;
}

const struct kind kind_jmap = {
	.open = open_jmap,
	.close = close_jmap,
	.has_gone = has_gone_jmap,
	.try = try_jmap,
	.prepare = prepare_jmap,
	.publish = publish_jmap,
	.recover = recover_jmap,
};
