#include "imap/imap_client.h"

#include <string.h>

#include "base/b64.h"
#include "base/i18n.h"
#include "imap/mailbox.h"

void
imap_client_init(struct imap_client *c)
{
	*c = (struct imap_client){ .capability.append_limit = UINT64_MAX };
}

/* ---- what comes ---- */

static void
broken(struct imap_event *ev, const char *why)
{
	ev->type = IMAP_EV_BROKEN;
	ev->why = why;
}

static bool
greets(const struct imap_response *r)
{
	return r->kind == IMAP_UNTAGGED &&
	       (r->status == IMAP_OK || r->status == IMAP_PREAUTH ||
		   r->status == IMAP_BYE);
}

static void
take_done(struct imap_client *c, struct imap_event *ev)
{
	struct imap_pending *p = c->pending;
	size_t i = 0;

	while (i < c->n_pending && p[i].tag != ev->response.tag)
		i++;
	if (i == c->n_pending) {
		broken(ev, _("it answers what nobody has asked"));
		return;
	}
	ev->type = IMAP_EV_DONE;
	ev->command = p[i].command;
	ev->item = p[i].item;
	c->n_pending--;
	memmove(&p[i], &p[i + 1], (c->n_pending - i) * sizeof(p[0]));
}

/* Only the last command can wait for it: nothing is sent behind that one. */
static void
take_go(struct imap_client *c, struct imap_event *ev)
{
	struct imap_pending *p;

	if (c->n_pending == 0 || !c->pending[c->n_pending - 1].waits) {
		broken(ev, _("it asks for more of a command that is complete"));
		return;
	}
	p = &c->pending[c->n_pending - 1];
	ev->type = IMAP_EV_GO;
	ev->command = p->command;
	ev->item = p->item;
	/* A mechanism may be asked again and again. */
	p->waits = p->command == IMAP_AUTHENTICATE;
}

static void
take_response(struct imap_client *c, struct imap_event *ev)
{
	const struct imap_response *r = &ev->response;

	if (r->code == IMAP_CODE_CAPABILITY)
		imap_capability_read(&c->capability, r->args);
	else if (r->kind == IMAP_UNTAGGED &&
		 slice_caseeq(r->name, "CAPABILITY"))
		imap_capability_read(&c->capability, r->rest);
	if (!c->greeted && !greets(r)) {
		broken(ev, _("it does not greet as IMAP servers do"));
	} else if (!c->greeted) {
		c->greeted = true;
		ev->type = IMAP_EV_GREETING;
	} else if (r->kind == IMAP_TAGGED) {
		take_done(c, ev);
	} else if (r->kind == IMAP_CONTINUATION) {
		take_go(c, ev);
	} else {
		ev->type = r->status == IMAP_BYE ? IMAP_EV_BYE : IMAP_EV_DATA;
	}
}

void
imap_client_run(struct imap_client *c, struct buf *in, struct imap_event *ev)
{
	buf_consume(in, c->used);
	c->used = 0;
	*ev = (struct imap_event){ .type = IMAP_EV_MORE };
	if (in->len == 0)
		return;
	switch (imap_response_read(
	    buf_data(in), in->len, &ev->response, &c->used)) {
	case E_OK: take_response(c, ev); break;
	case E_AGAIN: c->used = 0; break;
	case E_FULL:
		c->used = 0;
		broken(ev, _("what it says does not end"));
		break;
	default:
		c->used = 0;
		broken(ev, _("what it says is no IMAP"));
		break;
	}
}

enum err
imap_client_secured(struct imap_client *c, struct buf *in)
{
	buf_consume(in, c->used);
	c->used = 0;
	c->capability = (struct imap_capability){ .append_limit = UINT64_MAX };
	return in->len == 0 ? E_OK : E_FORMAT;
}

void
imap_client_signed_in(struct imap_client *c, const struct imap_response *answer)
{
	if (answer->code != IMAP_CODE_CAPABILITY)
		c->capability =
		    (struct imap_capability){ .append_limit = UINT64_MAX };
}

/* ---- what is said ---- */

