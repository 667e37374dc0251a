/* The exchange before KPOP's greeting: what is said, and what is made of the
 * answers, however they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pop3/kpop_client.h"

#define VERSIONS "\0\0\0\x13KRB5_SENDAUTH_V1.0\0\0\0\0\x09KPOPV1.0"

enum { IN_MAX = KPOP_ANSWER_MAX + 4 };

static struct kpop_client client;
static struct buf in, out;
static char heard[KPOP_ANSWER_MAX + 64]; /* the events, one behind the other */

static void
begin(void)
{
	buf_init(&in, IN_MAX, true);
	buf_init(&out, 4096, true);
	heard[0] = '\0';
	assert_int_equal(kpop_client_begin(&client, &out), E_OK);
}

static void
end(void)
{
	buf_free(&in);
	buf_free(&out);
}

/* Of the output; and it is gone. */
static void
expect_said(const void *p, size_t n)
{
	assert_int_equal(out.len, n);
	assert_memory_equal(buf_data(&out), p, n);
	buf_consume(&out, out.len);
}

static void
note(const struct kpop_event *ev)
{
	char *p = heard + strlen(heard);
	size_t room = sizeof(heard) - strlen(heard);
	int n = (int)ev->data.n;

	switch (ev->type) {
	case KPOP_EV_SUITS: snprintf(p, room, "suits "); break;
	case KPOP_EV_REFUSED:
		snprintf(p, room, "refused:%.*s ", n, ev->data.p);
		break;
	case KPOP_EV_PROOF:
		snprintf(p, room, "proof:%.*s ", n, ev->data.p);
		break;
	case KPOP_EV_BROKEN: snprintf(p, room, "broken:%s ", ev->why); break;
	case KPOP_EV_MORE: break;
	}
}

/* These octets come, and are answered. */
static void
come(const char *p, size_t n)
{
	const struct slice request = { "request", 7 };
	struct kpop_event ev;

	assert_int_equal(buf_put(&in, p, n), E_OK);
	do {
		kpop_client_run(&client, &in, &ev);
		note(&ev);
		if (ev.type == KPOP_EV_SUITS) {
			buf_consume(&out, out.len);
			assert_int_equal(
			    kpop_client_request(&client, &out, request), E_OK);
			expect_said("\0\0\0\7request", 11);
		}
	} while (ev.type != KPOP_EV_MORE);
}

/* Cut in two at each octet, and into single ones. */
static void
expect(const char *p, size_t n, const char *events)
{
	for (size_t cut = 0; cut <= n; cut++) {
		begin();
		come(p, cut);
		come(p + cut, n - cut);
		assert_string_equal(heard, events);
		end();
	}
	begin();
	for (size_t i = 0; i < n; i++)
		come(p + i, 1);
	assert_string_equal(heard, events);
	end();
}

#define EXPECT(octets, events) expect(octets, sizeof(octets) - 1, events)

static void
the_versions_are_said(void **state)
{
	begin();
	expect_said(VERSIONS, sizeof(VERSIONS));
	end();
}

static void
an_exchange_ends_with_the_proof(void **state)
{
	EXPECT("\0\0\0\0\0\0\0\0\5proof", "suits proof:proof ");
	EXPECT("\0\0\0\0\0\0\0\0\0", "suits proof: ");
	EXPECT("\0\0\0\0\0\0\0\0\5proo", "suits ");
}

/* It may have come in one piece with the proof. */
static void
the_greeting_is_left(void **state)
{
	static const char octets[] = "\0\0\0\0\0\0\0\0\5proof+OK ready\r\n";
	const size_t n = sizeof(octets) - 1;

	EXPECT("\0\0\0\0\0\0\0\0\5proof+OK ready\r\n", "suits proof:proof ");
	for (size_t cut = 14; cut <= n; cut++) {
		begin();
		come(octets, cut);
		come(octets + cut, n - cut);
		kpop_client_end(&client, &in);
		assert_int_equal(in.len, 11);
		assert_memory_equal(buf_data(&in), "+OK ready\r\n", 11);
		end();
	}
}

static void
an_error_is_a_refusal(void **state)
{
	EXPECT("\0\0\0\0\3why", "suits refused:why ");
	EXPECT("\0\0\0\0\3why\0\0\0\5proof", "suits refused:why ");
}

static void
what_is_no_kpop_is_told(void **state)
{
	EXPECT("\1", "broken:it knows another version of sendauth ");
	EXPECT("\2", "broken:it knows no KPOPV1.0 ");
	EXPECT("\3", "broken:its first octet is not one of KPOP ");
	EXPECT("+OK ready\r\n", "broken:it speaks POP3 without Kerberos ");
	EXPECT("-ERR no\r\n", "broken:it speaks POP3 without Kerberos ");
}

/* Lengths from the longest that is taken. */
static void
a_length_has_a_limit(void **state)
{
	char octets[1 + 4 + KPOP_ANSWER_MAX] = "\0\0\0\x20";

	memset(octets + 5, 'x', KPOP_ANSWER_MAX);
	begin();
	come(octets, 5);
	come(octets + 5, KPOP_ANSWER_MAX);
	assert_int_equal(strlen(heard), strlen("suits refused: ") + 8192);
	end();
	EXPECT("\0\0\0\x20\1", "suits broken:a message of KPOP is too long ");
	EXPECT("\0\0\0\0\0\0\0\x20\1",
	    "suits broken:a message of KPOP is too long ");
	EXPECT("\0\xff\xff\xff\xff",
	    "suits broken:a message of KPOP is too long ");
	EXPECT("\0\x80\0\0\0", "suits broken:a message of KPOP is too long ");
}

/* The status came, and more, before the request was sent. */
static void
an_answer_before_the_question_is_none(void **state)
{
	struct kpop_event ev;

	begin();
	assert_int_equal(buf_put(&in, "\0\0", 2), E_OK);
	kpop_client_run(&client, &in, &ev);
	assert_int_equal(ev.type, KPOP_EV_SUITS);
	kpop_client_run(&client, &in, &ev);
	assert_int_equal(ev.type, KPOP_EV_BROKEN);
	kpop_client_run(&client, &in, &ev);
	assert_int_equal(ev.type, KPOP_EV_MORE);
	end();
}

static void
what_has_no_room_is_not_half_said(void **state)
{
	char request[100] = "";

	begin();
	buf_free(&out);
	buf_init(&out, sizeof(request), true);
	assert_int_equal(kpop_client_request(&client, &out,
			     (struct slice){ request, sizeof(request) }),
	    E_FULL);
	assert_int_equal(out.len, 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_versions_are_said),
		cmocka_unit_test(an_exchange_ends_with_the_proof),
		cmocka_unit_test(the_greeting_is_left),
		cmocka_unit_test(an_error_is_a_refusal),
		cmocka_unit_test(what_is_no_kpop_is_told),
		cmocka_unit_test(a_length_has_a_limit),
		cmocka_unit_test(an_answer_before_the_question_is_none),
		cmocka_unit_test(what_has_no_room_is_not_half_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
