/*
 * The table of mechanisms; those that send a password: published vectors,
 * every message cut and lengthened at every octet, both ends against each
 * other, failing allocations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc.h"
#include "base/buf.h"
#include "sasl/sasl.h"

/* ---- helpers ---- */

/* The mechanisms that are about a password only. */
static const char *const passwords[] = { "PLAIN", "LOGIN", NULL };

#define LIT(s) ((struct slice){ (s), sizeof(s) - 1 })

/* The octets end where the readable memory ends. */
static struct slice
guarded(const void *p, size_t n)
{
	static char *map;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = 2 * page;

	if (map == NULL) {
		map = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(map, MAP_FAILED);
		assert_int_equal(mprotect(map + room, page, PROT_NONE), 0);
	}
	assert_true(n <= room);
	memcpy(map + room - n, p, n);
	return (struct slice){ map + room - n, n };
}

static const struct sasl_mechanism *
mech(const char *name)
{
	const struct sasl_mechanism *m =
	    sasl_find((struct slice){ name, strlen(name) });

	assert_non_null(m);
	return m;
}

/* One message to a fresh server. */
static enum sasl_result
one(const char *name, struct slice in, struct sasl_server **s_r)
{
	struct sasl_server *s = sasl_server_new(mech(name));
	struct slice g = guarded(in.p, in.n);
	enum sasl_result r;
	struct buf out;

	assert_non_null(s);
	buf_init(&out, 4096, true);
	r = sasl_server_step(s, &g, &out);
	buf_free(&out);
	if (s_r != NULL)
		*s_r = s;
	else
		sasl_server_free(s);
	return r;
}

static void
assert_slice(struct slice s, const void *p, size_t n)
{
	assert_int_equal(s.n, n);
	assert_memory_equal(s.p, p, n);
}

/* ---- tests ---- */

static void
test_registry(void **state)
{
	(void)state;
	assert_ptr_equal(mech("plain"), mech("PLAIN")); /* S-5034-02 */
	assert_string_equal(mech("lOgIn")->name, "LOGIN");
	assert_null(sasl_find(LIT("PLAI")));
	assert_null(sasl_find(LIT("PLAINX")));
	assert_null(sasl_find(LIT("")));
	assert_true(mech("PLAIN")->flags & SASL_PLAINTEXT); /* S-4616-03 */
	assert_true(mech("LOGIN")->flags & SASL_PLAINTEXT);
	/* S-LOGIN-02: an initial response is taken. */
	assert_false(mech("LOGIN")->flags & SASL_SERVER_FIRST);
}

static void
test_ranks(void **state)
{
	/* C-ENG-04: strongest first; CRAM-MD5 only when it is named. */
	static const char *const order[] = { "SCRAM-SHA-256-PLUS",
		"SCRAM-SHA-1-PLUS", "EXTERNAL", "SCRAM-SHA-256", "SCRAM-SHA-1",
		"OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN", "CRAM-MD5",
		"ANONYMOUS", "GSSAPI" };
	size_t n = sizeof(order) / sizeof(order[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(sasl_mechanisms[i]->name, order[i]);
		if (i > 0)
			assert_true(sasl_mechanisms[i]->rank == 0 ||
				    sasl_mechanisms[i]->rank <
					sasl_mechanisms[i - 1]->rank);
	}
	assert_null(sasl_mechanisms[n]);
	assert_int_equal(mech("CRAM-MD5")->rank, 0);
	assert_int_equal(mech("ANONYMOUS")->rank, 0);
	assert_true(mech("LOGIN")->rank > 0);
	assert_true(mech("CRAM-MD5")->flags & SASL_SERVER_FIRST);
	assert_true(mech("XOAUTH2")->flags & SASL_PLAINTEXT); /* S-7628-03 */
	assert_true(mech("OAUTHBEARER")->flags & SASL_PLAINTEXT);
	assert_false(mech("SCRAM-SHA-1")->flags & SASL_PLAINTEXT);
}

static void
test_asking(void **state)
{
	/* What a server that only knows passwords can offer. */
	(void)state;
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++) {
		const struct sasl_mechanism *m = sasl_mechanisms[i];
		struct slice name = { m->name, strlen(m->name) };
		bool known = m == mech("PLAIN") || m == mech("LOGIN");

		assert_ptr_equal(
		    sasl_find_asking(name, SASL_PASSWORD), known ? m : NULL);
	}
	assert_null(sasl_find_asking(LIT("NTLM"), SASL_PASSWORD));
}

