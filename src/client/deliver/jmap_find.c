/*
 * Is a message there?  What has come since its intent is told by Email/changes, as
 * long as the server can calculate that; after that only a search by Message-ID is
 * left, which cannot prove that it never came.  JMAP keeps the octets of a message
 * as they are, so they are compared.
 */
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/deliver/jmap.h"

enum {
	PAGES = 10,          /* of 500 */
	CANDIDATES = 200,    /* that are looked at */
	COMPARED = 40 << 20, /* octets of a message that is fetched for that */
};

/* Which message is looked for, and what was seen meanwhile. */
struct question {
	struct jmap *m;
	const struct parcel *p;
	const char *message_id; /* with brackets */
	bool unsure; /* one that it may be could not be told from it */
};

static enum err
no_memory(struct errbuf *eb)
{
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

/* ---- lists ---- */

static enum err
ask_changes(struct jmap *m, char state[JMAP_STATE], bool *more_r,
    struct api_ids *ids, struct errbuf *eb)
{
	struct jmap_failure f;
	struct api_answer a;
	enum err e = jmap_call(m, "Email/changes",
	    json_pack("{ss ss si}", "accountId", m->session.account,
		"sinceState", state, "maxChanges", 500),
	    &a, &f, eb);

	if (e == E_OK)
		e = jmap_changes_read(ids, state, more_r, &f.r, a.body);
	if (e == E_DENIED && f.r.meaning == JMAP_GONE)
		e = E_NOENT;
	api_answer_free(&a);
	e = jmap_result(m, e, &f.r, eb);
	return e == E_DENIED ? E_AGAIN : e;
}

/* E_NOENT, without words: it is not known any more, or it is too long. */
static enum err
ask_all_changes(
    struct jmap *m, const char *since, struct api_ids *ids, struct errbuf *eb)
{
	char state[JMAP_STATE];
	bool more = true;
	enum err e = E_OK;

	if (since == NULL || strlen(since) >= sizeof(state))
		return E_NOENT;
	memcpy(state, since, strlen(since) + 1);
	for (unsigned n = 0; e == E_OK && more && n < PAGES; n++)
		e = ask_changes(m, state, &more, ids, eb);
	return e == E_OK && more ? E_NOENT : e;
}

static enum err
ask_search(struct jmap *m, const char *message_id, struct api_ids *ids,
    struct errbuf *eb)
{
	struct jmap_failure f;
	struct api_answer a;
	enum err e = jmap_call(m, "Email/query",
	    json_pack("{ss s{s[ss]} si}", "accountId", m->session.account,
		"filter", "header", "Message-ID", message_id, "limit",
		CANDIDATES),
	    &a, &f, eb);

	if (e == E_OK)
		e = jmap_query_read(ids, &f.r, a.body);
	api_answer_free(&a);
	e = jmap_result(m, e, &f.r, eb);
	return e == E_DENIED ? E_AGAIN : e;
}

/* ---- one message ---- */

/* E_NOENT, without words: it has gone since. */
static enum err
ask_email(
    struct jmap *m, const char *id, struct jmap_email *one, struct errbuf *eb)
{
	struct jmap_failure f;
	struct api_answer a;
	enum err e = jmap_call(m, "Email/get",
	    json_pack("{ss s[s] s[sss]}", "accountId", m->session.account,
		"ids", id, "properties", "blobId", "size", "messageId"),
	    &a, &f, eb);

	if (e == E_OK)
		e = jmap_email_read(one, &f.r, a.body);
	api_answer_free(&a);
	e = jmap_result(m, e, &f.r, eb);
	return e == E_DENIED ? E_AGAIN : e;
}

static struct digest
digest_of_body(struct slice body)
{
	uint8_t sum[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(sum, (const uint8_t *)body.p, body.n);
	return digest_cut(sum);
}

/* E_NOENT, without words: it has gone since. */
static enum err
compare(struct question *q, const char *blob, bool *is_r, struct errbuf *eb)
{
	struct jmap *m = q->m;
	char url[JMAP_URL];
	const struct api_request request = { .url = url,
		.max = q->p->length + 1 };
	struct jmap_error r = { .type = "" };
	struct api_answer a = { .status = 0 };
	enum err e = E_FORMAT;

	if (jmap_url(url, m->session.download, m->session.account, blob))
		e = api_ask(&m->conn, &request, &a, eb);
	else
		e = jmap_result(m, e, &r, eb);
	if (e == E_OK && a.status == 404) {
		e = E_NOENT;
	} else if (e == E_OK && a.status != 200) {
		jmap_error_read(&r, a.status, a.body);
		e = jmap_result(m, E_DENIED, &r, eb);
	} else if (e == E_OK) {
		*is_r = a.body.n == q->p->length &&
			digest_eq(digest_of_body(a.body), q->p->content);
	}
	api_answer_free(&a);
	return e == E_FULL ? E_OK : e == E_DENIED ? E_AGAIN : e;
}

static bool
has_name(const struct question *q, const struct jmap_email *one)
{
	size_t n = strlen(one->message_id);

	return n != 0 && strlen(q->message_id) == n + 2 &&
	       strncmp(q->message_id + 1, one->message_id, n) == 0;
}

static enum err
is_it(struct question *q, const char *id, bool *is_r, struct errbuf *eb)
{
	struct jmap_email one = { .size = 0 };
	enum err e = ask_email(q->m, id, &one, eb);

	*is_r = false;
	if (e == E_OK && one.size == q->p->length && one.size <= COMPARED)
		e = compare(q, one.blob, is_r, eb);
	/* One of its name may be it, changed there; so may one that was removed,
	 * or is too large to be compared. */
	q->unsure |= e == E_NOENT ||
		     (e == E_OK && !*is_r &&
			 (has_name(q, &one) || (one.size == q->p->length &&
						   one.size > COMPARED)));
	return e == E_NOENT ? E_OK : e;
}

static enum err
look_among(struct question *q, const struct api_ids *ids,
    enum remote_answer *a_r, struct errbuf *eb)
{
	size_t looked = 0;
	bool is = false;
	enum err e = E_OK;

	for (size_t i = ids->n; i-- > 0 && e == E_OK && !is;) {
		if (api_ids_has(&q->m->claims, ids->v[i]))
			continue;
		if (looked++ == CANDIDATES) {
			q->unsure = true;
			break;
		}
		e = is_it(q, ids->v[i], &is, eb);
		if (is && api_ids_add(&q->m->claims, ids->v[i]) != E_OK)
			e = no_memory(eb);
	}
	*a_r = is          ? REMOTE_HAS
	       : q->unsure ? REMOTE_CANNOT_TELL
			   : REMOTE_HAS_NOT;
	return e;
}

/* ---- all ---- */

static enum err
look(struct question *q, enum remote_answer *a_r, struct errbuf *eb)
{
	struct api_ids ids = { .n = 0 };
	enum err e = ask_all_changes(q->m, q->p->file, &ids, eb);

	if (e == E_NOENT) {
		api_ids_free(&ids);
		q->unsure = true;
		e = q->message_id[0] != '\0'
			? ask_search(q->m, q->message_id, &ids, eb)
			: E_OK;
	}
	if (e == E_OK)
		e = look_among(q, &ids, a_r, eb);
	api_ids_free(&ids);
	return e;
}

/* A server that was just cut off may not have put away yet what it had. */
static void
let_settle(void)
{
	const struct timespec moment = { .tv_sec = 1 };

	nanosleep(&moment, NULL);
}

enum err
jmap_find(struct jmap *m, const struct parcel *p, int fd,
    enum remote_answer *a_r, struct errbuf *eb)
{
	struct remote_head head;
	struct question q = { .m = m, .p = p, .message_id = head.message_id };
	enum err e;

	*a_r = REMOTE_CANNOT_TELL;
	remote_head_read(fd, &head);
	if ((e = jmap_open(m, eb)) != E_OK)
		return e;
	if (!m->settled)
		let_settle();
	m->settled = true;
	return look(&q, a_r, eb);
}
