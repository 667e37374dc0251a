/* TLS as a client: our own server at the other end of a socket pair, with
 * certificates that are made here. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/b64.h"
#include "net/conn.h"
#include "net/tls.h"
#include "net/tls_client.h"
#include "net/tls_reason.h"

enum { DAY = 86400 };

/* ---- certificates ---- */

struct cert {
	X509 *x;
	EVP_PKEY *key;
};

struct spec {
	const char *cn;
	const char *alt; /* subjectAltName as in OpenSSL's configuration */
	const char *purpose;
	const char *constraints;
	long from, to; /* seconds from now; both 0: a day each way */
	const struct cert *issuer; /* NULL: itself */
	const char *kind;          /* of the key; NULL: "EC" */
	const EVP_MD *md;          /* NULL: SHA-256 */
};

static void
add(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e;

	if (value == NULL)
		return;
	e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

static struct cert
make(struct spec s)
{
	static long serial = 1000;
	const char *kind = s.kind != NULL ? s.kind : "EC";
	struct cert c = { X509_new(), NULL };
	X509_NAME *name = X509_NAME_new();
	const EVP_MD *md = s.md != NULL ? s.md : EVP_sha256();

	c.key = strcmp(kind, "EC") == 0 ? EVP_EC_gen("P-256")
					: EVP_PKEY_Q_keygen(NULL, NULL, kind);
	assert_non_null(c.key);
	X509_set_version(c.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c.x), s.from ? s.from : -DAY);
	X509_gmtime_adj(X509_getm_notAfter(c.x), s.to ? s.to : DAY);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_UTF8, (const unsigned char *)s.cn, -1, -1, 0);
	X509_set_subject_name(c.x, name);
	X509_set_issuer_name(
	    c.x, s.issuer != NULL ? X509_get_subject_name(s.issuer->x) : name);
	X509_set_pubkey(c.x, c.key);
	add(c.x, NID_basic_constraints, s.constraints);
	add(c.x, NID_subject_alt_name, s.alt);
	add(c.x, NID_ext_key_usage, s.purpose);
	assert_true(X509_sign(c.x, s.issuer != NULL ? s.issuer->key : c.key,
			strcmp(kind, "ED25519") == 0 ? NULL : md) > 0);
	X509_NAME_free(name);
	return c;
}

static void
drop(struct cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
}

static void
digest(char hex[65], const X509 *x)
{
	unsigned char d[32];

	X509_digest(x, EVP_sha256(), d, NULL);
	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", d[i]);
}

/* ---- the two ends ---- */

static struct {
	char dir[64];
	struct cert root, middle, good;
	char root_file[96];
	struct conn client, server;
	struct errbuf words;
	char sni[300];
} t;

static char *
path(char out[96], const char *name)
{
	snprintf(out, 96, "%s/%s", t.dir, name);
	return out;
}

static void
save(const char *name, const struct cert *c, bool with_x, bool with_key,
    const char *passphrase)
{
	char p[96];
	FILE *f = fopen(path(p, name), "w");

	if (with_x)
		PEM_write_X509(f, c->x);
	if (with_key)
		PEM_write_PrivateKey(f, c->key,
		    passphrase != NULL ? EVP_aes_128_cbc() : NULL, NULL, 0,
		    NULL, (void *)(uintptr_t)passphrase);
	fclose(f);
}

static SSL_CTX *
server_context(const struct cert *c, const struct cert *chain, const char *min)
{
	BIO *x = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	struct tls_pair pair = { .key = NULL };
	struct tls_conf conf = {
		.pair = &pair, .n_pairs = 1, .min = min, .ciphers = ""
	};
	struct errbuf eb;
	SSL_CTX *ctx;

	PEM_write_bio_X509(x, c->x);
	if (chain != NULL)
		PEM_write_bio_X509(x, chain->x);
	PEM_write_bio_PrivateKey(key, c->key, NULL, NULL, 0, NULL, NULL);
	BIO_write(x, "", 1);
	BIO_write(key, "", 1);
	BIO_get_mem_data(x, (char **)(uintptr_t)&pair.certificate);
	BIO_get_mem_data(key, (char **)(uintptr_t)&pair.key);
	if (tls_context_new(&ctx, &conf, &eb) != E_OK)
		fail_msg("%s", eb.text);
	BIO_free(x);
	BIO_free(key);
	return ctx;
}

static void
pair_open(void)
{
	int fds[2];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
	conn_init(&t.client, fds[0]);
	conn_init(&t.server, fds[1]);
}

static void
pair_close(void)
{
	conn_close(&t.client);
	conn_close(&t.server);
}

