/*
 * malotectl restart: the program as it is now takes the place of the one that
 * runs, and no client notices.
 */
#include <stdio.h>

#include "base/str.h"
#include "server/ctl/call.h"

/* Why it could not. */
static enum err
take_note(void *arg, struct ipc_in *in)
{
	struct control_note n = { .words = "" };
	char words[CONTROL_WORDS * 4];

	ipc_get_fields(in, &control_note_fields, &n);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	fprintf(stderr, "%s\n", str_quote_again(words, sizeof(words), n.words));
	return E_OK;
}

static const struct ipc_rule tells[] = {
	{ CONTROL_NOTE, 1, 0, CONTROL_ANSWER_MAX, take_note },
};

enum err
restart(const struct options *o, const char *none, struct errbuf *eb)
{
	struct call call = { .tells = tells, .n_tells = 1 };
	enum err e = call_server(o, &call, CONTROL_RESTART, NULL, NULL, eb);

	if (e == E_OK)
		printf("%s\n", call.done.words);
	return e;
}
