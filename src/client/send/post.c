#include "client/send/post.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/message/summary.h"
#include "client/send/letter.h"

enum { SHOWN = 80, ROOM = 64 * 1024 /* for what is added to a message */ };

/* ---- by whom ---- */

static bool
can_send(const struct account *a)
{
	return a->smtp.server != NULL && a->email != NULL;
}

const struct account *
post_account(const struct client_conf *conf, const char *address)
{
	for (size_t i = 0; address != NULL && i < conf->n; i++)
		if (can_send(&conf->v[i]) &&
		    strcasecmp(conf->v[i].email, address) == 0)
			return &conf->v[i];
	return NULL;
}

/* Else the first one that can. */
static const struct account *
default_account(const struct client_conf *conf)
{
	const struct account *first = NULL;

	for (size_t i = 0; i < conf->n; i++) {
		if (!can_send(&conf->v[i]))
			continue;
		if (conf->v[i].is_default)
			return &conf->v[i];
		if (first == NULL)
			first = &conf->v[i];
	}
	return first;
}

static enum err
choose(const struct post_request *r, const struct letter *l,
    const struct account **a_r, struct errbuf *eb)
{
	const struct account *a = r->account;

	if (a == NULL && l->from.n != 0)
		a = post_account(r->conf, l->from.v[0]);
	if (a == NULL)
		a = post_account(r->conf, r->sender);
	if (a == NULL)
		a = default_account(r->conf);
	*a_r = a;
	if (a != NULL && can_send(a))
		return E_OK;
	if (a != NULL)
		return err_set(eb, E_CONFIG,
		    _("account %s has no server that sends mail; write "
		      "smtp_server = \"NAME\" (malote.conf(5))"),
		    a->name);
	return err_set(eb, E_CONFIG, "%s",
	    _("no account has a server that sends mail; write smtp_server = "
	      "\"NAME\" into one (malote.conf(5))"));
}

/* ---- to whom ---- */

/* A name of this computer is that of a person at it: mail for them goes to their
 * address, as there is no other place for it here. */
static bool
is_own_name(const char *name)
{
	static const char *const others[] = { "root", "postmaster" };
	const struct passwd *pw = getpwuid(geteuid());

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcasecmp(name, others[i]) == 0)
			return true;
	return pw != NULL && strcmp(name, pw->pw_name) == 0;
}

static enum err
add_recipient(struct outgoing *o, const char *address, const struct account *a,
    struct errbuf *eb)
{
	char dns[ADDRESS_SIZE], shown[SHOWN];
	enum err e;

