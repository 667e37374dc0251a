#include "server/users/db_ask.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/ipc/spawn.h"

enum {
	START_SECONDS = 5, /* for the process to be there */
	ROW_MAX = 1 + ROW_COLUMNS_MAX * 8 + ROW_OCTETS_MAX,
};

struct call {
	struct db_ask *ask;
	struct ev_loop *loop;
	ev_timer deadline;
	bool is_over;
	enum err e;
	struct errbuf *eb;
};

static void
over(struct call *c, enum err e)
{
	if (c->is_over)
		return;
	c->is_over = true;
	c->e = e;
	ev_break(c->loop, EVBREAK_ALL);
}

/* ---- what it says ---- */

/* What a database says must not be able to do more than to be read: a terminal
 * takes orders by control characters. */
static void
make_plain(char *words)
{
	bool is_text = str_is_utf8(words, strlen(words));

	for (char *p = words; *p != '\0'; p++) {
		unsigned char c = (unsigned char)p[0];

		if (c < ' ' || c == 0x7f || (c >= 0x80 && !is_text))
			*p = ' ';
		else if (c == 0xc2 && (unsigned char)p[1] < 0xa0)
			p[0] = p[1] = ' ';
	}
}

static enum err
take_row(void *arg, struct ipc_in *in)
{
	struct column column[ROW_COLUMNS_MAX];
	struct call *c = arg;
	size_t n = row_get(in, column);
	enum err e;

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	if (c->is_over)
		return E_OK;
	ev_timer_again(c->loop, &c->deadline);
	e = c->ask->take != NULL ? c->ask->take(c->ask->arg, column, n) : E_OK;
	if (e != E_OK)
		over(c, e);
	return E_OK;
}

static enum err
take_done(void *arg, struct ipc_in *in)
{
	static const enum err meant[DB_OUTCOMES] = {
		[DB_DID] = E_OK, [DB_NOT_NOW] = E_AGAIN, [DB_WRONG] = E_CONFIG
	};
	struct call *c = arg;
	char why[sizeof(c->eb->text)];
	uint8_t outcome = ipc_get_u8_to(in, DB_OUTCOMES - 1);

	c->ask->is_reached = ipc_get_u8(in) != 0;
	c->ask->changed = ipc_get_u64(in);
	ipc_get_str(in, why, sizeof(why));
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	make_plain(why);
	err_set(c->eb, meant[outcome], "%s", why);
	over(c, meant[outcome]);
	return E_OK;
}

static const struct ipc_rule rule[] = {
	{ IPC_DB_ROW, 1, 0, ROW_MAX, take_row },
	{ IPC_DB_DONE, 1, 0, 1 + 1 + 8 + 4 + 256, take_done },
};

static void
on_gone(void *arg, enum err why)
{
	struct call *c = arg;

	over(c, c->is_over ? c->e
			   : err_set(c->eb, E_IO,
				 "the process that asks it has ended"));
}

static const struct ipc_rules rules = { rule, sizeof(rule) / sizeof(rule[0]),
	on_gone };

static void
on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct call *c = t->data;

	over(c, err_set(c->eb, E_AGAIN, "it did not answer within %u seconds",
		    c->ask->conf->timeout));
}

/* ---- asking ---- */

static enum err
say(struct ipc_chan *chan, const struct db_conf *conf,
    const struct db_command *command)
{
	enum err e;

	ipc_begin(chan, IPC_CONF);
	ipc_put_fields(chan, &db_conf_fields, conf);
	if ((e = ipc_end(chan)) != E_OK)
		return e;
	ipc_begin(chan, IPC_DB_COMMAND);
	ipc_put_fields(chan, &db_command_fields, command);
	return ipc_end(chan);
}

/* ctl is taken. */
static enum err
converse(
    struct db_ask *a, const struct db_conf *conf, int ctl, struct errbuf *eb)
{
	struct call c = { .ask = a, .eb = eb };
	struct ipc_chan *chan;

	if ((c.loop = ev_loop_new(EVFLAG_NOENV)) == NULL) {
		close(ctl);
		return err_set(eb, E_NOMEM, "out of memory");
	}
	ev_init(&c.deadline, on_deadline);
	c.deadline.repeat = START_SECONDS + 2 * conf->timeout;
	c.deadline.data = &c;
	ev_timer_again(c.loop, &c.deadline);
	chan = ipc_open(c.loop, ctl, &rules, &c, true);
	if (chan == NULL || say(chan, conf, a->command) != E_OK)
		c.e = err_set(eb, E_NOMEM, "out of memory");
	else
		ev_run(c.loop, 0);
	ipc_close(chan);
	ev_loop_destroy(c.loop);
	return c.e;
}

/* What it wrote to its log: why it has ended, or a call that was refused. */
static void
pass_on_log(int log)
{
	char line[512];
	ssize_t n;

	while ((n = read(log, line, sizeof(line))) > 0)
		fwrite(line, 1, (size_t)n, stderr);
	close(log);
}

/* Who writes to a file of SQLite, and to the journal beside it, is its owner. */
static enum err
become_owner(struct db_conf *conf, struct errbuf *eb)
{
	char *path = realpath(conf->file, NULL);
	struct stat st;
	enum err e = E_OK;

	if (path == NULL || stat(path, &st) < 0)
		e = err_sys(eb, E_CONFIG, "%s", conf->file);
	else if (strlen(path) >= sizeof(conf->file))
		e = err_set(eb, E_CONFIG, "%s is too long", path);
	else
		memcpy(conf->file, path, strlen(path) + 1);
	free(path);
	if (e != E_OK)
		return e;
	conf->writes = true;
	if (geteuid() == 0) {
		conf->role.uid = st.st_uid;
		conf->role.gid = st.st_gid;
	}
	return E_OK;
}

static enum err
fit(struct db_conf *conf, const struct db_command *command, struct errbuf *eb)
{
	if (conf->driver == DRIVER_SQLITE && command->what == DB_CHANGE)
		return become_owner(conf, eb);
	if (geteuid() == 0 && conf->role.uid == 0)
		return err_set(eb, E_CONFIG,
		    "there is no user for who asks it: maloted --check says "
		    "what to do about db_user");
	return E_OK;
}

enum err
db_ask(struct db_ask *a, struct errbuf *eb)
{
	uint64_t began = clock_ms();
	struct db_conf conf = *a->conf;
	struct spawned s;
	enum err e;

	a->is_reached = false;
	a->changed = 0;
	if ((e = fit(&conf, a->command, eb)) == E_OK &&
	    (e = spawn("db_once", 0, &s, eb)) == E_OK) {
		e = converse(a, &conf, s.ctl, eb);
		kill(s.pid, SIGKILL);
		waitpid(s.pid, NULL, 0);
		pass_on_log(s.log);
	}
	explicit_bzero(&conf, sizeof(conf));
	a->took = clock_ms() - began;
	return e;
}
