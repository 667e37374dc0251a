#include "client/web/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/module.h"

void
transfer_free(struct transfer *t)
{
	if (t == NULL)
		return;
	explicit_bzero(&t->proxy, sizeof(t->proxy));
	free(t->url);
	str_wipe(t->post);
	free(t->post_type);
	free(t->ca_file);
	free(t->location);
	buf_free(&t->body);
	free(t);
}

static bool
copy(char **to, const char *text)
{
	return text == NULL || (*to = strdup(text)) != NULL;
}

static struct transfer *
copy_question(const struct fetch_question *q)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->plain = q->plain;
	t->timeout = q->timeout;
	/* One more for the NUL. */
	buf_init(&t->body, q->max + 1, true);
	if (copy(&t->url, q->url) && copy(&t->post, q->post) &&
	    copy(&t->post_type, q->post_type) && copy(&t->ca_file, q->ca_file))
		return t;
	transfer_free(t);
	return NULL;
}

/* ---- what makes sense ---- */

static const char *
behind(const char *url, const char *scheme)
{
	size_t n = strlen(scheme);

	return strncasecmp(url, scheme, n) == 0 ? url + n : NULL;
}

/* Whom it goes to: no name or password is in it, and nothing that would make two
 * readers understand two things. */
static enum err
take_url(struct transfer *t, struct errbuf *eb)
{
	const char *host = behind(t->url, "https://");
	char shown[128];
	size_t n;

	if (host == NULL && t->plain)
		host = behind(t->url, "http://");
	n = host != NULL ? strcspn(host, "/?#") : 0;
	for (const char *p = t->url; n != 0 && *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    *p == '\\')
			n = 0;
	if (n == 0 || n >= sizeof(t->host) || memchr(host, '@', n) != NULL)
		return err_set(eb, E_CONFIG,
		    t->plain ? _("\"%s\" is no address of the web")
			     : _("\"%s\" is no address that begins with "
				 "https://"),
		    str_quote(shown, sizeof(shown), t->url, strlen(t->url)));
	memcpy(t->host, host, n);
	t->host[n] = '\0';
	return E_OK;
}

static enum err
take_proxy(struct transfer *t, const char *proxy, struct errbuf *eb)
{
	t->has_proxy = proxy != NULL;
	return proxy != NULL ? socks_proxy_parse(&t->proxy, proxy, eb) : E_OK;
}

enum err
transfer_new(
    struct transfer **t_r, const struct fetch_question *q, struct errbuf *eb)
{
	struct transfer *t = copy_question(q);
	enum err e;

	if (t == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if ((e = take_url(t, eb)) == E_OK &&
	    (e = take_proxy(t, q->proxy, eb)) == E_OK)
		*t_r = t;
	else
		transfer_free(t);
	return e;
}

void
transfer_answer(struct transfer *t, struct fetch_answer *a)
{
	*a = (struct fetch_answer){ .e = t->e, .words = t->words };
	if (t->e == E_OK && buf_put(&t->body, "", 1) != E_OK) {
		a->e = E_NOMEM;
		a->words = _("out of memory");
	} else if (t->e == E_OK) {
		a->status = t->status;
		a->body = (struct slice){ buf_data(&t->body), t->body.len - 1 };
		a->words = "";
	}
}

void
transfer_line_close(struct transfer_line *l)
{
	const struct transfer_use *use =
	    l->handle != NULL ? module_find("web", "transfer_curl") : NULL;

	if (use != NULL)
		use->close(l);
}

void
transfer_run(struct transfer *t)
{
	const struct transfer_use *use = module_find("web", "transfer_curl");

	if (use != NULL) {
		use->run(t);
		return;
	}
	t->e = E_CONFIG;
	snprintf(t->words, sizeof(t->words), "%s",
	    _("libcurl, or malote's module for it, is not installed: it is "
	      "needed to ask the web"));
}
