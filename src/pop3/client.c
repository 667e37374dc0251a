#include "pop3/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/i18n.h"
#include "pop3/client_capa.h"
#include "pop3/client_pending.h"
#include "pop3/client_reply.h"
#include "pop3/word.h"

enum { CAPA_OCTETS = 64 * 1024, STRAY_LINES = 64 };

enum answer {
	ANSWER_LINE,
	ANSWER_SURE,  /* the same: all servers know the command, so that another
	               * line is no refusal in words of their own */
	ANSWER_LINES, /* more than one, when it is OK */
};

static const struct {
	const char *name;
	enum answer answer;
} commands[] = {
	[POP3_CMD_GREETING] = { "greeting", ANSWER_LINE },
	[POP3_CMD_CAPA] = { "CAPA", ANSWER_LINES },
	[POP3_CMD_STLS] = { "STLS", ANSWER_LINE },
	[POP3_CMD_USER] = { "USER", ANSWER_SURE },
	[POP3_CMD_PASS] = { "PASS", ANSWER_SURE },
	[POP3_CMD_APOP] = { "APOP", ANSWER_LINE },
	[POP3_CMD_AUTH] = { "AUTH", ANSWER_LINE },
	[POP3_CMD_STAT] = { "STAT", ANSWER_SURE },
	[POP3_CMD_LIST] = { "LIST", ANSWER_LINES },
	[POP3_CMD_UIDL] = { "UIDL", ANSWER_LINES },
	[POP3_CMD_TOP] = { "TOP", ANSWER_LINES },
	[POP3_CMD_RETR] = { "RETR", ANSWER_LINES },
	[POP3_CMD_DELE] = { "DELE", ANSWER_SURE },
	[POP3_CMD_RSET] = { "RSET", ANSWER_SURE },
	[POP3_CMD_NOOP] = { "NOOP", ANSWER_SURE },
	[POP3_CMD_QUIT] = { "QUIT", ANSWER_SURE },
	[POP3_CMD_LIST_ONE] = { "LIST", ANSWER_LINE },
	[POP3_CMD_UIDL_ONE] = { "UIDL", ANSWER_LINE },
	[POP3_CMD_ENV] = { "*ENV", ANSWER_LINES },
	[POP3_CMD_UTF8] = { "UTF8", ANSWER_LINE },
	[POP3_CMD_LANG] = { "LANG", ANSWER_LINE },
};

const char *
pop3_cmd_name(enum pop3_cmd cmd)
{
	return commands[cmd].name;
}

void
pop3_client_init(struct pop3_client *c)
{
	memset(c, 0, sizeof(*c));
}

void
pop3_client_clear(struct pop3_client *c)
{
	free(c->ring);
	memset(c, 0, sizeof(*c));
}

void
pop3_client_tls(struct pop3_client *c)
{
	memset(&c->capa, 0, sizeof(c->capa));
	memset(c->timestamp, 0, sizeof(c->timestamp));
}

/* ---- lines ---- */

/* The first reason stays. */
static void
break_off(struct pop3_client *c, struct pop3_event *ev, const char *why)
{
	if (c->why == NULL)
		c->why = why;
	*ev = (struct pop3_event){
		.type = POP3_EV_BROKEN,
		.cmd = ev->cmd,
		.why = c->why,
	};
}

/* What the last event had borrowed goes. */
static void
release(struct pop3_client *c, struct buf *in)
{
	buf_consume(in, c->consume);
	c->consume = 0;
}

static size_t
line_max(const struct buf *in)
{
	return in->max < POP3_REPLY_MAX ? in->max : POP3_REPLY_MAX;
}

/* A line without its end, an LF or CRLF (some servers send the one only).
 * False: there is none yet, or never will be; the event says. */
static bool
line_take(struct pop3_client *c, struct buf *in, struct pop3_event *ev,
    struct slice *line)
{
	size_t max = line_max(in);
	const char *p = buf_data(in), *lf = NULL;
	size_t n = in->len < max ? in->len : max;

