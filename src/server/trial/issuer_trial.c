#include "server/trial/issuer_trial.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/conf/role_table.h"
#include "server/ipc/spawn.h"

enum { SEND_MS = 5 * 1000, SLACK_MS = 10 * 1000 };

struct answer {
	enum db_outcome outcome;
	char why[256];
};

static enum err
take_answer(void *arg, struct ipc_in *in)
{
	struct answer *a = arg;

	a->outcome = (enum db_outcome)ipc_get_u8_to(in, DB_OUTCOMES - 1);
	ipc_get_str(in, a->why, sizeof(a->why));
	return ipc_get_end(in);
}

static void
nobody_calls(void *arg, enum err why)
{
}

static const struct ipc_rules no_rules = { NULL, 0, nobody_calls };

/* ctl is taken. */
static enum err
converse(const struct net_conf *conf, int ctl, struct answer *a)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV); /* never run */
	struct ipc_chan *chan;
	enum err e;

	if (loop == NULL) {
		close(ctl);
		return E_NOMEM;
	}
	if ((chan = ipc_open(loop, ctl, &no_rules, NULL, true)) == NULL) {
		ev_loop_destroy(loop);
		return E_NOMEM;
	}
	ipc_begin(chan, IPC_CONF);
	ipc_put_fields(chan, &net_conf_fields, conf);
	if ((e = ipc_end(chan)) == E_OK) {
		ipc_flush_wait(chan, SEND_MS);
		e = ipc_wait_one(ctl, IPC_TRIED,
		    SLACK_MS + 2000 * conf->issuer[0].timeout, take_answer, a);
	}
	ipc_close(chan);
	ev_loop_destroy(loop);
	return e;
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

static const char *
advice_on(const char *why)
{
	return strstr(why, "certificate") != NULL
		   ? "; name the file of who signed it by ca_file"
		   : "";
}

static void
complain(const struct conf *c, unsigned i, const struct answer *a,
    struct conf_report *report)
{
	const struct conf_text text = conf_text_of(c, report);
	const struct conf_issuer *of = &c->issuer[i];

	if (a->outcome == DB_NOT_NOW)
		conf_warn(&text, of->line,
		    "oauth \"%s\": it cannot be asked now: %s%s", of->of.name,
		    a->why, advice_on(a->why));
	else if (strncmp(a->why, "oauth ", 6) ==
		 0) /* its files: it says whose */
		conf_error(&text, of->line, "%s", a->why);
	else if (a->outcome == DB_WRONG)
		conf_error(
		    &text, of->line, "oauth \"%s\": %s", of->of.name, a->why);
}

void
issuer_trial(const struct conf *c, unsigned i, struct conf_report *report)
{
	static struct net_conf conf;
	struct answer a = { .outcome = DB_WRONG,
		.why = "the process that asks it has ended" };
	struct errbuf eb;
	struct spawned s;

	conf = c->net;
	conf.issuer[0] = c->issuer[i].of;
	conf.n_issuers = 1;
	conf.role.memory = role_memory(c, ROLE_NET);
	if (spawn("net_once", 0, &s, &eb) != E_OK) {
		snprintf(a.why, sizeof(a.why), "%s", eb.text);
	} else {
		(void)!converse(&conf, s.ctl, &a);
		kill(s.pid, SIGKILL);
		waitpid(s.pid, NULL, 0);
		pass_on_log(s.log);
	}
	complain(c, i, &a, report);
}

void
issuers_try_files(const struct conf *c, struct conf_report *report)
{
	for (unsigned i = 0; i < c->n_issuers; i++)
		if (c->issuer[i].of.keys[0] != '\0' &&
		    !issuer_fetches_keys(&c->issuer[i].of))
			issuer_trial(c, i, report);
}
