#include "server/upgrade/upgrade.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "server/conf/upgrade_conf.h"
#include "server/ipc/role.h"
#include "server/users/edit.h"
#include "server/users/scheme.h"

enum {
	SECONDS_MAX = 60,
	MEMORY = 1024, /* MiB; the file is in it twice */
};

/* It stays root, as the file is root's; of the file system only the folder of
 * the file stays. */
static enum err
confine(const char *users, struct errbuf *eb)
{
	static const char *const calls[] = { "fchmod", "fchown", "flock",
		"fstat", "fsync", "lseek", "mremap", "newfstatat", "open",
		"openat", "readlink", "readlinkat", "rename", "renameat",
		"unlink", "unlinkat" };
	char *real = realpath(users, NULL);
	enum err e;

	if (real == NULL)
		return err_sys(eb, E_IO, "%s", users);
	sandbox_no_core();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		e = err_sys(eb, E_IO, "no_new_privs");
	else if ((e = sandbox_files(dirname(real), eb)) == E_OK &&
		 (e = sandbox_memory(MEMORY, eb)) == E_OK)
		e = sandbox_calls(calls, sizeof(calls) / sizeof(*calls), eb);
	free(real);
	return e;
}

/* Does it fit between two colons, and is it what was wished for? */
static bool
is_wanted(const struct upgrade_conf *conf, const char *hash)
{
	for (const char *p = hash; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == ':')
			return false;
	return scheme_check(hash, NULL) == E_OK &&
	       scheme_is_as_made(hash, conf->scheme);
}

/* False: nothing was changed, which is no fault. */
static bool
set_row(struct edit *ed, const struct upgrade_conf *conf,
    const struct upgrade_row *row)
{
	struct name_rule rule = {
		.lower = conf->login_lower,
		.domain = conf->default_domain,
		.more = conf->login_characters,
		.separators = conf->login_separators,
	};
	char user[NAME_MAX_OCTETS * 4 + 1];
	struct errbuf eb = { "this is not of the scheme" };
	enum err e = E_FORMAT;

	if (is_wanted(conf, row->hash))
		e = edit_set_hash(
		    ed, &rule, row->user, row->was, row->hash, &eb);
	str_escape(user, sizeof(user), row->user, strlen(row->user));
	if (e == E_OK)
		log_line(LOG_EVENT, "ev=upgraded user=%s scheme=%s", user,
		    conf->scheme);
	else
		log_line(e == E_NOENT ? LOG_EVENT : LOG_FAULT,
		    "ev=not-upgraded user=%s why=\"%s\"", user, eb.text);
	return e == E_OK;
}

static enum err
rewrite(const struct upgrade_conf *conf, struct errbuf *eb)
{
	struct edit ed;
	unsigned n = 0;
	enum err e = edit_open(&ed, conf->users, true, eb);

	for (unsigned i = 0; e == E_OK && i < conf->n_rows; i++)
		n += set_row(&ed, conf, &conf->row[i]);
	if (e == E_OK && n != 0)
		e = edit_save(&ed, eb);
	edit_close(&ed);
	return e;
}

int
upgrade_main(int ctl)
{
	static struct upgrade_conf conf;
	struct errbuf eb;
	enum err e;

	role_begin("upgrade", ctl, &upgrade_conf_fields, &conf);
	alarm(SECONDS_MAX);
	umask(077);
	if (scheme_init() != E_OK)
		fatal("ev=start error=\"no random numbers\"");
	if ((e = confine(conf.users, &eb)) == E_OK)
		e = rewrite(&conf, &eb);
	explicit_bzero(&conf, sizeof(conf));
	if (e != E_OK)
		log_line(LOG_WARNING, "ev=upgrade error=\"%s\"", eb.text);
	log_flush();
	/* Who has the lock now lets go of it. */
	return e == E_OK || e == E_BUSY ? 0 : 1;
}