	if (address_domain(address) == NULL) {
		if (!is_own_name(address))
			return err_set(eb, E_FORMAT,
			    _("\"%s\" is no address: it has no @ and no "
			      "domain"),
			    str_quote(shown, sizeof(shown), address,
				strlen(address)));
		address = a->email;
	}
	if ((e = address_for_dns(dns, address, eb)) != E_OK)
		return e == E_CONFIG ? E_FORMAT : e;
	o->utf8 |= !address_is_ascii(dns);
	if ((o->v[o->n].address = strdup(dns)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	o->n++;
	return E_OK;
}

static enum err
add_recipients(struct outgoing *o, const struct post_request *r,
    struct letter *l, const struct account *a, struct errbuf *eb)
{
	struct addresses *to = &l->to;
	enum err e = E_OK;

	for (size_t i = 0; e == E_OK && i < r->n_to; i++)
		e = addresses_add(
		    to, (struct slice){ r->to[i], strlen(r->to[i]) }, eb);
	if (e != E_OK)
		return e;
	if (to->n == 0)
		return err_set(eb, E_NOENT, "%s",
		    r->by_header
			? _("the message names nobody in To, Cc or Bcc")
			: _("there is nobody to send to; write malote sendmail "
			    "ADDRESS, or -t for those whom its header "
			    "names"));
	if ((o->v = calloc(to->n, sizeof(*o->v))) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	for (size_t i = 0; e == E_OK && i < to->n; i++)
		e = add_recipient(o, to->v[i], a, eb);
	return e;
}

/* What was asked for, if it is an address, and no name of this computer. */
static enum err
set_sender(struct outgoing *o, const struct post_request *r,
    const struct account *a, struct errbuf *eb)
{
	struct addresses asked = { .n = 0 };
	const char *address = a->email;
	char dns[ADDRESS_SIZE];
	enum err e = E_OK;

	if (r->sender != NULL)
		e = addresses_add(
		    &asked, (struct slice){ r->sender, strlen(r->sender) }, eb);
	if (e == E_OK && asked.n == 1 && address_domain(asked.v[0]) != NULL)
		address = asked.v[0];
	if (e == E_OK)
		e = address_for_dns(dns, address, eb);
	addresses_free(&asked);
	if (e != E_OK)
		return e;
	o->utf8 |= !address_is_ascii(dns);
	o->sender = strdup(dns);
	o->account = strdup(a->name);
	return o->sender != NULL && o->account != NULL
		   ? E_OK
		   : err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

/* ---- the message ---- */

static void
set_subject(struct outgoing *o, const struct buf *text)
{
	struct summary s = { .from = NULL };
	char shown[200];

	summary_read(&s, buf_data(text), text->len);
	if (s.subject != NULL && s.subject[0] != '\0')
		outgoing_say(&o->subject, str_quote(shown, sizeof(shown),
					      s.subject, strlen(s.subject)));
	summary_clear(&s);
}

static enum err
write_text(struct buf *text, struct outgoing *o, struct letter *l,
    const struct post_request *r, const struct account *a, struct errbuf *eb)
{
	struct letter_signature s = { .address = a->email,
		.name = r->name,
		.date = (int64_t)(clock_unix_ms() / 1000) };
	struct letter_needs needs;
	enum err e;

	if (getrandom(s.random, sizeof(s.random), 0) != sizeof(s.random))
		return err_sys(eb, E_IO, "getrandom");
	/* As of a system's programs: "root". */
	if (l->from.n != 0 && address_domain(l->from.v[0]) == NULL)
		l->has_from = false;
	if ((e = letter_write(text, l, &s, &needs, eb)) != E_OK)
		return e;
	o->eightbit = needs.eightbit;
	o->utf8 |= needs.utf8;
	o->octets = needs.octets;
	o->queued_at = s.date;
	set_subject(o, text);
	return E_OK;
}

static enum err
make(struct buf *text, struct outgoing *o, struct letter *l,
    const struct account **account_r, const struct post_request *r,
    struct errbuf *eb)
{
	enum err e;

	if ((e = letter_read(l, r->text, r->by_header, eb)) != E_OK ||
	    (e = choose(r, l, account_r, eb)) != E_OK ||
	    (e = add_recipients(o, r, l, *account_r, eb)) != E_OK ||
	    (e = set_sender(o, r, *account_r, eb)) != E_OK)
		return e;
	return write_text(text, o, l, r, *account_r, eb);
}

enum err
post(struct outbox *b, struct outbox_item *item,
    const struct account **account_r, const struct post_request *r,
    struct errbuf *eb)
{
	struct outgoing o = { .n = 0 };
	struct outbox_bounds bounds;
	struct letter l;
	struct buf text;
	enum err e;

	/* Encoded, an octet may become three, and a little more. */
	buf_init(&text, 4 * r->text.n + ROOM, false);
	e = make(&text, &o, &l, account_r, r, eb);
	if (e == E_OK) {
		bounds = (struct outbox_bounds){ (*account_r)->outbox_messages,
			(*account_r)->outbox_size };
		e = outbox_add(b, item, &o,
		    (struct slice){ buf_data(&text), text.len }, &bounds, eb);
	}
	letter_free(&l);
	buf_free(&text);
	outgoing_clear(&o);
	return e;
}
