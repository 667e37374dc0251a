/*
 * The commands of the client's side: how each is written, what may not be in
 * it, and what of it a trace shows.  See client.h.
 */
#include <string.h>

#include "base/b64.h"
#include "pop3/client.h"
#include "pop3/client_pending.h"
#include "pop3/server_line.h"

enum { ARGS_MAX = 2 };

struct command {
	enum pop3_cmd cmd;
	uint32_t msgno;
	struct slice arg[ARGS_MAX];
	size_t n_args;
	size_t n_shown; /* of these the trace may show so many */
};

static const char hidden[] = "****";

static struct slice
text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

/* It would end the line, or for some servers be the end of it. */
static bool
has_bad_octet(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return true;
	return false;
}

static enum err
room_take(struct buf *out, size_t n, char **room_r)
{
	if (n > out->max || out->len > out->max - n)
		return E_FULL;
	return (*room_r = buf_room(out, n)) != NULL ? E_OK : E_NOMEM;
}

static char *
append(char *p, struct slice s)
{
	if (s.n != 0)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

static void
trace(const struct pop3_client *c, struct slice line)
{
	if (c->trace != NULL)
		c->trace(c->trace_arg, false, line);
}

/* The line of `command` up to *shown, and that there is more. */
static void
trace_command(const struct pop3_client *c, const struct command *command,
    struct slice shown)
{
	char line[POP3_LINE_COMMAND + sizeof(hidden)], *p = line;

	if (command->n_shown == command->n_args) {
		trace(c, shown);
		return;
	}
	p = append(p, shown);
	*p++ = ' ';
	p = append(p, text(hidden));
	trace(c, (struct slice){ line, (size_t)(p - line) });
}

static enum err
command_send(
    struct pop3_client *c, struct buf *out, const struct command *command)
{
	struct slice name = text(pop3_cmd_name(command->cmd));
	size_t n = name.n + 2, shown = name.n;
	char *line, *p;
	enum err e;

	for (size_t i = 0; i < command->n_args; i++) {
		if (has_bad_octet(command->arg[i]))
			return E_FORMAT;
		n += 1 + command->arg[i].n;
		if (i < command->n_shown)
			shown += 1 + command->arg[i].n;
	}
	if (n > POP3_LINE_COMMAND)
		return E_FULL;
	if ((e = pop3_pending_reserve(c)) != E_OK ||
	    (e = room_take(out, n, &line)) != E_OK)
		return e;
	p = append(line, name);
	for (size_t i = 0; i < command->n_args; i++) {
		*p++ = ' ';
		p = append(p, command->arg[i]);
	}
	memcpy(p, "\r\n", 2);
	buf_added(out, n);
	c->spoken = true;
	pop3_pending_push(
	    c, (struct pop3_outstanding){ command->cmd, command->msgno, n });
	trace_command(c, command, (struct slice){ line, shown });
	return E_OK;
}

enum err
pop3_client_send(struct pop3_client *c, struct buf *out, enum pop3_cmd cmd)
{
	return command_send(c, out, &(struct command){ .cmd = cmd });
}

enum err
pop3_client_message(
    struct pop3_client *c, struct buf *out, enum pop3_cmd cmd, uint32_t msgno)
{
	char digits[STR_U64_MAX];
	size_t n_args = cmd == POP3_CMD_TOP ? 2 : 1;

	return command_send(c, out,
	    &(struct command){
		.cmd = cmd,
		.msgno = msgno,
		.arg = { { digits, str_from_u64(digits, msgno) }, { "0", 1 } },
		.n_args = n_args,
		.n_shown = n_args,
	    });
}

enum err
pop3_client_user(struct pop3_client *c, struct buf *out, struct slice name)
{
	return command_send(c, out,
	    &(struct command){ .cmd = POP3_CMD_USER,
		.arg = { name },
		.n_args = 1,
		.n_shown = 1 });
}

enum err
pop3_client_pass(struct pop3_client *c, struct buf *out, struct slice password)
{
	return command_send(c, out,
	    &(struct command){
		.cmd = POP3_CMD_PASS, .arg = { password }, .n_args = 1 });
}

enum err
pop3_client_apop(struct pop3_client *c, struct buf *out, struct slice name,
    const char *digest)
{
	return command_send(c, out,
	    &(struct command){ .cmd = POP3_CMD_APOP,
		.arg = { name, text(digest) },
		.n_args = 2,
		.n_shown = 1 });
}

enum err
pop3_client_lang(struct pop3_client *c, struct buf *out, const char *tag)
{
	return command_send(c, out,
	    &(struct command){ .cmd = POP3_CMD_LANG,
		.arg = { text(tag) },
		.n_args = 1,
		.n_shown = 1 });
}

/* ---- SASL: RFC 5034 s4 ---- */

enum err
pop3_client_auth(struct pop3_client *c, struct buf *out, const char *mechanism,
    const struct slice *initial, bool *deferred_r)
{
	struct command command = { .cmd = POP3_CMD_AUTH,
		.arg = { text(mechanism) },
		.n_args = 1,
		.n_shown = 1 };
	size_t room = POP3_LINE_COMMAND - strlen("AUTH  \r\n");
	char encoded[POP3_LINE_COMMAND];
	enum err e;

	*deferred_r = false;
	if (initial != NULL && initial->n == 0) {
		command.arg[command.n_args++] = text("=");
	} else if (initial != NULL) {
		size_t n = B64_ENCODED(initial->n);

		*deferred_r = command.arg[0].n + n > room;
		if (!*deferred_r) {
			b64_encode(encoded, initial->p, initial->n);
			command.arg[command.n_args++] =
			    (struct slice){ encoded, n };
		}
	}
	e = command_send(c, out, &command);
	explicit_bzero(encoded, sizeof(encoded));
	return e;
}

enum err
pop3_client_answer(
    struct pop3_client *c, struct buf *out, struct slice response)
{
	size_t n = B64_ENCODED(response.n);
	char *line;
	enum err e;

	if ((e = room_take(out, n + 2, &line)) != E_OK)
		return e;
	b64_encode(line, response.p, response.n);
	memcpy(line + n, "\r\n", 2);
	buf_added(out, n + 2);
	c->sasl_asked = false;
	trace(c, text(hidden));
	return E_OK;
}

enum err
pop3_client_cancel(struct pop3_client *c, struct buf *out)
{
	enum err e = buf_put(out, "*\r\n", 3);

	if (e != E_OK)
		return e;
	c->sasl_asked = false;
	trace(c, text("*"));
	return E_OK;
}
