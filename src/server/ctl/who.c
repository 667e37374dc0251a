#include "server/ctl/who.h"

#include <string.h>

#include "server/users/edit.h"

enum err
who_called(const struct options *o, const char *given,
    char name[NAME_MAX_OCTETS + 1], struct errbuf *eb)
{
	return name_normalize(
	    &o->rule, (struct slice){ given, strlen(given) }, name, eb);
}

enum err
who_is_not(const struct options *o, const char *name, struct errbuf *eb)
{
	return err_set(
	    eb, E_NOENT, "there is no user %s in %s", name, o->users);
}

enum err
who_known(const struct options *o, const char *name, struct errbuf *eb)
{
	struct edit_line line;
	struct edit ed;
	enum err e = edit_open(&ed, o->users, false, eb);

	if (e == E_OK && !edit_find(&ed, &o->rule, name, false, NULL, &line))
		e = who_is_not(o, name, eb);
	edit_close(&ed);
	return e;
}
