/*
 * Is a message there?  Whatever came into the mailbox since its intent was made
 * has a UID from the intent's on (RFC 3501 s2.3.1.1), as long as UIDVALIDITY is
 * the same.  It is known by its octets; Message-ID and size only say whose octets
 * are worth fetching.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/deliver/imap_conn.h"

enum {
	CHUNK = 32 * 1024,
	KEYS = 2 * REMOTE_ID,
	CANDIDATES = 200,
	NUMBERS = 4000, /* that one answer to SEARCH may hold */
	NUMBERS_READ = 2 * NUMBERS,
};

struct uids {
	uint32_t *v;
	size_t n, room;
	bool no_memory;
};

struct found {
	uint32_t validity, next; /* of EXAMINE */
	struct uids *uids;       /* of SEARCH */
	struct imap_fetch fetch; /* the last one */
	uint32_t wanted;         /* its UID */
	crypto_hash_sha256_state *sha;
	size_t body_n;
};

/* ---- one question ---- */

static void
on_examine(void *arg, const struct imap_response *r)
{
	struct found *f = arg;
	struct slice args = r->args;
	uint32_t v;

	if (r->code == IMAP_CODE_UIDVALIDITY && imap_number_take(&args, &v))
		f->validity = v;
	else if (r->code == IMAP_CODE_UIDNEXT && imap_number_take(&args, &v))
		f->next = v;
}

/* E_NOENT, without words: there is no such mailbox, or it cannot be opened. */
static enum err
examined(struct imap_conn *c, enum err e, struct found *f, struct errbuf *eb)
{
	struct imap_event ev;

	f->validity = f->next = 0;
	if ((e = imap_conn_ask(c, e, &ev, on_examine, f, eb)) != E_OK)
		return e;
	return ev.response.status == IMAP_OK ? E_OK : E_NOENT;
}

static bool
add_uid(void *arg, uint32_t uid)
{
	struct uids *u = arg;
	uint32_t *more = array_room(u->v, u->n, &u->room, sizeof(*more));

	u->no_memory |= more == NULL;
	if (more == NULL)
		return false;
	u->v = more;
	u->v[u->n++] = uid;
	return true;
}

/* IMAP4rev2 answers with ESEARCH. */
static void
on_search(void *arg, const struct imap_response *r)
{
	struct found *f = arg;
	struct slice rest = r->rest;
	uint32_t uid;

	if (slice_caseeq(r->name, "ESEARCH"))
		imap_esearch_read(rest, NUMBERS_READ, add_uid, f->uids);
	if (!slice_caseeq(r->name, "SEARCH"))
		return;
	while (imap_number_take(&rest, &uid))
		if (!add_uid(f->uids, uid))
			return;
}

static enum err
search(struct imap_conn *c, const char *keys, struct uids *u, struct errbuf *eb)
{
	struct found f = { .uids = u };
	struct imap_event ev;
	enum err e;

	u->n = 0;
	e = imap_conn_ask(c, imap_client_search(&c->client, &c->line.out, keys),
	    &ev, on_search, &f, eb);
	if (e == E_OK && ev.response.status != IMAP_OK)
		e = imap_conn_refused(c, E_AGAIN, &ev.response, eb);
	if (e == E_OK && u->no_memory)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return e;
}

static void
on_fetch(void *arg, const struct imap_response *r)
{
	struct found *f = arg;
	struct imap_fetch one;

	if (!slice_caseeq(r->name, "FETCH") ||
	    !imap_fetch_read(r->rest, &one) || one.uid != f->wanted)
		return;
	f->fetch.has_size |= one.has_size;
	if (one.has_size)
		f->fetch.size = one.size;
	if (!one.has_body)
		return;
	f->fetch.has_body = true;
	f->body_n = one.body.n;
	crypto_hash_sha256_update(
	    f->sha, (const uint8_t *)one.body.p, one.body.n);
}

static enum err
fetch(struct imap_conn *c, uint32_t uid, const char *items, struct found *f,
    struct errbuf *eb)
{
	struct imap_event ev;
	char uids[16];