/* A command is begun with begin(), and is one only after end(); what fails
 * between the two leaves `out` as it was. */
struct command {
	struct imap_client *c;
	struct buf *out;
	size_t before; /* octets of out */
	struct imap_pending pending;
	enum err e;
};

static void
add(struct command *cmd, enum err e)
{
	if (cmd->e == E_OK)
		cmd->e = e;
}

static void
add_text(struct command *cmd, const char *text)
{
	add(cmd, buf_put(cmd->out, text, strlen(text)));
}

static struct command
begin(struct imap_client *c, struct buf *out, enum imap_command command)
{
	static const char *const words[] = {
		[IMAP_CAPABILITY] = "CAPABILITY",
		[IMAP_STARTTLS] = "STARTTLS",
		[IMAP_AUTHENTICATE] = "AUTHENTICATE ",
		[IMAP_LOGIN] = "LOGIN ",
		[IMAP_ENABLE] = "ENABLE ",
		[IMAP_STATUS] = "STATUS ",
		[IMAP_CREATE] = "CREATE ",
		[IMAP_EXAMINE] = "EXAMINE ",
		[IMAP_APPEND] = "APPEND ",
		[IMAP_SEARCH] = "UID SEARCH ",
		[IMAP_FETCH] = "UID FETCH ",
		[IMAP_LIST] = "LIST ",
		[IMAP_LOGOUT] = "LOGOUT",
	};
	struct command cmd = {
		.c = c,
		.out = out,
		.before = out->len,
		.pending = { .tag = c->tag + 1, .command = command },
		.e = c->n_pending < IMAP_PENDING_MAX ? E_OK : E_FULL,
	};

	add(&cmd, buf_printf(out, "A%u %s", cmd.pending.tag, words[command]));
	return cmd;
}

static enum err
end(struct command *cmd, bool waits)
{
	struct imap_client *c = cmd->c;

	add_text(cmd, "\r\n");
	if (cmd->e != E_OK) {
		buf_unput(cmd->out, NULL, cmd->out->len - cmd->before);
		return cmd->e;
	}
	cmd->pending.waits = waits;
	c->pending[c->n_pending++] = cmd->pending;
	c->tag++;
	return E_OK;
}

enum err
imap_client_plain(
    struct imap_client *c, struct buf *out, enum imap_command command)
{
	struct command cmd = begin(c, out, command);

	return end(&cmd, false);
}

static enum err
put_b64(struct buf *out, struct slice s)
{
	char *room = buf_room(out, B64_ENCODED(s.n) + 1);

	if (room == NULL)
		return E_FULL;
	b64_encode(room, s.p, s.n);
	buf_added(out, B64_ENCODED(s.n));
	return E_OK;
}

enum err
imap_client_authenticate(struct imap_client *c, struct buf *out,
    const char *mechanism, const struct slice *initial)
{
	struct command cmd = begin(c, out, IMAP_AUTHENTICATE);

	add_text(&cmd, mechanism);
	if (initial != NULL) {
		add_text(&cmd, initial->n != 0 ? " " : " =");
		add(&cmd, put_b64(out, *initial));
	}
	return end(&cmd, true);
}

enum err
imap_client_answer(struct imap_client *c, struct buf *out, struct slice answer)
{
	enum err e =
	    answer.p != NULL ? put_b64(out, answer) : buf_put(out, "*", 1);

	return e == E_OK ? buf_put(out, "\r\n", 2) : e;
}

enum err
imap_client_login(struct imap_client *c, struct buf *out, struct slice user,
    struct slice password)
{
	struct command cmd = begin(c, out, IMAP_LOGIN);

	add(&cmd, imap_put_quoted(out, user, false));
	add_text(&cmd, " ");
	add(&cmd, imap_put_quoted(out, password, false));
	return end(&cmd, false);
}

enum err
imap_client_enable_utf8(struct imap_client *c, struct buf *out)
{
	struct command cmd = begin(c, out, IMAP_ENABLE);

	add_text(&cmd, "UTF8=ACCEPT");
	return end(&cmd, false);
}

