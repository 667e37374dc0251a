/*
 * Mechanisms of SASL: what is served, what each user's hash can do, and that
 * nobody can tell who there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth_rig.h"
#include "base/buf.h"
#include "base/clock.h"
#include "sasl/sasl.h"

/* ---- SCRAM ---- */

/* A client that has said its first message, and heard the answer. */
struct scram {
	struct sasl_credentials cred;
	struct sasl_client *client;
	struct said said;
	struct buf out;
};

static void
scram_begin_as(
    struct scram *sc, uint64_t sid, const char *name, const char *password)
{
	static const char mechanism[] = "SCRAM-SHA-256";

	memset(sc, 0, sizeof(*sc));
	sc->cred.authcid = (struct slice){ name, strlen(name) };
	sc->cred.password = (struct slice){ password, strlen(password) };
	sc->client = sasl_client_new(
	    sasl_find((struct slice){ mechanism, strlen(mechanism) }),
	    &sc->cred);
	buf_init(&sc->out, SASL_MAX, true);
	assert_int_equal(
	    sasl_client_step(sc->client, (struct slice){ "", 0 }, &sc->out),
	    SASL_MORE);
	sasl(sid, mechanism, buf_data(&sc->out), sc->out.len);
	buf_consume(&sc->out, sc->out.len);
	assert_int_equal(
	    sasl_client_step(sc->client, await_said(sid, &sc->said), &sc->out),
	    SASL_MORE);
}

static void
scram_finish(struct scram *sc, uint64_t sid)
{
	sasl_step(sid, buf_data(&sc->out), sc->out.len);
}

static void
scram_free(struct scram *sc)
{
	sasl_client_free(sc->client);
	buf_free(&sc->out);
}

static const struct {
	const char *name, *stored, *why;
} kinds[] = {
	{ "plain", "{PLAIN}pencil", "password" },
	{ "scram",
	    "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
	    "password" },
	{ "argon", CHEAP, "scheme" },
	{ "ssha", "{SSHA}mAdraI+LwCPz5ty/q42IRRJz7w2xmEk/", "scheme" },
	{ "locked", "*", "locked" },
	{ "nobody", NULL, "unknown-user" },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void
write_kinds(size_t first)
{
	char text[2048] = "";

	for (size_t i = first; i < KINDS; i++)
		if (kinds[i].stored != NULL)
			snprintf(text + strlen(text),
			    sizeof(text) - strlen(text), "%s:%s\n",
			    kinds[i].name, kinds[i].stored);
	write_users(rig.users, text);
	send_users(rig.users);
}

/* S-1939-18: neither whether there is such a user nor how their password is
 * stored is told by what a wrong one costs: one hash, where anybody's is
 * costly, for each name. */
static void
test_unknown_costs_the_same(void **state)
{
	static const struct {
		const char *how, *first;
		unsigned argon2;
	} v[] = { { "PASS", CHEAP, 1 }, { "PLAIN", CHEAP, 1 },
		{ "CRAM-MD5", CHEAP, 0 }, { "PASS", "{PLAIN}x", 0 } };
	/* costly or not, {PLAIN}, {SSHA}, locked, nobody */
	static const char names[] = "caslx";
	char text[512];
	uint64_t sid = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		snprintf(text, sizeof(text),
		    "c:%s\na:{PLAIN}secret\nl:*\n"
		    "s:{SSHA}mAdraI+LwCPz5ty/q42IRRJz7w2xmEk/\n",
		    v[i].first);
		replace_users(text);
		send_users(rig.users);
		take_computed();
		for (const char *name = names; *name != '\0'; name++, sid++) {
			struct computed c;

			guess(v[i].how, sid, *name);
			answer_unchanged();
			refused(sid, SIGN_IN_CREDENTIALS, NULL);
			c = take_computed();
			assert_int_equal(c.argon2, v[i].argon2);
			assert_int_equal(c.pbkdf2, 0);
		}
	}
}

/* S-5802-03: a name that is there and one that is not cost the same steps:
 * counted, as no clock is. */
static void
test_scram_costs_the_same(void **state)
{
	struct said proof;
	uint64_t sid = 1;
	struct scram sc;
	int store;

	(void)state;
	/* With a readable password in the file each name costs one; without
	 * any, none. */
	for (size_t first = 0; first < 2; first++) {
		write_kinds(first);
		for (size_t i = first; i < KINDS; i++, sid++) {
			take_computed();
			scram_begin_as(&sc, sid, kinds[i].name, "wrong");
			assert_int_equal(take_computed().pbkdf2, 0);
			scram_finish(&sc, sid);
			answer_unchanged();
			refused(sid, SIGN_IN_CREDENTIALS, kinds[i].why);
			assert_int_equal(take_computed().pbkdf2, first == 0);
			scram_free(&sc);
		}
		/* RFC 7677 s3: salt and keys of the example's password. */
		take_computed();
		scram_begin_as(&sc, sid, "scram", "pencil");
		scram_finish(&sc, sid);
		assert_int_equal(sasl_client_step(sc.client,
				     await_said(sid, &proof), &sc.out),
		    SASL_DONE);
		sasl_step(sid, "", 0);
		opened(sid++, &store);
		assert_int_equal(take_computed().pbkdf2, first == 0);
		scram_free(&sc);
	}
}

