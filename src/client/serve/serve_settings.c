#include "client/serve/serve_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/i18n.h"
#include "base/slurp.h"

#define USERS_FILE "users"

enum { TEXT_MAX = 16 * 1024 * 1024 };

/* Within single quotes. */
static enum err
put_quoted(struct buf *b, const char *name, const char *value)
{
	enum err e = buf_printf(b, "%s = '", name);

	for (; e == E_OK && *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			e = buf_put(b, "\\", 1);
		if (e == E_OK)
			e = buf_put(b, value, 1);
	}
	return e != E_OK ? e : buf_put(b, "'\n", 2);
}

/* It is for one person: a process of each kind.  Who is not at this computer
 * cannot reach it, and who is another user of it is not served.  What a mail program removes stays in the folder Trash, as
 * nothing else may have it; a Maildir that is not there is one whose disk is not
 * mounted, and an empty one in its place would have programs forget what they
 * know. */
static enum err
put_settings(struct buf *b, const struct serve_place *p, const char *users,
    const char *root)
{
	enum err e = buf_printf(b,
	    "# Made by malote serve at each start: what is changed here is "
	    "lost.\n"
	    "listener \"serve\" {\n"
	    "\taddress = {\"127.0.0.1\"}\n"
	    "\tport = %u\n"
	    "\ttls = \"none\"\n"
	    "\tplaintext_login = yes\n"
	    "\tsame_user = yes\n"
	    "}\n"
	    "hostname = \"localhost\"\n"
	    "mechanisms = \"SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN\"\n"
	    "apop = yes\n"
	    "login_case = \"keep\"\n"
	    "mail = \"maildir:%%h\"\n"
	    "create_maildir = no\n"
	    "trash = yes\n"
	    "control_socket = \"\"\n"
	    "workers = 1\n"
	    "store_processes = 1\n"
	    "hash_threads = 1\n"
	    "stop_grace = 2\n",
	    (unsigned)p->port);

	if (e == E_OK)
		e = put_quoted(b, "users", users);
	return e != E_OK ? e : put_quoted(b, "mail_root", root);
}

/* The password must be shown again, so that it is kept beside this file as it is; a
 * hash here would hide nothing, and serve fewer mechanisms. */
static enum err
put_users(
    struct buf *b, const struct serve_place *p, const struct serve_drops *d)
{
	char coded[B64_ENCODED(SERVE_PASSWORD_MAX) + 1] = "";
	enum err e = E_OK;

	b64_encode(coded, p->password, strlen(p->password));
	for (size_t i = 0; i < d->n && e == E_OK; i++)
		if (d->v[i].path != NULL)
			e = buf_printf(b, "%s:{PLAIN.b64}%s::::%s::\n",
			    d->v[i].user, coded, d->v[i].path);
	explicit_bzero(coded, sizeof(coded));
	return e;
}

bool
serve_settings_are_current(
    const struct serve_place *p, const struct serve_drops *d)
{
	char path[PATH_MAX];
	struct slurp s = { .text = NULL };
	struct errbuf eb;
	struct buf users;
	bool same;

	buf_init(&users, TEXT_MAX, true);
	same = serve_place_path(p, path, USERS_FILE) &&
	       put_users(&users, p, d) == E_OK &&
	       slurp(path, TEXT_MAX, &s, &eb) == E_OK && s.n == users.len &&
	       memcmp(s.text, buf_data(&users), s.n) == 0;
	if (s.text != NULL)
		explicit_bzero(s.text, s.n);
	free(s.text);
	buf_free(&users);
	return same;
}

/* maloted refuses a mail root that it knows and that has lost its marker, until an
 * admin has looked.  Here the Maildirs have just been seen: so it knows none. */
static void
forget_roots(const struct serve_place *p)
{
	char path[PATH_MAX];

	if (serve_place_path(p, path, "mail-roots"))
		unlink(path);
}

static enum err
no_memory(struct errbuf *eb)
{
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

enum err
serve_settings_write(
    const struct serve_place *p, const struct serve_drops *d, struct errbuf *eb)
{
	struct buf settings, users;
	char path[PATH_MAX];
	enum err e = E_OK;

	buf_init(&settings, TEXT_MAX, false);
	buf_init(&users, TEXT_MAX, true);
	if (!serve_place_path(p, path, USERS_FILE))
		e = err_set(eb, E_IO, "%s", _("that path is too long"));
	else if (put_users(&users, p, d) != E_OK ||
		 put_settings(&settings, p, path, d->root) != E_OK)
		e = no_memory(eb);
	if (e == E_OK)
		e = serve_place_write(
		    p, USERS_FILE, buf_data(&users), users.len, eb);
	if (e == E_OK)
		e = serve_place_write(p, SERVE_SETTINGS_FILE,
		    buf_data(&settings), settings.len, eb);
	forget_roots(p);
	buf_free(&settings);
	buf_free(&users);
	return e;
}
