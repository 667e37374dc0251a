#include "server/store/host/host_drop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/store/host/host_index.h"
#include "server/store/maildir/open.h"

/* One user's Maildir. */
struct member {
	const char *path;
	struct hold *hold;
	uint32_t first, count; /* its messages: first + 1 to first + count */
};

struct host {
	struct hold hold;
	int index_fd;
	uint64_t end;
	char *paths, *tag; /* that the members borrow from */
	size_t n;
	struct member v[];
};

/* ---- opening ---- */

static void
host_close(struct hold *hold)
{
	struct host *h = (struct host *)hold;

	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].hold != NULL)
			h->v[i].hold->kind->close(h->v[i].hold);
	if (h->index_fd >= 0)
		close(h->index_fd);
	free(h->paths);
	free(h->tag);
	free(h);
}

/* NULL: memory. */
static struct host *
host_new(const struct hold_open *o)
{
	struct host *h;
	size_t n = 1;
	char *rest;

	for (const char *p = o->path; *p != '\0'; p++)
		n += *p == ':';
	if ((h = calloc(1, sizeof(*h) + n * sizeof(*h->v))) == NULL)
		return NULL;
	h->hold.kind = &host_kind;
	h->hold.conf = o->conf;
	h->hold.read_only = o->read_only;
	h->hold.shared = o->conf->shared || o->read_only;
	h->hold.user = o->user;
	h->hold.waits = true;
	h->index_fd = -1;
	rest = h->paths = strdup(o->path);
	h->hold.tag = h->tag = strdup(o->tag);
	if (h->paths == NULL || h->tag == NULL) {
		host_close(&h->hold);
		return NULL;
	}
	while (h->n < n)
		h->v[h->n++].path = strsep(&rest, ":");
	return h;
}

static enum err
fail(struct hold_open *o, const char *path, enum err e, enum sign_in_code code,
    const struct errbuf *eb)
{
	char shown[256];

	o->code = code;
	log_line(LOG_WARNING, "ev=open-failed %s root=%s path=%s error=\"%s\"",
	    o->tag, o->conf->root,
	    str_escape(shown, sizeof(shown), path, strlen(path)), eb->text);
	return e;
}

/* As if its user had signed in.  What is said of it counts for the whole. */
static enum err
open_member(struct hold_open *o, struct member *m)
{
	struct hold_open one = { .conf = o->conf,
		.path = m->path,
		.peer = o->peer,
		.tag = o->tag,
		.read_only = o->read_only,
		.utf8 = o->utf8,
		.expires = true /* or not: its user is told */ };
	enum err e = maildir_kind.open(&one);

	if (e != E_OK) {
		o->code = one.code;
		o->holder = one.holder;
		return e;
	}
	m->hold = one.hold;
	m->first = o->count;
	m->count = one.count;
	o->octets += one.octets;
	o->left_out += one.left_out;
	return E_OK;
}

static enum err
add_member(struct hold_open *o, struct member *m, struct host_index *x)
{
	uint64_t before = o->octets;
	struct errbuf eb;
	enum err e = open_member(o, m);

	if (e != E_OK)
		return e;
	e = host_index_add(x, m->hold, m->count, o->octets - before, &eb);
	if (e == E_OK)
		o->count += m->count;
	else
		fail(o, m->path, e,
		    e == E_FULL ? SIGN_IN_PERMANENT : SIGN_IN_TEMPORARY, &eb);
	return e;
}

static struct member *
member_with(struct host *h, uint32_t msgno)
{
	size_t low = 0, high = h->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (h->v[mid].first < msgno)
			low = mid;
		else
			high = mid;
	}
	return &h->v[low];
}

static enum err
fail_twins(struct hold_open *o, struct host *h, const uint32_t twins[2])
{
	char shown[160];
	const char *other = member_with(h, twins[1])->path;
	struct errbuf eb;

	err_set(&eb, E_CONFIG,
	    "it has a message with the unique-id of one in %s: a client could "
	    "not tell them apart; see uidl in maloted.conf(5)",
	    str_escape(shown, sizeof(shown), other, strlen(other)));
	return fail(o, member_with(h, twins[0])->path, E_CONFIG,
	    SIGN_IN_PERMANENT, &eb);
}

static enum err
open_all(struct hold_open *o, struct host *h, struct host_index *x)
{
	uint32_t twins[2];
	struct errbuf eb;
	enum err e = E_OK;

	for (size_t i = 0; i < h->n && e == E_OK; i++)
		e = add_member(o, &h->v[i], x);
	if (e != E_OK)
		return e;
	e = host_index_end(x, &h->index_fd, &h->end, twins, &eb);
	if (e == E_CONFIG)
		return fail_twins(o, h, twins);
	return e == E_OK ? E_OK : fail(o, "", e, SIGN_IN_TEMPORARY, &eb);
}

/* All that it costs grows with the number of messages. */
static enum err
host_open(struct hold_open *o)
{
	struct errbuf eb;
	struct host_index *x;
	struct host *h;
	enum err e;

	if (o->now || o->quick)
		return E_AGAIN;
	o->count = o->left_out = 0;
	o->octets = 0;
	x = host_index_new();
	h = host_new(o);
	if (x != NULL && h != NULL)
		e = open_all(o, h, x);
	else
		e = fail(o, "", err_set(&eb, E_NOMEM, "out of memory"),
		    SIGN_IN_TEMPORARY, &eb);
	host_index_free(x);
	if (e == E_OK)
		o->hold = &h->hold;
	else if (h != NULL)
		host_close(&h->hold);
	return e;
}

