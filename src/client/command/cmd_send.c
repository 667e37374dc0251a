/* malote send: a message from a file, to those whom its header names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/call.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/command/sending.h"
#include "client/send/post.h"

/* What was typed: an account, a file, both, or nothing. */
struct typed {
	const struct account *account; /* or NULL */
	const char *file;              /* "-": standard input */
};

/* -1: go on; else the exit code. */
static int
take_arguments(const struct call *call, struct typed *t)
{
	const struct client_conf *conf = &call->set->conf;
	int n = 0;

	*t = (struct typed){ .file = "-" };
	if (call->n > 0 &&
	    (t->account = client_conf_find(conf, call->argument[0])) != NULL)
		n++;
	if (n < call->n)
		t->file = call->argument[n++];
	if (n == call->n)
		return -1;
	return failed_by(call->o, EX_USAGE, _("there is no account %s in %s"),
	    call->argument[0], conf->file);
}

static enum err
read_file(struct buf *text, const char *file, size_t max, struct errbuf *eb)
{
	bool given = strcmp(file, "-") == 0;
	int fd = given ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	enum err e;

	buf_init(text, 0, false);
	if (fd < 0)
		return err_sys(
		    eb, errno == ENOENT ? E_NOENT : E_IO, "%s", file);
	e = sending_read(text, fd, max, eb);
	if (!given)
		close(fd);
	return e;
}

static enum err
post_text(struct outbox *b, struct outbox_item *item,
    const struct client_conf *conf, const struct typed *t, struct errbuf *eb)
{
	const struct account *a;
	struct buf text;
	enum err e;

	if ((e = read_file(&text, t->file, sending_bound(conf), eb)) == E_OK)
		e = post(b, item, &a,
		    &(struct post_request){
			.conf = conf,
			.account = t->account,
			.text = { buf_data(&text), text.len },
			.by_header = true,
		    },
		    eb);
	buf_free(&text);
	return e;
}

int
cmd_send(struct call *call)
{
	struct sending s = {
		.o = call->o,
		.conf = &call->set->conf,
		.terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
		.tells = !option_is_given(call->o, OPT_QUIET) &&
			 !option_is_given(call->o, OPT_JSON),
	};
	struct outbox_item item = OUTBOX_NOTHING;
	struct outbox b = { .fd = -1 };
	struct errbuf eb;
	struct typed t;
	enum err e;
	int code = take_arguments(call, &t);

	if (code != -1)
		return code;
	if ((e = outbox_open(&b, call->o->state, true, &eb)) == E_OK)
		e = post_text(&b, &item, s.conf, &t, &eb);
	if (e == E_OK)
		sending_run(&s, &b, &item);
	outbox_close(&b);
	return e == E_OK
		   ? sending_end(&s)
		   : failed_by(call->o, sending_exit_code(e), "%s", eb.text);
}
