/* Authorisation code: the browser goes to the provider, and comes back to an
 * address of this computer with a code.  PKCE proves that whoever shows the code
 * is who has asked (RFC 7636), `state` that the browser comes from where it was
 * sent (RFC 6749 s10.12). */
#include <fcntl.h>
#include <sodium.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/i18n.h"
#include "client/oauth/flow.h"
#include "client/oauth/loopback.h"
#include "client/oauth/provider.h"
#include "client/oauth/redirect.h"
#include "client/web/form.h"

enum {
	RANDOM = 32,                    /* octets */
	TEXT = B64_ENCODED(RANDOM) + 1, /* base64url, and a NUL */
	URL_MAX = 8 * 1024,
};

/* What nobody else can know. */
struct secrets {
	char verifier[TEXT], challenge[TEXT], state[TEXT];
};

/* ---- secrets ---- */

/* Base64 for URLs, without its padding (RFC 4648 s5). */
static void
to_text(char out[TEXT], const unsigned char in[RANDOM])
{
	char *end;

	b64_encode(out, in, RANDOM);
	out[TEXT - 1] = '\0';
	for (char *p = out; *p != '\0'; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	if ((end = strchr(out, '=')) != NULL)
		*end = '\0';
}

static enum err
make_secrets(struct secrets *s, struct errbuf *eb)
{
	unsigned char some[2][RANDOM];
	unsigned char digest[crypto_hash_sha256_BYTES];

	if (getrandom(some, sizeof(some), 0) != (ssize_t)sizeof(some))
		return err_sys(eb, E_IO, "getrandom");
	to_text(s->verifier, some[0]);
	to_text(s->state, some[1]);
	crypto_hash_sha256(
	    digest, (const unsigned char *)s->verifier, strlen(s->verifier));
	to_text(s->challenge, digest);
	explicit_bzero(some, sizeof(some));
	return E_OK;
}

/* ---- to the provider ---- */

static enum err
write_url(const struct oauth_party *p, const struct secrets *s,
    const char *redirect, struct buf *url)
{
	const struct oauth_client *c = &p->client;
	const struct {
		const char *name, *value;
	} pairs[] = {
		{ "response_type", "code" },
		{ "client_id", c->client_id },
		{ "redirect_uri", redirect },
		{ "scope", c->scope },
		{ "state", s->state },
		{ "code_challenge", s->challenge },
		{ "code_challenge_method", "S256" },
		/* Which of the person's accounts is meant. */
		{ "login_hint", p->email },
	};
	bool has_query = strchr(c->authorization_url, '?') != NULL;
	enum err e =
	    buf_put(url, c->authorization_url, strlen(c->authorization_url));

	if (e == E_OK && !has_query)
		e = buf_put(url, "?", 1);
	for (size_t i = 0; e == E_OK && i < sizeof(pairs) / sizeof(pairs[0]);
	     i++)
		e = form_put(url, pairs[i].name, pairs[i].value);
	return e == E_OK ? buf_put(url, "", 1) : e;
}

extern char **environ;

/* It says nothing here, and may stay as long as it likes. */
static bool
open_browser(const char *url)
{
	char *const argv[] = { "xdg-open", (char *)url, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	pid_t pid;
	int r;

	if (posix_spawn_file_actions_init(&files) != 0)
		return false;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(
		    &files, fd, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
		r = posix_spawnp(&pid, argv[0], &files, &attr, argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&files);
	return r == 0;
}

static void
tell(const struct oauth_login *l, const char *url)
{
	bool opened =
	    l->opens && oauth_login_has_display() && open_browser(url);

	fprintf(l->out,
	    opened && l->party->is_place
		? _("Your browser opens, at %s; allow malote to put mail into "
		    "the mailbox of %s there.\nIf it does not, open this "
		    "address yourself:\n\n%s\n\n")
	    : opened ? _("Your browser opens, at %s; allow malote to collect "
			 "the mail of %s there.\nIf it does not, open this "
			 "address yourself:\n\n%s\n\n")
	    : l->party->is_place
		? _("Open this address of %s in a browser, and allow malote "
		    "to put mail into the mailbox of %s there:\n\n%s\n\n")
		: _("Open this address of %s in a browser, and allow malote "
		    "to collect the mail of %s there:\n\n%s\n\n"),
	    l->party->client.name, l->party->email, url);
	if (l->in >= 0)
		fputs(_("If the browser runs on another computer, it ends at "
			"a page that it cannot show: paste the address of "
			"that page here.\n"),
		    l->out);
	fflush(l->out);
}

/* ---- and back ---- */

static enum err
write_form(const struct secrets *s, const char *redirect, const char *code,
    struct buf *form)
{
	enum err e = form_put(form, "grant_type", "authorization_code");

	if (e == E_OK)
		e = form_put(form, "code", code);
	if (e == E_OK)
		e = form_put(form, "redirect_uri", redirect);
	return e == E_OK ? form_put(form, "code_verifier", s->verifier) : e;
}

static enum err
show_code(const struct oauth_login *l, const struct secrets *s,
    const char *redirect, const char *code, struct oauth_grant *g,
    struct errbuf *eb)
{
	struct oauth_refusal refusal;
	struct buf form;
	enum err e;

	buf_init(&form, PROVIDER_FORM_MAX, true);
	e = write_form(s, redirect, code, &form) == E_OK
		? provider_grant(l->party, &form, g, &refusal, eb)
		: err_set(eb, E_NOMEM, "%s", _("out of memory"));
	buf_free(&form);
	return e == E_DENIED ? provider_refusal(l->party, &refusal, eb) : e;
}

static enum err
get_code(const struct oauth_login *l, const struct secrets *s,
    struct loopback *back, struct buf *code, struct errbuf *eb)
{
	const struct loopback_wait wait = { s->state, l->in, l->out,
		l->seconds };
	struct oauth_refusal refusal;
	struct buf url;
	enum err e;

	buf_init(&url, URL_MAX, true);
	e = write_url(l->party, s, loopback_url(back), &url);
	if (e == E_OK) {
		tell(l, buf_data(&url));
		e = loopback_wait(back, &wait, code, &refusal, eb);
		if (e == E_DENIED)
			e = provider_refusal(l->party, &refusal, eb);
	} else {
		err_set(eb, e, "%s", _("out of memory"));
	}
	buf_free(&url);
	return e;
}

enum err
oauth_by_browser(
    const struct oauth_login *l, struct oauth_grant *g, struct errbuf *eb)
{
	struct loopback *back;
	struct secrets s;
	struct buf code;
	enum err e;

	if ((e = make_secrets(&s, eb)) != E_OK ||
	    (e = loopback_open(&back, l->party->client.redirect_url, eb)) !=
		E_OK)
		return e;
	buf_init(&code, REDIRECT_MAX + 1, true);
	e = get_code(l, &s, back, &code, eb);
	if (e == E_OK)
		e = show_code(
		    l, &s, loopback_url(back), buf_data(&code), g, eb);
	buf_free(&code);
	explicit_bzero(&s, sizeof(s));
	loopback_close(back);
	return e;
}
