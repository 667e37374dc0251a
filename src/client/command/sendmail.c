#include "client/command/sendmail.h"

#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/call.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/command/outbox_list.h"
#include "client/command/sending.h"
#include "client/send/post.h"
#include "client/state/state.h"

static const char word[] = "sendmail";

/* ---- is it meant? ---- */

/* One of malote's own options whose value is the next argument. */
static bool
takes_next(const char *arg)
{
	return strcmp(arg, "--config") == 0 || strcmp(arg, "--state") == 0;
}

bool
sendmail_is_meant(int argc, char **argv, int *at_r)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	int i = 1;

	*at_r = 0;
	if (argc > 0 && strcmp(slash != NULL ? slash + 1 : argv[0], word) == 0)
		return true;
	while (i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0)
		i += takes_next(argv[i]) ? 2 : 1;
	*at_r = i;
	return i < argc && strcmp(argv[i], word) == 0;
}

/* ---- what is asked for ---- */

struct asked {
	bool by_header;   /* -t */
	bool keeps_dots;  /* -i: a line of one dot does not end the message */
	bool only_queues; /* -odq */
	bool shows;       /* -bp */
	bool runs_queue;  /* -q */
	const char *sender, *name;
};

/* -o, as others have it: one letter and its value, or NAME=VALUE. */
static void
take_setting(struct asked *a, const char *value)
{
	a->keeps_dots |= strcmp(value, "i") == 0;
	a->only_queues |= strcmp(value, "dq") == 0 || strcmp(value, "dd") == 0;
}

/* -1: go on; else the exit code. */
static int
take_mode(const struct options *o, struct asked *a, const char *mode)
{
	switch (mode[0]) {
	case 'm': return -1;
	case 'p': a->shows = true; return -1;
	case 'i': return EX_OK; /* newaliases: there are none to be made */
	default:
		return failed_by(o, EX_USAGE,
		    _("sendmail -b%s is not there: malote takes a message on "
		      "its standard input and does not speak SMTP there; leave "
		      "the option out"),
		    mode);
	}
}

static int
take_option(struct options *o, struct asked *a, int opt)
{
	switch (opt) {
	case 't': a->by_header = true; break;
	case 'i': a->keeps_dots = true; break;
	case 'f':
	case 'r': a->sender = optarg; break;
	case 'F': a->name = optarg; break;
	case 'o': take_setting(a, optarg); break;
	case 'O': break;
	case 'v': o->value[OPT_VERBOSE] = ""; break;
	case 'q': a->runs_queue = true; break;
	case 'b': return take_mode(o, a, optarg);
	case '?':
	case ':':
		return failed_by(o, EX_USAGE,
		    opt == ':' ? _("sendmail -%c needs a value")
			       : _("sendmail has no option -%c here"),
		    optopt);
	default: break; /* others have them, and they change nothing here */
	}
	return -1;
}

/* Those of Sendmail, Postfix and Exim: with a value, with one that is joined, and
 * without. */
#define OPTIONS_TAKEN "+:A:B:C:F:G::L:N:O:R:V:X:b:d::e:f:h:im::no:p:q::r:stUvx"

static int
take_options(struct options *o, struct asked *a, int argc, char **argv)
{
	int opt, code = -1;

	optind = 0; /* begins anew, whatever was read before */
	opterr = 0;
	while (code == -1 && (opt = getopt(argc, argv, OPTIONS_TAKEN)) != -1)
		code = take_option(o, a, opt);
	return code;
}

/* ---- the message ---- */

/* A line of one dot ends it, as somebody would type it. */
static size_t
end_of(struct slice text)
{
	size_t at = 0;

	while (at < text.n) {
		const char *lf = memchr(text.p + at, '\n', text.n - at);
		size_t end = lf != NULL ? (size_t)(lf - text.p) : text.n;
		size_t n = end - at;

		if (n != 0 && text.p[end - 1] == '\r')
			n--;
		if (n == 1 && text.p[at] == '.')
			return at;
		at = end + 1;
	}
	return text.n;
}

static enum err
post_input(struct outbox *b, struct outbox_item *item,
    const struct client_conf *conf, const struct asked *a, int n, char **to,
    struct errbuf *eb)
{
	struct post_request r = {
		.conf = conf,
		.by_header = a->by_header,
		.to = to,
		.n_to = (size_t)n,
		.sender = a->sender,
		.name = a->name,
	};
	const struct account *account;
	struct buf text;
	enum err e;

	e = sending_read(&text, STDIN_FILENO, sending_bound(conf), eb);
	if (e == E_OK) {
		r.text = (struct slice){ buf_data(&text), text.len };
		if (!a->keeps_dots)
			r.text.n = end_of(r.text);
		e = post(b, item, &account, &r, eb);
	}
	buf_free(&text);
	return e;
}

/* What waits was taken, and so was what is perhaps sent: whoever called would send
 * it twice if it were told otherwise. */
static int
code_for_caller(int code)
{
	return code == EX_CANTCREAT ? EX_UNAVAILABLE : EX_OK;
}

static int
send_input(const struct options *o, const struct client_conf *conf,
    const struct asked *a, int n, char **to)
{
	struct sending s = {
		.o = o,
		.conf = conf,
		.logs = !isatty(STDERR_FILENO),
	};
	struct outbox_item item = OUTBOX_NOTHING;
	struct outbox b;
	struct errbuf eb;
	enum err e = outbox_open(&b, o->state, true, &eb);

	if (e == E_OK)
		e = post_input(&b, &item, conf, a, n, to, &eb);
	if (e != E_OK)
		say_error(eb.text);
	else if (!a->only_queues)
		sending_run(&s, &b, &item);
	outbox_release(&item);
	outbox_close(&b);
	return e != E_OK ? sending_exit_code(e) : code_for_caller(s.code);
}

/* ---- all ---- */

static void
complain(void *arg, bool is_error, const char *words)
{
	if (is_error)
		say_error(words);
}

static int
run_with(const struct options *o, const struct asked *a, int n, char **to)
{
	struct client_conf conf;
	struct errbuf eb;
	int code;

	if (client_conf_load(&conf, o->conf, complain, NULL) != E_OK)
		return EX_CONFIG;
	if (state_make_folder(o->state, &eb) != E_OK)
		code = failed_by(o, EX_IOERR, "%s", eb.text);
	else if (a->runs_queue)
		code = sending_flush(o, &conf, false, EX_OK);
	else
		code = send_input(o, &conf, a, n, to);
	client_conf_free(&conf);
	return code;
}

int
cmd_sendmail(struct call *call)
{
	struct options o = *call->o;
	char *none[] = { (char *)word, NULL };

	/* The word itself is in front of what is given. */
	return sendmail_run(
	    &o, call->n + 1, call->n > 0 ? call->argument - 1 : none);
}

int
sendmail_run(struct options *o, int argc, char **argv)
{
	struct asked a = { .by_header = false };
	int code = take_options(o, &a, argc, argv);

	if (code != -1)
		return code;
	if (a.shows)
		return outbox_print(o);
	openlog("malote", LOG_PID, LOG_MAIL);
	return run_with(o, &a, argc - optind, argv + optind);
}