static void
test_plain_vectors(void **state)
{
	/* S-4616-02, M-19; RFC 4616 s4 and RFC 5034 s6. */
	static const struct {
		struct slice in;
		const char *z, *a, *p;
	} v[] = {
		{ LIT("\0tim\0tanstaaftanstaaf"), "", "tim",
		    "tanstaaftanstaaf" },
		{ LIT("Ursel\0Kurt\0xipj3plmq"), "Ursel", "Kurt", "xipj3plmq" },
		{ LIT("test\0test\0test"), "test", "test", "test" },
		{ LIT("\0a b\0 p w "), "", "a b", " p w " },
		{ LIT("\0\xc3\xa9\0\xf0\x9f\x94\x91"), "", "\xc3\xa9",
		    "\xf0\x9f\x94\x91" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct sasl_server *s;
		const struct sasl_claim *c;

		assert_int_equal(one("PLAIN", v[i].in, &s), SASL_PASSWORD);
		c = sasl_server_claim(s);
		assert_slice(c->authzid, v[i].z, strlen(v[i].z));
		assert_slice(c->authcid, v[i].a, strlen(v[i].a));
		assert_slice(c->password, v[i].p, strlen(v[i].p));
		sasl_server_free(s);
	}
}

static void
test_plain_malformed(void **state)
{
	/* S-4616-01 */
	static const struct slice bad[] = {
		LIT(""), LIT("\0"), LIT("\0\0"), LIT("tim"), LIT("tim\0pw"),
		LIT("\0tim"), LIT("\0tim\0"), LIT("\0\0pw"), LIT("\0tim\0pw\0"),
		LIT("\0tim\0p\0w"), LIT("\0\0tim\0pw"),
		LIT("\0tim\0\xc0\xaf"),         /* overlong */
		LIT("\0\xed\xa0\x80\0pw"),      /* surrogate */
		LIT("\0tim\0\xf4\x90\x80\x80"), /* > U+10FFFF */
		LIT("\xff\0tim\0pw"),
		LIT("\0t\xc3\0\xa9pw"), /* cut in two by the NUL */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(one("PLAIN", bad[i], NULL), SASL_FAILED);
}

static void
test_plain_every_cut(void **state)
{
	static const char whole[] = "z\0name\0secret";
	size_t n = sizeof(whole) - 1;

	(void)state;
	/* Cut: fine once the password has begun, else not. */
	for (size_t i = 0; i < n; i++)
		assert_int_equal(one("PLAIN", (struct slice){ whole, i }, NULL),
		    i > 7 ? SASL_PASSWORD : SASL_FAILED);
	/* A NUL more, anywhere, is one too many. */
	for (size_t i = 0; i <= n; i++) {
		char more[sizeof(whole)];

		memcpy(more, whole, i);
		more[i] = '\0';
		memcpy(more + i + 1, whole + i, n - i);
		assert_int_equal(
		    one("PLAIN", (struct slice){ more, n + 1 }, NULL),
		    SASL_FAILED);
	}
	/* One octet that is not UTF-8, anywhere. */
	for (size_t i = 0; i < n; i++) {
		char other[sizeof(whole)];

		memcpy(other, whole, n);
		other[i] = (char)0xff;
		assert_int_equal(one("PLAIN", (struct slice){ other, n }, NULL),
		    SASL_FAILED);
	}
}

static void
test_lengths(void **state)
{
	/* 255 octets must be taken (RFC 4616 s2), 1024 are. */
	static const struct {
		size_t n;
		enum sasl_result r;
	} v[] = { { 1, SASL_PASSWORD }, { 255, SASL_PASSWORD },
		{ 1024, SASL_PASSWORD }, { 1025, SASL_FAILED } };
	char m[3 * 1025 + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		size_t n = v[i].n;

		for (int field = 0; field < 3; field++) {
			size_t len[3] = { 3, 3, 3 }, at = 0;

			len[field] = n;
			for (int f = 0; f < 3; f++) {
				memset(m + at, 'a' + f, len[f]);
				at += len[f];
				if (f < 2)
					m[at++] = '\0';
			}
			assert_int_equal(
			    one("PLAIN", (struct slice){ m, at }, NULL),
			    v[i].r);
		}
		memset(m, 'n', n);
		assert_int_equal(one("LOGIN", (struct slice){ m, n }, NULL),
		    n <= 1024 ? SASL_MORE : SASL_FAILED);
	}
}

static void
test_plain_without_initial(void **state)
{
	/* S-5034-04: the empty challenge, once. */
	struct sasl_server *s = sasl_server_new(mech("PLAIN"));
	struct slice in = LIT("\0tim\0pw");
	struct buf out;

	(void)state;
	buf_init(&out, 4096, true);
	assert_int_equal(sasl_server_step(s, NULL, &out), SASL_MORE);
	assert_int_equal(out.len, 0);
	assert_int_equal(sasl_server_step(s, NULL, &out), SASL_FAILED);
	assert_int_equal(sasl_server_step(s, &in, &out), SASL_PASSWORD);
	assert_int_equal(sasl_server_step(s, &in, &out), SASL_FAILED);
	buf_free(&out);
	sasl_server_free(s);
}

static void
test_login(void **state)
{
	struct slice name = LIT("tim"), pw = LIT("p w\xc3\xa9");

	(void)state;
	/* With and without an initial response: S-LOGIN-01, S-LOGIN-02. */
	for (int initial = 0; initial < 2; initial++) {
		struct sasl_server *s = sasl_server_new(mech("LOGIN"));
		struct buf out;

		buf_init(&out, 4096, true);
		if (!initial) {
			assert_int_equal(
			    sasl_server_step(s, NULL, &out), SASL_MORE);
			assert_int_equal(out.len, 9);
			assert_memory_equal(buf_data(&out), "Username:", 9);
			buf_consume(&out, 9);
		}
		assert_int_equal(sasl_server_step(s, &name, &out), SASL_MORE);
		assert_int_equal(out.len, 9);
		assert_memory_equal(buf_data(&out), "Password:", 9);
		assert_int_equal(sasl_server_step(s, NULL, &out), SASL_FAILED);
		assert_int_equal(sasl_server_step(s, &pw, &out), SASL_PASSWORD);
		assert_int_equal(sasl_server_claim(s)->authzid.n, 0);
		assert_slice(sasl_server_claim(s)->authcid, "tim", 3);
		assert_slice(sasl_server_claim(s)->password, pw.p, pw.n);
		assert_int_equal(sasl_server_step(s, &pw, &out), SASL_FAILED);
		sasl_server_free(s);
		buf_free(&out);
	}
}

static void
test_login_malformed(void **state)
{
	static const struct slice bad[] = { LIT(""), LIT("\0"), LIT("a\0b"),
		LIT("ab\0"), LIT("\xff") };
	struct slice name = LIT("tim"), empty = LIT("");

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sasl_server *s;
		struct slice g;
		struct buf out;

		/* Empty, it asks for the question: S-LOGIN-02. */
		if (bad[i].n != 0)
			assert_int_equal(
			    one("LOGIN", bad[i], NULL), SASL_FAILED);
		assert_int_equal(one("LOGIN", name, &s), SASL_MORE);
		buf_init(&out, 64, true);
		g = guarded(bad[i].p, bad[i].n);
		assert_int_equal(sasl_server_step(s, &g, &out), SASL_FAILED);
		sasl_server_free(s);
		buf_free(&out);
		assert_int_equal(one("LOGIN", empty, &s), SASL_MORE);
		buf_init(&out, 64, true);
		assert_int_equal(
		    sasl_server_step(s, &bad[i], &out), SASL_FAILED);
		sasl_server_free(s);
		buf_free(&out);
	}
}

/* The server and the client talk; returns the server's last word, or the
 * client's if it gave up.  `initial`: the first message goes with the start. */
static enum sasl_result
talk(const char *name, const struct sasl_credentials *cred, bool initial,
    struct sasl_server **s_r)
{
	struct sasl_server *s = sasl_server_new(mech(name));
	struct sasl_client *c = sasl_client_new(mech(name), cred);
	enum sasl_result r = s != NULL && c != NULL ? SASL_MORE : SASL_NOMEM;
	struct buf said, asked;
	struct slice in = { "", 0 };

	buf_init(&said, 8192, true);
	buf_init(&asked, 8192, true);
	if (r == SASL_MORE && !initial)
		r = sasl_server_step(s, NULL, &asked);
	while (r == SASL_MORE) {
		buf_consume(&said, said.len);
		r = sasl_client_step(c, in, &said);
		if (r != SASL_MORE && r != SASL_DONE)
			break;
		buf_consume(&asked, asked.len);
		in = (struct slice){ buf_data(&said), said.len };
		r = sasl_server_step(s, &in, &asked);
		in = asked.len != 0
			 ? (struct slice){ buf_data(&asked), asked.len }
			 : (struct slice){ "", 0 };
	}
	buf_free(&said);
	buf_free(&asked);
	sasl_client_free(c);
	if (r == SASL_PASSWORD)
		*s_r = s;
	else
		sasl_server_free(s);
	return r;
}

static void
test_both_ends(void **state)
{
	struct sasl_credentials cred = { .authcid = LIT("anna@example.org"),
		.password = LIT("  \"\xe2\x82\xac\\ ") };

	(void)state;
	for (size_t i = 0; passwords[i] != NULL; i++) {
		for (int initial = 0; initial < 2; initial++) {
			struct sasl_server *s = NULL;

			assert_int_equal(talk(passwords[i], &cred, initial, &s),
			    SASL_PASSWORD);
			assert_slice(sasl_server_claim(s)->authcid,
			    cred.authcid.p, cred.authcid.n);
			assert_slice(sasl_server_claim(s)->password,
			    cred.password.p, cred.password.n);
			sasl_server_free(s);
		}
	}
}

static void
test_client_refuses(void **state)
{
	/* What would be malformed is not sent: C-ENG-21. */
	static const struct sasl_credentials bad[] = {
		{ .authzid = LIT(""),
		    .authcid = LIT(""),
		    .password = LIT("p") },
		{ .authzid = LIT(""),
		    .authcid = LIT("a"),
		    .password = LIT("") },
		{ .authzid = LIT(""),
		    .authcid = LIT("a\0b"),
		    .password = LIT("p") },
		{ .authzid = LIT(""),
		    .authcid = LIT("a"),
		    .password = LIT("p\0") },
		{ .authzid = LIT("z\0"),
		    .authcid = LIT("a"),
		    .password = LIT("p") },
	};

	(void)state;
	for (size_t k = 0; passwords[k] != NULL; k++)
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			struct sasl_client *c =
			    sasl_client_new(mech(passwords[k]), &bad[i]);
			struct buf out;

			buf_init(&out, 64, true);
			assert_int_equal(
			    sasl_client_step(c, LIT(""), &out), SASL_FAILED);
			assert_int_equal(out.len, 0);
			assert_non_null(sasl_client_error(c));
			buf_free(&out);
			sasl_client_free(c);
		}
}

