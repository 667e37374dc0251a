/*
 * LMTP: a transaction for each message, one connection for a batch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/deliver/kind.h"
#include "client/deliver/lmtp_conn.h"
#include "client/deliver/sender.h"
#include "pop3/wire.h"

enum {
	PIECE = 16 * 1024,
	ADDRESS_MAX = 254, /* RFC 5321 s4.5.3.1.3, without "<>" */
	LOST_MAX = 2,      /* connections in a row, and it is not the message */
	LEAVE = 2,         /* seconds for the answer to QUIT */
	SLOWEST = 1024,    /* octets a second that a server must take */
};

struct lmtp {
	char *path, *host, *recipient;
	uint16_t port;
	struct lmtp_conn conn;
	unsigned lost; /* connections since a message was answered for */
	bool sent;     /* the octets of the message that is under way */
};

static bool
is_address(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] >= 0x7f || s[i] == '<' || s[i] == '>')
			return false;
	return n > 0 && n <= ADDRESS_MAX;
}

static bool
copy_string(char **to, const char *from)
{
	if (from == NULL)
		return true;
	*to = strdup(from);
	return *to != NULL;
}

static enum err
open_lmtp(struct delivery *d, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb)
{
	const char *to = dest->recipient != NULL ? dest->recipient : env->email;
	struct lmtp *l = calloc(1, sizeof(*l));
	char shown[PATH_SHOWN];

	d->own = l;
	if (l == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	lmtp_conn_init(&l->conn, env->timeout);
	l->port = dest->port;
	if (to == NULL || !is_address(to))
		return err_set(eb, E_CONFIG,
		    _("LMTP cannot deliver to the address \"%s\""),
		    str_quote(shown, sizeof(shown), to != NULL ? to : "",
			to != NULL ? strlen(to) : 0));
	if (dest->path == NULL && dest->host == NULL)
		return err_set(eb, E_CONFIG, _("there is no LMTP server"));
	if (!copy_string(&l->path, dest->path) ||
	    !copy_string(&l->host, dest->host) ||
	    !copy_string(&l->recipient, to))
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return E_OK;
}

static void
close_lmtp(struct delivery *d)
{
	struct lmtp *l = d->own;

	lmtp_close(&l->conn);
	free(l->path);
	free(l->host);
	free(l->recipient);
	free(l);
}

/* ---- before any message ---- */

static enum err
connect_lmtp(struct delivery *d, struct errbuf *eb)
{
	struct lmtp *l = d->own;

	return l->conn.fd >= 0 ? E_OK
			       : lmtp_connect(&l->conn, l->path, l->host,
				     l->port, d->host, eb);
}

/* Up to the first reply that is not 2xx. */
static enum err
envelope(
    struct lmtp *l, const char *sender, struct lmtp_reply *r, struct errbuf *eb)
{
	enum err e = lmtp_ask(&l->conn, r, eb, "MAIL FROM:<%s>%s", sender,
	    l->conn.eightbit ? " BODY=8BITMIME" : "");

	if (e != E_OK || r->code / 100 != 2)
		return e;
	return lmtp_ask(&l->conn, r, eb, "RCPT TO:<%s>", l->recipient);
}

static void
reset(struct lmtp *l)
{
	struct lmtp_reply r;
	struct errbuf eb;

	if (lmtp_ask(&l->conn, &r, &eb, "RSET") != E_OK)
		lmtp_close(&l->conn);
}

static enum err
refused(const struct lmtp_reply *r, struct errbuf *eb)
{
	return err_set(eb, r->code / 100 == 5 ? E_DENIED : E_AGAIN,
	    _("the LMTP server refused: %s"), r->text);
}

/* Is the recipient one of the server's?  A message without a sender must be
 * acceptable to it (RFC 5321 s4.5.5), so that no sender can be the reason. */
static enum err
ask_recipient(struct delivery *d, struct errbuf *eb)
{
	struct lmtp *l = d->own;
	struct lmtp_reply r;
	enum err e = connect_lmtp(d, eb);

	if (e == E_OK)
		e = envelope(l, "", &r, eb);
	if (e == E_OK && r.code / 100 != 2)
		e = refused(&r, eb);
	if (l->conn.fd >= 0)
		reset(l);
	return e;
}

/* ---- one message ---- */

static enum err
send_body(struct lmtp *l, int fd, uint64_t octets, struct errbuf *eb)
{
	uint64_t end = clock_ms() + l->conn.timeout * UINT64_C(1000) +
		       octets / SLOWEST * 1000;
	char in[PIECE], out[PIECE], *p;
	struct pop3_wire w;
	ssize_t n;
	enum err e;

	pop3_wire_init(&w, POP3_ALL_LINES);
	while ((n = read(fd, in, sizeof(in))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(
			    eb, disk_err(), _("cannot read a new message"));
		if (clock_ms() > end)
			return err_set(eb, E_AGAIN,
			    _("the LMTP server takes the message too slowly"));
		for (p = in; p < in + n;) {
			struct pop3_wire_step s = pop3_wire_encode(
			    &w, p, (size_t)(in + n - p), out, sizeof(out));

			p += s.used;
			if ((e = lmtp_send(&l->conn, out, s.made, eb)) != E_OK)
				return e;
		}
	}
	return lmtp_send(&l->conn, out, pop3_wire_end(&w, out), eb);
}

/* Up to the reply that decides, which may be one to an earlier command. */
static enum err
transact(struct lmtp *l, struct parcel *p, int fd, struct lmtp_reply *r,
    struct errbuf *eb)
{
	char sender[SENDER_SIZE];
	enum err e;

	sender_read(fd, sender);
	e = envelope(l, sender, r, eb);
	if (e != E_OK || r->code / 100 != 2)
		return e;
	if ((e = lmtp_ask(&l->conn, r, eb, "DATA")) != E_OK)
		return e;
	if (r->code != 354)
		return r->code >= 400
			   ? E_OK
			   : err_set(eb, E_FORMAT,
				 _("the LMTP server refused: %s"), r->text);
	/* Early words could be taken for the last reply. */
	if ((e = lmtp_check_silent(&l->conn, eb)) != E_OK ||
	    (e = send_body(l, fd, p->octets, eb)) != E_OK)
		return e;
	l->sent = true;
	/* One recipient, so one reply. */
	return lmtp_reply(&l->conn, r, eb);
}

/* What was refused before the server has seen the message may be refused for
 * all of them. */
static void
take_refusal(struct delivery *d, struct parcel *p, const struct lmtp_reply *r)
{
	struct lmtp *l = d->own;
	struct errbuf eb;
	enum err e = refused(r, &eb);

	parcel_fail(p, e, "%s", eb.text);
	reset(l);
	if (l->sent || (e = ask_recipient(d, &eb)) == E_OK)
		return;
	p->result = E_AGAIN;
	delivery_fail(d, e, &eb);
}

/* Over a connection.  E_OK: the server has decided, and may be asked again. */
static enum err
deliver_one(struct delivery *d, struct parcel *p, struct errbuf *eb)
{
	struct lmtp *l = d->own;
	struct lmtp_reply r;
	enum err e;
	int fd;

	if ((e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e;
	l->sent = false;
	e = transact(l, p, fd, &r, eb);
	close(fd);
	if (e != E_OK)
		return e;
	if (r.code / 100 == 2)
		parcel_stored(d, p);
	else
		take_refusal(d, p, &r);
	return E_OK;
}

/* ---- a batch ---- */

/* All is settled by now: the answer is of no interest. */
static void
take_leave(struct lmtp *l)
{
	unsigned timeout = l->conn.timeout;
	struct lmtp_reply r;
	struct errbuf eb;

	if (timeout > LEAVE)
		l->conn.timeout = LEAVE;
	if (l->conn.fd >= 0 && lmtp_ask(&l->conn, &r, &eb, "QUIT") != E_OK)
		eb.text[0] = '\0';
	lmtp_close(&l->conn);
	l->conn.timeout = timeout;
}

static enum err
try_lmtp(struct delivery *d, struct errbuf *eb)
{
	enum err e = ask_recipient(d, eb);

	take_leave(d->own);
	return e;
}

/* A message that the server cannot stand does not hold up the next one: a new
 * connection is tried once. */
static void
publish_lmtp(struct delivery *d, struct parcel **v, size_t n)
{
	struct lmtp *l = d->own;
	struct errbuf eb = { .text = "" };
	enum err e;

	for (size_t i = 0; i < n; i++) {
		if (!d->stopping && d->failed == E_OK &&
		    (e = connect_lmtp(d, &eb)) != E_OK)
			delivery_fail(d, e, &eb);
		if (parcel_is_late(d, v[i]))
			continue;
		if ((e = deliver_one(d, v[i], &eb)) == E_OK) {
			l->lost = 0;
			continue;
		}
		parcel_fail(v[i], E_AGAIN, "%s", eb.text);
		lmtp_close(&l->conn);
		if (++l->lost == LOST_MAX)
			delivery_fail(d, e, &eb);
	}
	take_leave(l);
}

const struct kind kind_lmtp = {
	.open = open_lmtp,
	.close = close_lmtp,
	.try = try_lmtp,
	.publish = publish_lmtp,
	.recover = files_recover,
};
