/*
 * Is a message there?  What has come into the mailbox since its intent is in the
 * history of the mailbox, as long as Gmail keeps that (a week or so); after that
 * only a search by Message-ID is left, which cannot prove that it never came.
 *
 * Gmail puts lines of its own above a message (Received), so ours is what stands
 * below them; should it have changed the header, too, a message of the same
 * Message-ID with the same body is ours.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/gmail.h"
#include "client/web/form.h"

enum {
	PAGES = 10,          /* of 500 */
	CANDIDATES = 200,    /* that are looked at */
	ABOVE = 64 * 1024,   /* octets that Gmail may have put there */
	COMPARED = 40 << 20, /* octets of a message that is fetched for that */
	JSON = 4096,
};

/* Which message is looked for, and what was seen meanwhile. */
struct question {
	struct gmail *m;
	const char *message_id;
	char *octets; /* NULL: it is too large to be compared */
	size_t length;
	bool unsure; /* one that it may be could not be told from it */
};

static enum err
no_memory(struct errbuf *eb)
{
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

/* ---- lists ---- */

typedef enum err read_page(
    struct api_ids *ids, char page[GMAIL_PAGE], struct slice json);

static enum err
ask_page(struct gmail *m, const struct gmail_question *first, read_page *reads,
    struct api_ids *ids, char page[GMAIL_PAGE], struct errbuf *eb)
{
	struct gmail_question q = *first;
	struct gmail_error r;
	struct api_answer a;
	enum err e;

	buf_init(&q.query, GMAIL_QUERY, false);
	e = buf_put(&q.query, buf_data(&first->query), first->query.len);
	if (e == E_OK && page[0] != '\0')
		e = form_put(&q.query, "pageToken", page);
	if (e != E_OK) {
		buf_free(&q.query);
		return no_memory(eb);
	}
	e = gmail_ask(m, &q, &a, &r, eb);
	buf_free(&q.query);
	if (e == E_DENIED)
		e = r.meaning == GMAIL_GONE ? E_NOENT
					    : gmail_refused(m, &r, eb);
	else if (e == E_OK && (e = reads(ids, page, a.body)) != E_OK)
		e = gmail_not_understood(m, e, eb);
	api_answer_free(&a);
	return e;
}

/* E_NOENT, without words: it is not kept any more, or it is too long. */
static enum err
ask_pages(struct gmail *m, const struct gmail_question *q, read_page *reads,
    struct api_ids *ids, struct errbuf *eb)
{
	char page[GMAIL_PAGE] = "";
	enum err e = E_OK;

	for (unsigned n = 0; e == E_OK && n < PAGES; n++) {
		e = ask_page(m, q, reads, ids, page, eb);
		if (e == E_OK && page[0] == '\0')
			return E_OK;
	}
	return e == E_OK ? E_NOENT : e;
}

static enum err
ask_history(
    struct gmail *m, uint64_t since, struct api_ids *ids, struct errbuf *eb)
{
	struct gmail_question q;
	enum err e;

	gmail_question_init(&q, "/history");
	e = buf_printf(&q.query,
	    "historyTypes=messageAdded&maxResults=500&startHistoryId=%llu",
	    (unsigned long long)since);
	e = e == E_OK ? ask_pages(m, &q, gmail_history_read, ids, eb)
		      : no_memory(eb);
	gmail_question_free(&q);
	return e;
}

/* The angle brackets are not part of what is searched for. */
static enum err
ask_search(struct gmail *m, const char *message_id, struct api_ids *ids,
    struct errbuf *eb)
{
	char words[REMOTE_ID + 32];
	struct gmail_question q;
	enum err e;

	snprintf(words, sizeof(words), "rfc822msgid:%.*s",
	    (int)strlen(message_id) - 2, message_id + 1);
	gmail_question_init(&q, "/messages");
	e = buf_printf(&q.query, "includeSpamTrash=true&maxResults=500");
	if (e == E_OK)
		e = form_put(&q.query, "q", words);
	e = e == E_OK ? ask_pages(m, &q, gmail_list_read, ids, eb)
		      : no_memory(eb);
	gmail_question_free(&q);
	return e;
}

/* ---- one message ---- */

/* E_NOENT, without words: it has gone since.  E_FULL: it is longer than that. */
static enum err
get(struct gmail *m, const char *id, const char *query, size_t max,
    struct api_answer *a, struct errbuf *eb)
{
	char path[GMAIL_ID + 16];
	struct gmail_question q;
	struct gmail_error r;
	enum err e;

	*a = (struct api_answer){ .status = 0 };
	snprintf(path, sizeof(path), "/messages/%s", id);
	gmail_question_init(&q, path);
	q.max = max;
	if (buf_put(&q.query, query, strlen(query)) == E_OK)
		e = gmail_ask(m, &q, a, &r, eb);
	else
		e = no_memory(eb);
	gmail_question_free(&q);
	if (e != E_DENIED)
		return e;
	return r.meaning == GMAIL_GONE ? E_NOENT : gmail_refused(m, &r, eb);
}

/* Behind the empty line; all of it if there is none. */
static struct slice
body_of(const char *p, size_t n)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4);
	size_t head = end != NULL ? (size_t)(end - p) + 4 : 0;

	return (struct slice){ p + head, n - head };
}

