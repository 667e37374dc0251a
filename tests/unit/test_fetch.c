/* What is fetched from the web: a small server of our own, plain and with TLS,
 * that says right things and wrong ones. */
#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client/web/fetch.h"

enum { PATIENCE = 30, LARGE = 100000 };

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n"

/* ---- the server: one connection at a time ---- */

static struct web {
	int fd;
	uint16_t port;
	SSL_CTX *tls; /* NULL: plain */
	pthread_t thread;
	char got[8192]; /* the last request */
	unsigned n;     /* of connections */
} plain, secure;

static const struct {
	const char *path, *answer;
} pages[] = {
	{ "/ok", HEAD("200 OK") "\r\nolá" },
	{ "/empty", HEAD("200 OK") "Content-Length: 0\r\n\r\n" },
	{ "/missing", HEAD("404 Not Found") "\r\nno" },
	{ "/moved", HEAD("302 Found") "Location: /ok\r\n\r\n" },
	{ "/round", HEAD("302 Found") "Location: /round\r\n\r\n" },
	{ "/cookie",
	    HEAD("302 Found") "Set-Cookie: a=b\r\nLocation: /ok\r\n\r\n" },
	{ "/file", HEAD("302 Found") "Location: file:///etc/passwd\r\n\r\n" },
	{ "/nothing", "" },
	{ "/other", "+OK POP3 at your service\r\n" },
};

/* What both kinds of connection do. */
struct peer {
	int fd;
	SSL *tls;
};

static ssize_t
peer_read(struct peer *p, void *to, size_t n)
{
	return p->tls != NULL ? SSL_read(p->tls, to, (int)n)
			      : read(p->fd, to, n);
}

static void
peer_write(struct peer *p, const void *from, size_t n)
{
	ssize_t r = p->tls != NULL ? SSL_write(p->tls, from, (int)n)
				   : write(p->fd, from, n);

	if (r < 0)
		return; /* it has gone, as some are meant to */
}

/* A head, and what it says that follows. */
static void
read_request(struct web *w, struct peer *p)
{
	size_t n = 0, body = 0;
	char *end = NULL;
	ssize_t r;

	memset(w->got, 0, sizeof(w->got));
	while (n < sizeof(w->got) - 1 &&
	       (end == NULL || n < (size_t)(end + 4 - w->got) + body)) {
		r = peer_read(p, w->got + n, sizeof(w->got) - 1 - n);
		if (r <= 0 || w->got[0] == 5)
			return;
		n += (size_t)r;
		end = strstr(w->got, "\r\n\r\n");
		if (end != NULL && strstr(w->got, "Content-Length: ") != NULL)
			body = strtoul(
			    strstr(w->got, "Content-Length: ") + 16, NULL, 10);
	}
}

static bool
wants(const struct web *w, const char *path)
{
	const char *at = strchr(w->got, ' ');

	return at != NULL && strncmp(at + 1, path, strlen(path)) == 0 &&
	       at[1 + strlen(path)] == ' ';
}

static void
answer(struct web *w, struct peer *p)
{
	static const char head[] = HEAD("200 OK") "\r\n";
	char text[256], more[1000];

	if (wants(w, "/silent"))
		peer_read(p, text, 1); /* until it gives up */
	if (wants(w, "/large")) {
		memset(more, 'x', sizeof(more));
		peer_write(p, head, strlen(head));
		for (unsigned i = 0; i < LARGE / sizeof(more); i++)
			peer_write(p, more, sizeof(more));
	}
	if (wants(w, "/down")) {
		snprintf(text, sizeof(text),
		    HEAD(
			"302 Found") "Location: http://localhost:%u/ok\r\n\r\n",
		    plain.port);
		peer_write(p, text, strlen(text));
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (wants(w, pages[i].path))
			peer_write(p, pages[i].answer, strlen(pages[i].answer));
}

static void *
serve(void *arg)
{
	struct web *w = arg;
	struct peer p = { .tls = NULL };

	while ((p.fd = accept(w->fd, NULL, NULL)) >= 0) {
		__atomic_add_fetch(&w->n, 1, __ATOMIC_SEQ_CST);
		if (w->tls != NULL) {
			p.tls = SSL_new(w->tls);
			SSL_set_fd(p.tls, p.fd);
		}
		if (p.tls == NULL || SSL_accept(p.tls) == 1) {
			read_request(w, &p);
			answer(w, &p);
		}
		if (p.tls != NULL)
			SSL_shutdown(p.tls);
		SSL_free(p.tls);
		close(p.fd);
	}
	return NULL;
}

static void
web_start(struct web *w)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(w->fd, 16), 0);
	getsockname(w->fd, (struct sockaddr *)&a, &n);
	w->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
}