/* The password goes where a password is asked, and nowhere else: a server that
 * asks for the name again gets the name. */
static void
test_login_reads_questions(void **state)
{
	static const struct {
		struct slice asked[3];
		const char *said; /* n: the name, p: the password */
	} table[] = {
		{ { LIT("Username:"), LIT("Password:") }, "np" },
		{ { LIT("User Name\0"), LIT("Password\0") }, "np" },
		{ { LIT("USER NAME"), LIT("PASSWORD FOR USER a") }, "np" },
		{ { LIT("login:"), LIT("passwd") }, "np" },
		{ { LIT("E-mail?"), LIT("Secret?") }, "np" },
		{ { LIT(""), LIT("") }, "np" },
		{ { LIT("Username:"), LIT("Username:"), LIT("Password:") },
		    "nnp" },
		{ { LIT("Username:"), LIT("Username:"), LIT("Username:") },
		    "nnn" },
		{ { LIT("Password:"), LIT("Username:") }, "p" },
	};
	struct sasl_credentials cred = { .authcid = LIT("n"),
		.password = LIT("p") };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sasl_client *c = sasl_client_new(mech("LOGIN"), &cred);
		struct buf out;

		buf_init(&out, 64, true);
		for (size_t k = 0; k < 3; k++)
			sasl_client_step(c, table[i].asked[k], &out);
		assert_slice((struct slice){ buf_data(&out), out.len },
		    table[i].said, strlen(table[i].said));
		assert_int_equal(
		    sasl_client_step(c, LIT("Password:"), &out), SASL_FAILED);
		buf_free(&out);
		sasl_client_free(c);
	}
}