	if (n > c->seen)
		lf = memchr(p + c->seen, '\n', n - c->seen);
	c->seen = lf == NULL ? n : 0;
	if (lf == NULL && n == max)
		break_off(c, ev, N_("a line of the server is too long"));
	if (lf == NULL)
		return false;
	*line = (struct slice){ p, (size_t)(lf - p) };
	c->consume = line->n + 1;
	if (line->n != 0 && p[line->n - 1] == '\r')
		line->n--;
	if (c->trace != NULL)
		c->trace(c->trace_arg, true, *line);
	return true;
}

/* ---- the first line of a reply ---- */

static void
answered(struct pop3_client *c)
{
	c->inside = c->ended = c->doubtful = c->probing = false;
	c->strays = 0;
	if (c->greeted)
		pop3_pending_pop(c);
	c->greeted = true;
}

/* What follows the first line begins. */
static void
inside_begin(struct pop3_client *c, enum pop3_cmd cmd)
{
	c->inside = true;
	c->lines = 0;
	c->octets = 0;
	pop3_unstuff_init(&c->unstuff);
	c->in_mail |= cmd == POP3_CMD_TOP || cmd == POP3_CMD_RETR;
	if (cmd == POP3_CMD_CAPA)
		memset(&c->capa, 0, sizeof(c->capa));
}

/* A number and its size, or its unique-id. */
static void
row_take(struct pop3_event *ev, bool sizes, struct slice line)
{
	struct slice value;

	ev->msgno = pop3_reply_msgno(&line);
	value = pop3_word_take(&line);
	if (ev->msgno == 0)
		ev->odd = true;
	else if (sizes)
		ev->odd = !str_to_u64(value, &ev->octets);
	else if (value.n == 0 || value.n > POP3_UID_MAX)
		ev->odd = true;
	else
		ev->data = value;
}

/* The text of an OK. */
static void
one_take(struct pop3_event *ev, uint32_t asked)
{
	if (ev->cmd != POP3_CMD_LIST_ONE && ev->cmd != POP3_CMD_UIDL_ONE)
		return;
	row_take(ev, ev->cmd == POP3_CMD_LIST_ONE, ev->text);
	ev->odd |= ev->msgno != asked;
	ev->msgno = asked;
}

static void
ok_take(struct pop3_client *c, struct buf *in, struct slice line,
    struct pop3_event *ev)
{
	ev->type = POP3_EV_OK;
	one_take(ev, ev->msgno);
	if (ev->cmd == POP3_CMD_STAT) {
		ev->odd = !pop3_reply_stat(ev->text, &ev->count, &ev->octets);
		if (ev->odd)
			ev->count = 0;
	}
	ev->code = pop3_code_parse(&ev->text);
	if (commands[ev->cmd].answer == ANSWER_LINES) {
		inside_begin(c, ev->cmd);
		return;
	}
	answered(c);
	if (ev->cmd == POP3_CMD_GREETING)
		pop3_reply_timestamp(line, c->timestamp, sizeof(c->timestamp));
	if (ev->cmd != POP3_CMD_STLS)
		return;
	ev->text = (struct slice){ "", 0 };
	release(c, in);
	if (in->len != 0)
		break_off(c, ev,
		    N_("the server sent octets behind its answer to STLS"));
}

/* Into the place of the base64.  Exchange sends a "+" with nothing behind it,
 * where RFC 5034 has "+ ". */
static void
challenge_take(struct pop3_client *c, struct pop3_event *ev)
{
	struct slice text = ev->text;
	size_t n = 0;

	ev->type = POP3_EV_CHALLENGE;
	ev->text = (struct slice){ 0 };
	while (text.n != 0 && text.p[text.n - 1] == ' ')
		text.n--;
	ev->odd = b64_decode((char *)text.p, text, &n) != E_OK;
	ev->data = (struct slice){ text.p, n };
	c->sasl_asked = true;
}

/* ---- lines that answer nothing ---- */