/* By UTF8=ACCEPT, or as IMAP4rev2 has them (RFC 9051 s5.1). */
static bool
has_utf8_names(const struct imap_client *c)
{
	return c->utf8 || imap_capability_is_rev2(&c->capability);
}

enum err
imap_client_mailbox(struct imap_client *c, struct buf *out,
    enum imap_command command, struct slice mailbox)
{
	struct command cmd = begin(c, out, command);

	add(&cmd, imap_put_mailbox(out, mailbox, has_utf8_names(c)));
	if (command == IMAP_STATUS)
		add_text(&cmd, " (UIDVALIDITY UIDNEXT)");
	return end(&cmd, false);
}

enum err
imap_client_examine_listed(
    struct imap_client *c, struct buf *out, struct slice name)
{
	struct command cmd = begin(c, out, IMAP_EXAMINE);

	add_text(&cmd, "\"");
	add(&cmd, buf_put(out, name.p, name.n));
	add_text(&cmd, "\"");
	return end(&cmd, false);
}

enum err
imap_client_list(struct imap_client *c, struct buf *out)
{
	struct command cmd = begin(c, out, IMAP_LIST);

	add_text(&cmd, "\"\" \"*\"");
	return end(&cmd, false);
}

enum err
imap_client_search(struct imap_client *c, struct buf *out, const char *keys)
{
	struct command cmd = begin(c, out, IMAP_SEARCH);

	add_text(&cmd, keys);
	return end(&cmd, false);
}

enum err
imap_client_fetch(
    struct imap_client *c, struct buf *out, const char *uids, const char *items)
{
	struct command cmd = begin(c, out, IMAP_FETCH);

	add_text(&cmd, uids);
	add_text(&cmd, " (");
	add_text(&cmd, items);
	add_text(&cmd, ")");
	return end(&cmd, false);
}

/* ---- APPEND ---- */

bool
imap_client_append_waits(
    const struct imap_client *c, const struct imap_append *a)
{
	const struct imap_capability *can = &c->capability;

	return !can->literal_plus &&
	       !(can->literal_minus && a->octets <= IMAP_LITERAL_MINUS);
}

/* Where UTF8=ACCEPT is on, a message with such a header is "UTF8 (...)", with a
 * literal of its own kind (RFC 6855 s4). */
static bool
is_wrapped(const struct imap_client *c, const struct imap_append *a)
{
	return c->utf8 && a->is_utf8;
}

/* What stands before the octets of one message, but for the end of the line. */
static void
add_message(struct command *cmd, const struct imap_append *a)
{
	struct imap_client *c = cmd->c;
	char date[IMAP_DATE];

	if (a->flags != NULL)
		add(cmd, buf_printf(cmd->out, " (%s)", a->flags));
	if (a->date > 0)
		add(cmd,
		    buf_printf(cmd->out, " \"%s\"", imap_date(date, a->date)));
	add(cmd, buf_printf(cmd->out, " %s{%llu%s}",
		     is_wrapped(c, a) ? "UTF8 (~" : "",
		     (unsigned long long)a->octets,
		     imap_client_append_waits(c, a) ? "" : "+"));
}

static const char *
end_of(const struct imap_client *c, const struct imap_append *a)
{
	return is_wrapped(c, a) ? ")" : "";
}

enum err
imap_client_append(struct imap_client *c, struct buf *out,
    const struct imap_append *a, size_t item)
{
	struct command cmd = begin(c, out, IMAP_APPEND);

	add(&cmd, imap_put_mailbox(out, a->mailbox, has_utf8_names(c)));
	add_message(&cmd, a);
	cmd.pending.item = item;
	return end(&cmd, imap_client_append_waits(c, a));
}

enum err
imap_client_append_more(struct imap_client *c, struct buf *out,
    const struct imap_append *after, const struct imap_append *a)
{
	struct command part = { .c = c, .out = out };

	add_text(&part, end_of(c, after));
	add_message(&part, a);
	add_text(&part, "\r\n");
	return part.e;
}

enum err
imap_client_append_end(
    struct imap_client *c, struct buf *out, const struct imap_append *after)
{
	return buf_printf(out, "%s\r\n", end_of(c, after));
}