	snprintf(uids, sizeof(uids), "%u", uid);
	f->wanted = uid;
	f->fetch = (struct imap_fetch){ 0 };
	f->body_n = 0;
	return imap_conn_ask(c,
	    imap_client_fetch(&c->client, &c->line.out, uids, items), &ev,
	    on_fetch, f, eb);
}

/* ---- one message ---- */

/* Fetched in pieces, so that its size is no matter. */
static enum err
digest_body(struct imap_conn *c, uint32_t uid, uint64_t octets,
    struct digest *d_r, struct errbuf *eb)
{
	uint8_t sum[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state sha;
	struct found f = { .sha = &sha };
	char items[64];
	enum err e = E_OK;

	crypto_hash_sha256_init(&sha);
	for (uint64_t at = 0; at < octets && e == E_OK; at += CHUNK) {
		snprintf(items, sizeof(items), "UID BODY.PEEK[]<%llu.%d>",
		    (unsigned long long)at, CHUNK);
		e = fetch(c, uid, items, &f, eb);
		if (e == E_OK && !f.fetch.has_body)
			break; /* it has just gone: another digest */
	}
	crypto_hash_sha256_final(&sha, sum);
	*d_r = digest_cut(sum);
	return e;
}

static enum err
is_it(struct imap_conn *c, uint32_t uid, const struct parcel *p, bool *is_r,
    struct errbuf *eb)
{
	struct found f = { 0 };
	struct digest d;
	enum err e = fetch(c, uid, "UID RFC822.SIZE", &f, eb);

	*is_r = false;
	if (e != E_OK || !f.fetch.has_size || f.fetch.size != p->length)
		return e;
	if ((e = digest_body(c, uid, p->length, &d, eb)) == E_OK)
		*is_r = digest_eq(d, p->content);
	return e;
}

/* ---- those that are known already ---- */

bool
imap_claim(struct imap_claims *c, uint32_t uid)
{
	uint32_t *more = array_room(c->v, c->n, &c->room, sizeof(*more));

	if (more == NULL)
		return false;
	c->v = more;
	c->v[c->n++] = uid;
	return true;
}

static bool
is_claimed(const struct imap_claims *c, uint32_t uid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i] == uid)
			return true;
	return false;
}

/* Where a message is looked for, and which one. */
struct question {
	struct imap_conn *c;
	struct imap_claims *claims;
	const struct parcel *p;
	const char *message_id;
	struct uids uids; /* of the last SEARCH */
};

/* Is it one of them?  The newest are looked at. */
static enum err
is_among(struct question *q, uint32_t from, struct imap_claims *claims,
    bool *is_r, struct errbuf *eb)
{
	const struct uids *u = &q->uids;
	enum err e = E_OK;
	size_t looked = 0;

	*is_r = false;
	for (size_t i = u->n;
	     i-- > 0 && e == E_OK && !*is_r && looked < CANDIDATES;) {
		if (u->v[i] < from ||
		    (claims != NULL && is_claimed(claims, u->v[i])))
			continue;
		looked++;
		e = is_it(q->c, u->v[i], q->p, is_r, eb);
		if (*is_r && claims != NULL && !imap_claim(claims, u->v[i]))
			e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	return e;
}

/* ---- one mailbox ---- */

/* What a message is looked for by: where it has no Message-ID, its size. */
static void
write_keys(char keys[KEYS], uint32_t from, const struct question *q)
{
	unsigned long long size = q->p->length;
	int n = snprintf(keys, KEYS, "UID %u:*", from);

	if (q->message_id[0] != '\0')
		snprintf(keys + n, KEYS - (size_t)n,
		    " HEADER MESSAGE-ID \"%s\"", q->message_id);
	else
		snprintf(keys + n, KEYS - (size_t)n,
		    " LARGER %llu SMALLER %llu", size - (size != 0), size + 1);
}

/* "5:*" also gives the last one, whatever its number. */
static size_t
count(const struct uids *u, uint32_t from, uint32_t before)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		n += u->v[i] >= from && u->v[i] < before;
	return n;
}

static bool
has_unclaimed(const struct question *q, uint32_t from)
{
	for (size_t i = 0; i < q->uids.n; i++)
		if (q->uids.v[i] >= from &&
		    !is_claimed(q->claims, q->uids.v[i]))
			return true;
	return false;
}