static void
web_stop(struct web *w)
{
	shutdown(w->fd, SHUT_RDWR);
	pthread_join(w->thread, NULL);
	close(w->fd);
	SSL_CTX_free(w->tls);
}

/* ---- its certificate, which signs itself ---- */

static char ca_file[64] = "/tmp/test_fetch.XXXXXX";

static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_EXTENSION *e = X509V3_EXT_conf_nid(
	    NULL, NULL, NID_subject_alt_name, "DNS:localhost");

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -86400);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_UTF8, (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	X509_add_ext(x, e, -1);
	X509_sign(x, key, EVP_sha256());
	X509_EXTENSION_free(e);
	return x;
}

static int
start_servers(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = make_certificate(key);
	FILE *f = fdopen(mkstemp(ca_file), "w");

	PEM_write_X509(f, x);
	fclose(f);
	secure.tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(secure.tls, x);
	SSL_CTX_use_PrivateKey(secure.tls, key);
	X509_free(x);
	EVP_PKEY_free(key);
	web_start(&plain);
	web_start(&secure);
	return 0;
}

static int
stop_servers(void **state)
{
	web_stop(&plain);
	web_stop(&secure);
	return unlink(ca_file);
}

/* ---- asking ---- */

static struct {
	unsigned calls, status;
	enum err e;
	char body[256], words[600];
	size_t n;
} got;

static void
done(void *arg, const struct fetch_answer *a)
{
	got.calls++;
	got.e = a->e;
	got.status = a->status;
	got.n = a->body.n;
	if (a->e == E_OK)
		assert_int_equal(a->body.p[a->body.n], '\0');
	snprintf(
	    got.body, sizeof(got.body), "%s", a->e == E_OK ? a->body.p : "");
	snprintf(got.words, sizeof(got.words), "%s", a->words);
	ev_break(EV_DEFAULT, EVBREAK_ONE);
}

static const char *
at(const struct web *w, const char *path)
{
	static char url[128];

	snprintf(url, sizeof(url), "http%s://localhost:%u%s",
	    w->tls != NULL ? "s" : "", w->port, path);
	return url;
}

static struct fetch *
begin(struct fetch_question q)
{
	struct errbuf eb = { "" };
	struct fetch *f;

	memset(&got, 0, sizeof(got));
	ev_now_update(EV_DEFAULT);
	q.loop = EV_DEFAULT;
	q.done = done;
	q.timeout = q.timeout == 0 ? PATIENCE : q.timeout;
	q.max = q.max == 0 ? 200 : q.max;
	if (fetch_start(&f, &q, &eb) != E_OK)
		fail_msg("%s", eb.text);
	assert_int_equal(got.calls, 0);
	return f;
}

static void
ask(struct fetch_question q)
{
	begin(q);
	ev_run(EV_DEFAULT, 0);
	assert_int_equal(got.calls, 1);
}

static void
get(const struct web *w, const char *path)
{
	ask((struct fetch_question){ .url = at(w, path),
	    .plain = w->tls == NULL,
	    .ca_file = w->tls != NULL ? ca_file : NULL });
}

