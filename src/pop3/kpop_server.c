#include "pop3/kpop_server.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	LENGTH = 4,
	TEXT_MAX = 64, /* of a version or a protocol; ours has 19 octets */
	OTHER_VERSION = 1,
	OTHER_PROTOCOL = 2,
};

static enum kpop_want
over(struct kpop_server *k, const char *why)
{
	k->why = why;
	k->next = KPOP_NEXT_NOTHING;
	return k->wanted = KPOP_WANT_CLOSE;
}

static size_t
length_of(const struct buf *in)
{
	const unsigned char *p = (const void *)buf_data(in);

	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
	       p[3];
}

static bool
is_text(const struct buf *in, size_t n, const char *text)
{
	return n == strlen(text) + 1 &&
	       memcmp(buf_data(in) + LENGTH, text, n) == 0;
}

/* The status is one octet behind both texts; the first fault counts. */
static enum kpop_want
say_status(struct kpop_server *k, struct buf *out)
{
	if (buf_put(out, &k->status, 1) != E_OK)
		return over(k, "out-of-memory");
	if (k->status != 0)
		return over(k, "kpop-version");
	return KPOP_WANT_INPUT;
}

static enum kpop_want
take_version(struct kpop_server *k, struct buf *in, size_t n)
{
	if (!is_text(in, n, "KRB5_SENDAUTH_V1.0"))
		k->status = OTHER_VERSION;
	k->next = KPOP_NEXT_PROTOCOL;
	return KPOP_WANT_INPUT;
}

static enum kpop_want
take_protocol(struct kpop_server *k, struct buf *in, size_t n, struct buf *out)
{
	if (k->status == 0 && !is_text(in, n, "KPOPV1.0"))
		k->status = OTHER_PROTOCOL;
	k->next = KPOP_NEXT_TICKET;
	return say_status(k, out);
}

/* What is said of a length that cannot be: the octet if it is still due. */
static enum kpop_want
too_long(struct kpop_server *k, struct buf *out)
{
	if (k->next == KPOP_NEXT_TICKET)
		return over(k, "kpop-too-long");
	if (k->status == 0)
		k->status = k->next == KPOP_NEXT_VERSION ? OTHER_VERSION
							 : OTHER_PROTOCOL;
	return say_status(k, out);
}

/* One of the client's; KPOP_WANT_INPUT: it has been taken. */
static enum kpop_want
take(struct kpop_server *k, struct buf *in, size_t n, struct buf *out)
{
	enum kpop_want want;

	if (k->next == KPOP_NEXT_TICKET) {
		k->consume = LENGTH + n;
		return KPOP_WANT_TICKET;
	}
	want = k->next == KPOP_NEXT_VERSION ? take_version(k, in, n)
					    : take_protocol(k, in, n, out);
	buf_consume(in, LENGTH + n);
	return want;
}

enum kpop_want
kpop_server_run(struct kpop_server *k, struct buf *in, struct buf *out)
{
	if (k->next == KPOP_NEXT_NOTHING && k->consume != 0) {
		buf_consume(in, k->consume);
		k->consume = 0;
	}
	while (k->wanted == KPOP_WANT_INPUT && in->len >= LENGTH) {
		size_t n = length_of(in);

		if (n >
		    (k->next == KPOP_NEXT_TICKET ? k->ticket_max : TEXT_MAX))
			return too_long(k, out);
		if (in->len - LENGTH < n)
			break;
		k->wanted = take(k, in, n, out);
	}
	return k->wanted;
}

struct slice
kpop_server_ticket(const struct kpop_server *k, const struct buf *in)
{
	return (struct slice){ buf_data(in) + LENGTH, k->consume - LENGTH };
}

static enum err
put(struct buf *out, struct slice s)
{
	unsigned char length[LENGTH] = { (unsigned char)(s.n >> 24),
		(unsigned char)(s.n >> 16), (unsigned char)(s.n >> 8),
		(unsigned char)s.n };
	enum err e = buf_put(out, length, LENGTH);

	return e == E_OK && s.n != 0 ? buf_put(out, s.p, s.n) : e;
}

void
kpop_server_accept(struct kpop_server *k, struct buf *out, struct slice ap_rep)
{
	static const struct slice no_error = { "", 0 };

	k->next = KPOP_NEXT_NOTHING;
	k->wanted = KPOP_WANT_POP3;
	if (put(out, no_error) != E_OK ||
	    (ap_rep.n != 0 && put(out, ap_rep) != E_OK))
		over(k, "out-of-memory");
}

void
kpop_server_refuse(
    struct kpop_server *k, struct buf *out, struct slice krb_error)
{
	over(k, "kpop-refused");
	if (krb_error.n != 0 && put(out, krb_error) != E_OK)
		k->why = "out-of-memory";
}
