#include "server/helper/token_fetch.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MAX = 8, ADDRESSES_MAX = 8, PLACE_MAX = 256 };

/* Handles that are not in use: each has a connection that can be used again, and
 * the certificates to trust in memory. */
static struct {
	pthread_mutex_t lock;
	CURL *handle[IDLE_MAX];
	size_t n;
} idle = { .lock = PTHREAD_MUTEX_INITIALIZER };

enum err
token_fetch_prepare(struct errbuf *eb)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
		   ? E_OK
		   : err_set(eb, E_NOMEM, "libcurl cannot begin");
}

static CURL *
take_handle(void)
{
	CURL *h = NULL;

	pthread_mutex_lock(&idle.lock);
	if (idle.n != 0)
		h = idle.handle[--idle.n];
	pthread_mutex_unlock(&idle.lock);
	return h != NULL ? h : curl_easy_init();
}

/* Secrets that were set are forgotten, connections are not. */
static void
give_handle(CURL *h)
{
	curl_easy_reset(h);
	pthread_mutex_lock(&idle.lock);
	if (idle.n < IDLE_MAX) {
		idle.handle[idle.n++] = h;
		h = NULL;
	}
	pthread_mutex_unlock(&idle.lock);
	curl_easy_cleanup(h);
}

/* ---- where it is ---- */

bool
token_fetch_place(
    const char *url, char *host, size_t host_size, uint16_t *port_r)
{
	char *name = NULL, *port = NULL, *scheme = NULL;
	CURLU *u = curl_url();
	uint32_t number;
	bool good;

	good = u != NULL &&
	       curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	       curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	       strcmp(scheme, "https") == 0 &&
	       curl_url_get(u, CURLUPART_HOST, &name, 0) == CURLUE_OK &&
	       strlen(name) < host_size &&
	       curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
		   CURLUE_OK &&
	       str_to_u32((struct slice){ port, strlen(port) }, &number) &&
	       number <= UINT16_MAX;
	if (good) {
		snprintf(host, host_size, "%s", name);
		*port_r = (uint16_t)number;
	}
	curl_free(name);
	curl_free(port);
	curl_free(scheme);
	curl_url_cleanup(u);
	return good;
}

static size_t
put_address(char *out, size_t size, size_t n, const struct addrinfo *a)
{
	char text[INET6_ADDRSTRLEN];
	bool is_6 = a->ai_family == AF_INET6;
	const void *octets =
	    is_6 ? (const void *)&((struct sockaddr_in6 *)a->ai_addr)->sin6_addr
		 : (const void *)&((struct sockaddr_in *)a->ai_addr)->sin_addr;

	if (inet_ntop(a->ai_family, octets, text, sizeof(text)) == NULL)
		return n;
	return n + (size_t)snprintf(out + n, size - n, "%s%s%s%s",
		       out[n - 1] == ':' ? "" : ",", is_6 ? "[" : "", text,
		       is_6 ? "]" : "");
}

/* "HOST:PORT:ADDRESS,ADDRESS", as libcurl takes it. */
static enum err
resolve(const char *url, struct curl_slist **list_r, struct errbuf *eb)
{
	char host[PLACE_MAX], line[PLACE_MAX + ADDRESSES_MAX * 64];
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	uint16_t port;
	size_t n;
	int r;

	if (!token_fetch_place(url, host, sizeof(host), &port))
		return err_set(eb, E_CONFIG, "that is no URL of https");
	*list_r = NULL;
	if (host[0] == '[')
		return E_OK;
	if ((r = getaddrinfo(host, NULL, &hints, &found)) != 0)
		return err_set(eb, E_AGAIN, "%s: %s", host, gai_strerror(r));
	n = (size_t)snprintf(line, sizeof(line), "%s:%u:", host, port);
	for (struct addrinfo *a = found;
	     a != NULL && n < sizeof(line) - INET6_ADDRSTRLEN - 4;
	     a = a->ai_next)
		n = put_address(line, sizeof(line), n, a);
	freeaddrinfo(found);
	*list_r = curl_slist_append(NULL, line);
	return *list_r != NULL ? E_OK : err_set(eb, E_NOMEM, "out of memory");
}

