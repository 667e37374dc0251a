/* Where mail goes: the setting `deliver`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/conf/value.h"

enum {
	LMTP_PORT = 24,
	IMAP_PORT = 143,
	IMAPS_PORT = 993,
	HTTPS_PORT = 443,
	LIST = 384
};

#define GMAIL_HOST "gmail.googleapis.com"

#define SPACE " \t"

void
dest_clear(struct dest *d)
{
	for (char **p = d->argv; p != NULL && *p != NULL; p++)
		free(*p);
	free(d->argv);
	free(d->text);
	free(d->path);
	free(d->host);
	free(d->recipient);
	free(d->user);
	free(d->mailbox);
	memset(d, 0, sizeof(*d));
}

bool
dest_signs_in(const struct dest *d)
{
	return d->kind == DEST_IMAP || d->kind == DEST_IMAPS ||
	       d->kind == DEST_GMAIL || d->kind == DEST_JMAP;
}

bool
dest_same(const struct dest *a, const struct dest *b)
{
	if (a->kind == b->kind &&
	    (a->kind == DEST_MAILDIR || a->kind == DEST_MBOX))
		return strcmp(a->path, b->path) == 0;
	if (a->at != NULL && a->at == b->at)
		return strcmp(a->mailbox, b->mailbox) == 0;
	return strcmp(a->text, b->text) == 0;
}

static enum err
no_memory(struct errbuf *eb)
{
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

/* The next word from *p on, its quotation marks dropped, at `out`, which has
 * room; false: a quotation mark has no partner. */
static bool
next_word(const char **p, char *out)
{
	char quote = 0;

	for (; **p != '\0' && (quote != 0 || strchr(SPACE, **p) == NULL);
	     (*p)++) {
		if (quote == 0 && (**p == '"' || **p == '\''))
			quote = **p;
		else if (quote != 0 && **p == quote)
			quote = 0;
		else
			*out++ = **p;
	}
	*out = '\0';
	return quote == 0;
}

/* ---- forms ---- */

/* Reads what follows "name:"; it is not empty. */
typedef enum err dest_parse(const struct value_place *place, const char *name,
    struct dest *d, const char *rest, struct errbuf *eb);

/* How a place is written. */
struct dest_form {
	dest_parse *parse;
	const char *example; /* to be translated */
};

static enum err
parse_path(const struct value_place *place, const char *name, struct dest *d,
    const char *rest, struct errbuf *eb)
{
	return value_absolute(
	    place, name, &d->path, rest + strspn(rest, SPACE), eb);
}

/* A program with a / in its name is a path; another is looked for in PATH. */
static enum err
find_program(const struct value_place *place, const char *name, struct dest *d,
    struct errbuf *eb)
{
	char *word = d->argv[0];
	enum err e;

	if (strchr(word, '/') == NULL)
		return E_OK;
	e = value_absolute(place, name, &d->argv[0], word, eb);
	free(word);
	return e;
}

static enum err
parse_command(const struct value_place *place, const char *name, struct dest *d,
    const char *rest, struct errbuf *eb)
{
	size_t most = strlen(rest) / 2 + 2, n = 0;
	char *word = malloc(strlen(rest) + 1);
	enum err e = E_OK;

	d->argv = calloc(most, sizeof(*d->argv));
	if (word == NULL || d->argv == NULL)
		e = no_memory(eb);
	for (rest += strspn(rest, SPACE); e == E_OK && *rest != '\0';
	     rest += strspn(rest, SPACE)) {
		if (!next_word(&rest, word))
			e = err_set(eb, E_CONFIG,
			    _("%s: a quotation mark in the command has no "
			      "partner; close it"),
			    name);
		else if ((d->argv[n++] = strdup(word)) == NULL)
			e = no_memory(eb);
	}
	free(word);
	if (e != E_OK)
		return e;
	if (n == 0 || d->argv[0][0] == '\0')
		return err_set(eb, E_CONFIG,
		    _("%s names no program; write \"command:/PATH/PROGRAM "
		      "ARGUMENTS\""),
		    name);
	return find_program(place, name, d, eb);
}

/* "host", "host:port", "[address]:port"; E_FORMAT, without words: it is none. */
static enum err
parse_host(struct dest *d, const char *at, uint32_t port)
{
	bool literal = at[0] == '[';
	size_t n = strcspn(at + literal, literal ? "]" : ":");
	const char *rest = at + literal + n;

	if (literal && *rest == ']')
		rest++;
	else if (literal)
		n = 0;
	if (n == 0 || (*rest != '\0' && *rest != ':') ||
	    (*rest == ':' &&
		!str_to_u32(
		    (struct slice){ rest + 1, strlen(rest + 1) }, &port)) ||
	    port == 0 || port > UINT16_MAX)
		return E_FORMAT;
	d->port = (uint16_t)port;
	d->host = strndup(at + literal, n);
	return d->host != NULL ? E_OK : E_NOMEM;
}