static void
expect(enum err e, unsigned status, const char *body, const char *words)
{
	if (got.e != e || got.status != status || strcmp(got.body, body) != 0 ||
	    strstr(got.words, words) == NULL ||
	    (words[0] == '\0') != (got.words[0] == '\0'))
		fail_msg(
		    "%d %u \"%s\" %s", got.e, got.status, got.body, got.words);
}

static unsigned
asked(const struct web *w)
{
	return __atomic_load_n(&w->n, __ATOMIC_SEQ_CST);
}

/* ---- what is answered ---- */

static void
a_page_is_fetched(void **state)
{
	get(&plain, "/ok");
	expect(E_OK, 200, "olá", "");
	assert_non_null(strstr(plain.got, "GET /ok HTTP/1.1\r\n"));
	assert_null(strstr(plain.got, "Cookie"));
	get(&plain, "/empty");
	expect(E_OK, 200, "", "");
	get(&plain, "/missing");
	expect(E_OK, 404, "no", "");
}

static void
a_form_is_sent(void **state)
{
	ask((struct fetch_question){
	    .url = at(&plain, "/ok"), .plain = true, .post = "a=b&c=d" });
	expect(E_OK, 200, "olá", "");
	assert_non_null(strstr(plain.got, "POST /ok HTTP/1.1\r\n"));
	assert_non_null(strstr(
	    plain.got, "Content-Type: application/x-www-form-urlencoded\r\n"));
	assert_non_null(strstr(plain.got, "\r\n\r\na=b&c=d"));
	ask((struct fetch_question){ .url = at(&plain, "/ok"),
	    .plain = true,
	    .post = "<a/>",
	    .post_type = "text/xml" });
	assert_non_null(strstr(plain.got, "Content-Type: text/xml\r\n"));
	assert_null(strstr(plain.got, "urlencoded"));
	assert_non_null(strstr(plain.got, "\r\n\r\n<a/>"));
}

/* What is sent by POST may be a secret, and the new place is another's. */
static void
redirections_are_followed_for_get_only(void **state)
{
	get(&plain, "/moved");
	expect(E_OK, 200, "olá", "");
	get(&plain, "/cookie");
	expect(E_OK, 200, "olá", "");
	assert_null(strstr(plain.got, "Cookie"));
	ask((struct fetch_question){
	    .url = at(&plain, "/moved"), .plain = true, .post = "a=b" });
	expect(E_OK, 302, "", "");
	get(&plain, "/round");
	expect(E_FORMAT, 0, "", "answers what is not followed: Maximum");
	get(&plain, "/file");
	expect(E_FORMAT, 0, "", "answers what is not followed: ");
}

static void
tls_stays_tls(void **state)
{
	unsigned before = asked(&plain);

	ask((struct fetch_question){
	    .url = at(&secure, "/down"), .ca_file = ca_file, .plain = true });
	expect(E_FORMAT, 0, "", "answers what is not followed: ");
	assert_int_equal(asked(&plain), before);
	get(&secure, "/moved");
	expect(E_OK, 200, "olá", "");
}

static void
certificates_are_verified(void **state)
{
	ask((struct fetch_question){ .url = at(&secure, "/ok") });
	expect(E_DENIED, 0, "", "the certificate of localhost:");
	ask((struct fetch_question){
	    .url = at(&secure, "/ok"), .ca_file = "/nowhere" });
	expect(E_CONFIG, 0, "", "certificates to trust cannot be read: ");
	get(&secure, "/ok");
	expect(E_OK, 200, "olá", "");
}

static void
the_name_of_a_certificate_is_compared(void **state)
{
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%u/ok", secure.port);
	ask((struct fetch_question){ .url = url, .ca_file = ca_file });
	expect(E_DENIED, 0, "", "the certificate of 127.0.0.1:");
}

/* ---- what is wrong ---- */