/* ---- an open one ---- */

/* The members have written down who has them when they were locked. */
static void
host_note(struct hold *hold, const char *peer)
{
}

static enum err
host_view(struct hold *hold, bool now, int *fd_r, uint64_t *end_r)
{
	struct host *h = (struct host *)hold;

	*fd_r = fcntl(h->index_fd, F_DUPFD_CLOEXEC, 0);
	*end_r = h->end;
	return *fd_r >= 0 ? E_OK : E_IO;
}

/* Those of the first one's Maildir; the others are asked for again. */
static bool
host_fetch(
    struct hold *hold, enum hold_pace pace, struct hold_message *v, size_t *n)
{
	struct host *h = (struct host *)hold;
	struct member *m = member_with(h, v[0].msgno);
	uint32_t first = m->first;
	size_t some = 0;
	bool done;

	while (some < *n && v[some].msgno > first &&
	       v[some].msgno - first <= m->count)
		v[some++].msgno -= first;
	*n = some;
	done = m->hold->kind->fetch(m->hold, pace, v, n);
	for (size_t i = 0; i < some; i++)
		v[i].msgno += first;
	hold->doubted |= m->hold->doubted;
	return done;
}

static void
host_doubt(struct hold *hold, uint32_t msgno)
{
	struct host *h = (struct host *)hold;
	struct member *m;

	if (msgno == 0) /* the index in memory: none of theirs */
		return;
	m = member_with(h, msgno);
	m->hold->kind->doubt(m->hold, msgno - m->first);
	hold->doubted = true;
}

/* ---- its end ---- */

static bool
is_set(const uint8_t *bits, uint32_t i)
{
	return bits != NULL && (bits[i / 8] >> i % 8 & 1) != 0;
}

/* The part of a member; *any_r: something is in it.  E_NOMEM. */
static enum err
cut_bits(const uint8_t *bits, const struct member *m, uint8_t **out_r,
    uint32_t *any_r)
{
	*out_r = NULL;
	*any_r = 0;
	for (uint32_t i = 0; i < m->count; i++) {
		if (!is_set(bits, m->first + i))
			continue;
		if (*out_r == NULL &&
		    (*out_r = calloc(m->count / 8 + 1, 1)) == NULL)
			return E_NOMEM;
		(*out_r)[i / 8] |= (uint8_t)(1u << i % 8);
		++*any_r;
	}
	return E_OK;
}

static void
commit_member(struct member *m, struct hold_commit *c)
{
	struct hold *hold = m->hold;
	struct hold_commit part = { .remove = NULL };
	uint8_t *remove = NULL, *seen = NULL;
	uint32_t n_remove, n_seen = 0;

	m->hold = NULL;
	if (cut_bits(c->remove, m, &remove, &n_remove) != E_OK ||
	    cut_bits(c->seen, m, &seen, &n_seen) != E_OK) {
		for (uint32_t i = 0; i < m->count; i++)
			c->failed += is_set(c->remove, m->first + i);
		hold->kind->close(hold);
	} else if (n_remove != 0 || n_seen != 0 || hold->doubted) {
		part.remove = remove;
		part.seen = seen;
		hold->kind->commit(hold, &part);
		c->removed += part.removed;
		c->failed += part.failed;
	} else {
		hold->kind->close(hold);
	}
	free(remove);
	free(seen);
}

/* One after the other: what fails in one stays there, and is told. */
static void
host_commit(struct hold *hold, struct hold_commit *c)
{
	struct host *h = (struct host *)hold;

	c->removed = c->failed = 0;
	for (size_t i = 0; i < h->n; i++)
		commit_member(&h->v[i], c);
	host_close(hold);
}

/* ---- for the admin ---- */

static enum err
refuse_admin(struct errbuf *eb)
{
	return err_set(eb, E_CONFIG,
	    "a whole host is the mail of its users: ask for one of them");
}

static enum err
host_uidl_show(const struct store_conf *conf, const char *path,
    struct control_uidl *out, struct errbuf *eb)
{
	return refuse_admin(eb);
}

static enum err
host_uidl_forget(const char *path, struct holder *holder, struct errbuf *eb)
{
	return refuse_admin(eb);
}

static enum err
host_expire_show(
    const char *path, struct control_expire *out, struct errbuf *eb)
{
	return refuse_admin(eb);
}

static enum err
host_survey(const struct store_conf *conf, const char *path,
    struct inspection *x, struct errbuf *eb)
{
	return refuse_admin(eb);
}

static enum err
host_inspect(struct hold *h, struct inspection *x, struct errbuf *eb)
{
	return refuse_admin(eb);
}

const struct store_kind host_kind = {
	.prefix = "host:",
	.open = host_open,
	.note = host_note,
	.view = host_view,
	.fetch = host_fetch,
	.doubt = host_doubt,
	.commit = host_commit,
	.close = host_close,
	.expire_show = host_expire_show,
	.expire_accept = host_uidl_forget,
	.uidl_show = host_uidl_show,
	.uidl_forget = host_uidl_forget,
	.survey = host_survey,
	.inspect = host_inspect,
};