/* A client or a worker that goes, in each state, leaves nothing that the next
 * one meets. */
static void
test_scram_given_up(void **state)
{
	struct scram sc;
	uint64_t sid = 1;
	int store;

	(void)state;
	write_kinds(0);
	for (int step = 0; step < 2; step++, sid++) {
		scram_begin_as(&sc, sid, "plain", "wrong");
		if (step == 1)
			scram_finish(&sc, sid);
		about(0, IPC_SIGN_IN_END, sid);
		scram_free(&sc);
		sasl(sid, "PLAIN", "\0plain\0pencil", 13);
		opened(sid, &store);
	}
	/* Too late is no fault, and too much is one. */
	scram_begin_as(&sc, sid, "scram", "pencil");
	close(rig.pop3_fd[1]);
	scram_finish(&sc, sid);
	await_said(sid, &sc.said);
	sasl_step(sid, "more", 4);
	refused(sid, SIGN_IN_MALFORMED, "malformed");
	scram_free(&sc);
}

/* The salt that a name is told, and for whom nothing can be right. */
static void
told_salt(uint64_t sid, const char *first, char salt[64])
{
	struct said said;
	const char *at;

	sasl(sid, "SCRAM-SHA-256", first, strlen(first));
	await_said(sid, &said);
	about(0, IPC_SIGN_IN_END, sid);
	said.text[said.n] = '\0';
	at = strstr(said.text, ",s=");
	assert_non_null(at);
	snprintf(salt, 64, "%.63s", at);
}

/* S-5802-03: whoever asks for another's mail is told the salt that they are told
 * who do not.  Else the two would differ where there is such a user, and be the
 * same where there is none. */
static void
test_scram_salt_is_of_the_name(void **state)
{
	static const char *const names[] = { "scram", "plain", "nobody" };
	char salt[64], other[64], first[64];
	uint64_t sid = 1;

	(void)state;
	write_kinds(0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(first, sizeof(first), "n,,n=%s,r=x", names[i]);
		told_salt(sid++, first, salt);
		snprintf(first, sizeof(first), "n,a=argon,n=%s,r=x", names[i]);
		told_salt(sid++, first, other);
		assert_string_equal(salt, other);
		snprintf(first, sizeof(first), "n,,n=argon*%s,r=x", names[i]);
		told_salt(sid++, first, other);
		assert_string_equal(salt, other);
	}
}

/* Nor is that the way to the mail: neither with a proof of the right password. */
static void
test_scram_for_another(void **state)
{
	struct scram sc;

	(void)state;
	write_kinds(0);
	scram_begin_as(&sc, 1, "argon*scram", "pencil");
	scram_finish(&sc, 1);
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "not-master");
	scram_free(&sc);
}

/* A password that is taken away while its proof is under way opens nothing, also
 * if nobody else has come and seen the new file. */
static void
test_scram_password_taken_away(void **state)
{
	struct scram sc;
	int store;

	(void)state;
	for (uint64_t sid = 1; sid < 3; sid++) {
		write_kinds(1);
		scram_begin_as(&sc, sid, "scram", "pencil");
		scram_finish(&sc, sid);
		await_said(sid, &sc.said);
		replace_users(sid == 1 ? "scram:{PLAIN}new\n" : "x:*\n");
		sasl_step(sid, "", 0);
		await_check();
		send_users(rig.users);
		refused(sid, SIGN_IN_CREDENTIALS, "changed");
		scram_free(&sc);
	}
	/* Another change does not matter. */
	write_kinds(1);
	scram_begin_as(&sc, 3, "scram", "pencil");
	scram_finish(&sc, 3);
	await_said(3, &sc.said);
	utimensat(AT_FDCWD, rig.users, NULL, 0);
	sasl_step(3, "", 0);
	await_check();
	send_users(NULL);
	opened(3, &store);
	scram_free(&sc);
}

/* Who signed in from an address does not wait for others' failures there; that
 * is for one try, as a proof cannot be looked at beforehand. */
