/* By libcurl: a module, see base/module.h. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/str.h"
#include "client/web/transfer.h"

#define REDIRECTIONS 5L

enum {
	GRACE = 3000, /* milliseconds, for what goes on when we are stopped */
	SLOW = 50,    /* octets a second that are as good as none */
	DAY = 86400,  /* seconds that a server may ask us to wait */
};

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

static size_t
give_body(char *to, size_t one, size_t n, void *arg)
{
	const struct transfer_more *more = arg;
	size_t got = more->read(more->arg, to, n);

	return got == SIZE_MAX ? CURL_READFUNC_ABORT : got;
}

static bool
is_stopped(struct transfer *t)
{
	if (t->more == NULL || t->more->stopping == NULL || !*t->more->stopping)
		return false;
	if (t->stopped_at == 0)
		t->stopped_at = clock_ms();
	return clock_ms() - t->stopped_at > GRACE;
}

/* Not 0: it is to end. */
static int
go_on(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
    curl_off_t up)
{
	struct transfer *t = arg;

	return t->left || is_stopped(t) ? 1 : 0;
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
		t->timed_out = true;
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
	case CURLE_SEND_FAIL_REWIND: /* it is not for libcurl to send it again */
		fail(t, E_IO, _("%s cannot be asked: %s"), t->host,
		    _("the connection was lost"));
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
	SET(FOLLOWLOCATION, t->post == NULL && t->more == NULL ? 1L : 0L);
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
	const struct transfer_more *more = t->more;
	CURLcode code = CURLE_OK;

	SET(HTTPHEADER, headers);
	if (more != NULL && more->read != NULL) {
		SET(POST, 1L);
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)more->octets);
		SET(READFUNCTION, give_body);
		SET(READDATA, (void *)more);
	} else if (t->post != NULL) {
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)strlen(t->post));
		SET(POSTFIELDS, t->post); /* borrowed by it */
	}
	return code;
}

static CURLcode
set_time(const struct transfer *t, CURL *h)
{
	CURLcode code = CURLE_OK;

	if (t->more == NULL) {
		SET(TIMEOUT_MS, (long)(t->timeout * 1000));
		return code;
	}
	SET(CONNECTTIMEOUT_MS, (long)(t->timeout * 1000));
	SET(LOW_SPEED_LIMIT, (long)SLOW);
	SET(LOW_SPEED_TIME, (long)t->timeout);
	return code;
}

static CURLcode
set_calls(struct transfer *t, CURL *h, char *said)
{
	CURLcode code = CURLE_OK;

	SET(NOSIGNAL, 1L);
	SET(ERRORBUFFER, said);
	SET(WRITEFUNCTION, take_body);
	SET(WRITEDATA, t);
	SET(NOPROGRESS, 0L);
	SET(XFERINFOFUNCTION, go_on);
	SET(XFERINFODATA, t);
	return code;
}

static bool
add_header(struct curl_slist **all, const char *name, const char *value)
{
	struct curl_slist *more = NULL;
	size_t room;
	char *line;

	if (value == NULL)
		return true;
	room = strlen(name) + strlen(value) + sizeof(": ");
	if ((line = malloc(room)) != NULL) {
		snprintf(line, room, "%s: %s", name, value);
		more = curl_slist_append(*all, line);
	}
	str_wipe(line);
	if (more != NULL)
		*all = more;
	return more != NULL;
}

/* A token is among them. */
static void
free_headers(struct curl_slist *all)
{
	for (struct curl_slist *l = all; l != NULL; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(all);
}

/* NULL: memory.  It does not wait for a server's leave to send what is long. */
static struct curl_slist *
make_headers(const struct transfer *t)
{
	struct curl_slist *all = curl_slist_append(NULL, "Expect:");

	if (all != NULL && add_header(&all, "Content-Type", t->post_type) &&
	    (t->more == NULL ||
		add_header(&all, "Authorization", t->more->authorization)))
		return all;
	free_headers(all);
	return NULL;
}

static void
take_answer(struct transfer *t, CURL *h)
{
	curl_off_t seconds = 0;
	char *location = NULL;
	long status = 0;

	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &seconds);
	curl_easy_getinfo(h, CURLINFO_REDIRECT_URL, &location);
	t->location = location != NULL ? strdup(location) : NULL;
	t->status = (unsigned)status;
	t->retry_after =
	    seconds > 0 ? (unsigned)(seconds < DAY ? seconds : DAY) : 0;
}

static void
ask(struct transfer *t, CURL *h, const struct curl_slist *headers)
{
	char said[CURL_ERROR_SIZE] = "";
	CURLcode code;

	if ((code = set_calls(t, h, said)) == CURLE_OK &&
	    (code = set_time(t, h)) == CURLE_OK &&
	    (code = set_place(t, h)) == CURLE_OK &&
	    (code = set_proxy(t, h)) == CURLE_OK &&
	    (code = set_post(t, h, headers)) == CURLE_OK)
		code = curl_easy_perform(h);
	if (code != CURLE_OK)
		take_code(t, code, said);
	else
		take_answer(t, h);
}

/* The handle of a line has its connection still, but none of the settings. */
static CURL *
handle_of(const struct transfer *t)
{
	struct transfer_line *line = t->more != NULL ? t->more->line : NULL;
	CURL *h;

	if (line != NULL && line->handle != NULL) {
		curl_easy_reset(line->handle);
		return line->handle;
	}
	h = is_ready ? curl_easy_init() : NULL;
	if (line != NULL)
		line->handle = h;
	return h;
}

static void
run(struct transfer *t)
{
	struct curl_slist *headers;
	CURL *h;

	pthread_once(&once, begin);
	headers = make_headers(t);
	h = handle_of(t);
	if (headers != NULL && h != NULL)
		ask(t, h, headers);
	else
		fail_memory(t);
	if (t->more == NULL || t->more->line == NULL)
		curl_easy_cleanup(h);
	free_headers(headers);
}

static void
close_line(struct transfer_line *l)
{
	curl_easy_cleanup(l->handle);
	l->handle = NULL;
}

const struct transfer_use transfer_curl = { run, close_line };