static void
more_than_the_bound_is_refused(void **state)
{
	get(&plain, "/large");
	expect(E_FULL, 0, "", "sends more than 200 octets");
	ask((struct fetch_question){
	    .url = at(&plain, "/large"), .plain = true, .max = LARGE });
	assert_int_equal(got.e, E_OK);
	assert_int_equal(got.n, LARGE);
	ask((struct fetch_question){
	    .url = at(&plain, "/large"), .plain = true, .max = LARGE - 1 });
	assert_int_equal(got.e, E_FULL);
}

static void
other_protocols_are_no_answer(void **state)
{
	get(&plain, "/other");
	expect(E_FORMAT, 0, "", "answers what is not followed: ");
	get(&plain, "/nothing");
	expect(E_IO, 0, "", "cannot be asked: ");
}

static void
nobody_is_there(void **state)
{
	ask((struct fetch_question){
	    .url = "http://localhost:1/", .plain = true });
	expect(E_IO, 0, "", "localhost:1 cannot be asked: ");
}

static void
silence_has_an_end(void **state)
{
	ask((struct fetch_question){
	    .url = at(&plain, "/silent"), .plain = true, .timeout = 0.3 });
	expect(E_IO, 0, "", "did not answer within");
}

static void
nobody_is_told_after_cancel(void **state)
{
	fetch_cancel(begin((struct fetch_question){
	    .url = at(&plain, "/silent"), .plain = true }));
	ev_run(EV_DEFAULT, EVRUN_NOWAIT);
	/* The connection ends, else the server would still be busy with it. */
	get(&plain, "/ok");
	expect(E_OK, 200, "olá", "");
	fetch_cancel(NULL);
}

static void
the_proxy_is_asked(void **state)
{
	char proxy[64];

	snprintf(proxy, sizeof(proxy), "ana:x@localhost:%u", plain.port);
	ask((struct fetch_question){ .url = "https://away.invalid/",
	    .proxy = proxy,
	    .ca_file = ca_file });
	assert_int_equal(got.e, E_IO);
	assert_int_equal(plain.got[0], 5); /* SOCKS */
}

static void
refuse(struct fetch_question q, const char *words)
{
	struct errbuf eb = { "" };
	struct fetch *f;

	q.loop = EV_DEFAULT;
	q.done = done;
	q.timeout = 1;
	q.max = 1;
	assert_int_equal(fetch_start(&f, &q, &eb), E_CONFIG);
	if (strstr(eb.text, words) == NULL)
		fail_msg("%s", eb.text);
}

static void
what_makes_no_sense_is_refused(void **state)
{
	static const char *const urls[] = { "http://a/", "file:///etc/passwd",
		"https://", "https:///x", "https://a@b/", "https://a/\r\nb",
		"https://a b/", "https://a\\b/", "", "a" };

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		refuse((struct fetch_question){ .url = urls[i] },
		    "is no address that begins with https://");
	refuse((struct fetch_question){ .url = "ftp://a/", .plain = true },
	    "is no address of the web");
	refuse((struct fetch_question){ .url = "https://a/", .proxy = "/" },
	    "the proxy must be");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_fetched),
		cmocka_unit_test(a_form_is_sent),
		cmocka_unit_test(redirections_are_followed_for_get_only),
		cmocka_unit_test(tls_stays_tls),
		cmocka_unit_test(certificates_are_verified),
		cmocka_unit_test(the_name_of_a_certificate_is_compared),
		cmocka_unit_test(more_than_the_bound_is_refused),
		cmocka_unit_test(other_protocols_are_no_answer),
		cmocka_unit_test(nobody_is_there),
		cmocka_unit_test(silence_has_an_end),
		cmocka_unit_test(nobody_is_told_after_cancel),
		cmocka_unit_test(the_proxy_is_asked),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};
	static const char *const proxies[] = { "http_proxy", "https_proxy",
		"HTTPS_PROXY", "all_proxy", "ALL_PROXY" };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++)
		unsetenv(proxies[i]);
	return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
