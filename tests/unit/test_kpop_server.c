/*
 * What comes before the greeting at a Kerberized post office, cut anywhere:
 * S-KPOP-01, 02.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pop3/kpop_server.h"

enum { TICKET_MAX = 64 };

#define VERSION  "\0\0\0\x13KRB5_SENDAUTH_V1.0\0"
#define PROTOCOL "\0\0\0\x09KPOPV1.0\0"
#define TICKET   "\0\0\0\x06ticket"
#define GOOD     VERSION PROTOCOL TICKET
#define OF(text) (text), sizeof(text) - 1

struct play {
	struct kpop_server kpop;
	struct buf in, out;
	enum kpop_want want;
};

static void
begin(struct play *p)
{
	memset(p, 0, sizeof(*p));
	p->kpop.ticket_max = TICKET_MAX;
	buf_init(&p->in, 256, true);
	buf_init(&p->out, 256, false);
}

static void
end(struct play *p)
{
	buf_free(&p->in);
	buf_free(&p->out);
}

static enum kpop_want
give(struct play *p, const char *octets, size_t n)
{
	if (n != 0)
		assert_int_equal(buf_put(&p->in, octets, n), E_OK);
	return p->want = kpop_server_run(&p->kpop, &p->in, &p->out);
}

/* What the client was sent since the last time. */
static void
assert_said(struct play *p, const char *octets, size_t n)
{
	assert_int_equal(p->out.len, n);
	if (n != 0)
		assert_memory_equal(buf_data(&p->out), octets, n);
	buf_consume(&p->out, p->out.len);
}

static void
assert_ticket(const struct play *p)
{
	struct slice t = kpop_server_ticket(&p->kpop, &p->in);

	assert_int_equal(p->want, KPOP_WANT_TICKET);
	assert_true(slice_eq(t, "ticket"));
}

/* The status leaves as soon as both texts are there, and a client that has read
 * it goes on; one that sends all ahead is served as well. */
static void
test_at_every_split(void **state)
{
	static const char good[] = GOOD "USER";
	size_t all = sizeof(GOOD) - 1, texts = all - (sizeof(TICKET) - 1);

	for (size_t cut = 0; cut <= all; cut++) {
		struct play p;

		begin(&p);
		give(&p, good, cut);
		if (cut < all) {
			assert_int_equal(p.want, KPOP_WANT_INPUT);
			assert_int_equal(p.out.len, cut >= texts);
			give(&p, good + cut, all - cut);
		}
		assert_ticket(&p);
		assert_said(&p, "\0", 1);
		assert_int_equal(give(&p, OF("USER")), KPOP_WANT_TICKET);
		assert_ticket(&p);
		kpop_server_accept(
		    &p.kpop, &p.out, (struct slice){ OF("proof") });
		assert_said(&p, OF("\0\0\0\0\0\0\0\x05proof"));
		assert_int_equal(give(&p, NULL, 0), KPOP_WANT_POP3);
		assert_int_equal(p.in.len, 4);
		assert_memory_equal(buf_data(&p.in), "USER", 4);
		end(&p);
	}
}

static void
test_octet_by_octet(void **state)
{
	static const char good[] = GOOD;
	struct play p;

	begin(&p);
	for (size_t i = 0; i < sizeof(good) - 2; i++)
		assert_int_equal(give(&p, good + i, 1), KPOP_WANT_INPUT);
	give(&p, good + sizeof(good) - 2, 1);
	assert_ticket(&p);
	end(&p);
}

static void
test_no_proof_asked_for(void **state)
{
	struct play p;

	begin(&p);
	give(&p, OF(GOOD));
	assert_said(&p, "\0", 1);
	kpop_server_accept(&p.kpop, &p.out, (struct slice){ "", 0 });
	assert_said(&p, OF("\0\0\0\0"));
	assert_int_equal(give(&p, NULL, 0), KPOP_WANT_POP3);
	end(&p);
}