static void
test_scram_waits_after_a_failure(void **state)
{
	static const char first[] = "n,,n=scram,r=anything";
	struct scram sc;
	int store;

	(void)state;
	write_kinds(1);
	for (uint64_t sid = 1; sid < 4; sid++) {
		scram_begin_as(&sc, sid, "scram", sid < 3 ? "pencil" : "wrong");
		scram_finish(&sc, sid);
		if (sid < 3) {
			await_said(sid, &sc.said);
			sasl_step(sid, "", 0);
			opened(sid, &store);
		}
		scram_free(&sc);
		if (sid > 1)
			continue;
		pass(10, "nobody", "x");
		answer_unchanged();
		about(0, IPC_SIGN_IN_END, 10);
	}
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 3);
	sasl(4, "SCRAM-SHA-256", first, strlen(first));
	assert_silent(rig.pop3_fd[0], QUIET);
	await_said(4, &sc.said);
}

/* Proofs that are sent at once are looked at one by one, too; and one who has been
 * told the salt, and says nothing, keeps nobody waiting. */
static void
test_scram_burst(void **state)
{
	uint64_t begun;
	struct scram sc[4];
	int store;

	(void)state;
	write_kinds(1);
	for (uint64_t sid = 0; sid < 4; sid++)
		scram_begin_as(&sc[sid], sid, "scram", "wrong");
	begun = clock_ms();
	for (uint64_t sid = 1; sid < 4; sid++)
		scram_finish(&sc[sid], sid);
	expect_one_guess(begun, 1, 0);
	expect_one_guess(begun, 2, 1000);
	about(0, IPC_SIGN_IN_END, 1);
	about(0, IPC_SIGN_IN_END, 2);
	about(0, IPC_SIGN_IN_END, 3);
	pass(4, "scram", "pencil");
	opened(4, &store);
	for (uint64_t sid = 0; sid < 4; sid++)
		scram_free(&sc[sid]);
}

/* What is announced is what somebody could use. */
static void
test_served(void **state)
{
	(void)state;
	expect_served("APOP SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 "
		      "SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5 ");
	write_kinds(1);
	expect_served("SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN ");
	write_kinds(2);
	expect_served("PLAIN LOGIN ");
	sasl(1, "SCRAM-SHA-256", NULL, 0);
	refused(1, SIGN_IN_MALFORMED, "mechanism");
	sasl(2, "EXTERNAL", "", 0);
	refused(2, SIGN_IN_MALFORMED, "mechanism");
	sasl(3, "ANONYMOUS", "", 0);
	refused(3, SIGN_IN_MALFORMED, "mechanism");
}

static void
test_sasl(void **state)
{
	int store;

	(void)state;
	/* S-4616-02, S-LOGIN-01, S-LOGIN-02 */
	sasl(1, "PLAIN", "\0anna\0secret", 12);
	opened(1, &store);
	sasl(2, "plain", NULL, 0);
	expect_challenge(2, "");
	sasl_step(2, "ANNA\0anna@d.org\0secret", 22);
	opened(2, &store);
	sasl(3, "LOGIN", NULL, 0);
	expect_challenge(3, "Username:");
	sasl_step(3, "anna", 4);
	expect_challenge(3, "Password:");
	sasl_step(3, "secret", 6);
	opened(3, &store);
	sasl(4, "LOGIN", "bob@b.org", 9);
	expect_challenge(4, "Password:");
	sasl_step(4, "secret", 6);
	opened(4, &store);
	/* A cancelled one, then another in the same session. */
	sasl(5, "LOGIN", NULL, 0);
	expect_challenge(5, "Username:");
	about(0, IPC_SIGN_IN_END, 5);
	sasl(5, "PLAIN", "\0anna\0secret", 12);
	opened(5, &store);
}

static void
test_sasl_refused(void **state)
{
	(void)state;
	sasl(1, "PLAIN", "\0anna\0wrong", 11);
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "password");
	/* S-5034-10: nobody acts for another. */
	sasl(2, "PLAIN", "bob\0anna\0secret", 15);
	refused(2, SIGN_IN_CREDENTIALS, "authzid");
	sasl(3, "PLAIN", "\0anna", 5); /* S-4616-01 */
	refused(3, SIGN_IN_MALFORMED, "malformed");
	sasl(4, "PLAIN", "", 0); /* M-20 */
	refused(4, SIGN_IN_MALFORMED, "malformed");
	sasl(5, "XOAUTH2", NULL, 0);
	refused(5, SIGN_IN_MALFORMED, "mechanism");
	sasl(6, "LOGIN", "\xff", 1);
	refused(6, SIGN_IN_MALFORMED, "malformed");
	assert_non_null(strstr(log_text(), "method=PLAIN code=malformed"));
}

/* ---- certificates of clients ---- */

struct signer {
	X509 *x;
	EVP_PKEY *key;
};

struct owner {
	const char *name;
	size_t name_n;
	long seconds;
	const char *usage; /* NULL: any */
};

