/*
 * malotectl uidl: by what the unique-ids of a maildrop go.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/ctl/call.h"
#include "server/ctl/show.h"

/* ---- show ---- */

struct shown {
	struct call call; /* first */
	bool told;
	struct control_uidl uidl;
};

static enum err
take_uidl(void *arg, struct ipc_in *in)
{
	struct shown *s = arg;

	if (s->told)
		return E_FORMAT;
	s->told = true;
	ipc_get_fields(in, &control_uidl_fields, &s->uidl);
	return ipc_get_end(in);
}

static const struct ipc_rule tells[] = {
	{ CONTROL_UIDL, 1, 0, CONTROL_ANSWER_MAX, take_uidl },
};

/* Where the unique-ids come from. */
static const char *
from(const struct control_uidl *u)
{
	if (u->decided[0] == '\0')
		return "nothing is decided until the first sign-in that finds "
		       "mail";
	if (strcmp(u->decided, "dovecot") == 0)
		return "Dovecot's, from dovecot-uidlist";
	if (strcmp(u->decided, "courier") == 0)
		return "Courier's, from courierpop3dsizelist";
	return "the names of the files";
}

static void
print(const struct control_uidl *u)
{
	char word[256];

	printf("unique-ids: %s\n", from(u));
	printf("decided:    %s\n",
	    u->decided[0] != '\0' ? show_clean(word, sizeof(word), u->decided)
				  : "no");
	printf("setting:    uidl = \"%s\"\n",
	    show_clean(word, sizeof(word), u->setting));
	if (strcmp(u->decided, "dovecot") == 0)
		printf("format:     pop3_uidl_format = \"%s\"\n",
		    show_clean(word, sizeof(word), u->format));
	if (u->listed)
		printf("messages:   %u at the last sign-in\n", u->messages);
	else
		printf("messages:   not known before the next sign-in\n");
	printf("written:    %u unique-ids in malote-uidl\n", u->written);
	if (u->bad != 0)
		printf("damaged:    %u lines of malote-uidl\n", u->bad);
	if (u->ignored[0] != '\0')
		printf("ignored:    %s, which came later\n",
		    show_clean(word, sizeof(word), u->ignored));
}

static json_t *
as_json(const struct control_uidl *u)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:i,s:i}", "decided",
	    show_text(u->decided), "setting", show_text(u->setting), "format",
	    show_text(u->format), "ignored", show_text(u->ignored), "messages",
	    u->listed ? json_integer(u->messages) : json_null(), "written",
	    (int)u->written, "damaged", (int)u->bad);
}

enum err
uidl_show(const struct options *o, const char *user, struct errbuf *eb)
{
	struct shown s = { .call = { .tells = tells, .n_tells = 1 } };
	enum err e = call_server_about(o, &s.call, CONTROL_UIDL_SHOW, user, eb);
	json_t *j;

	if (e != E_OK)
		return e;
	if (!s.told)
		return err_set(eb, E_IO, "maloted said nothing");
	if (!o->json) {
		print(&s.uidl);
		return E_OK;
	}
	j = as_json(&s.uidl);
	e = show_json(j, eb);
	json_decref(j);
	return e;
}

/* ---- forget ---- */

static enum err
confirm(const struct options *o, const char *user, struct errbuf *eb)
{
	char line[16], name[256];

	if (o->yes)
		return E_OK;
	show_clean(name, sizeof(name), user);
	if (!isatty(STDIN_FILENO))
		return err_set(eb, E_FORMAT,
		    "clients that leave mail on the server may download all "
		    "mail of %s once more; if that is wanted: --yes",
		    name);
	fprintf(stderr,
	    "Clients that leave mail on the server may download all mail of "
	    "%s once more.\nForget its unique-ids? [y/N] ",
	    name);
	if (fgets(line, sizeof(line), stdin) == NULL ||
	    (line[0] != 'y' && line[0] != 'Y'))
		return err_set(eb, E_FORMAT, "nothing was changed");
	return E_OK;
}

enum err
uidl_forget(const struct options *o, const char *user, struct errbuf *eb)
{
	struct call call = { .n_tells = 0 };
	enum err e = confirm(o, user, eb);

	if (e == E_OK)
		e = call_server_about(o, &call, CONTROL_UIDL_FORGET, user, eb);
	if (e == E_OK)
		puts("Forgotten; the next sign-in decides anew. What there was "
		     "is in malote-uidl.old.");
	return e;
}
