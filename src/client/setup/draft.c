#include "client/setup/draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/setup/conf_edit.h"

struct writer {
	char *out;
	size_t n; /* so far; DRAFT_BLOCK: it does not fit */
};

static void
put(struct writer *w, const char *text)
{
	size_t n = strlen(text);

	if (n >= DRAFT_BLOCK - w->n) {
		w->n = DRAFT_BLOCK;
		return;
	}
	memcpy(w->out + w->n, text, n + 1);
	w->n += n;
}

/* Octets that are no UTF-8, as of a password in another encoding. */
static void
put_escaped(struct writer *w, const char *value)
{
	char one[8];

	put(w, "\"");
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;
		bool plain = c >= ' ' && c < 0x7f && strchr("\"\\$", c) == NULL;

		snprintf(one, sizeof(one), plain ? "%c" : "\\x%02x", c);
		put(w, one);
	}
	put(w, "\"");
}

static void
put_quoted(struct writer *w, const char *value)
{
	size_t room = DRAFT_BLOCK - w->n;

	if (!str_is_utf8(value, strlen(value)))
		put_escaped(w, value);
	else if (room != 0 && conf_edit_quote(w->out + w->n, room, value))
		w->n += strlen(w->out + w->n);
	else
		w->n = DRAFT_BLOCK;
}

static void
put_setting(struct writer *w, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	put(w, "\t");
	put(w, name);
	put(w, " = ");
	put_quoted(w, value);
	put(w, "\n");
}

static void
put_server(struct writer *w, const struct offer *o, const char *email)
{
	static const uint16_t ports[] = { [SECURITY_TLS] = 995,
		[SECURITY_STARTTLS] = 110,
		[SECURITY_NONE] = 110,
		[SECURITY_KPOP] = 1109 };
	char port[8];

	put_setting(w, "server", o->server);
	/* Port 110 alone would mean STARTTLS. */
	if (o->security != SECURITY_TLS || o->port == 110)
		put_setting(w, "security", security_name(o->security));
	snprintf(port, sizeof(port), "%u", o->port);
	if (o->port != ports[o->security])
		put_setting(w, "port", port);
	if (strcmp(o->user, email) != 0)
		put_setting(w, "user", o->user);
}

static void
put_smtp(struct writer *w, const struct draft *d)
{
	const struct offer *o = &d->smtp;
	bool tls = o->security == SECURITY_TLS;
	char port[8];

	if (o->server[0] == '\0')
		return;
	put_setting(w, "smtp_server", o->server);
	/* Ports 587 and 25 alone would mean STARTTLS. */
	if (!tls || o->port == 587 || o->port == 25)
		put_setting(w, "smtp_security", security_name(o->security));
	snprintf(port, sizeof(port), "%u", o->port);
	if (o->port != (tls ? 465 : 587))
		put_setting(w, "smtp_port", port);
	if (o->user[0] != '\0' && strcmp(o->user, d->offer.user) != 0)
		put_setting(w, "smtp_user", o->user);
}

static void
put_secret(struct writer *w, const struct draft *d)
{
	static const char *const names[] = {
		[DRAFT_PASSWORD] = "password",
		[DRAFT_PASSWORD_COMMAND] = "password_command",
		[DRAFT_KEYRING] = "keyring",
		[DRAFT_TOKEN_COMMAND] = "token_command",
		[DRAFT_OAUTH] = "oauth",
	};

	if (d->secret != DRAFT_ASKED)
		put_setting(w, names[d->secret], d->value);
}

static void
put_client(struct writer *w, const struct draft *d)
{
	put(w, "oauth ");
	put_quoted(w, d->value);
	put(w, " {\n");
	put_setting(w, "client_id", d->client_id);
	put_setting(w, "client_secret", d->client_secret);
	put(w, "}\n\n");
}

bool
draft_block(char out[DRAFT_BLOCK], const struct draft *d)
{
	struct writer w = { .out = out };

	if (d->client_id[0] != '\0')
		put_client(&w, d);
	put(&w, "account ");
	put_quoted(&w, d->name);
	put(&w, " {\n");
	put_setting(&w, "email", d->email);
	put_server(&w, &d->offer, d->email);
	put_smtp(&w, d);
	put_setting(&w, "fingerprint", d->fingerprint);
	put_setting(&w, "ca_file", d->ca_file);
	put_secret(&w, d);
	put_setting(&w, "keep", d->keep);
	put_setting(&w, "deliver", d->deliver);
	put(&w, "}\n");
	return w.n < DRAFT_BLOCK;
}

static void
note_first(void *arg, bool is_error, const char *words)
{
	struct errbuf *eb = arg;

	if (is_error && eb->text[0] == '\0')
		err_set(eb, E_CONFIG, "%s", words);
}

enum err
draft_account(struct client_conf *c, const struct account **a_r,
    const struct draft *d, const char *before, const char *file,
    struct errbuf *eb)
{
	size_t n = before != NULL ? strlen(before) : 0;
	char *text = malloc(n + 1 + DRAFT_BLOCK);
	enum err e;

	if (text == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if (n != 0)
		memcpy(text, before, n);
	text[n] = '\n';
	eb->text[0] = '\0';
	if (draft_block(text + n + 1, d))
		e = client_conf_parse(c, file, text, note_first, eb);
	else
		e = err_set(eb, E_CONFIG,
		    _("one of the values is too long, or holds an end of "
		      "line"));
	explicit_bzero(text, n + 1 + DRAFT_BLOCK);
	free(text);
	if (e != E_OK)
		return e;
	*a_r = client_conf_find(c, d->name);
	return E_OK;
}

void
draft_wipe(struct draft *d)
{
	explicit_bzero(d->value, sizeof(d->value));
	explicit_bzero(d->client_secret, sizeof(d->client_secret));
}