/* ---- the request ---- */

static size_t
take_body(char *p, size_t one, size_t n, void *arg)
{
	struct token_fetch *t = arg;

	return buf_put(&t->body, p, n) == E_OK ? n : CURL_WRITEFUNC_ERROR;
}

#define SET(option, value) \
	if (code == CURLE_OK) \
	code = curl_easy_setopt(h, CURLOPT_##option, value)

static CURLcode
set_place(
    const struct token_fetch *t, CURL *h, const struct curl_slist *addresses)
{
	struct curl_blob pem = { (char *)t->authorities.p, t->authorities.n,
		CURL_BLOB_NOCOPY };
	CURLcode code = CURLE_OK;

	SET(URL, t->url);
	SET(RESOLVE, addresses);
	SET(PROTOCOLS_STR, "https");
	SET(FOLLOWLOCATION, 0L);
	SET(PROXY, "");
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(USERAGENT, "maloted");
	SET(NOSIGNAL, 1L);
	SET(TIMEOUT_MS, t->timeout * 1000L);
	SET(MAXFILESIZE, (long)t->body.max);
	if (pem.len != 0) {
		SET(CAINFO_BLOB, &pem);
		SET(CAPATH, NULL);
	}
	return code;
}

static CURLcode
set_request(struct token_fetch *t, CURL *h, char *said)
{
	CURLcode code = CURLE_OK;

	SET(ERRORBUFFER, said);
	SET(WRITEFUNCTION, take_body);
	SET(WRITEDATA, t);
	if (t->form == NULL)
		return code;
	SET(POSTFIELDS, t->form);
	SET(HTTPAUTH, (long)CURLAUTH_BASIC);
	SET(USERNAME, t->user);
	SET(PASSWORD, t->password);
	return code;
}

/* "max-age=SECONDS" among what Cache-Control says. */
static void
read_age(struct token_fetch *t, CURL *h)
{
	static const char name[] = "max-age=";
	struct curl_header *header;
	const char *at;
	size_t n;

	if (curl_easy_header(
		h, "Cache-Control", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return;
	if ((at = strcasestr(header->value, name)) == NULL)
		return;
	at += sizeof(name) - 1;
	n = strspn(at, "0123456789");
	t->has_age = n != 0 && str_to_u32((struct slice){ at, n }, &t->age);
}

static enum err
fail(const struct token_fetch *t, CURLcode code, const char *said,
    struct errbuf *eb)
{
	char words[160];

	if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED)
		return err_set(
		    eb, E_FULL, "it answers more than %zu octets", t->body.max);
	if (said[0] == '\0')
		said = curl_easy_strerror(code);
	return err_set(eb, E_AGAIN, "%s",
	    str_quote(words, sizeof(words), said, strlen(said)));
}

static enum err
ask(struct token_fetch *t, CURL *h, const struct curl_slist *addresses,
    struct errbuf *eb)
{
	char said[CURL_ERROR_SIZE] = "";
	CURLcode code;

	if ((code = set_place(t, h, addresses)) == CURLE_OK &&
	    (code = set_request(t, h, said)) == CURLE_OK)
		code = curl_easy_perform(h);
	if (code != CURLE_OK)
		return fail(t, code, said, eb);
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &t->status);
	read_age(t, h);
	return E_OK;
}

enum err
token_fetch(struct token_fetch *t, struct errbuf *eb)
{
	struct curl_slist *addresses = NULL;
	enum err e = resolve(t->url, &addresses, eb);
	CURL *h;

	if (e != E_OK)
		return e;
	if ((h = take_handle()) == NULL) {
		e = err_set(eb, E_NOMEM, "out of memory");
	} else {
		e = ask(t, h, addresses, eb);
		give_handle(h);
	}
	curl_slist_free_all(addresses);
	return e;
}

enum err
token_fetch_escape(struct buf *out, struct slice text)
{
	enum err e = E_OK;

	for (size_t i = 0; i < text.n && e == E_OK; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < 0x80 && (isalnum(c) || strchr("-._~", c) != NULL))
			e = buf_put(out, &text.p[i], 1);
		else
			e = buf_printf(out, "%%%02X", c);
	}
	return e;
}