/* issuer: NULL if it signs itself. */
static struct signer
sign(struct owner o, const struct signer *issuer)
{
	struct signer s = { X509_new(), EVP_EC_gen("P-256") };
	X509_EXTENSION *usage = NULL;

	X509_set_version(
	    s.x, o.usage != NULL ? X509_VERSION_3 : X509_VERSION_1);
	X509_gmtime_adj(X509_getm_notBefore(s.x), -1000000);
	X509_gmtime_adj(X509_getm_notAfter(s.x), o.seconds);
	X509_set_pubkey(s.x, s.key);
	X509_NAME_add_entry_by_NID(X509_get_subject_name(s.x), NID_commonName,
	    MBSTRING_ASC, (const unsigned char *)o.name, (int)o.name_n, -1, 0);
	X509_set_issuer_name(
	    s.x, X509_get_subject_name(issuer != NULL ? issuer->x : s.x));
	if (o.usage != NULL) {
		usage =
		    X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, o.usage);
		X509_add_ext(s.x, usage, -1);
		X509_EXTENSION_free(usage);
	}
	assert_true(X509_sign(s.x, issuer != NULL ? issuer->key : s.key,
			EVP_sha256()) > 0);
	return s;
}

static void
signer_free(struct signer *s)
{
	X509_free(s->x);
	EVP_PKEY_free(s->key);
}

static void
send_client_ca(const struct signer *ca)
{
	FILE *f = tmpfile();

	assert_true(PEM_write_X509(f, ca->x) == 1 && fflush(f) == 0);
	rewind(f);
	ipc_begin(rig.ctl, IPC_CLIENT_CA);
	ipc_put_fd(rig.ctl, fileno(f), false);
	sent_before_others(rig.ctl);
	fclose(f);
}

/* more: octets behind the certificate. */
static void
external(uint64_t sid, struct owner o, const struct signer *issuer, size_t more,
    const char *authzid)
{
	struct signer s = sign(o, issuer);
	unsigned char der[CLIENT_CERT_MAX] = { 0 }, *p = der;
	int n = i2d_X509(s.x, &p);

	assert_true(n > 0);
	sasl_with(sid, "EXTERNAL",
	    (struct slice){ (const char *)der, (size_t)n + more }, authzid,
	    strlen(authzid));
	signer_free(&s);
}

#define OWNER(name) name, sizeof(name) - 1

/* Whatever a worker says that a client has shown. */
static void
test_external(void **state)
{
	static const struct owner anna = { OWNER("anna@d.org"), 1000, NULL };
	static const struct owner authority = { OWNER("ca"), 1000, NULL };
	static const struct owner bad[] = {
		{ OWNER("anna@d.org"), -1000, NULL },
		{ OWNER("anna@d.org"), 1000, "serverAuth" },
		{ OWNER("anna@d.org\0.example"), 1000, NULL },
		{ OWNER(""), 1000, NULL },
	};
	struct auth_conf conf = usual();
	struct signer ca = sign(authority, NULL), other = sign(authority, NULL);
	uint64_t sid = 10;
	int store;

	(void)state;
	conf.client_name = CLIENT_NAME_CN;
	start(&conf);
	send_client_ca(&ca);
	external(1, anna, &ca, 0, "");
	opened(1, &store);
	external(2, anna, &ca, 0, "ANNA");
	opened(2, &store);
	/* S-4422-02: nobody acts for another. */
	external(3, anna, &ca, 0, "own");
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "authzid");
	external(4, anna, &other, 0, "");
	refused(4, SIGN_IN_CREDENTIALS, "certificate");
	external(5, anna, NULL, 0, "");
	refused(5, SIGN_IN_CREDENTIALS, "certificate");
	external(6, anna, &ca, 1, "");
	refused(6, SIGN_IN_CREDENTIALS, "certificate");
	sasl(7, "EXTERNAL", "", 0);
	refused(7, SIGN_IN_CREDENTIALS, "certificate");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++, sid++) {
		external(sid, bad[i], &ca, 0, "");
		refused(sid, SIGN_IN_CREDENTIALS, "certificate");
	}
	signer_free(&ca);
	signer_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_costs_the_same),
		TEST(test_sasl),
		TEST(test_sasl_refused),
		TEST(test_scram_costs_the_same),
		TEST(test_scram_given_up),
		TEST_SET_UP(test_scram_salt_is_of_the_name, set_up_masters),
		TEST_SET_UP(test_scram_for_another, set_up_masters),
		TEST(test_scram_password_taken_away),
		TEST_SET_UP(test_scram_waits_after_a_failure, set_up_penalties),
		TEST_SET_UP(test_scram_burst, set_up_penalties),
		TEST(test_served),
		cmocka_unit_test_teardown(test_external, tear_down),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}