static void
test_refused(void **state)
{
	struct play p;

	begin(&p);
	give(&p, OF(GOOD));
	assert_said(&p, "\0", 1);
	kpop_server_refuse(&p.kpop, &p.out, (struct slice){ OF("error") });
	assert_said(&p, OF("\0\0\0\x05"
			   "error"));
	assert_int_equal(give(&p, OF(TICKET)), KPOP_WANT_CLOSE);
	assert_string_equal(p.kpop.why, "kpop-refused");
	assert_said(&p, NULL, 0);
	end(&p);

	/* Without words there is only the end. */
	begin(&p);
	give(&p, OF(GOOD));
	assert_said(&p, "\0", 1);
	kpop_server_refuse(&p.kpop, &p.out, (struct slice){ "", 0 });
	assert_said(&p, NULL, 0);
	assert_int_equal(give(&p, NULL, 0), KPOP_WANT_CLOSE);
	end(&p);
}

/* The status is due when both texts have come, the first fault counts, and
 * what is too long is refused by its length alone. */
static void
test_other_texts(void **state)
{
#define V(octets, status) \
	{ \
		octets, sizeof(octets) - 1, status \
	}
	static const struct {
		const char *octets;
		size_t n;
		char status;
	} v[] = {
		V("\0\0\0\x13KRB5_SENDAUTH_V2.0\0" PROTOCOL, 1),
		V("\0\0\0\x12KRB5_SENDAUTH_V1.0" PROTOCOL, 1),
		V("\0\0\0\0" PROTOCOL, 1),
		V("\0\0\0\x13KRB5_SENDAUTH_V1.0x" PROTOCOL, 1),
		V("\0\0\0\x01x\0\0\0\x01x", 1),
		V(VERSION "\0\0\0\x09KPOPV2.0\0", 2),
		V(VERSION "\0\0\0\x08KPOPV1.0", 2),
		V(VERSION "\0\0\0\0", 2),
		V("\0\0\0\x41", 1),
		V("\x40\0\0\0", 1),
		V("\xff\xff\xff\xff", 1),
		V("USER ann\r\n", 1),
		V(VERSION "\0\0\0\x41", 2),
		V(VERSION "\x40\0\0\0", 2),
		V("\0\0\0\x01x\x40\0\0\0", 1),
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		for (size_t cut = 0; cut <= v[i].n; cut++) {
			struct play p;

			begin(&p);
			give(&p, v[i].octets, cut);
			give(&p, v[i].octets + cut, v[i].n - cut);
			assert_int_equal(p.want, KPOP_WANT_CLOSE);
			assert_string_equal(p.kpop.why, "kpop-version");
			assert_said(&p, &v[i].status, 1);
			assert_int_equal(give(&p, OF(GOOD)), KPOP_WANT_CLOSE);
			assert_said(&p, NULL, 0);
			end(&p);
		}
}

static void
test_a_gigabyte_of_ticket(void **state)
{
	static const char *const lengths[] = { "\0\0\0\x41", "\0\1\0\0",
		"\x40\0\0\0", "\xff\xff\xff\xff" };
	struct play p;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		begin(&p);
		give(&p, OF(VERSION PROTOCOL));
		assert_said(&p, "\0", 1);
		assert_int_equal(give(&p, lengths[i], 4), KPOP_WANT_CLOSE);
		assert_string_equal(p.kpop.why, "kpop-too-long");
		assert_said(&p, NULL, 0);
		end(&p);
	}
	/* The longest, and the shortest. */
	begin(&p);
	give(&p, OF(VERSION PROTOCOL "\0\0\0\x40"));
	for (size_t i = 0; i < TICKET_MAX; i++) {
		assert_int_equal(p.want, KPOP_WANT_INPUT);
		give(&p, "x", 1);
	}
	assert_int_equal(p.want, KPOP_WANT_TICKET);
	assert_int_equal(kpop_server_ticket(&p.kpop, &p.in).n, TICKET_MAX);
	end(&p);
	begin(&p);
	assert_int_equal(
	    give(&p, OF(VERSION PROTOCOL "\0\0\0\0")), KPOP_WANT_TICKET);
	assert_int_equal(kpop_server_ticket(&p.kpop, &p.in).n, 0);
	end(&p);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_every_split),
		cmocka_unit_test(test_octet_by_octet),
		cmocka_unit_test(test_no_proof_asked_for),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_other_texts),
		cmocka_unit_test(test_a_gigabyte_of_ticket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
