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

/* Could somebody have signed in, does the new hash fit between two colons, and is
 * it what was wished for? */
static bool
is_wanted(const struct upgrade_conf *conf, const struct upgrade_row *row)
{
	for (const char *p = row->hash; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == ':')
			return false;
	return scheme_check(row->was, NULL) == E_OK &&
	       scheme_check(row->hash, NULL) == E_OK &&
	       scheme_is_as_made(row->hash, conf->scheme);
}

static void
log_row(const char *event, const struct upgrade_row *row, const char *more)
{
	char user[NAME_MAX_OCTETS * 4 + 1];

	str_escape(user, sizeof(user), row->user, strlen(row->user));
	log_line(LOG_EVENT, "ev=%s user=%s %s", event, user, more);
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
	const char *why = "why=not-permitted";
	enum err e = E_FORMAT;

	if (is_wanted(conf, row)) {
		e = edit_set_hash(
		    ed, &rule, row->user, row->was, row->hash, NULL);
		why = e == E_NOENT ? "why=changed" : "why=memory";
	}
	if (e != E_OK)
		log_row("not-upgraded", row, why);
	return e == E_OK;
}

static enum err
rewrite(const struct upgrade_conf *conf, struct errbuf *eb)
{
	bool is_set[UPGRADES_MAX] = { false }, any = false;
	char scheme[SCHEME_NAME_MAX + 8];
	struct edit ed;
	enum err e = edit_open(&ed, conf->users, true, eb);

	for (unsigned i = 0; e == E_OK && i < conf->n_rows; i++) {
		is_set[i] = set_row(&ed, conf, &conf->row[i]);
		any = any || is_set[i];
	}
	if (e == E_OK && any)
		e = edit_save(&ed, eb);
	snprintf(scheme, sizeof(scheme), "scheme=%s", conf->scheme);
	for (unsigned i = 0; e == E_OK && i < conf->n_rows; i++)
		if (is_set[i])
			log_row("upgraded", &conf->row[i], scheme);
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
