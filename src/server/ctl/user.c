/*
 * The commands that list and change users, with a server or without one: in the
 * users file here, in databases by user_db.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/ctl/ask.h"
#include "server/ctl/commands.h"
#include "server/ctl/user_db.h"
#include "server/ctl/who.h"
#include "server/users/account.h"
#include "server/users/edit.h"
#include "server/users/passwd.h"
#include "server/users/scheme.h"

/* ---- what is given ---- */

/* Could somebody of this name read mail, as the settings are? */
static enum err
check_account(const struct options *o, const char *name, struct errbuf *eb)
{
	struct user u = { .name = name,
		.home = o->home != NULL ? o->home : "",
		.mail = o->mail != NULL ? o->mail : "",
		.uid = AUTH_NO_UID,
		.gid = AUTH_NO_UID,
		.line = 1 }; /* it is to stand in the users file */
	struct account at;
	struct errbuf words;
	const char *why;

	if (o->conf == NULL)
		return E_OK;
	if (o->uid != NULL &&
	    (!str_to_u32((struct slice){ o->uid, strlen(o->uid) }, &u.uid) ||
		!str_to_u32((struct slice){ o->gid, strlen(o->gid) }, &u.gid)))
		return err_set(eb, E_FORMAT, "--uid and --gid are numbers");
	if (account_find(&at, &o->conf->auth, &u, &why, &words) != E_OK)
		return err_set(
		    eb, E_FORMAT, "%s could not sign in: %s", name, words.text);
	return E_OK;
}

static bool
is_id(const char *id)
{
	uint32_t v;

	return str_to_u32((struct slice){ id, strlen(id) }, &v) && v != 0 &&
	       v != UINT32_MAX;
}

/* Text that may stand between colons (or, as it ends a line, spaces). */
static bool
is_field(const char *s, const char *refused)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f ||
		    strchr(refused, *s) != NULL)
			return false;
	return true;
}

static enum err
check_options(const struct options *o, struct errbuf *eb)
{
	if (!scheme_is_made(o->scheme))
		return err_set(
		    eb, E_FORMAT, "--scheme must be one of %s", scheme_made);
	if ((o->uid == NULL) != (o->gid == NULL))
		return err_set(eb, E_FORMAT, "--uid and --gid go together");
	if (o->uid != NULL && (!is_id(o->uid) || !is_id(o->gid)))
		return err_set(
		    eb, E_FORMAT, "--uid and --gid must be numbers, and not 0");
	if (o->home != NULL && (o->home[0] != '/' || !is_field(o->home, ":")))
		return err_set(eb, E_FORMAT,
		    "--home must begin with \"/\" and have no \":\"");
	if (o->mail != NULL &&
	    (strncmp(o->mail, "maildir:", 8) != 0 || !is_field(o->mail, " ")))
		return err_set(eb, E_FORMAT,
		    "--mail must begin with \"maildir:\" and have no spaces");
	return E_OK;
}

/* For each command; name: by the rule. */
static enum err
prepare(const struct options *o, const char *given,
    char name[NAME_MAX_OCTETS + 1], struct errbuf *eb)
{
	enum err e = check_options(o, eb);

	if (e == E_OK && o->database != NULL && !user_db_any(o))
		e = err_set(eb, E_FORMAT,
		    "--database: by the settings there are only users of %s",
		    o->users);
	if (e != E_OK || given == NULL)
		return e;
	umask(077);
	if (scheme_init() != E_OK)
		return err_set(eb, E_NOMEM, "no random numbers");
	return who_called(o, given, name, eb);
}

/* ---- commands ---- */

static enum err
ask_hash(
    const struct options *o, char out[SCHEME_STORED_MAX], struct errbuf *eb)
{
	char password[ASK_ROOM];
	enum err e = ask_password(password, eb);

	if (e == E_OK)
		e = scheme_make(o->scheme, password, out, eb);
	explicit_bzero(password, sizeof(password));
	return e;
}

/* Is the file fit for the command?  Asked before the password is, and again
 * when nobody else can change it. */
static enum err
check_free(const struct options *o, const struct edit *ed, const char *name,
    struct errbuf *eb)
{
	struct edit_line line;