/* Both ends in turn until the client has an outcome; its words are kept. */
static enum err
shake(SSL_CTX *server, SSL_CTX *client, const char *host)
{
	enum err c = E_AGAIN, s = E_AGAIN;

	pair_open();
	assert_int_equal(conn_start_tls(&t.server, server), E_OK);
	if ((c = tls_client_start(&t.client, client, host)) != E_OK)
		return c;
	c = E_AGAIN;
	for (int i = 0; i < 20 && (c == E_AGAIN || s == E_AGAIN); i++) {
		if (c == E_AGAIN && (c = conn_handshake(&t.client)) != E_OK &&
		    c != E_AGAIN)
			tls_client_why(&t.client, host, &t.words);
		if (s == E_AGAIN && (s = conn_handshake(&t.server)) == E_OK)
			s = conn_flush(&t.server);
	}
	t.sni[0] = '\0';
	if (SSL_get_servername(t.server.ssl, 0) != NULL)
		snprintf(t.sni, sizeof(t.sni), "%s",
		    SSL_get_servername(t.server.ssl, 0));
	return c;
}

static SSL_CTX *
client_context(const struct tls_client_conf *conf)
{
	struct errbuf eb;
	SSL_CTX *ctx;

	if (tls_client_context_new(&ctx, conf, &eb) != E_OK)
		fail_msg("%s", eb.text);
	return ctx;
}

/* A whole connection: E_OK only if the greeting arrived. */
static enum err
meet_as(const struct cert *c, const struct cert *chain,
    const struct tls_client_conf *conf, const char *host)
{
	SSL_CTX *server = server_context(c, chain, "1.2");
	SSL_CTX *client = client_context(conf);
	enum err e = shake(server, client, host);
	char in[8];
	size_t n;

	if (e == E_OK) {
		assert_int_equal(conn_write(&t.server, "+OK\r\n", 5, &n), E_OK);
		assert_int_equal(conn_flush(&t.server), E_OK);
		assert_int_equal(conn_read(&t.client, in, 8, &n), E_OK);
		assert_int_equal(n, 5);
	}
	pair_close();
	tls_context_free(server);
	tls_context_free(client);
	return e;
}

static enum err
meet(const struct cert *c, const char *host)
{
	struct tls_client_conf conf = { .ca_file = t.root_file };

	return meet_as(c, NULL, &conf, host);
}

static void
words_have(const char *part)
{
	if (strstr(t.words.text, part) == NULL)
		fail_msg("\"%s\" has no \"%s\"", t.words.text, part);
	assert_true(strlen(t.words.text) < sizeof(t.words.text) - 1);
}

/* ---- certificates that are right, and names ---- */

static void
a_good_certificate(void **state)
{
	(void)state;
	assert_int_equal(meet(&t.good, "pop.example.org"), E_OK);
	assert_string_equal(t.sni, "pop.example.org");
	assert_int_equal(meet(&t.good, "POP.Example.org"), E_OK);
	assert_int_equal(meet(&t.good, "pop.example.org."), E_OK);
	assert_string_equal(t.sni, "pop.example.org");
	assert_int_equal(meet(&t.good, "b\xc3\xbc"
				       "cher.example"),
	    E_OK);
	assert_string_equal(t.sni, "xn--bcher-kva.example");
}