static enum err
lmtp_host(const char *name, struct dest *d, const char *at, struct errbuf *eb)
{
	char shown[VALUE_SHOWN];

	switch (parse_host(d, at, LMTP_PORT)) {
	case E_OK: return E_OK;
	case E_NOMEM: return no_memory(eb);
	default:
		return err_set(eb, E_CONFIG,
		    _("%s: \"%s\" is no place for LMTP; write "
		      "\"lmtp:/PATH/SOCKET\" or \"lmtp:HOST:PORT\""),
		    name, value_shown(shown, at));
	}
}

static enum err
lmtp_recipient(const char *name, struct dest *d, struct errbuf *eb)
{
	char shown[VALUE_SHOWN];

	if (strpbrk(d->recipient, SPACE "<>") != NULL)
		return err_set(eb, E_CONFIG,
		    _("%s: \"%s\" is no recipient; write one address"), name,
		    value_shown(shown, d->recipient));
	return E_OK;
}

/* A place, and perhaps who gets it. */
static enum err
parse_lmtp(const struct value_place *place, const char *name, struct dest *d,
    const char *rest, struct errbuf *eb)
{
	size_t skip = strspn(rest, SPACE);
	size_t n = skip + strcspn(rest + skip, SPACE);
	const char *who = rest + n + strspn(rest + n, SPACE);
	char *at = strndup(rest + skip, n - skip);
	enum err e;

	if (at == NULL)
		return no_memory(eb);
	if (strchr("/~.", at[0]) != NULL && at[0] != '\0')
		e = value_absolute(place, name, &d->path, at, eb);
	else
		e = lmtp_host(name, d, at, eb);
	free(at);
	if (e == E_OK && d->path != NULL &&
	    strlen(d->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		e = err_set(eb, E_CONFIG,
		    _("%s: the socket's path is too long; at most %zu octets "
		      "are possible"),
		    name, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	if (e != E_OK || *who == '\0')
		return e;
	if ((d->recipient = strdup(who)) == NULL)
		return no_memory(eb);
	return lmtp_recipient(name, d, eb);
}

/* "%C3%A9" stands for two octets; what is no such thing stands for itself. */
static void
percent_decode(char *s)
{
	char *out = s, two[3] = "";

	while (*s != '\0') {
		if (*s == '%' && strspn(s + 1, "0123456789abcdefABCDEF") >= 2 &&
		    memcmp(s + 1, "00", 2) != 0) {
			memcpy(two, s + 1, 2);
			*out++ = (char)strtoul(two, NULL, 16);
			s += 3;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

static enum err
no_url(const char *name, const char *kind, struct errbuf *eb)
{
	return err_set(eb, E_CONFIG,
	    _("%s is no place for IMAP; write \"%s://USER@HOST/MAILBOX\", and "
	      "how to sign in into a block destination \"HOST\""),
	    name, kind);
}

/* The last @ before the mailbox counts: a user may be an address. */
static enum err
imap_authority(const char *name, const char *kind, struct dest *d, char *at,
    struct errbuf *eb)
{
	char *user = strrchr(at, '@');
	enum err e;

	if (user != NULL) {
		*user = '\0';
		if (at[0] == '\0' || strchr(at, ':') != NULL)
			return no_url(name, kind, eb);
		percent_decode(at);
		if ((d->user = strdup(at)) == NULL)
			return no_memory(eb);
		at = user + 1;
	}
	e = parse_host(d, at, d->kind == DEST_IMAPS ? IMAPS_PORT : IMAP_PORT);
	if (e == E_NOMEM)
		return no_memory(eb);
	return e == E_OK ? E_OK : no_url(name, kind, eb);
}

/* "//[user@]host[:port][/mailbox]" */
static enum err
parse_imap(const struct value_place *place, const char *name, struct dest *d,
    const char *rest, struct errbuf *eb)
{
	const char *kind = d->kind == DEST_IMAPS ? "imaps" : "imap";
	const char *path;
	char *at;
	enum err e;

	if (strncmp(rest, "//", 2) != 0)
		return no_url(name, kind, eb);
	rest += 2;
	path = strchr(rest, '/');
	d->mailbox =
	    strdup(path != NULL && path[1] != '\0' ? path + 1 : "INBOX");
	at = strndup(rest, strcspn(rest, "/"));
	if (d->mailbox == NULL || at == NULL)
		e = no_memory(eb);
	else
		e = imap_authority(name, kind, d, at, eb);
	free(at);
	if (e != E_OK)
		return e;
	percent_decode(d->mailbox);
	return str_is_utf8(d->mailbox, strlen(d->mailbox)) &&
		       strpbrk(d->mailbox, "\r\n") == NULL
		   ? E_OK
		   : no_url(name, kind, eb);
}

static enum err
no_address(const char *name, const struct dest *d, struct errbuf *eb)
{
	return err_set(eb, E_CONFIG,
	    d->kind == DEST_GMAIL
		? _("%s is no mailbox of Gmail; write "
		    "\"gmail:USER@gmail.com\", or "
		    "\"gmail:USER@gmail.com/LABEL\"")
		: _("%s is no mailbox of JMAP; write \"jmap:USER@DOMAIN\", or "
		    "\"jmap:USER@DOMAIN/MAILBOX\""),
	    name);
}

/* "user@domain[/mailbox]"; E_FORMAT, without words: it is none. */
static enum err
parse_address(struct dest *d, const char *rest)
{
	const char *at = strchr(rest, '@');
	size_t n = at != NULL ? (size_t)(at - rest) : 0;

	n += strcspn(rest + n, "/");
	if (at == NULL || at == rest || n == (size_t)(at + 1 - rest) ||
	    strcspn(rest, SPACE "<>:") < n)
		return E_FORMAT;
	d->user = strndup(rest, n);
	d->host = d->kind == DEST_GMAIL
		      ? strdup(GMAIL_HOST)
		      : strndup(at + 1, n - (size_t)(at + 1 - rest));
	d->mailbox = strdup(
	    rest[n] != '\0' && rest[n + 1] != '\0' ? rest + n + 1 : "INBOX");
	d->port = HTTPS_PORT;
	if (d->user == NULL || d->mailbox == NULL || d->host == NULL)
		return E_NOMEM;
	percent_decode(d->mailbox);
	return str_is_utf8(d->mailbox, strlen(d->mailbox)) &&
		       str_is_utf8(d->user, strlen(d->user)) &&
		       strpbrk(d->mailbox, "\r\n") == NULL
		   ? E_OK
		   : E_FORMAT;
}

static enum err
parse_api(const struct value_place *place, const char *name, struct dest *d,
    const char *rest, struct errbuf *eb)
{
	switch (parse_address(d, rest + strspn(rest, SPACE))) {
	case E_OK: return E_OK;
	case E_NOMEM: return no_memory(eb);
	default: return no_address(name, d, eb);
	}
}

static const struct dest_form path_form = { parse_path, N_("PATH") };
static const struct dest_form command_form = { parse_command, N_("PROGRAM") };
static const struct dest_form lmtp_form = { parse_lmtp, N_("PLACE") };
static const struct dest_form imap_form = { parse_imap,
	N_("//USER@HOST/MAILBOX") };
static const struct dest_form gmail_form = { parse_api, N_("USER@gmail.com") };
static const struct dest_form jmap_form = { parse_api, N_("USER@DOMAIN") };

/* ---- kinds ---- */

#define ROW(KIND, name, form) { #name, DEST_##KIND, &form##_form },
static const struct {
	const char *name;
	enum dest_kind kind;
	const struct dest_form *form;
} kinds[] = { DEST_KINDS(ROW) };
#undef ROW

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* "maildir:PATH", "mbox:PATH", "command:PROGRAM" and so on; "imap" is much the same
 * as "imaps". */
static const char *
list_kinds(char out[LIST])
{
	size_t n = 0;

	for (size_t i = 0; i < KINDS && n < LIST; i++) {
		if (kinds[i].kind == DEST_IMAP)
			continue;
		n += (size_t)snprintf(out + n, LIST - n, "%s\"%s:%s\"",
		    i == 0          ? ""
		    : i + 1 < KINDS ? ", "
				    : _(" or "),
		    kinds[i].name, _(kinds[i].form->example));
	}
	return out;
}

/* Does it say what it is, with something behind, but in a word that is none? */
static bool
has_kind(const char *value)
{
	size_t n = strspn(value, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	for (size_t i = 0; i < KINDS; i++)
		if (strlen(kinds[i].name) == n &&
		    strncasecmp(value, kinds[i].name, n) == 0)
			return false;
	return n > 1 && value[n] == ':' && value[n + 1] != '\0';
}

enum err
value_dest(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	struct dest *d = field;
	char shown[VALUE_SHOWN], list[LIST];
	enum err e;

	if ((e = value_text(place, name, &d->text, value, eb)) != E_OK)
		return e;
	for (size_t i = 0; i < KINDS; i++) {
		size_t n = strlen(kinds[i].name);

		if (strncasecmp(value, kinds[i].name, n) != 0 ||
		    value[n++] != ':')
			continue;
		if (value[n + strspn(value + n, SPACE)] == '\0')
			break;
		d->kind = kinds[i].kind;
		memcpy(d->text, kinds[i].name, n - 1); /* lower case */
		return kinds[i].form->parse(place, name, d, value + n, eb);
	}
	return err_set(eb, E_CONFIG,
	    has_kind(value) ? _("%s = \"%s\" is no kind of delivery; write %s")
			    : _("%s = \"%s\" does not say where; write %s"),
	    name, value_shown(shown, value), list_kinds(list));
}
