/*
 * malotectl root: the folder that the mail is in.
 */
#include <stdio.h>

#include "server/ctl/call.h"

enum err
root_accept(const struct options *o, const char *path, struct errbuf *eb)
{
	struct call call = { .n_tells = 0 };
	enum err e = call_server_about(
	    o, &call, CONTROL_ROOT_ACCEPT, path != NULL ? path : "", eb);

	if (e == E_OK)
		printf(
		    "%s is accepted as it is, and served\n", call.done.words);
	return e;
}