/* C-7817-03, C-9525-01 */
static void
names_match_by_the_rules(void **state)
{
	static const struct {
		const char *alt, *host;
		bool match;
	} rows[] = {
		{ "DNS:*.example.com", "a.example.com", true },
		{ "DNS:*.example.com", "A.EXAMPLE.COM", true },
		{ "DNS:*.example.com", "example.com", false },
		{ "DNS:*.example.com", "a.b.example.com", false },
		{ "DNS:f*o.example.com", "foo.example.com", false },
		{ "DNS:f*.example.com", "foo.example.com", false },
		{ "DNS:*o.example.com", "foo.example.com", false },
		{ "DNS:a.*.example.com", "a.b.example.com", false },
		{ "DNS:*.com", "example.com", false },
		{ "DNS:*", "localhost", false },
		{ "DNS:example.com", "www.example.com", false },
		{ "DNS:www.example.com", "example.com", false },
		{ "DNS:xn--bcher-kva.example",
		    "b\xc3\xbc"
		    "cher.example",
		    true },
		{ "IP:127.0.0.1", "127.0.0.1", true },
		{ "IP:127.0.0.2", "127.0.0.1", false },
		{ "DNS:127.0.0.1", "127.0.0.1", false },
		{ "IP:::1", "::1", true },
		{ "IP:::1", "0:0:0:0:0:0:0:1", true },
		{ "IP:fe80::1", "fe80::1%lo", true },
		{ "IP:127.0.0.1", "localhost", false },
		{ "URI:pop://pop.example.org", "pop.example.org", false },
		{ "email:a@pop.example.org", "pop.example.org", false },
		{ "DNS:a.example,DNS:b.example", "b.example", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cert c = make((struct spec){
		    .cn = "x", .alt = rows[i].alt, .issuer = &t.root });
		enum err e = meet(&c, rows[i].host);

		if ((e == E_OK) != rows[i].match)
			fail_msg("%s, %s", rows[i].alt, rows[i].host);
		drop(&c);
	}
}

static void
addresses_are_not_sent_as_names(void **state)
{
	struct cert c = make((struct spec){
	    .cn = "x", .alt = "IP:127.0.0.1,IP:::1", .issuer = &t.root });

	(void)state;
	assert_int_equal(meet(&c, "127.0.0.1"), E_OK);
	assert_string_equal(t.sni, "");
	assert_int_equal(meet(&c, "::1"), E_OK);
	assert_string_equal(t.sni, "");
	drop(&c);
	assert_int_equal(meet(&t.good, "a b"), E_CONFIG);
	assert_int_equal(meet(&t.good, ".example.org"), E_CONFIG);
}

static void
a_common_name_does_not_count(void **state)
{
	struct cert c =
	    make((struct spec){ .cn = "pop.example.org", .issuer = &t.root });

	(void)state;
	assert_int_equal(meet(&c, "pop.example.org"), E_IO);
	words_have("pop.example.org: ");
	words_have("no names of servers");
	drop(&c);
}

static void
wrong_names_are_listed(void **state)
{
	char many[4000] = "DNS:0.example";
	struct cert c = make((struct spec){ .cn = "x",
	    .alt = "DNS:mail.example.net,IP:10.0.0.7,IP:2001:db8::7",
	    .issuer = &t.root });

	(void)state;
	assert_int_equal(meet(&c, "pop.example.org"), E_IO);
	words_have("pop.example.org: ");
	words_have("mail.example.net, 10.0.0.7, 2001:db8::7");
	words_have("write server = \"mail.example.net\"");
	drop(&c);
	for (int i = 1; i < 100; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many),
		    ",DNS:%d.example", i);
	c = make((struct spec){ .cn = "x", .alt = many, .issuer = &t.root });
	assert_int_equal(meet(&c, "pop.example.org"), E_IO);
	words_have("0.example, 1.example, 2.example, 3.example, ...;");
	drop(&c);
	/* The name that is most likely POP's; a pattern is none. */
	c = make((struct spec){ .cn = "x",
	    .alt = "DNS:*.example,DNS:www.example,DNS:mail.example,"
		   "DNS:pop.example",
	    .issuer = &t.root });
	assert_int_equal(meet(&c, "h.other"), E_IO);
	words_have("write server = \"pop.example\"");
	drop(&c);
	c = make((struct spec){
	    .cn = "x", .alt = "DNS:*.example", .issuer = &t.root });
	assert_int_equal(meet(&c, "h.other"), E_IO);
	words_have("is for *.example; is that your provider? Then write as "
		   "server the name there");
	drop(&c);
	c = make((struct spec){
	    .cn = "x", .alt = "DNS:a\n\x1b[31m\"b", .issuer = &t.root });
	assert_int_equal(meet(&c, "b\xc3\xbc"
				  "cher.example"),
	    E_IO);
	words_have("xn--bcher-kva.example: ");
	words_have("a\\x0a\\x1b[31m\\x22b");
	drop(&c);
}

/* ---- certificates that are wrong ---- */

static void
times_are_told(void **state)
{
	struct cert late = make((struct spec){ .cn = "x",
	    .alt = "DNS:h",
	    .from = -9 * DAY,
	    .to = -2 * DAY,
	    .issuer = &t.root });
	struct cert early = make((struct spec){ .cn = "x",
	    .alt = "DNS:h",
	    .from = 2 * DAY,
	    .to = 9 * DAY,
	    .issuer = &t.root });
	char date[32], now[32];
	time_t at = time(NULL), then = at - 2 * DAY;

	(void)state;
	strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&then));
	strftime(now, sizeof(now), "clock says %Y-%m-%d", gmtime(&at));
	assert_int_equal(meet(&late, "h"), E_IO);
	words_have("has expired on ");
	words_have(date);
	words_have(now);
	then = at + 2 * DAY;
	strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&then));
	assert_int_equal(meet(&early, "h"), E_IO);
	words_have("valid only from ");
	words_have(date);
	words_have(now);
	drop(&late);
	drop(&early);
}

static void
reasons_are_ours_where_people_meet_them(void **state)
{
	(void)state;
	assert_string_equal(
	    tls_reason_certificate(X509_V_ERR_CERT_REVOKED), "it was revoked");
	assert_string_equal(tls_reason_certificate(X509_V_ERR_PATH_LOOP),
	    X509_verify_cert_error_string(X509_V_ERR_PATH_LOOP));
	assert_string_equal(tls_reason_handshake(ERR_PACK(
				ERR_LIB_SSL, 0, SSL_R_TLSV1_ALERT_UNKNOWN_CA)),
	    "its issuer is not trusted there");
	assert_string_equal(tls_reason_handshake(ERR_PACK(
				ERR_LIB_SSL, 0, SSL_R_LENGTH_MISMATCH)),
	    "length mismatch");
	/* Another library's code of the same number is something else. */
	assert_string_not_equal(tls_reason_handshake(ERR_PACK(
				    ERR_LIB_X509, 0, SSL_R_DH_KEY_TOO_SMALL)),
	    "the server's key is too short to be safe");
}

