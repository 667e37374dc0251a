/*
 * SCRAM: published vectors, both ends against each other, and each message
 * changed on its way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "base/b64.h"
#include "sasl_pair.h"

static const char *const names[] = { "SCRAM-SHA-1", "SCRAM-SHA-256",
	"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS" };
enum { NAMES = 4 };

/* ---- vectors ---- */

struct vector {
	const char *mechanism, *client_nonce, *server_nonce, *salt;
	const char *said[4];
	const char *stored; /* base64 */
};

/* B-5802-01, B-7677-01; RFC 5802 s5, RFC 7677 s3. */
static const struct vector vectors[] = {
	{ "SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j",
	    "QSXCR+Q6sek8bf92",
	    { "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
		"s=QSXCR+Q6sek8bf92,i=4096",
		"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
		"p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
	    "6dlGYMOdZcOPutkcNY8U2g7vK9Y=" },
	{ "SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO",
	    "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ==",
	    { "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" },
};

static void
compare(void *arg, unsigned message, struct buf *b)
{
	const struct vector *v = arg;

	if (message == 4) {
		assert_int_equal(b->len, 0);
		return;
	}
	assert_true(message < 4);
	assert_int_equal(b->len, strlen(v->said[message]));
	assert_memory_equal(buf_data(b), v->said[message], b->len);
}

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct vector *v = &vectors[i];
		struct pair p = pair_make(v->mechanism);
		struct sasl_keys keys = { .iterations = 4096 };
		char stored[64];

		assert_int_equal(b64_decode((char *)keys.salt,
				     (struct slice){ v->salt, strlen(v->salt) },
				     &keys.salt_n),
		    E_OK);
		assert_int_equal(
		    sasl_keys_make(&keys, pair_mechanism(v->mechanism),
			LIT("pencil"), NULL),
		    E_OK);
		b64_encode(stored, keys.stored,
		    scram_hash_size(pair_mechanism(v->mechanism)));
		assert_memory_equal(stored, v->stored, strlen(v->stored));
		p.client_nonce = v->client_nonce;
		p.server_nonce = v->server_nonce;
		p.keys = &keys;
		p.tamper = compare;
		p.arg = (void *)v;
		pair_run(&p);
		assert_int_equal(p.messages, 5);
		assert_true(p.accepted && p.verified);
	}
}

/* ---- both ends ---- */

static void
test_both_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAMES; i++)
		for (int initial = 0; initial < 2; initial++) {
			struct pair p = pair_make(names[i]);

			p.initial = initial;
			pair_run(&p);
			assert_true(p.accepted && p.verified);
			assert_string_equal(p.error, "");
			p.cred.password = LIT("pencil2");
			pair_run(&p);
			assert_int_equal(p.server, SASL_DENIED);
			assert_false(p.verified);
			/* S-5802-03: as if the user were known. */
			p.cred.password = LIT("pencil");
			p.cred.authcid = LIT("nobody");
			pair_run(&p);
			assert_int_equal(p.server, SASL_DENIED);
			assert_false(p.verified);
		}
}

static void
test_names(void **state)
{
	/* S-5802-01: what must be escaped; prepared on both sides. */
	(void)state;
	for (size_t i = 0; i < NAMES; i++) {
		struct pair p = pair_make(names[i]);

		p.cred.authcid = LIT("a,b=c=2C");
		p.cred.authzid = LIT("=,\xc3\xa9");
		p.user = "a,b=c=2C";
		pair_run(&p);
		assert_true(p.accepted && p.verified);
		assert_string_equal(p.authzid, "=,\xc3\xa9");
		p.cred.authcid = LIT("\xe2\x85\xa8"); /* U+2168 */
		p.cred.password = LIT("\xc2\xaa");
		p.user = "IX";
		p.password = "a";
		pair_run(&p);
		assert_true(p.accepted && p.verified);
		p.cred.password = LIT("\x07");
		pair_run(&p);
		assert_int_equal(p.client, SASL_FAILED);
		assert_int_equal(p.messages, 0); /* nothing was said */
		assert_non_null(strstr(p.error, "password"));
	}
}