/* Some servers have more to say than the line of a reply: behind the greeting,
 * or when somebody has signed in.  What answers nothing means nothing, as long as
 * it can be no part of a message. */
static bool
may_stray(const struct pop3_client *c, const struct pop3_event *ev)
{
	if (!c->greeted || c->sasl_asked || c->in_mail)
		return false;
	return c->n_pending == 0 || commands[ev->cmd].answer == ANSWER_SURE;
}

/* Passes over the line.  False: there are too many. */
static bool
stray_take(struct pop3_client *c, struct buf *in, struct pop3_event *ev)
{
	c->has_strayed = true;
	if (++c->strays > STRAY_LINES) {
		break_off(c, ev,
		    c->spoken ? N_("the server talks without an end")
			      : N_("the server's greeting has no end"));
		return false;
	}
	release(c, in);
	return true;
}

/* A reply that nobody has asked for is no stray line: others would be taken for
 * the wrong ones.  By a refusal a server may say why it goes. */
static void
unasked_reply(struct pop3_client *c, struct pop3_event *ev,
    enum pop3_status status, struct slice text)
{
	break_off(c, ev, N_("the server sent octets that answer nothing"));
	if (status != POP3_STATUS_ERR)
		return;
	ev->text = text;
	ev->code = pop3_code_parse(&ev->text);
}

/* What has come before anything was asked, or after all was answered. */
static void
unasked_take(struct pop3_client *c, struct buf *in, struct pop3_event *ev)
{
	enum pop3_status status = POP3_STATUS_NONE;
	struct slice line, text = { 0 };

	while (may_stray(c, ev)) {
		if (!line_take(c, in, ev, &line))
			return;
		if (c->spoken)
			status = pop3_reply_status(line, &text);
		if (status != POP3_STATUS_NONE)
			break;
		if (!stray_take(c, in, ev))
			return;
	}
	unasked_reply(c, ev, status, text);
}

static void
reply_take(struct pop3_client *c, struct buf *in, struct pop3_event *ev)
{
	enum pop3_status status;
	struct slice line;

	if (c->greeted && (c->n_pending == 0 || c->sasl_asked)) {
		unasked_take(c, in, ev);
		return;
	}
	do {
		if (!line_take(c, in, ev, &line))
			return;
		status = pop3_reply_status(line, &ev->text);
	} while (status == POP3_STATUS_NONE && may_stray(c, ev) &&
		 stray_take(c, in, ev));
	if (ev->type == POP3_EV_BROKEN)
		return;
	switch (status) {
	case POP3_STATUS_OK: ok_take(c, in, line, ev); return;
	case POP3_STATUS_ERR:
		ev->type = POP3_EV_ERR;
		ev->code = pop3_code_parse(&ev->text);
		answered(c);
		return;
	case POP3_STATUS_CHALLENGE:
		if (ev->cmd == POP3_CMD_AUTH) {
			challenge_take(c, ev);
			return;
		}
		break;
	case POP3_STATUS_NONE: break;
	}
	break_off(c, ev,
	    c->greeted ? N_("what the server sent is no reply of POP3")
		       : pop3_reply_stranger(line));
}

/* ---- what follows ---- */

static void
end(struct pop3_client *c, struct pop3_event *ev)
{
	ev->type = POP3_EV_END;
	if (ev->cmd == POP3_CMD_CAPA)
		c->capa.known = true;
	answered(c);
}

static bool
is_within_limits(struct pop3_client *c, enum pop3_cmd cmd, struct slice line)
{
	c->lines++;
	c->octets += line.n;
	if (cmd == POP3_CMD_CAPA)
		return c->lines <= POP3_CAPA_LINES && c->octets <= CAPA_OCTETS;
	return c->lines <=
	       (cmd == POP3_CMD_ENV ? POP3_ENV_LINES : POP3_MSGNO_MAX);
}

static void
entry_take(
    const struct pop3_client *c, struct pop3_event *ev, struct slice line)
{
	ev->type = POP3_EV_ENTRY;
	if (ev->cmd == POP3_CMD_ENV) {
		ev->count = c->lines;
		ev->data = line;
	} else {
		row_take(ev, ev->cmd == POP3_CMD_LIST, line);
	}
}