	return edit_find(ed, &o->rule, name, true, NULL, &line)
		   ? err_set(eb, E_FORMAT, "there is a user %s already", name)
		   : E_OK;
}

static enum err
put_line(struct edit *ed, const struct options *o, const char *name,
    const char *hash, struct errbuf *eb)
{
	bool open_line = ed->n != 0 && ed->text[ed->n - 1] != '\n';
	char *line;
	int n = asprintf(&line, "%s%s:%s:%s:%s::%s::%s%s\n",
	    open_line ? "\n" : "", name, hash, o->uid != NULL ? o->uid : "",
	    o->gid != NULL ? o->gid : "", o->home != NULL ? o->home : "",
	    o->mail != NULL ? "userdb_mail=" : "",
	    o->mail != NULL ? o->mail : "");
	enum err e;

	if (n < 0)
		return err_set(eb, E_NOMEM, "out of memory");
	e = edit_splice(ed, ed->n, 0, (struct slice){ line, (size_t)n }, eb);
	explicit_bzero(line, (size_t)n);
	free(line);
	return e;
}

static enum err
add_to_file(const struct options *o, const char *name, struct errbuf *eb)
{
	char hash[SCHEME_STORED_MAX];
	struct edit ed;
	enum err e;

	if ((e = check_account(o, name, eb)) != E_OK)
		return e;
	if ((e = edit_open(&ed, o->users, false, eb)) == E_OK)
		e = check_free(o, &ed, name, eb);
	edit_close(&ed);
	if (e != E_OK || (e = ask_hash(o, hash, eb)) != E_OK)
		return e;
	if ((e = edit_open(&ed, o->users, true, eb)) == E_OK &&
	    (e = check_free(o, &ed, name, eb)) == E_OK &&
	    (e = put_line(&ed, o, name, hash, eb)) == E_OK)
		e = edit_save(&ed, eb);
	edit_close(&ed);
	explicit_bzero(hash, sizeof(hash));
	return e;
}

static enum err
add_to_database(
    const struct options *o, unsigned i, const char *name, struct errbuf *eb)
{
	char hash[SCHEME_STORED_MAX];
	enum err e = user_db_can_add(o, i, name, eb);

	if (e == E_OK && (e = ask_hash(o, hash, eb)) == E_OK)
		e = user_db_add(o, i, name, hash, eb);
	explicit_bzero(hash, sizeof(hash));
	return e;
}

enum err
user_add(const struct options *o, const char *given, struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1];
	unsigned i;
	enum err e = prepare(o, given, name, eb);

	if (e != E_OK || !user_db_any(o))
		return e == E_OK ? add_to_file(o, name, eb) : e;
	if ((e = user_db_for_add(o, &i, eb)) != E_OK)
		return e;
	return user_db_is_file(o, i) ? add_to_file(o, name, eb)
				     : add_to_database(o, i, name, eb);
}

static enum err
passwd_in_file(const struct options *o, const char *name, struct errbuf *eb)
{
	char hash[SCHEME_STORED_MAX];
	struct edit ed;
	enum err e;

	if ((e = who_known(o, name, eb)) != E_OK ||
	    (e = ask_hash(o, hash, eb)) != E_OK)
		return e;
	e = edit_open(&ed, o->users, true, eb);
	if (e == E_OK &&
	    (e = edit_set_hash(&ed, &o->rule, name, NULL, hash, eb)) == E_NOENT)
		e = who_is_not(o, name, eb);
	if (e == E_OK)
		e = edit_save(&ed, eb);
	edit_close(&ed);
	explicit_bzero(hash, sizeof(hash));
	return e;
}

static enum err
passwd_in_database(
    const struct options *o, unsigned i, const char *name, struct errbuf *eb)
{
	char hash[SCHEME_STORED_MAX];
	enum err e = user_db_can_passwd(o, i, eb);

	if (e == E_OK && (e = ask_hash(o, hash, eb)) == E_OK)
		e = user_db_passwd(o, i, name, hash, eb);
	explicit_bzero(hash, sizeof(hash));
	return e;
}