static void
test_long(void **state)
{
	/* Names that grow by their escapes, as long as they may be. */
	static char name[1024 + 1], password[1024 + 1];

	(void)state;
	memset(name, ',', 1024);
	memset(password, 'p', 1024);
	for (size_t i = 0; i < NAMES; i++) {
		struct pair p = pair_make(names[i]);

		p.user = name;
		p.password = password;
		p.cred.authcid = (struct slice){ name, 1024 };
		p.cred.authzid = (struct slice){ name, 1024 };
		p.cred.password = (struct slice){ password, 1024 };
		pair_run(&p);
		assert_true(p.accepted && p.verified);
	}
}

/* What the client's first message begins with. */
static void
first_octets(void *arg, unsigned message, struct buf *b)
{
	if (message == 0) {
		assert_true(b->len > 2);
		memcpy(arg, buf_data(b), 2);
	}
}

static void
test_binding_flags(void **state)
{
	/* C-5802-01, S-5802-05 */
	static const struct {
		const char *mechanism;
		bool client_binds, told, offered;
		const char *flag; /* NULL: the client says nothing */
		bool accepted;
	} v[] = {
		{ "SCRAM-SHA-256", false, false, false, "n,", true },
		{ "SCRAM-SHA-256", false, false, true, "n,", true },
		{ "SCRAM-SHA-256", true, false, false, "y,", true },
		/* Somebody has removed -PLUS from the list. */
		{ "SCRAM-SHA-256", true, false, true, "y,", false },
		{ "SCRAM-SHA-256", true, true, true, "n,", true },
		{ "SCRAM-SHA-256-PLUS", true, true, true, "p=", true },
		{ "SCRAM-SHA-256-PLUS", false, true, true, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct pair p = pair_make("SCRAM-SHA-256-PLUS");
		char flag[3] = "";

		p.mechanism = v[i].mechanism;
		p.cred.plus_offered = v[i].told;
		p.channel.plus_offered = v[i].offered;
		if (!v[i].client_binds)
			p.cred.binding_data = (struct slice){ 0 };
		p.tamper = first_octets;
		p.arg = flag;
		pair_run(&p);
		assert_string_equal(flag, v[i].flag != NULL ? v[i].flag : "");
		assert_int_equal(p.accepted, v[i].accepted);
		if (v[i].flag == NULL)
			assert_non_null(strstr(p.error, "binding"));
	}
}

static void
test_binding_differs(void **state)
{
	/* Somebody in the middle has two connections. */
	static const struct sasl_binding other = { "tls-exporter",
		LIT("0123456789abcdef0123456789abcdeF") };
	struct pair p = pair_make("SCRAM-SHA-1-PLUS");

	(void)state;
	p.channel.bindings = &other;
	p.channel.n_bindings = 1;
	pair_run(&p);
	assert_int_equal(p.server, SASL_FAILED);
	assert_int_equal(p.messages, 3); /* not before the last message */
	/* A kind that the server does not have; one of two. */
	p = pair_make("SCRAM-SHA-1-PLUS");
	p.cred.binding_name = "tls-unique";
	pair_run(&p);
	assert_int_equal(p.server, SASL_FAILED);
	assert_int_equal(p.messages, 1);
	p.cred.binding_name = "tls-server-end-point";
	p.cred.binding_data = LIT("a hash, NUL\0, and more");
	pair_run(&p);
	assert_true(p.accepted && p.verified);
}

/* ---- somebody in between ---- */

struct change {
	unsigned message;
	size_t at;
	char to; /* XORed */
	bool hit;
};

static void
flip(void *arg, unsigned message, struct buf *b)
{
	struct change *c = arg;

	if (message != c->message || c->at >= b->len)
		return;
	buf_data(b)[c->at] ^= c->to;
	c->hit = true;
}

static void
test_every_octet_changed(void **state)
{
	/* S-5802-02, C-5802-02: each octet of each message counts. */
	(void)state;
	for (size_t i = 1; i <= 2; i++) {
		for (unsigned m = 0; m < 4; m++)
			for (size_t at = 0;; at++) {
				struct change c = { m, at, 1, false };
				struct pair p = pair_make(names[i]);

				p.tamper = flip;
				p.arg = &c;
				pair_run(&p);
				if (!c.hit)
					break;
				assert_false(p.accepted);
				assert_false(p.verified);
			}
	}
}

struct cut {
	unsigned message;
	size_t off; /* from the end */
	bool hit;
};

static void
shorten(void *arg, unsigned message, struct buf *b)
{
	struct cut *c = arg;

	if (message != c->message || c->off > b->len)
		return;
	b->len -= c->off;
	c->hit = true;
}

static void
test_every_cut(void **state)
{
	(void)state;
	for (unsigned m = 0; m < 4; m++)
		for (size_t off = 1;; off++) {
			struct cut c = { m, off, false };
			struct pair p = pair_make("SCRAM-SHA-256-PLUS");

			p.tamper = shorten;
			p.arg = &c;
			pair_run(&p);
			if (!c.hit)
				break;
			assert_false(p.accepted || p.verified);
		}
}

struct swap {
	unsigned message;
	const char *text; /* "%N" stands for the nonce that was in it */
	size_t n;
};

static void
replace(void *arg, unsigned message, struct buf *b)
{
	const struct swap *s = arg;
	char nonce[200] = "", text[SCRAM_AUTH_MAX];
	const char *p, *at;
	size_t n = s->n;

	if (message != s->message)
		return;
	assert_true(b->len < sizeof(text));
	if (b->len != 0)
		memcpy(text, buf_data(b), b->len);
	text[b->len] = '\0';
	if ((p = memmem(text, b->len, "r=", 2)) != NULL)
		(void)snprintf(nonce, sizeof(nonce), "%.*s",
		    (int)strcspn(p + 2, ","), p + 2);
	memcpy(text, s->text, n);
	if ((at = memmem(s->text, n, "%N", 2)) != NULL) {
		size_t off = (size_t)(at - s->text), k = strlen(nonce);

		memmove(text + off + k, text + off + 2, n - off - 2);
		memcpy(text + off, nonce, k);
		n += k - 2;
	}
	buf_consume(b, b->len);
	assert_int_equal(buf_put(b, text, n), E_OK);
}

static struct pair
replaced(const char *mechanism, unsigned message, const char *text, size_t n)
{
	struct pair p = pair_make(mechanism);
	struct swap s = { message, text, n };

	p.client_nonce = "clientclient";
	p.server_nonce = "serverserver";
	p.tamper = replace;
	p.arg = &s;
	pair_run(&p);
	p.arg = NULL;
	return p;
}

static void
test_client_first_malformed(void **state)
{
	static const struct slice bad[] = {
		LIT(""),
		LIT("n"),
		LIT("n,"),
		LIT("n,,"),
		LIT("n,,n=user"),
		LIT("n,,n=user,"),
		LIT("n,,n=user,r="),
		LIT("n,,n=,r=x"),
		LIT("n,,r=x,n=user"),
		LIT("x,,n=user,r=x"),
		LIT("N,,n=user,r=x"),
		LIT("n,n=user,r=x"),
		LIT(",,n=user,r=x"),
		LIT("n,,m=x,n=user,r=x"),
		LIT("n,,n=user,r=x,m=y"),
		LIT("n,,n=us=er,r=x"),
		LIT("n,,n=us=2c,r=x"),
		LIT("n,,n=us=2,r=x"),
		LIT("n,,n=us=3,r=x"),
		LIT("n,,n=user=,r=x"),
		LIT("n,a=,n=user,r=x"),
		LIT("n,a=b=,n=user,r=x"),
		LIT("n,b=x,n=user,r=x"),
		LIT("n,,n=us\0er,r=x"),
		LIT("n,,n=user,r=x y"),
		LIT("n,,n=user,r=x\x7f"),
		LIT("n,,n=user,r=x,"),
		LIT("n,,n=user,r=x,1=y"),
		LIT("n,,n=user,r=x,y"),
		LIT("n,,n=user,r=x,y="),
		LIT("n,,n=user,r=x,y=\0"),
		LIT("n,,n=\xff,r=x"),
		LIT("p=,,n=user,r=x"),
		LIT("p=tls-exporter,,n=user,r=x"),
		LIT("p,,n=user,r=x"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pair p =
		    replaced("SCRAM-SHA-256", 0, bad[i].p, bad[i].n);

		assert_int_equal(p.server, SASL_FAILED);
		assert_int_equal(p.messages, 1);
	}
}

static void
test_client_first_bounds(void **state)
{
	/* Bare flags with -PLUS. */
	for (const char *s = "ny"; *s != '\0'; s++) {
		char text[] = "?,,n=user,r=x";
		struct pair p;

		text[0] = *s;
		p = replaced("SCRAM-SHA-256-PLUS", 0, text, sizeof(text) - 1);
		assert_int_equal(p.server, SASL_FAILED);
		assert_int_equal(p.messages, 1);
	}
	/* The longest are taken, and no longer ones. */
	for (size_t n = 1024; n <= 1025; n++) {
		char text[1100] = "n,,r=x", *end = text + 3;
		struct pair p;

		memset(end, 'a', n + 2);
		memcpy(end, "n=", 2);
		memcpy(end + 2 + n, ",r=x", 4);
		p = replaced("SCRAM-SHA-1", 0, text, 3 + 2 + n + 4);
		assert_int_equal(p.messages, n == 1024 ? 2 : 1);
	}
}

static void
test_server_first_malformed(void **state)
{
	/* C-5802-02: nonce, iterations, salt. */
	static const struct {
		struct slice s;
		const char *why;
	} bad[] = {
		{ LIT(""), "malformed" },
		{ LIT("r=%N"), "malformed" },
		{ LIT("r=%N,s=c2FsdA=="), "malformed" },
		{ LIT("r=%N,s=c2FsdA==,i="), "malformed" },
		{ LIT("r=%N,s=,i=4096"), "malformed" },
		{ LIT("s=c2FsdA==,r=%N,i=4096"), "malformed" },
		{ LIT("m=x,r=%N,s=c2FsdA==,i=4096"), "malformed" },
		{ LIT("r=%N,s=c2FsdA==,i=4096,"), "malformed" },
		{ LIT("r=%N,s=c2FsdA==,i=4096,m=x"), "malformed" },
		{ LIT("r=%N,s=c2FsdA==,i=4096,x=\0"), "malformed" },
		{ LIT("r=%N,s=c2FsdA,i=4096"), "malformed" },
		{ LIT("r=%N,s=c2FsdB==,i=4096"), "malformed" },
		{ LIT("r=%N,s=c2F sdA==,i=4096"), "malformed" },
		{ LIT("e=other-error"), "malformed" },
		{ LIT("r=clientclient,s=c2FsdA==,i=4096"), "nonce" },
		{ LIT("r=serverserver,s=c2FsdA==,i=4096"), "nonce" },
		{ LIT("r=xlientclientserver,s=c2FsdA==,i=4096"), "nonce" },
		{ LIT("r=%N\x01,s=c2FsdA==,i=4096"), "nonce" },
		{ LIT("r=%N,s=c2FsdA==,i=4095"), "iterations" },
		{ LIT("r=%N,s=c2FsdA==,i=0"), "iterations" },
		{ LIT("r=%N,s=c2FsdA==,i=600001"), "iterations" },
		{ LIT("r=%N,s=c2FsdA==,i=4294971392"), "iterations" },
		{ LIT("r=%N,s=c2FsdA==,i=04096"), "iterations" },
		{ LIT("r=%N,s=c2FsdA==,i=+4096"), "iterations" },
		{ LIT("r=%N,s=c2FsdA==,i=4096 "), "iterations" },
		{ LIT("r=%N,s=c2FsdA==,i=-1"), "iterations" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pair p =
		    replaced("SCRAM-SHA-256", 1, bad[i].s.p, bad[i].s.n);

		assert_int_equal(p.client, SASL_FAILED);
		assert_int_equal(p.messages, 2);
		assert_non_null(strstr(p.error, bad[i].why));
	}
}

static void
test_iterations_bounds(void **state)
{
	/* The bounds themselves are fine: the proof goes out. */
	static const char *const good[] = { "r=%N,s=c2FsdA==,i=4096",
		"r=%N,s=c2FsdA==,i=4097,x=y,z=\xc3\xa9" };
	uint32_t n;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pair p =
		    replaced("SCRAM-SHA-1", 1, good[i], strlen(good[i]));

		assert_int_equal(p.client, SASL_MORE);
		assert_int_equal(p.messages, 3);
		assert_int_equal(p.server, SASL_DENIED);
	}
	/* Not waited for here. */
	assert_true(scram_is_count(LIT("600000"), &n));
	assert_int_equal(n, 600000);
}

static void
test_client_final_malformed(void **state)
{
	static const struct slice bad[] = {
		LIT(""),
		LIT("c=biws"),
		LIT("c=biws,r=%N"),
		LIT("c=biws,r=%N,p="),
		LIT("c=biws,r=%N,p=AAAA"),
		LIT("c=biws,r=%N,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		LIT("c=biws,r=%N,p=AAAAAAAAAAAAAAAAAAAAAAAAAAB="),
		LIT("r=%N,c=biws,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		LIT("c=biws,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		LIT("c=eSws,r=%N,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		LIT("c=biw=,r=%N,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		LIT("c=biws,r=clientclientserverservex,"
		    "p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		LIT("c=biws,r=%Nx,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		LIT("c=biws,r=clientclient,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		LIT("c=biws,r=%N,m=x,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		LIT("c=biws,r=%N,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=,x=y"),
	};
	static const struct slice denied[] = {
		LIT("c=biws,r=%N,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		LIT("c=biws,r=%N,x=y,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pair p = replaced("SCRAM-SHA-1", 2, bad[i].p, bad[i].n);

		assert_int_equal(p.server, SASL_FAILED);
		assert_int_equal(p.messages, 3);
	}
	for (size_t i = 0; i < 2; i++) {
		struct pair p =
		    replaced("SCRAM-SHA-1", 2, denied[i].p, denied[i].n);

		assert_int_equal(p.server, SASL_DENIED);
	}
}

static void
test_server_final_malformed(void **state)
{
	/* M-45: no +OK is believed after these. */
	static const struct {
		struct slice s;
		const char *why;
	} bad[] = {
		{ LIT(""), "malformed" },
		{ LIT("v="), "malformed" },
		{ LIT("v=AAAA"), "malformed" },
		{ LIT("v=AAAAAAAAAAAAAAAAAAAAAAAAAAA"), "malformed" },
		{ LIT("v=AAAAAAAAAAAAAAAAAAAAAAAAAAB="), "malformed" },
		{ LIT("x=y,v=AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "malformed" },
		{ LIT("v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=,"), "malformed" },
		{ LIT("v=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		    "does not know the password" },
		{ LIT("e=invalid-proof"), "the server says \"invalid-proof\"" },
		{ LIT("e=\x1b[2J\"x,y=z"), "\"\\x1b[2J\\x22x\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pair p =
		    replaced("SCRAM-SHA-1", 3, bad[i].s.p, bad[i].s.n);

		assert_int_equal(p.client, SASL_FAILED);
		assert_false(p.verified);
		assert_int_equal(p.messages, 4);
		assert_non_null(strstr(p.error, bad[i].why));
	}
}

static void
test_last_answer(void **state)
{
	/* S-5034-08, S-5802-04: an empty line, nothing else. */
	struct pair p = replaced("SCRAM-SHA-1", 4, "x", 1);

	(void)state;
	assert_int_equal(p.messages, 5);
	assert_int_equal(p.server, SASL_FAILED);
}

/* ---- the rest ---- */

static void
test_early_yes(void **state)
{
	/* M-45: +OK at any time before v= was verified. */
	struct sasl_credentials cred = pair_make("SCRAM-SHA-1").cred;
	struct sasl_client *c =
	    sasl_client_new(pair_mechanism("SCRAM-SHA-1"), &cred);
	char in[] = "r=abcd,s=c2FsdA==,i=4096";
	struct buf out;

	(void)state;
	c->nonce = "abc";
	buf_init(&out, 4096, true);
	assert_false(sasl_client_is_verified(c));
	assert_int_equal(sasl_client_step(c, LIT(""), &out), SASL_MORE);
	assert_false(sasl_client_is_verified(c));
	assert_int_equal(
	    sasl_client_step(c, (struct slice){ in, sizeof(in) - 1 }, &out),
	    SASL_MORE);
	assert_false(sasl_client_is_verified(c));
	/* A failure is final. */
	assert_int_equal(sasl_client_step(c, LIT("v=x"), &out), SASL_FAILED);
	assert_int_equal(sasl_client_step(c, LIT("v=x"), &out), SASL_FAILED);
	assert_false(sasl_client_is_verified(c));
	sasl_client_free(c);
	buf_free(&out);
}

static void
test_failure_is_final(void **state)
{
	/* No proof is expected yet: nothing is one. */
	static const struct slice nothing =
	    LIT("v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	struct sasl_credentials cred = pair_make("SCRAM-SHA-1").cred;
	struct sasl_client *c =
	    sasl_client_new(pair_mechanism("SCRAM-SHA-1"), &cred);
	struct buf out;

	(void)state;
	buf_init(&out, 4096, true);
	assert_int_equal(sasl_client_step(c, LIT(""), &out), SASL_MORE);
	assert_int_equal(sasl_client_step(c, nothing, &out), SASL_FAILED);
	assert_int_equal(sasl_client_step(c, nothing, &out), SASL_FAILED);
	assert_false(sasl_client_is_verified(c));
	sasl_client_free(c);
	buf_free(&out);
}

static void
test_server_order(void **state)
{
	/* Nothing is answered that was not asked. */
	const struct sasl_mechanism *m = pair_mechanism("SCRAM-SHA-256");
	struct sasl_keys keys = { .salt_n = 1, .iterations = 4096 };
	struct slice first = LIT("n,,n=user,r=x"), none = LIT("");
	struct sasl_server *s = sasl_server_new(m);
	struct buf out;

	(void)state;
	buf_init(&out, 4096, true);
	assert_int_equal(sasl_server_keys(s, &keys, &out), SASL_FAILED);
	assert_int_equal(sasl_server_cram_key(s, NULL, NULL), SASL_FAILED);
	assert_int_equal(
	    sasl_server_refuse_token(
		s, &(struct sasl_token_refusal){ false, "", "" }, &out),
	    SASL_FAILED);
	assert_int_equal(sasl_server_step(s, &first, &out), SASL_LOOKUP);
	assert_int_equal(out.len, 0);
	assert_int_equal(sasl_server_step(s, &none, &out), SASL_FAILED);
	assert_int_equal(sasl_server_keys(s, &keys, &out), SASL_FAILED);
	sasl_server_free(s);
	/* The nonces are fresh, and ours begins where the client's ends. */
	for (int i = 0; i < 2; i++) {
		char said[2][64];

		for (int k = 0; k < 2; k++) {
			s = sasl_server_new(m);
			assert_int_equal(
			    sasl_server_step(s, &first, &out), SASL_LOOKUP);
			assert_int_equal(
			    sasl_server_keys(s, &keys, &out), SASL_MORE);
			assert_true(out.len > 3 + SASL_NONCE);
			assert_memory_equal(buf_data(&out), "r=x", 3);
			memcpy(said[k], buf_data(&out), 3 + SASL_NONCE);
			buf_consume(&out, out.len);
			sasl_server_free(s);
		}
		assert_memory_not_equal(said[0], said[1], 3 + SASL_NONCE);
	}
	buf_free(&out);
}

static void
test_fake_keys(void **state)
{
	/* S-5802-03: stable by name and secret, different by both. */
	const struct sasl_mechanism *m = pair_mechanism("SCRAM-SHA-256");
	struct sasl_keys a, b;

	(void)state;
	assert_int_equal(
	    sasl_keys_fake(&a, m, LIT("secret"), LIT("anna"), 5000), E_OK);
	assert_int_equal(
	    sasl_keys_fake(&b, m, LIT("secret"), LIT("anna"), 5000), E_OK);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(a.iterations, 5000);
	assert_int_equal(a.salt_n, 16);
	assert_memory_not_equal(a.salt, a.stored, 16);
	assert_memory_not_equal(a.salt, a.server, 16);
	assert_memory_not_equal(a.stored, a.server, 16);
	assert_int_equal(
	    sasl_keys_fake(&b, m, LIT("secret"), LIT("annb"), 5000), E_OK);
	assert_memory_not_equal(a.salt, b.salt, 16);
	assert_int_equal(
	    sasl_keys_fake(&b, m, LIT("Secret"), LIT("anna"), 5000), E_OK);
	assert_memory_not_equal(a.salt, b.salt, 16);
	assert_int_equal(sasl_keys_fake(&b, pair_mechanism("PLAIN"),
			     LIT("secret"), LIT("anna"), 5000),
	    E_FORMAT);
}

static void
test_keys_bounds(void **state)
{
	const struct sasl_mechanism *m = pair_mechanism("SCRAM-SHA-1");
	struct sasl_keys k = { .salt_n = 16, .iterations = 4095 };
	struct errbuf eb;

	(void)state;
	assert_int_equal(sasl_keys_make(&k, m, LIT("x"), NULL), E_FORMAT);
	k.iterations = 10000001;
	assert_int_equal(sasl_keys_make(&k, m, LIT("x"), NULL), E_FORMAT);
	k.iterations = 4096;
	k.salt_n = 0;
	assert_int_equal(sasl_keys_make(&k, m, LIT("x"), NULL), E_FORMAT);
	k.salt_n = SASL_SALT_MAX;
	assert_int_equal(sasl_keys_make(&k, m, LIT("x"), &eb), E_OK);
}

static void
test_no_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAMES; i += 3)
		for (unsigned n = 1;; n++) {
			struct pair p = pair_make(names[i]);

			p.cred.authzid = LIT("z");
			alloc_fail(n);
			pair_run(&p);
			if (!alloc_failed()) {
				alloc_fail(0);
				assert_true(n > 10);
				assert_true(p.accepted && p.verified);
				break;
			}
			assert_false(p.accepted);
			assert_true(
			    p.server == SASL_NOMEM || p.client == SASL_NOMEM);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_binding_flags),
		cmocka_unit_test(test_binding_differs),
		cmocka_unit_test(test_every_octet_changed),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_client_first_malformed),
		cmocka_unit_test(test_client_first_bounds),
		cmocka_unit_test(test_server_first_malformed),
		cmocka_unit_test(test_iterations_bounds),
		cmocka_unit_test(test_client_final_malformed),
		cmocka_unit_test(test_server_final_malformed),
		cmocka_unit_test(test_last_answer),
		cmocka_unit_test(test_early_yes),
		cmocka_unit_test(test_failure_is_final),
		cmocka_unit_test(test_server_order),
		cmocka_unit_test(test_fake_keys),
		cmocka_unit_test(test_keys_bounds),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
