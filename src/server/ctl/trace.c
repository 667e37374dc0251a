/*
 * malotectl trace: what is said in the sessions of a user.
 */
#include <stdio.h>

#include "server/ctl/call.h"
#include "server/ctl/who.h"

enum err
trace(const struct options *o, const char *name, struct errbuf *eb)
{
	struct control_trace wish = { .off = o->off, .octets = o->octets };
	struct call call = { .n_tells = 0 };
	enum err e;

	if (o->off && o->octets)
		return err_set(
		    eb, E_FORMAT, "--off and --octets do not go together");
	if ((e = who_called(o, name, wish.user, eb)) != E_OK ||
	    (e = call_server(o, &call, CONTROL_TRACE, &control_trace_fields,
		 &wish, eb)) != E_OK)
		return e;
	if (o->off)
		puts("The trace has ended.");
	else
		printf("From now on, for an hour at most, into\n%s\n",
		    call.done.words);
	return E_OK;
}
