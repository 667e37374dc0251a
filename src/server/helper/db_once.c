#include "server/helper/db_once.h"

#include <ev.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/helper/db.h"
#include "server/helper/db_start.h"
#include "server/users/scheme.h"

enum {
	COMMAND_MS = 10 * 1000,
	SEND_MS = 60 * 1000, /* who asks may have to read much */
	LIST_SECONDS = 3600,
};

struct once {
	struct db_result result; /* first */
	struct db_conf conf;
	struct db_command command;
	struct ipc_chan *asker;
	bool is_reached;
};

static enum err
take_command(void *arg, struct ipc_in *in)
{
	struct once *o = arg;

	ipc_get_fields(in, &db_command_fields, &o->command);
	return ipc_get_end(in);
}

/* ---- the answer ---- */

static enum err
tell_row(struct db_result *to, const struct db_row *row, struct errbuf *eb)
{
	struct once *o = (void *)to;

	ipc_begin(o->asker, IPC_DB_ROW);
	ipc_put_u8(o->asker, (uint8_t)row->n);
	for (size_t i = 0; i < row->n; i++) {
		ipc_put_str(o->asker, row->column[i].name);
		ipc_put_bytes(
		    o->asker, row->column[i].value, row->column[i].value_n);
	}
	if (ipc_end(o->asker) != E_OK)
		return err_set(eb, E_NOMEM, "out of memory");
	if (ipc_is_full(o->asker))
		ipc_flush_wait(o->asker, SEND_MS);
	return E_OK;
}

static enum db_outcome
outcome(enum err e)
{
	switch (e) {
	case E_OK: return DB_DID;
	case E_CONFIG:
	case E_FULL: return DB_WRONG;
	default: return DB_NOT_NOW;
	}
}

static void
tell_end(struct once *o, enum err e, const char *why)
{
	ipc_begin(o->asker, IPC_DB_DONE);
	ipc_put_u8(o->asker, (uint8_t)outcome(e));
	ipc_put_u8(o->asker, o->is_reached);
	ipc_put_u64(o->asker, o->result.changed);
	ipc_put_str(o->asker, e == E_OK ? "" : why);
	if (ipc_end(o->asker) == E_OK)
		ipc_flush_wait(o->asker, SEND_MS);
}

/* ---- what is done ---- */

/* For who writes to a file of SQLite. */
static void
limit_writing(void)
{
	static const char *const calls[] = { "access", "faccessat",
		"faccessat2", "fchmod", "fchown", "fdatasync", "fstat", "fsync",
		"ftruncate", "getcwd", "geteuid", "getpeername", "getsockopt",
		"lseek", "lstat", "newfstatat", "openat", "pread64", "pwrite64",
		"readlink", "recvmsg", "stat", "statx", "unlink", "unlinkat" };

	role_limit(calls, sizeof(calls) / sizeof(*calls));
}

static void
confine(const struct once *o, bool is_file, struct db_reach *reach)
{
	static char folder[MAIL_PATH_MAX];

	if (!o->conf.writes) {
		db_confine(&o->conf.role, is_file, reach);
		db_limit(is_file);
		return;
	}
	memcpy(folder, o->conf.file, sizeof(folder));
	role_enter(&o->conf.role, dirname(folder));
	limit_writing();
}

static bool
has_hash(const struct db_row *row, const char *hash)
{
	for (size_t i = 0; i < row->n; i++)
		if (strcmp(row->column[i].name, "password") == 0 ||
		    strcmp(row->column[i].name, "userdb_password") == 0)
			return scheme_is_same(row->column[i].value, hash);
	return false;
}

/* Does the server's query see the change as it is meant?  So a mistake in one of
 * the two is undone. */
static enum err
verify(struct once *o, const struct db_driver *driver, void *conn,
    uint64_t until, struct errbuf *eb)
{
	static const char undone[] = "so nothing was changed; look at both";
	const struct db_command *cmd = &o->command;
	bool is_wanted = cmd->hash[0] != '\0';
	struct db_row row = { .n = 0 };
	enum err e = driver->find(conn, &o->conf, cmd->name, until, &row, eb);

	if (e == E_NOENT)
		e = !is_wanted ? E_OK
			       : err_set(eb, E_CONFIG,
				     "query would not find %s afterwards, %s",
				     cmd->name, undone);
	else if (e == E_OK && !is_wanted)
		e = err_set(eb, E_CONFIG, "query would find %s afterwards, %s",
		    cmd->name, undone);
	else if (e == E_OK && !has_hash(&row, cmd->hash))
		e = err_set(eb, E_CONFIG,
		    "query would give another password of %s afterwards, %s",
		    cmd->name, undone);
	db_row_clear(&row);
	return e;
}

static enum err
run(struct once *o, const struct db_driver *driver, struct errbuf *eb)
{
	uint64_t now = clock_ms(), span = o->conf.timeout * 1000u, until;
	void *conn;
	enum err e = driver->open(&conn, &o->conf, now + span, eb);

	if (e != E_OK)
		return e;
	o->is_reached = true;
	if (o->command.what == DB_LIST)
		span = LIST_SECONDS * 1000u;
	until = clock_ms() + span;
	e = driver->run(conn, &o->conf, &o->command, until, &o->result, eb);
	if (e == E_OK && o->command.what == DB_CHANGE &&
	    o->result.changed != 0 && driver->commit != NULL &&
	    (e = verify(o, driver, conn, until, eb)) == E_OK)
		e = driver->commit(conn, until, eb);
	driver->close(conn);
	return e;
}

static void
gone(void *arg, enum err why)
{
	_exit(0);
}

static const struct ipc_rules no_rules = { NULL, 0, gone };

static void
open_channel(struct once *o, int ctl)
{
	struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);

	o->asker =
	    loop != NULL ? ipc_open(loop, ctl, &no_rules, o, true) : NULL;
	if (o->asker == NULL)
		fatal("ev=start error=\"out of memory\"");
}

int
db_once_main(int ctl)
{
	static struct once o = { .result.take = tell_row };
	struct db_reach reach = { .n = 0 };
	const struct db_driver *driver;
	struct errbuf eb;
	enum err e;

	role_begin("db", ctl, &db_conf_fields, &o.conf);
	if (ipc_wait_one(ctl, IPC_DB_COMMAND, COMMAND_MS, take_command, &o) !=
	    E_OK)
		fatal("ev=start error=\"no command\"");
	/* Who asks ends this process earlier, unless they have died. */
	alarm(o.command.what == DB_LIST
		  ? LIST_SECONDS
		  : COMMAND_MS / 1000 + 3 * o.conf.timeout);
	open_channel(&o, ctl);
	if ((driver = db_driver_load(o.conf.driver)) == NULL)
		e = err_set(&eb, E_CONFIG,
		    "malote-%s.so, or a library that it needs, is not "
		    "installed",
		    user_drivers[o.conf.driver].module);
	else
		e = driver->prepare(&o.conf, &reach, &eb);
	confine(&o, driver != NULL && driver->is_file, &reach);
	if (e == E_OK)
		e = run(&o, driver, &eb);
	tell_end(&o, e, eb.text);
	return 0;
}