static void
who_is_not_trusted(void **state)
{
	struct cert other = make((struct spec){
	    .cn = "Other \xc3\xa7 \"CA\"\n", .constraints = "CA:TRUE" });
	struct cert c =
	    make((struct spec){ .cn = "x", .alt = "DNS:h", .issuer = &other });
	struct cert self = make((struct spec){ .cn = "x", .alt = "DNS:h" });
	char hex[65];

	(void)state;
	digest(hex, c.x);
	assert_int_equal(meet(&c, "h"), E_IO);
	words_have("h: unknown issuer");
	words_have("fingerprint = \"");
	words_have("ca_file");
	words_have(hex);
	words_have("Other \\xc3\\xa7 \\x22CA\\x22\\x0a");
	assert_int_equal(
	    meet_as(&c, &other,
		&(struct tls_client_conf){ .ca_file = t.root_file }, "h"),
	    E_IO);
	words_have("unknown issuer");
	words_have(hex);
	digest(hex, self.x);
	assert_int_equal(meet(&self, "h"), E_IO);
	words_have("signed by itself");
	words_have("fingerprint = \"");
	words_have(hex);
	drop(&other);
	drop(&c);
	drop(&self);
}

static void
its_purpose_counts(void **state)
{
	static const struct {
		const char *purpose;
		bool good;
	} rows[] = {
		{ "clientAuth", false },
		{ "emailProtection", false },
		{ "serverAuth", true },
		{ "clientAuth,serverAuth", true },
		{ NULL, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cert c = make((struct spec){ .cn = "x",
		    .alt = "DNS:h",
		    .purpose = rows[i].purpose,
		    .issuer = &t.root });

		assert_int_equal(meet(&c, "h"), rows[i].good ? E_OK : E_IO);
		if (!rows[i].good)
			words_have("not one for servers");
		drop(&c);
	}
}

static void
chains_are_followed(void **state)
{
	struct tls_client_conf conf = { .ca_file = t.root_file };
	struct cert c = make(
	    (struct spec){ .cn = "x", .alt = "DNS:h", .issuer = &t.middle });
	struct cert under_leaf =
	    make((struct spec){ .cn = "y", .alt = "DNS:h", .issuer = &t.good });
	struct cert old = make((struct spec){ .cn = "Old",
	    .constraints = "CA:TRUE",
	    .from = -9 * DAY,
	    .to = -2 * DAY,
	    .issuer = &t.root });
	struct cert under_old =
	    make((struct spec){ .cn = "x", .alt = "DNS:h", .issuer = &old });
	char file[96];

	(void)state;
	assert_int_equal(meet_as(&c, &t.middle, &conf, "h"), E_OK);
	assert_int_equal(meet_as(&c, NULL, &conf, "h"), E_IO);
	words_have("unknown issuer");
	words_have("Middle");
	assert_int_equal(meet_as(&under_leaf, &t.good, &conf, "h"), E_IO);
	words_have("issued by one that is no authority's");
	assert_int_equal(meet_as(&under_old, &old, &conf, "h"), E_IO);
	words_have("of the issuers has expired");
	/* ca_file may hold an intermediate one, or the server's own. */
	conf.ca_file = path(file, "middle.pem");
	save("middle.pem", &t.middle, true, false, NULL);
	assert_int_equal(meet_as(&c, NULL, &conf, "h"), E_OK);
	conf.ca_file = path(file, "own.pem");
	save("own.pem", &c, true, false, NULL);
	assert_int_equal(meet_as(&c, NULL, &conf, "h"), E_OK);
	assert_int_equal(meet_as(&c, NULL, &conf, "other"), E_IO);
	words_have(
	    "is for h; is that your provider? Then write server = \"h\"");
	drop(&c);
	drop(&under_leaf);
	drop(&old);
	drop(&under_old);
}

static void
the_system_is_trusted_unless_told(void **state)
{
	struct tls_client_conf none = { .ca_file = NULL };
	char file[96];
	struct tls_client_conf middle = { .ca_file = path(file, "middle.pem") };

	(void)state;
	save("middle.pem", &t.middle, true, false, NULL);
	assert_int_equal(
	    meet_as(&t.good, NULL, &none, "pop.example.org"), E_IO);
	words_have("unknown issuer");
	setenv("SSL_CERT_FILE", t.root_file, 1); /* the system's, now */
	assert_int_equal(
	    meet_as(&t.good, NULL, &none, "pop.example.org"), E_OK);
	/* ca_file is in its place, not beside it. */
	assert_int_equal(
	    meet_as(&t.good, NULL, &middle, "pop.example.org"), E_IO);
	unsetenv("SSL_CERT_FILE");
}

/* ---- pins ---- */

static void
key_pin(char out[52], const X509 *x)
{
	unsigned char *der = NULL, d[32];
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

	EVP_Digest(der, (size_t)n, d, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	memcpy(out, "sha256/", 7);
	b64_encode(out + 7, d, 32);
	out[51] = '\0';
}

/* AB:CD:... of abcd... */
static void
with_colons(char out[96], const char *hex)
{
	char *o = out;

	for (size_t i = 0; i < 64; i++) {
		if (i > 0 && i % 2 == 0)
			*o++ = ':';
		*o++ = hex[i] >= 'a' ? (char)(hex[i] - 32) : hex[i];
	}
	*o = '\0';
}

static void
a_pin_is_enough_and_needed(void **state)
{
	struct cert self = make((struct spec){ .cn = "x",
	    .alt = "DNS:elsewhere",
	    .purpose = "clientAuth",
	    .from = -9 * DAY,
	    .to = -2 * DAY });
	char hex[65], colons[96], key[52], now[65];
	const char *pins[] = { hex, colons, key };

	(void)state;
	digest(hex, self.x);
	digest(now, t.good.x);
	with_colons(colons, hex);
	key_pin(key, self.x);
	for (size_t i = 0; i < 3; i++) {
		struct tls_client_conf conf = { .ca_file = t.root_file,
			.fingerprint = pins[i] };

		assert_int_equal(meet_as(&self, NULL, &conf, "h"), E_OK);
		assert_int_equal(
		    meet_as(&self, NULL, &conf, "127.0.0.1"), E_OK);
		/* Right in all, but not the one that was said. */
		assert_int_equal(
		    meet_as(&t.good, NULL, &conf, "pop.example.org"), E_IO);
		words_have("not the fingerprint");
		words_have(now);
	}
	key_pin(key, t.good.x);
	words_have(key);
	drop(&self);
}

static void
pins_are_checked_before(void **state)
{
	static const char hex[] = "00112233445566778899aabbccddeeff"
				  "00112233445566778899AABBCCDDEEFF";
	char text[80], b64[60] = "sha256/";
	struct errbuf eb;

	(void)state;
	assert_int_equal(tls_client_check_fingerprint(hex, NULL), E_OK);
	for (size_t n = 0; n < 64; n++) {
		memcpy(text, hex, n);
		text[n] = '\0';
		assert_int_equal(
		    tls_client_check_fingerprint(text, &eb), E_CONFIG);
	}
	snprintf(text, sizeof(text), "%s0", hex);
	assert_int_equal(tls_client_check_fingerprint(text, NULL), E_CONFIG);
	snprintf(text, sizeof(text), "%s", hex);
	text[5] = 'g';
	assert_int_equal(tls_client_check_fingerprint(text, NULL), E_CONFIG);
	snprintf(text, sizeof(text), "0:0%s", hex + 2);
	assert_int_equal(tls_client_check_fingerprint(text, NULL), E_CONFIG);
	snprintf(text, sizeof(text), ":%s", hex);
	assert_int_equal(tls_client_check_fingerprint(text, NULL), E_CONFIG);
	snprintf(text, sizeof(text), "%s:", hex);
	assert_int_equal(tls_client_check_fingerprint(text, NULL), E_CONFIG);
	b64_encode(b64 + 7, hex, 32);
	b64[51] = '\0';
	assert_int_equal(tls_client_check_fingerprint(b64, NULL), E_OK);
	assert_int_equal(tls_client_check_fingerprint(b64 + 7, NULL), E_CONFIG);
	b64_encode(b64 + 7, hex, 31);
	assert_int_equal(tls_client_check_fingerprint(b64, NULL), E_CONFIG);
	b64_encode(b64 + 7, hex, 33);
	assert_int_equal(tls_client_check_fingerprint(b64, NULL), E_CONFIG);
}

/* ---- our own certificate ---- */

static enum err
context_fails(const struct tls_client_conf *conf, const char *words)
{
	SSL_CTX *ctx;
	enum err e = tls_client_context_new(&ctx, conf, &t.words);

	assert_null(ctx);
	words_have(words);
	return e;
}

static void
files_that_do_not_do(void **state)
{
	struct cert other = make((struct spec){ .cn = "x" });
	char a[96], b[96];
	struct tls_client_conf conf = { .ca_file = path(a, "nowhere") };
	FILE *f;

	(void)state;
	assert_int_equal(context_fails(&conf, "ca_file = \""), E_CONFIG);
	assert_int_equal(context_fails(&conf, "No such file"), E_CONFIG);
	f = fopen(path(a, "junk"), "w");
	fputs("junk\n", f);
	fclose(f);
	assert_int_equal(context_fails(&conf, "no certificates"), E_CONFIG);
	conf = (struct tls_client_conf){ .certificate = a };
	assert_int_equal(context_fails(&conf, "no certificate"), E_CONFIG);
	conf.fingerprint = "00";
	assert_int_equal(context_fails(&conf, "fingerprint"), E_CONFIG);
	conf.fingerprint = NULL;
	save("c.pem", &t.good, true, false, NULL);
	save("locked.pem", &t.good, false, true, "secret");
	save("other.pem", &other, false, true, NULL);
	path(a, "c.pem");
	assert_int_equal(context_fails(&conf, "no private key"), E_CONFIG);
	conf.key = path(b, "locked.pem");
	assert_int_equal(context_fails(&conf, "passphrase"), E_CONFIG);
	path(b, "other.pem");
	assert_int_equal(
	    context_fails(&conf, "fits the certificate"), E_CONFIG);
	path(b, "nowhere");
	assert_int_equal(context_fails(&conf, "client_key = \""), E_CONFIG);
	assert_int_equal(context_fails(&conf, "No such file"), E_CONFIG);
	drop(&other);
}

static int
take_any(int ok, X509_STORE_CTX *sc)
{
	(void)ok;
	(void)sc;
	return 1;
}

/* C-8314-05 */
static void
our_certificate_is_shown_if_asked_for(void **state)
{
	struct cert ana = make((struct spec){ .cn = "ana" });
	SSL_CTX *server = server_context(&t.good, NULL, "1.2");
	struct tls_client_conf conf = { .ca_file = t.root_file };
	char a[96], b[96];
	SSL_CTX *client;

	(void)state;
	save("both.pem", &ana, true, true, NULL);
	save("x.pem", &ana, true, false, NULL);
	save("key.pem", &ana, false, true, NULL);
	SSL_CTX_set_verify(server, SSL_VERIFY_PEER, take_any);
	for (int i = 0; i < 3; i++) {
		X509 *got;

		conf.certificate =
		    i == 0 ? NULL : path(a, i == 1 ? "both.pem" : "x.pem");
		conf.key = i == 2 ? path(b, "key.pem") : NULL;
		client = client_context(&conf);
		assert_int_equal(
		    shake(server, client, "pop.example.org"), E_OK);
		got = SSL_get0_peer_certificate(t.server.ssl);
		if (i == 0)
			assert_null(got);
		else
			assert_int_equal(X509_cmp(got, ana.x), 0);
		pair_close();
		tls_context_free(client);
	}
	tls_context_free(server);
	drop(&ana);
}

static void
a_server_that_wants_a_certificate(void **state)
{
	struct tls_client_conf conf = { .ca_file = t.root_file };

	(void)state;
	for (int i = 0; i < 2; i++) {
		SSL_CTX *server = server_context(&t.good, NULL, "1.2");
		SSL_CTX *client = client_context(&conf);
		char in[8];
		enum err e;
		size_t n;

		if (i == 0)
			SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
		SSL_CTX_set_verify(server,
		    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		e = shake(server, client, "pop.example.org");
		if (i == 1) { /* TLS 1.3 says so only after the handshake */
			assert_int_equal(e, E_OK);
			e = conn_read(&t.client, in, sizeof(in), &n);
			tls_client_why(&t.client, "pop.example.org", &t.words);
		}
		assert_int_equal(e, E_IO);
		words_have("wants a certificate of yours");
		pair_close();
		tls_context_free(server);
		tls_context_free(client);
	}
}

/* ---- peers that speak something else ---- */

/* The client meets what `said` holds, and an end behind it if `ends`. */
static enum err
hear(const void *said, size_t n, bool ends)
{
	struct tls_client_conf conf = { .ca_file = t.root_file };
	SSL_CTX *client = client_context(&conf);
	enum err e;

	pair_open();
	assert_int_equal(tls_client_start(&t.client, client, "h"), E_OK);
	assert_int_equal(conn_handshake(&t.client), E_AGAIN);
	assert_int_equal(send(t.server.fd, said, n, 0), n);
	if (ends)
		shutdown(t.server.fd, SHUT_WR);
	if ((e = conn_handshake(&t.client)) != E_AGAIN)
		tls_client_why(&t.client, "h", &t.words);
	pair_close();
	tls_context_free(client);
	return e;
}

static void
peers_that_speak_no_tls(void **state)
{
	static const char alert[] = "\x15\3\3\0\2\2\x28";
	static const char version[] = "\x15\3\1\0\2\2\x46";

	(void)state;
	assert_int_equal(hear("+OK POP3 ready\r\n", 16, false), E_IO);
	words_have("does not speak TLS");
	words_have("starttls");
	assert_int_equal(hear("-ERR go away\r\n", 14, true), E_IO);
	words_have("write security = \"starttls\"");
	assert_int_equal(hear("HTTP/1.0 400\r\n", 14, true), E_IO);
	words_have("it sent \"HTTP/\"");
	assert_int_equal(hear("\x1b[2J\n\n\n\n", 8, true), E_IO);
	words_have("\\x1b[2J\\x0a");
	assert_int_equal(hear("", 0, true), E_IO);
	words_have("closed during the TLS handshake");
	assert_int_equal(hear("\x16\3\3", 3, true), E_IO);
	words_have("closed during the TLS handshake");
	assert_int_equal(hear("+OK", 3, false), E_AGAIN);
	assert_int_equal(hear(alert, 7, false), E_IO);
	words_have("nothing in common");
	assert_int_equal(hear(version, 7, false), E_IO);
	words_have("before 1.2");
}

/* S-8314-03, B-9325-01 */
static void
old_versions_are_refused(void **state)
{
	static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION,
		TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_client_conf conf = { .ca_file = t.root_file };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		SSL_CTX *server = SSL_CTX_new(TLS_server_method());
		SSL_CTX *client = client_context(&conf);
		enum err e;

		SSL_CTX_set_security_level(server, 0);
		SSL_CTX_set_min_proto_version(server, versions[i]);
		SSL_CTX_set_max_proto_version(server, versions[i]);
		SSL_CTX_use_certificate(server, t.good.x);
		SSL_CTX_use_PrivateKey(server, t.good.key);
		e = shake(server, client, "pop.example.org");
		assert_int_equal(e, i < 2 ? E_IO : E_OK);
		if (i < 2)
			words_have("before 1.2");
		else
			assert_string_equal(conn_tls_version(&t.client),
			    i == 2 ? "TLSv1.2" : "TLSv1.3");
		pair_close();
		tls_context_free(server);
		tls_context_free(client);
	}
}

/* The server's first flight, cut in many places. */
static void
a_handshake_that_is_cut(void **state)
{
	struct tls_client_conf conf = { .ca_file = t.root_file };
	SSL_CTX *server = server_context(&t.good, NULL, "1.2");
	SSL_CTX *client = client_context(&conf);
	size_t whole = 1;

	(void)state;
	for (size_t cut = 0; cut < whole; cut += 23) {
		char flight[8192];
		ssize_t n;

		pair_open();
		assert_int_equal(conn_start_tls(&t.server, server), E_OK);
		assert_int_equal(
		    tls_client_start(&t.client, client, "pop.example.org"),
		    E_OK);
		assert_int_equal(conn_handshake(&t.client), E_AGAIN);
		assert_int_equal(conn_handshake(&t.server), E_AGAIN);
		n = recv(t.client.fd, flight, sizeof(flight), 0);
		assert_true(n > 500 && n < (ssize_t)sizeof(flight));
		whole = (size_t)n;
		assert_int_equal(send(t.server.fd, flight, cut, 0), cut);
		shutdown(t.server.fd, SHUT_WR);
		assert_int_equal(conn_handshake(&t.client), E_IO);
		tls_client_why(&t.client, "h", &t.words);
		words_have("closed during the TLS handshake");
		pair_close();
	}
	tls_context_free(server);
	tls_context_free(client);
}

/* ---- channel bindings ---- */

static void
bindings_are_equal(const char *name, size_t n)
{
	struct tls_binding c, s;

	assert_int_equal(tls_binding_get(&t.client, name, &c), E_OK);
	assert_int_equal(tls_binding_get(&t.server, name, &s), E_OK);
	assert_string_equal(c.name, name);
	assert_int_equal(c.n, n);
	assert_int_equal(s.n, n);
	assert_memory_equal(c.data, s.data, n);
}

static void
no_binding(const char *name)
{
	struct tls_binding b;

	assert_int_equal(tls_binding_get(&t.client, name, &b), E_NOENT);
	assert_int_equal(tls_binding_get(&t.server, name, &b), E_NOENT);
	assert_int_equal(b.n, 0);
}

static void
best_is(const char *name)
{
	struct tls_binding b;

	if (name == NULL) {
		assert_int_equal(tls_client_binding(&t.client, &b), E_NOENT);
		return;
	}
	assert_int_equal(tls_client_binding(&t.client, &b), E_OK);
	assert_string_equal(b.name, name);
}

/* Shakes hands by a pin, so that any certificate does. */
static void
bind_to(const struct cert *c, int version, uint64_t options)
{
	SSL_CTX *server = server_context(c, NULL, "1.2"), *client;
	char hex[65];

	digest(hex, c->x);
	client = client_context(&(struct tls_client_conf){
	    .ca_file = t.root_file, .fingerprint = hex });
	SSL_CTX_set_max_proto_version(server, version);
	SSL_CTX_set_options(server, options);
	assert_int_equal(shake(server, client, "h"), E_OK);
	tls_context_free(server);
	tls_context_free(client);
}

/* B-5929-01, B-5929-02, B-9266-01 */
static void
both_ends_have_the_same_bindings(void **state)
{
	struct tls_binding a, b;

	(void)state;
	bind_to(&t.good, TLS1_3_VERSION, 0);
	bindings_are_equal("tls-exporter", 32);
	bindings_are_equal("tls-server-end-point", 32);
	no_binding("tls-unique");
	no_binding("tls-nothing");
	best_is("tls-exporter");
	assert_int_equal(tls_client_binding(&t.client, &a), E_OK);
	pair_close();
	bind_to(&t.good, TLS1_3_VERSION, 0);
	assert_int_equal(tls_client_binding(&t.client, &b), E_OK);
	assert_memory_not_equal(a.data, b.data, 32);
	pair_close();
	bind_to(&t.good, TLS1_2_VERSION, 0);
	bindings_are_equal("tls-exporter", 32);
	bindings_are_equal("tls-unique", 12);
	bindings_are_equal("tls-server-end-point", 32);
	best_is("tls-unique");
	/* The client's, as no session is resumed. */
	assert_int_equal(
	    SSL_get_finished(t.client.ssl, a.data, sizeof(a.data)), 12);
	assert_int_equal(tls_client_binding(&t.client, &b), E_OK);
	assert_memory_equal(a.data, b.data, 12);
	pair_close();
	bind_to(&t.good, TLS1_2_VERSION, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	no_binding("tls-exporter");
	no_binding("tls-unique");
	best_is("tls-server-end-point");
	pair_close();
	pair_open();
	no_binding("tls-exporter");
	best_is(NULL);
	pair_close();
}

static void
the_end_point_is_hashed_as_it_was_signed(void **state)
{
	static const struct {
		const char *kind;
		const char *signed_by, *hashed_by; /* NULL: not at all */
	} rows[] = {
		{ "EC", "SHA256", "SHA256" },
		{ "EC", "SHA384", "SHA384" },
		{ "EC", "SHA512", "SHA512" },
		{ "EC", "SHA1", "SHA256" },
		{ "ED25519", "SHA256", NULL },
	};
	unsigned char hash[64];
	struct tls_binding b;
	unsigned n;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cert c = make((struct spec){ .cn = "x",
		    .kind = rows[i].kind,
		    .md = EVP_get_digestbyname(rows[i].signed_by) });

		bind_to(&c, TLS1_3_VERSION, 0);
		if (rows[i].hashed_by == NULL) {
			no_binding("tls-server-end-point");
		} else {
			X509_digest(c.x,
			    EVP_get_digestbyname(rows[i].hashed_by), hash, &n);
			bindings_are_equal("tls-server-end-point", n);
			assert_int_equal(tls_binding_get(&t.server,
					     "tls-server-end-point", &b),
			    E_OK);
			assert_memory_equal(b.data, hash, n);
		}
		pair_close();
		if (rows[i].hashed_by == NULL) {
			bind_to(&c, TLS1_2_VERSION,
			    SSL_OP_NO_EXTENDED_MASTER_SECRET);
			best_is(NULL);
			pair_close();
		}
		drop(&c);
	}
}

static int
setup(void **state)
{
	(void)state;
	strcpy(t.dir, "/tmp/test_tls_client.XXXXXX");
	if (mkdtemp(t.dir) == NULL)
		return -1;
	t.root = make((struct spec){ .cn = "Root", .constraints = "CA:TRUE" });
	t.middle = make((struct spec){
	    .cn = "Middle", .constraints = "CA:TRUE", .issuer = &t.root });
	t.good = make((struct spec){ .cn = "x",
	    .alt = "DNS:pop.example.org,DNS:xn--bcher-kva.example",
	    .constraints = "CA:FALSE",
	    .purpose = "serverAuth",
	    .issuer = &t.root });
	save("root.pem", &t.root, true, false, NULL);
	path(t.root_file, "root.pem");
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	drop(&t.root);
	drop(&t.middle);
	drop(&t.good);
	snprintf(command, sizeof(command), "rm -r %s", t.dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_certificate),
		cmocka_unit_test(names_match_by_the_rules),
		cmocka_unit_test(addresses_are_not_sent_as_names),
		cmocka_unit_test(a_common_name_does_not_count),
		cmocka_unit_test(wrong_names_are_listed),
		cmocka_unit_test(times_are_told),
		cmocka_unit_test(reasons_are_ours_where_people_meet_them),
		cmocka_unit_test(who_is_not_trusted),
		cmocka_unit_test(its_purpose_counts),
		cmocka_unit_test(chains_are_followed),
		cmocka_unit_test(the_system_is_trusted_unless_told),
		cmocka_unit_test(a_pin_is_enough_and_needed),
		cmocka_unit_test(pins_are_checked_before),
		cmocka_unit_test(files_that_do_not_do),
		cmocka_unit_test(our_certificate_is_shown_if_asked_for),
		cmocka_unit_test(a_server_that_wants_a_certificate),
		cmocka_unit_test(peers_that_speak_no_tls),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(a_handshake_that_is_cut),
		cmocka_unit_test(both_ends_have_the_same_bindings),
		cmocka_unit_test(the_end_point_is_hashed_as_it_was_signed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
