#include "server/helper/verify_machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum err
put(struct db_row *row, const char *name, const char *value, struct errbuf *eb)
{
	return db_row_put(row, name, value, strlen(value), eb);
}

static enum err
put_number(
    struct db_row *row, const char *name, unsigned long v, struct errbuf *eb)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", v);
	return put(row, name, text, eb);
}

/* What getpwnam() says where there is no such user, or a file of them. */
static bool
is_nobody(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH ||
	       error == EBADF || error == EPERM;
}

enum err
machine_find(const struct pam_conf *c, const char *name, struct db_row *row,
    const struct passwd **pw_r, struct errbuf *eb)
{
	const struct passwd *pw;
	enum err e;

	errno = 0;
	if ((*pw_r = pw = getpwnam(name)) == NULL)
		return is_nobody(errno)
			   ? E_NOENT
			   : err_sys(eb, E_AGAIN, "the list of users");
	if (pw->pw_uid < c->first_uid || pw->pw_uid > c->last_uid)
		return E_DENIED;
	if ((e = put_number(row, "uid", pw->pw_uid, eb)) == E_OK)
		e = put_number(row, "gid", pw->pw_gid, eb);
	return e == E_OK ? put(row, "home", pw->pw_dir, eb) : e;
}

enum err
machine_lock(struct verify_answer *a, const char *why)
{
	enum err e = put(&a->row, "nologin", "yes", &a->why);

	return e == E_OK ? err_set(&a->why, E_OK, "%s", why) : e;
}
