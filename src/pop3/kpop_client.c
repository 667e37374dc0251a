#include "pop3/kpop_client.h"

#include "base/i18n.h"

enum { LENGTH = 4 };

/* ---- what is sent ---- */

static enum err
put_message(struct buf *out, const void *p, size_t n)
{
	const uint8_t length[LENGTH] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16),
		(uint8_t)(n >> 8), (uint8_t)n };
	enum err e;

	if (n > UINT32_MAX)
		return E_FULL;
	if ((e = buf_put(out, length, LENGTH)) != E_OK)
		return e;
	if ((e = buf_put(out, p, n)) != E_OK)
		buf_unput(out, NULL, LENGTH);
	return e;
}

/* Their NULs are sent. */
enum err
kpop_client_begin(struct kpop_client *c, struct buf *out)
{
	static const char sendauth[] = "KRB5_SENDAUTH_V1.0";
	static const char kpop[] = "KPOPV1.0";
	enum err e;

	*c = (struct kpop_client){ .awaits = KPOP_VERSIONS };
	if ((e = put_message(out, sendauth, sizeof(sendauth))) == E_OK)
		e = put_message(out, kpop, sizeof(kpop));
	return e;
}

enum err
kpop_client_request(
    struct kpop_client *c, struct buf *out, struct slice request)
{
	enum err e = put_message(out, request.p, request.n);

	if (e == E_OK)
		c->awaits = KPOP_ERROR;
	return e;
}

/* ---- what comes ---- */

static void
broken(struct kpop_client *c, struct kpop_event *ev, const char *why)
{
	c->awaits = KPOP_OVER;
	*ev = (struct kpop_event){ .type = KPOP_EV_BROKEN, .why = why };
}

/* A server of POP3 without Kerberos greets at once. */
static void
take_octet(struct kpop_client *c, uint8_t octet, struct kpop_event *ev)
{
	c->consume = 1;
	switch (octet) {
	case 0:
		c->awaits = KPOP_REQUEST;
		ev->type = KPOP_EV_SUITS;
		break;
	case 1:
		broken(c, ev, N_("it knows another version of sendauth"));
		break;
	case 2: broken(c, ev, N_("it knows no KPOPV1.0")); break;
	case '+':
	case '-': broken(c, ev, N_("it speaks POP3 without Kerberos")); break;
	default: broken(c, ev, N_("its first octet is not one of KPOP")); break;
	}
}

/* The next message as a whole.  False: the event says why not. */
static bool
take_message(struct kpop_client *c, const struct buf *in, struct kpop_event *ev)
{
	const uint8_t *p = (const uint8_t *)buf_data(in);
	uint32_t n;

	if (in->len < LENGTH)
		return false;
	n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
	    p[3];
	if (n > KPOP_ANSWER_MAX) {
		broken(c, ev, N_("a message of KPOP is too long"));
		return false;
	}
	if (in->len - LENGTH < n)
		return false;
	ev->data = (struct slice){ (const char *)p + LENGTH, n };
	c->consume = LENGTH + n;
	return true;
}

static void
take_proof(struct kpop_client *c, struct buf *in, struct kpop_event *ev)
{
	if (!take_message(c, in, ev))
		return;
	c->awaits = KPOP_OVER;
	ev->type = KPOP_EV_PROOF;
}

static void
take_error(struct kpop_client *c, struct buf *in, struct kpop_event *ev)
{
	if (!take_message(c, in, ev))
		return;
	if (ev->data.n != 0) {
		c->awaits = KPOP_OVER;
		ev->type = KPOP_EV_REFUSED;
		return;
	}
	kpop_client_end(c, in);
	c->awaits = KPOP_PROOF;
	take_proof(c, in, ev);
}

void
kpop_client_run(struct kpop_client *c, struct buf *in, struct kpop_event *ev)
{
	*ev = (struct kpop_event){ .type = KPOP_EV_MORE };
	if (c->awaits != KPOP_OVER)
		kpop_client_end(c, in);
	if (in->len == 0)
		return;
	switch (c->awaits) {
	case KPOP_VERSIONS: take_octet(c, (uint8_t)*buf_data(in), ev); break;
	case KPOP_REQUEST:
		broken(c, ev, N_("it answers before it was asked"));
		break;
	case KPOP_ERROR: take_error(c, in, ev); break;
	case KPOP_PROOF: take_proof(c, in, ev); break;
	case KPOP_OVER: break;
	}
}

void
kpop_client_end(struct kpop_client *c, struct buf *in)
{
	buf_consume(in, c->consume);
	c->consume = 0;
}
