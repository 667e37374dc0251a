#include "server/ctl/who.h"

#include <stdio.h>
#include <string.h>

#include "server/users/edit.h"
#include "server/users/passwd.h"

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

enum err
who_may_be_known(const struct options *o, const char *name, struct errbuf *eb)
{
	bool elsewhere = o->conf != NULL &&
			 (o->conf->db.role.n != 0 || o->conf->pam.role.n != 0);
	enum err e = o->users[0] != '\0' ? who_known(o, name, eb) : E_NOENT;

	return e == E_NOENT && elsewhere ? E_OK : e;
}

static void
pass_over(void *arg, enum users_fault fault, unsigned line, const char *what)
{
}

/* NULL: nothing keeps the user out; or there is no user, and no line for one. */
static const char *
why_never(const struct users *users, const char *name)
{
	const struct user *u = users_find(users, name);
	unsigned line;

	return u != NULL ? user_never(u) : users_refused(users, name, &line);
}

enum err
who_known_to_sign_in(
    const struct options *o, const char *name, struct errbuf *eb)
{
	struct users *users = NULL;
	const char *never;
	struct edit ed;
	enum err e = who_may_be_known(o, name, eb);

	if (e != E_OK || o->users[0] == '\0')
		return e;
	e = edit_open(&ed, o->users, false, eb);
	if (e == E_OK && users_parse(&users, (struct slice){ ed.text, ed.n },
			     &o->rule, pass_over, NULL) != E_OK)
		e = err_set(eb, E_NOMEM, "out of memory");
	if (e == E_OK && (never = why_never(users, name)) != NULL)
		fprintf(stderr,
		    "%s cannot sign in, with this password either: %s\n", name,
		    never);
	users_free(users);
	edit_close(&ed);
	return e;
}