static bool
is_same(const struct question *q, const char *raw, size_t n, bool is_named)
{
	struct slice theirs, ours;

	if (n >= q->length &&
	    memcmp(raw + n - q->length, q->octets, q->length) == 0)
		return true;
	theirs = body_of(raw, n);
	ours = body_of(q->octets, q->length);
	return is_named && theirs.n == ours.n && ours.n != 0 &&
	       memcmp(theirs.p, ours.p, ours.n) == 0;
}

static enum err
compare(struct question *q, const char *id, bool is_named, bool *is_r,
    struct errbuf *eb)
{
	struct api_answer a;
	char *raw = NULL;
	size_t n = 0;
	enum err e = get(q->m, id, "format=raw&fields=raw",
	    (q->length + ABOVE) / 3 * 4 + JSON, &a, eb);

	if (e == E_OK && (e = gmail_raw_read(&raw, &n, a.body)) != E_OK)
		e = gmail_not_understood(q->m, e, eb);
	if (e == E_OK)
		*is_r = is_same(q, raw, n, is_named);
	free(raw);
	api_answer_free(&a);
	return e;
}

/* Of a message that has another Message-ID nothing more is fetched. */
static enum err
ask_name(struct question *q, const char *id, bool *other_r, bool *is_named_r,
    struct errbuf *eb)
{
	char name[GMAIL_MESSAGE_ID] = "";
	struct api_answer a;
	enum err e = get(q->m, id, "format=metadata&metadataHeaders=Message-ID",
	    API_ANSWER_MAX, &a, eb);

	if (e == E_OK && (e = gmail_message_id_read(name, a.body)) != E_OK)
		e = gmail_not_understood(q->m, e, eb);
	api_answer_free(&a);
	*is_named_r =
	    q->message_id[0] != '\0' && strcmp(name, q->message_id) == 0;
	*other_r = q->message_id[0] != '\0' && name[0] != '\0' && !*is_named_r;
	return e;
}

static enum err
is_it(struct question *q, const char *id, bool *is_r, struct errbuf *eb)
{
	bool other = false, is_named = false;
	enum err e = ask_name(q, id, &other, &is_named, eb);

	*is_r = false;
	if (e == E_OK && other)
		return E_OK;
	if (e == E_OK && q->octets != NULL)
		e = compare(q, id, is_named, is_r, eb);
	/* One of its name may be it, changed there; so may one that was removed,
	 * or is too large to be compared. */
	q->unsure |= e == E_NOENT || (e == E_OK && q->octets == NULL) ||
		     ((e == E_OK || e == E_FULL) && is_named && !*is_r);
	return e == E_NOENT || e == E_FULL ? E_OK : e;
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

/* As it was sent. */
static enum err
load(struct question *q, const struct parcel *p, int fd, struct errbuf *eb)
{
	char in[16 * 1024], out[2 * sizeof(in)];
	off_t at = 0;
	ssize_t n = 0;
	size_t made;

	if (p->length > COMPARED)
		return E_OK;
	if ((q->octets = malloc(p->length + 1)) == NULL)
		return no_memory(eb);
	while ((n = pread(fd, in, sizeof(in), at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		made = n > 0 ? remote_crlf(out, in, (size_t)n) : 0;
		if (n < 0 || made > p->length - q->length)
			break;
		memcpy(q->octets + q->length, out, made);
		q->length += made;
		at += n;
	}
	if (n == 0 && q->length == p->length)
		return E_OK;
	return err_set(
	    eb, E_IO, "%s", _("a message in the spool is not what it was"));
}

static enum err
look(struct question *q, const struct parcel *p, enum remote_answer *a_r,
    struct errbuf *eb)
{
	struct api_ids ids = { .n = 0 };
	enum err e = ask_history(q->m, p->offset, &ids, eb);

	if (e == E_NOENT) {
		api_ids_free(&ids);
		q->unsure = true;
		e = q->message_id[0] != '\0'
			? ask_search(q->m, q->message_id, &ids, eb)
			: E_OK;
	}
	if (e == E_OK)
		e = look_among(q, &ids, a_r, eb);
	else if (e == E_NOENT)
		e = E_OK;
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
gmail_find(struct gmail *m, const struct parcel *p, int fd,
    enum remote_answer *a_r, struct errbuf *eb)
{
	struct remote_head head;
	struct question q = { .m = m, .message_id = head.message_id };
	enum err e;

	*a_r = REMOTE_CANNOT_TELL;
	remote_head_read(fd, &head);
	if ((e = load(&q, p, fd, eb)) == E_OK) {
		if (!m->settled)
			let_settle();
		m->settled = true;
		e = look(&q, p, a_r, eb);
	}
	free(q.octets);
	return e;
}