/* Is each message that got a number since the intent still there?  Then one that
 * is not found never was. */
static enum err
has_all(struct question *q, uint32_t from, uint32_t next, bool *all_r,
    struct errbuf *eb)
{
	char keys[KEYS];
	enum err e;

	*all_r = false;
	if (next < from || next - from > NUMBERS)
		return E_OK;
	snprintf(keys, sizeof(keys), "UID %u:%u", from, next);
	e = search(q->c, keys, &q->uids, eb);
	*all_r = e == E_OK && count(&q->uids, from, next) == next - from;
	return e;
}

static enum err
look_in_mailbox(struct question *q, uint32_t next, enum remote_answer *a_r,
    struct errbuf *eb)
{
	uint32_t from = (uint32_t)q->p->offset;
	char keys[KEYS];
	bool is = false, all = false, named;
	enum err e;

	write_keys(keys, from, q);
	if ((e = search(q->c, keys, &q->uids, eb)) != E_OK ||
	    (e = is_among(q, from, q->claims, &is, eb)) != E_OK)
		return e;
	/* One of its name that has other octets may be it, changed there. */
	named = q->message_id[0] != '\0' && has_unclaimed(q, from);
	if (!is && !named)
		e = has_all(q, from, next, &all, eb);
	*a_r = is ? REMOTE_HAS : all ? REMOTE_HAS_NOT : REMOTE_CANNOT_TELL;
	return e;
}

/* ---- all of Gmail ---- */

struct all_mail {
	char name[256];
	size_t n;
};

static void
on_list(void *arg, const struct imap_response *r)
{
	struct all_mail *all = arg;
	struct imap_list l;
	struct slice word;

	if (!slice_caseeq(r->name, "LIST") || !imap_list_read(r->rest, &l) ||
	    l.name.n > sizeof(all->name))
		return;
	while (imap_word_take(&l.flags, &word))
		if (slice_caseeq(word, "\\All")) {
			memcpy(all->name, l.name.p, l.name.n);
			all->n = l.name.n;
		}
}

/* What was moved out of a mailbox there is still in the one that has all. */
static enum err
look_in_all_mail(struct question *q, enum remote_answer *a_r, struct errbuf *eb)
{
	struct imap_conn *c = q->c;
	struct all_mail all = { .n = 0 };
	struct found f = { 0 };
	struct imap_event ev;
	char keys[KEYS];
	bool is = false;
	enum err e = imap_conn_ask(c,
	    imap_client_list(&c->client, &c->line.out), &ev, on_list, &all, eb);

	if (e != E_OK || all.n == 0 || q->message_id[0] == '\0')
		return e;
	e = examined(c,
	    imap_client_examine_listed(
		&c->client, &c->line.out, (struct slice){ all.name, all.n }),
	    &f, eb);
	if (e != E_OK)
		return e == E_NOENT ? E_OK : e;
	write_keys(keys, 1, q);
	if ((e = search(c, keys, &q->uids, eb)) == E_OK)
		e = is_among(q, 1, NULL, &is, eb); /* other numbers */
	if (is)
		*a_r = REMOTE_HAS;
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
imap_find(struct imap_conn *c, struct imap_claims *claims, const char *mailbox,
    const struct parcel *p, const char *message_id, enum remote_answer *a_r,
    struct errbuf *eb)
{
	struct question q = { c, claims, p, message_id, { 0 } };
	struct found f = { 0 };
	enum err e;

	*a_r = REMOTE_CANNOT_TELL;
	if (!c->settled)
		let_settle();
	c->settled = true;
	e = examined(c,
	    imap_client_mailbox(&c->client, &c->line.out, IMAP_EXAMINE,
		(struct slice){ mailbox, strlen(mailbox) }),
	    &f, eb);
	if (e == E_OK && f.validity == p->epoch)
		e = look_in_mailbox(&q, f.next, a_r, eb);
	if ((e == E_OK || e == E_NOENT) && *a_r == REMOTE_CANNOT_TELL)
		e = c->client.capability.gmail ? look_in_all_mail(&q, a_r, eb)
					       : E_OK;
	free(q.uids.v);
	return e;
}
