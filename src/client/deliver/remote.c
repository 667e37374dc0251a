#include "client/deliver/remote.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/message/summary.h"

enum { PIECE = 16 * 1024, HEAD = 32 * 1024, OWNERS_MAX = 4096 };

size_t
remote_crlf(char *out, const char *in, size_t n)
{
	size_t made = 0;

	for (size_t i = 0; i < n; i++) {
		if (in[i] == '\n')
			out[made++] = '\r';
		out[made++] = in[i];
	}
	return made;
}

/* ---- what it is ---- */

static enum err
cannot_read(const struct delivery *d, struct errbuf *eb)
{
	return err_sys(
	    eb, disk_err(), _("cannot read a new message in %s"), d->where);
}

/* What POP3 permits, and a literal of IMAP does not (RFC 3501 s9: no NUL), or
 * servers change. */
static enum err
check_octets(const char *p, size_t n, struct errbuf *eb)
{
	if (memchr(p, '\0', n) != NULL)
		return err_set(eb, E_DENIED, "%s",
		    _("it holds a NUL, which the mailbox cannot hold"));
	if (memchr(p, '\r', n) != NULL)
		return err_set(eb, E_DENIED, "%s",
		    _("it holds a CR without LF, which would be changed "
		      "there"));
	return E_OK;
}

/* Of a message whose lines end with CRLF, one that has ended with a bare LF does
 * so no more in the file. */
static enum err
check_lines(const struct parcel *p, struct errbuf *eb)
{
	if (p->came == 0 || p->came == p->wire)
		return E_OK;
	return err_set(eb, E_DENIED, "%s",
	    _("it holds an LF without CR, which would be changed there"));
}

static enum err
measure_file(struct delivery *d, struct parcel *p, int fd, struct errbuf *eb)
{
	char in[PIECE], out[2 * PIECE];
	uint8_t sum[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state sha;
	ssize_t n;
	enum err e;

	p->length = 0;
	crypto_hash_sha256_init(&sha);
	while ((n = read(fd, in, sizeof(in))) != 0) {
		size_t made;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot_read(d, eb);
		if ((e = check_octets(in, (size_t)n, eb)) != E_OK)
			return e;
		made = remote_crlf(out, in, (size_t)n);
		crypto_hash_sha256_update(&sha, (const uint8_t *)out, made);
		p->length += made;
	}
	crypto_hash_sha256_final(&sha, sum);
	p->content = digest_cut(sum);
	return E_OK;
}

enum err
remote_measure(struct delivery *d, struct parcel *p, struct errbuf *eb)
{
	enum err e = check_lines(p, eb);
	int fd;

	if (e != E_OK || (e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e;
	e = measure_file(d, p, fd, eb);
	close(fd);
	return e;
}

/* ---- its header ---- */

/* Only what can stand in a question as it is: it is one among several marks. */
static void
take_message_id(struct remote_head *h, const char *header, size_t n)
{
	static const char field[] = "\nMessage-ID:";
	const char *end = header + n, *p = header, *close;
	size_t length;

	while (p + sizeof(field) < end &&
	       strncasecmp(p, field, sizeof(field) - 1) != 0)
		p++;
	if (p + sizeof(field) >= end)
		return;
	p += sizeof(field) - 1;
	while (p < end && strchr(" \t\r\n", *p) != NULL && *p != '\0')
		p++;
	close = p < end && *p == '<' ? memchr(p, '>', (size_t)(end - p)) : NULL;
	length = close != NULL ? (size_t)(close + 1 - p) : REMOTE_ID;
	if (length >= REMOTE_ID)
		return;
	for (size_t i = 0; i < length; i++)
		if (p[i] <= ' ' || p[i] > '~' || p[i] == '"' || p[i] == '\\')
			return;
	memcpy(h->message_id, p, length);
	h->message_id[length] = '\0';
}

static size_t
header_length(const char *p, size_t n)
{
	const char *end = memmem(p, n, "\n\n", 2);

	return end != NULL ? (size_t)(end - p) + 1 : n;
}

void
remote_head_read(int fd, struct remote_head *h)
{
	char head[HEAD + 1] = "\n"; /* so that each field is behind one */
	ssize_t got = pread(fd, head + 1, HEAD, 0);
	size_t n = got > 0 ? header_length(head + 1, (size_t)got) : 0;

	*h = (struct remote_head){ .is_ascii = true };
	for (size_t i = 1; i <= n; i++)
		h->is_ascii &= (unsigned char)head[i] <= 0x7f;
	take_message_id(h, head, n + 1);
	h->arrived = summary_arrived(head + 1, n);
}

/* ---- in doubt ---- */

struct remote_owner {
	struct digest content;
	uint64_t offset;
	uint32_t epoch;
};

enum err
remote_own(struct delivery *d, const struct parcel *p, struct errbuf *eb)
{
	struct remote_owner *v =
	    array_room(d->owners, d->n_owners, &d->owners_room, sizeof(*v));

	if (v == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	d->owners = v;
	v[d->n_owners++] =
	    (struct remote_owner){ p->content, p->offset, p->epoch };
	return E_OK;
}

bool
remote_is_owned(const struct delivery *d, const struct parcel *p)
{
	for (size_t i = 0; i < d->n_owners; i++)
		if (digest_eq(d->owners[i].content, p->content))
			return true;
	return d->n_owners >= OWNERS_MAX;
}

void
remote_own_no_more(struct delivery *d)
{
	d->n_owners = 0;
}

/* Those with the same octets take their copies first, so that one copy is not
 * taken for two messages. */
static enum err
let_owners_claim(struct delivery *d, const struct parcel *p, remote_find *find,
    struct errbuf *eb)
{
	enum remote_answer a;
	enum err e = E_OK;

	for (size_t i = 0; i < d->n_owners && e == E_OK;) {
		const struct remote_owner *o = &d->owners[i];

		if (!digest_eq(o->content, p->content) ||
		    o->offset != p->offset || o->epoch != p->epoch) {
			i++;
			continue;
		}
		e = find(d, p, &a, eb);
		d->owners[i] = d->owners[--d->n_owners];
	}
	return e;
}

enum err
remote_resolve(struct delivery *d, const struct parcel *p, remote_find *find,
    bool *stored_r, struct errbuf *eb)
{
	enum remote_answer a = REMOTE_CANNOT_TELL;
	enum err e = let_owners_claim(d, p, find, eb);

	if (e == E_OK)
		e = find(d, p, &a, eb);

	*stored_r = e == E_OK && a == REMOTE_HAS;
	if (e == E_OK && a == REMOTE_CANNOT_TELL)
		d->n_untold++;
	return e;
}

enum err
remote_recover(struct delivery *d, const struct parcel *intent, bool young,
    remote_find *find, bool *stored_r, struct errbuf *eb)
{
	bool there;
	enum err e = files_have(d, intent->tmp, &there, eb);

	if (e == E_OK && !there) {
		*stored_r = young;
		return intent->epoch != 0 ? remote_own(d, intent, eb) : E_OK;
	}
	return e == E_OK && intent->epoch != 0
		   ? remote_resolve(d, intent, find, stored_r, eb)
		   : e;
}

void
remote_leave_in_doubt(struct parcel *p, const char *why)
{
	p->in_doubt = true;
	parcel_fail(p, E_AGAIN,
	    _("%s; whether it is there is asked in the next run"), why);
}
