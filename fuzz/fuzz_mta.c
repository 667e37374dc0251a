/*
 * What a program that asks about its clients says: taken whole and octet by octet,
 * with the same sign-ins and the same answers.  Auth answers each at once or later,
 * by what its number is.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/sasl/mta.h"

enum { ROOM = 32 * 1024, SIGN_INS = 4096 };

struct play {
	struct mta mta;
	struct buf in, asked;
	uint64_t sid;
	uint64_t answered; /* all below */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
note(struct play *p, const void *octets, size_t n)
{
	if (n != 0 && buf_put(&p->asked, octets, n) != E_OK)
		abort();
}

static uint64_t
on_begin(void *arg, const struct mta_sign_in *s)
{
	struct play *p = arg;

	if (strnlen(s->peer, PEER_MAX) == PEER_MAX ||
	    s->initial.n > TOKEN_MESSAGE_MAX)
		abort();
	note(p, s->peer, strlen(s->peer));
	note(p, s->mechanism.p, s->mechanism.n);
	note(p, s->initial.p, s->initial.n);
	return p->sid < SIGN_INS ? ++p->sid : 0;
}

static bool
on_step(void *arg, uint64_t sid, struct slice response)
{
	struct play *p = arg;

	if (sid == 0 || sid > p->sid || response.n > TOKEN_MESSAGE_MAX)
		abort();
	note(p, response.p, response.n);
	return sid % 5 != 0;
}

static void
on_in_clear(void *arg, const struct mta_sign_in *s)
{
	if (s->tls)
		abort();
	note(arg, s->mechanism.p, s->mechanism.n);
}

static void
on_end(void *arg, uint64_t sid)
{
	const struct play *p = arg;

	if (sid == 0 || sid > p->sid)
		abort();
}

static const struct mta_hooks hooks = { on_begin, on_step, on_in_clear,
	on_end };

static void
answer(struct play *p, uint64_t sid)
{
	static const char user[] = "a\tn\nn";

	switch (sid % 4) {
	case 0: mta_accept(&p->mta, sid, user); break;
	case 1:
		mta_refuse(&p->mta, sid,
		    (enum sign_in_code)(sid / 4 % SIGN_IN_CODES), user);
		break;
	case 2:
		mta_challenge(&p->mta, sid, (struct slice){ user, 5 }, 1000);
		break;
	default: break; /* it is thought about for ever */
	}
}

/* Of each part that arrives, a line at a time: whole ones are answered before the
 * next is taken, as the octets come one by one. */
static void
feed(struct play *p, const uint8_t *data, size_t size)
{
	if (buf_put(&p->in, data, size) != E_OK)
		abort();
	mta_take(&p->mta, &p->in);
	while (p->answered < p->sid)
		answer(p, ++p->answered);
}

static void
play(struct play *p, const uint8_t *data, size_t size, bool by_octet)
{
	static const struct mta_policy policy = {
		.mechanisms = "PLAIN LOGIN CRAM-MD5", .login_ms = 1000
	};
	const struct mta_hello hello = { .offered = "PLAIN LOGIN SCRAM-SHA-1" };

	memset(p, 0, sizeof(*p));
	buf_init(&p->in, 2 * ROOM, true);
	buf_init(&p->asked, 4 * ROOM, false);
	mta_begin(&p->mta, &policy, &hooks, p, &hello, 0);
	while (size != 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t n =
		    by_octet || end == NULL ? 1 : (size_t)(end - data) + 1;

		feed(p, data, n);
		data += n;
		size -= n;
	}
	mta_look(&p->mta, 2000);
}

static bool
is_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(buf_data(a), buf_data(b), a->len) == 0);
}

static void
end(struct play *p)
{
	mta_end(&p->mta);
	buf_free(&p->in);
	buf_free(&p->asked);
}

/* What is said are whole lines, without a character that nobody would escape. */
static void
check_said(const struct buf *out)
{
	const char *p = buf_data(out);

	if (out->len != 0 && p[out->len - 1] != '\n')
		abort();
	for (size_t i = 0; i < out->len; i++)
		if (p[i] == '\0' || p[i] == '\r')
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play whole, single;

	if (size > ROOM)
		return 0;
	play(&whole, data, size, false);
	play(&single, data, size, true);
	if (!is_same(&whole.asked, &single.asked) ||
	    !is_same(&whole.mta.out, &single.mta.out) ||
	    (whole.mta.over == NULL) != (single.mta.over == NULL))
		abort();
	check_said(&whole.mta.out);
	end(&whole);
	end(&single);
	return 0;
}