/* CAPA, LIST, UIDL, ENV. */
static void
lines_take(struct pop3_client *c, struct buf *in, struct pop3_event *ev)
{
	struct slice line;

	while (line_take(c, in, ev, &line)) {
		if (slice_eq(line, ".")) {
			end(c, ev);
			return;
		}
		if (line.n != 0 && line.p[0] == '.') {
			line.p++;
			line.n--;
		}
		if (!is_within_limits(c, ev->cmd, line)) {
			break_off(c, ev, N_("the server's list has no end"));
			return;
		}
		if (ev->cmd != POP3_CMD_CAPA) {
			entry_take(c, ev, line);
			return;
		}
		if (!pop3_capa_line(&c->capa, line)) {
			break_off(c, ev,
			    N_("the server's list of mechanisms is too long"));
			return;
		}
		release(c, in);
	}
}

void
pop3_client_probe(struct pop3_client *c)
{
	c->probing = true;
}

void
pop3_client_end(struct pop3_client *c)
{
	c->ended = true;
	c->consume = c->odd;
}

/* The line behind the doubtful one, as the answer to the second command that is
 * outstanding. */
static void
probe_take(struct pop3_client *c, const struct buf *in, struct pop3_event *ev)
{
	const struct pop3_outstanding *probe = pop3_pending_second(c);
	const char *p = buf_data(in) + c->odd, *lf = NULL;
	size_t n = in->len - c->odd;
	enum pop3_status status;

	if (n != 0)
		lf = memchr(p, '\n', n);
	if (lf == NULL && in->len < line_max(in))
		return;
	c->probing = false;
	ev->type = POP3_EV_PROBED;
	ev->cmd = probe->cmd;
	ev->msgno = probe->msgno;
	if (lf == NULL) {
		ev->odd = true;
		return;
	}
	n = (size_t)(lf - p);
	n -= n != 0 && p[n - 1] == '\r';
	status = pop3_reply_status((struct slice){ p, n }, &ev->text);
	ev->odd = status != POP3_STATUS_OK;
	if (!ev->odd)
		one_take(ev, probe->msgno);
}

/* TOP, RETR: decoded where it lies. */
static void
message_take(struct pop3_client *c, struct buf *in, struct pop3_event *ev)
{
	struct pop3_unstuff_step step = { 0 };

	if (c->probing && c->n_pending > 1) {
		probe_take(c, in, ev);
		return;
	}
	if (!c->ended) {
		char *p = buf_data(in);

		step = pop3_unstuff(&c->unstuff, p, in->len, p, in->len);
		c->ended = step.ended;
		c->odd = step.odd;
		c->doubtful = step.odd != 0;
		c->consume = step.used;
		if (step.made != 0) {
			ev->type = POP3_EV_DATA;
			ev->data = (struct slice){ p, step.made };
			return;
		}
		release(c, in);
	}
	if (c->ended) {
		ev->octets = c->unstuff.octets;
		end(c, ev);
	}
}

void
pop3_client_in_step(struct pop3_client *c)
{
	c->in_mail = false;
}

void
pop3_client_run(struct pop3_client *c, struct buf *in, struct pop3_event *ev)
{
	release(c, in);
	*ev = (struct pop3_event){ .type = POP3_EV_MORE };
	if (c->greeted && c->n_pending != 0) {
		const struct pop3_outstanding *first = pop3_pending_first(c);

		ev->cmd = first->cmd;
		ev->msgno = first->msgno;
	}
	if (c->why != NULL)
		break_off(c, ev, c->why);
	else if (in->len == 0 && !c->ended)
		return;
	else if (!c->inside)
		reply_take(c, in, ev);
	else if (ev->cmd == POP3_CMD_TOP || ev->cmd == POP3_CMD_RETR)
		message_take(c, in, ev);
	else
		lines_take(c, in, ev);
}