enum err
user_passwd(const struct options *o, const char *given, struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1];
	unsigned i;
	enum err e = prepare(o, given, name, eb);

	if (e != E_OK || !user_db_any(o))
		return e == E_OK ? passwd_in_file(o, name, eb) : e;
	if ((e = user_db_which(o, name, &i, eb)) != E_OK)
		return e;
	return user_db_is_file(o, i) ? passwd_in_file(o, name, eb)
				     : passwd_in_database(o, i, name, eb);
}

/* All lines of the user: a second one would count once the first is gone.  And
 * the app passwords before, which would be those of the next user of the name.
 * Those of whoever is in another file than the server's are not known here. */
static enum err
delete_from_file(const struct options *o, const char *name, struct errbuf *eb)
{
	struct edit_line line;
	struct edit ed;
	bool found = false;
	enum err e = edit_open(&ed, o->users, true, eb);

	if (e == E_OK && edit_find(&ed, &o->rule, name, false, NULL, &line) &&
	    o->is_servers)
		e = app_password_revoke_all(o, name, eb);
	while (
	    e == E_OK && edit_find(&ed, &o->rule, name, false, NULL, &line)) {
		found = true;
		e = edit_splice(
		    &ed, line.at, line.n, (struct slice){ NULL, 0 }, eb);
	}
	if (e == E_OK)
		e = found ? edit_save(&ed, eb) : who_is_not(o, name, eb);
	edit_close(&ed);
	return e;
}

static enum err
delete_from_database(
    const struct options *o, unsigned i, const char *name, struct errbuf *eb)
{
	enum err e = user_db_can_delete(o, i, eb);

	if (e == E_OK && (e = app_password_revoke_all(o, name, eb)) == E_OK)
		e = user_db_delete(o, i, name, eb);
	return e;
}

enum err
user_delete(const struct options *o, const char *given, struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1];
	unsigned i;
	enum err e = prepare(o, given, name, eb);

	if (e != E_OK || !user_db_any(o))
		return e == E_OK ? delete_from_file(o, name, eb) : e;
	if ((e = user_db_which(o, name, &i, eb)) != E_OK)
		return e;
	return user_db_is_file(o, i) ? delete_from_file(o, name, eb)
				     : delete_from_database(o, i, name, eb);
}

static enum err
list_file(const struct options *o, struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1];
	struct slice rest, line, f[PASSWD_FIELDS];
	struct edit ed;
	enum err e = edit_open(&ed, o->users, false, eb);

	if (e == E_OK && !ed.exists)
		e = err_set(eb, E_IO, "%s does not exist", o->users);
	rest = (struct slice){ ed.text, ed.n };
	while (e == E_OK && passwd_line(&rest, &line))
		if (passwd_split(line, f) && f[PASSWD_HASH].p != NULL &&
		    name_normalize(&o->rule, f[PASSWD_NAME], name, NULL) ==
			E_OK)
			puts(name);
	edit_close(&ed);
	return e;
}

static enum err
list_block(const struct options *o, unsigned i, struct errbuf *eb)
{
	return user_db_is_file(o, i) ? list_file(o, eb)
				     : user_db_list(o, i, eb);
}

/* Who cannot be listed does not keep the others back, but a list that lacks
 * somebody is no success. */
static enum err
list_blocks(const struct options *o, struct errbuf *eb)
{
	struct errbuf words;
	enum err first = E_OK, e;

	for (unsigned i = 0; i < o->conf->n_known; i++) {
		e = list_block(o, i, &words);
		if (e != E_OK && first == E_OK)
			*eb = words;
		else if (e != E_OK)
			fprintf(stderr, "malotectl: %s\n", words.text);
		first = first == E_OK ? e : first;
	}
	return first;
}

enum err
user_list(const struct options *o, const char *none, struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1];
	unsigned i;
	enum err e = prepare(o, none, name, eb);

	if (e != E_OK || !user_db_any(o))
		return e == E_OK ? list_file(o, eb) : e;
	if (o->database == NULL)
		return list_blocks(o, eb);
	e = user_db_named(o, &i, eb);
	return e == E_OK ? list_block(o, i, eb) : e;
}
