/* By libcurl: a module, see base/module.h. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/web/transfer.h"

#define REDIRECTIONS 5L

/* ---- the library ---- */

static bool is_ready;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
begin(void)
{
	is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* ---- what it calls ---- */

static size_t
take_body(char *p, size_t one, size_t n, void *arg)
{
	struct transfer *t = arg;

	/* The last octet of the bound is for a NUL. */
	t->e =
	    t->body.len + n >= t->body.max ? E_FULL : buf_put(&t->body, p, n);
	return t->e == E_OK ? n : CURL_WRITEFUNC_ERROR;
}

/* Not 0: it is to end. */
static int
go_on(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
    curl_off_t up)
{
	const struct transfer *t = arg;

	return t->left ? 1 : 0;
}

/* ---- what failed ---- */

static void PRINTF(3, 4)
    fail(struct transfer *t, enum err e, const char *fmt, ...)
{
	va_list ap;

	t->e = e;
	va_start(ap, fmt);
	vsnprintf(t->words, sizeof(t->words), fmt, ap);
	va_end(ap);
}

static void
fail_memory(struct transfer *t)
{
	fail(t, E_NOMEM, "%s", _("out of memory"));
}

/* take_body() has refused it. */
static void
fail_body(struct transfer *t)
{
	if (t->e != E_FULL)
		fail_memory(t);
	else
		fail(t, E_FULL, _("%s sends more than %zu octets"), t->host,
		    t->body.max - 1);
}

/* why: libcurl's own words, which may quote the server. */
static void
fail_by(struct transfer *t, CURLcode code, const char *why)
{
	switch (code) {
	case CURLE_WRITE_ERROR: fail_body(t); break;
	case CURLE_OUT_OF_MEMORY: fail_memory(t); break;
	case CURLE_OPERATION_TIMEDOUT:
		fail(t, E_IO, _("%s did not answer within %.0f s"), t->host,
		    t->timeout);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		fail(t, E_DENIED,
		    _("the certificate of %s cannot be verified: %s"), t->host,
		    why);
		break;
	case CURLE_UNSUPPORTED_PROTOCOL: /* also of an answer, or a redirection */
	case CURLE_TOO_MANY_REDIRECTS:
	case CURLE_WEIRD_SERVER_REPLY:
		fail(t, E_FORMAT, _("%s answers what is not followed: %s"),
		    t->host, why);
		break;
	case CURLE_SSL_CACERT_BADFILE:
		fail(t, E_CONFIG,
		    _("the certificates to trust cannot be read: %s"), why);
		break;
	default:
		fail(t, E_IO, _("%s cannot be asked: %s"), t->host, why);
		break;
	}
}

static void
take_code(struct transfer *t, CURLcode code, const char *said)
{
	char why[256];

	if (said[0] == '\0')
		said = curl_easy_strerror(code);
	str_quote(why, sizeof(why), said, strlen(said));
	fail_by(t, code, why);
}

/* ---- the request ---- */

#define SET(option, value) \
	if (code == CURLE_OK) \
	code = curl_easy_setopt(h, CURLOPT_##option, value)

static CURLcode
set_place(const struct transfer *t, CURL *h)
{
	bool is_plain = strncasecmp(t->url, "http:", 5) == 0;
	CURLcode code = CURLE_OK;

	SET(URL, t->url);
	SET(PROTOCOLS_STR, t->plain ? "http,https" : "https");
	SET(REDIR_PROTOCOLS_STR, is_plain ? "http,https" : "https");
	SET(FOLLOWLOCATION, t->post == NULL ? 1L : 0L);
	SET(MAXREDIRS, REDIRECTIONS);
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(USERAGENT, "malote");
	if (t->ca_file != NULL) {
		SET(CAINFO, t->ca_file);
		SET(CAPATH, NULL);
	}
	return code;
}

/* The name is for the proxy to resolve. */
static CURLcode
set_proxy(const struct transfer *t, CURL *h)
{
	const struct socks_proxy *p = &t->proxy;
	bool bare = strchr(p->host, ':') != NULL;
	CURLcode code = CURLE_OK;
	char place[HOST_MAX + 32];

	if (!t->has_proxy)
		return code;
	snprintf(place, sizeof(place), "socks5h://%s%s%s:%u", bare ? "[" : "",
	    p->host, bare ? "]" : "", (unsigned)p->port);
	SET(PROXY, place);
	SET(NOPROXY, "");
	if (p->signs_in) {
		SET(PROXYUSERNAME, p->user);
		SET(PROXYPASSWORD, p->password);
	}
	return code;
}

static CURLcode
set_post(const struct transfer *t, CURL *h, const struct curl_slist *headers)
{
	CURLcode code = CURLE_OK;

	if (t->post == NULL)
		return code;
	SET(POSTFIELDSIZE_LARGE, (curl_off_t)strlen(t->post));
	SET(POSTFIELDS, t->post); /* borrowed by it */
	SET(HTTPHEADER, headers);
	return code;
}

static CURLcode
set_calls(struct transfer *t, CURL *h, char *said)
{
	CURLcode code = CURLE_OK;

	SET(NOSIGNAL, 1L);
	SET(TIMEOUT_MS, (long)(t->timeout * 1000));
	SET(ERRORBUFFER, said);
	SET(WRITEFUNCTION, take_body);
	SET(WRITEDATA, t);
	SET(NOPROGRESS, 0L);
	SET(XFERINFOFUNCTION, go_on);
	SET(XFERINFODATA, t);
	return code;
}

/* NULL: memory.  It does not wait for a server's leave to send what is long. */
static struct curl_slist *
make_headers(const struct transfer *t)
{
	struct curl_slist *first = curl_slist_append(NULL, "Expect:"), *all;
	char type[128];

	if (t->post_type == NULL || first == NULL)
		return first;
	snprintf(type, sizeof(type), "Content-Type: %s", t->post_type);
	if ((all = curl_slist_append(first, type)) == NULL)
		curl_slist_free_all(first);
	return all;
}

static void
ask(struct transfer *t, CURL *h, const struct curl_slist *headers)
{
	char said[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	if ((code = set_calls(t, h, said)) == CURLE_OK &&
	    (code = set_place(t, h)) == CURLE_OK &&
	    (code = set_proxy(t, h)) == CURLE_OK &&
	    (code = set_post(t, h, headers)) == CURLE_OK)
		code = curl_easy_perform(h);
	if (code != CURLE_OK) {
		take_code(t, code, said);
		return;
	}
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	t->status = (unsigned)status;
}

static void
run(struct transfer *t)
{
	struct curl_slist *headers;
	CURL *h;

	pthread_once(&once, begin);
	headers = make_headers(t);
	h = is_ready ? curl_easy_init() : NULL;
	if (headers != NULL && h != NULL)
		ask(t, h, headers);
	else
		fail_memory(t);
	curl_easy_cleanup(h);
	curl_slist_free_all(headers);
}

const struct transfer_use transfer_curl = { run };