static void
test_client_says_once(void **state)
{
	struct sasl_credentials cred = { .authcid = LIT("a"),
		.password = LIT("p") };

	(void)state;
	for (size_t k = 0; passwords[k] != NULL; k++) {
		struct sasl_client *c =
		    sasl_client_new(mech(passwords[k]), &cred);
		enum sasl_result r = SASL_MORE;
		struct buf out;

		buf_init(&out, 64, true);
		while (r == SASL_MORE) {
			assert_false(sasl_client_is_verified(c));
			r = sasl_client_step(c, LIT("?"), &out);
		}
		assert_int_equal(r, SASL_DONE);
		assert_true(sasl_client_is_verified(c));
		assert_int_equal(
		    sasl_client_step(c, LIT("?"), &out), SASL_FAILED);
		assert_false(sasl_client_is_verified(c));
		buf_free(&out);
		sasl_client_free(c);
	}
}

static void
test_plain_prepares(void **state)
{
	/* S-4616-02: the client prepares names and password. */
	static const struct sasl_credentials ok = {
		.authzid = LIT("I\xc2\xadX"),
		.authcid = LIT("\xc2\xaa"),
		.password = LIT("\xe2\x85\xa8 "),
	};
	static const struct sasl_credentials bad = {
		.authcid = LIT("a"),
		.password = LIT("\xd8\xa7\x31"),
	};
	struct sasl_client *c = sasl_client_new(mech("PLAIN"), &ok);
	struct buf out;

	(void)state;
	buf_init(&out, 64, true);
	assert_int_equal(sasl_client_step(c, LIT(""), &out), SASL_DONE);
	assert_int_equal(out.len, 8);
	assert_memory_equal(buf_data(&out), "IX\0a\0IX ", 8);
	sasl_client_free(c);
	buf_consume(&out, out.len);
	c = sasl_client_new(mech("PLAIN"), &bad);
	assert_int_equal(sasl_client_step(c, LIT(""), &out), SASL_FAILED);
	assert_int_equal(out.len, 0);
	assert_non_null(strstr(sasl_client_error(c), "password"));
	assert_non_null(strstr(sasl_client_error(c), "right-to-left"));
	sasl_client_free(c);
	buf_free(&out);
}

static void
test_no_memory(void **state)
{
	struct sasl_credentials cred = { .authcid = LIT("anna"),
		.password = LIT("secret") };

	(void)state;
	for (size_t k = 0; passwords[k] != NULL; k++)
		for (unsigned n = 1;; n++) {
			struct sasl_server *s = NULL;
			enum sasl_result r;

			alloc_fail(n);
			r = talk(passwords[k], &cred, false, &s);
			if (!alloc_failed()) {
				alloc_fail(0);
				assert_true(n > 4);
				assert_int_equal(r, SASL_PASSWORD);
				sasl_server_free(s);
				break;
			}
			assert_int_equal(r, SASL_NOMEM);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registry),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_asking),
		cmocka_unit_test(test_plain_vectors),
		cmocka_unit_test(test_plain_malformed),
		cmocka_unit_test(test_plain_every_cut),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_plain_without_initial),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_malformed),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_client_refuses),
		cmocka_unit_test(test_login_reads_questions),
		cmocka_unit_test(test_client_says_once),
		cmocka_unit_test(test_plain_prepares),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
