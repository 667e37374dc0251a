#include "server/helper/pam.h"

#include <pwd.h>
#include <shadow.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/module.h"
#include "base/sandbox.h"
#include "server/helper/outcome.h"
#include "server/helper/verify_child.h"

extern const struct verify_driver verify_checkpassword, verify_system;

struct process {
	struct role role; /* first: see role.h */
	struct pam_conf conf;
	struct verify_parent asks;
	struct ipc_chan *auth; /* or NULL */
	bool is_down;          /* and that was said */
};

/* ---- the answer ---- */

/* Why an account may not be used is said each time. */
static void
log_account(const struct process *p, const struct verify_answer *a)
{
	char words[512];

	if (a->result == LOOKUP_FOUND && a->why.text[0] != '\0')
		log_line(LOG_EVENT, "ev=account users=\"%s\" error=\"%s\"",
		    p->conf.name,
		    str_quote(words, sizeof(words), a->why.text,
			strlen(a->why.text)));
}

static void
on_answered(struct verify_child *c, struct verify_answer *a)
{
	struct process *p =
	    (void *)((char *)c->parent - offsetof(struct process, asks));

	outcome_log(p->conf.name, &p->is_down, a->result, a->why.text);
	log_account(p, a);
	if (p->auth != NULL)
		outcome_send(p->auth, c->id, a->result, &a->row, a->why.text);
}

/* ---- auth ---- */

/* By which name it is asked: all of it, or what is before its @. */
static void
cut_name(const struct process *p, char *name)
{
	char *at = strrchr(name, '@');

	if (at != NULL && p->conf.local_part)
		*at = '\0';
}

static enum err
take_question(void *arg, struct ipc_in *in)
{
	bool has_password = in->type == IPC_VERIFY;
	struct verify_question q = { .has_password = has_password };
	uint64_t id = ipc_get_u64(in);
	struct process *p = arg;
	enum err e;

	ipc_get_str(in, q.name, sizeof(q.name));
	if (has_password) {
		ipc_get_str(in, q.password, sizeof(q.password));
		ipc_get_str(in, q.peer, sizeof(q.peer));
	}
	e = ipc_get_end(in);
	if (q.name[0] == '\0' || (has_password && q.password[0] == '\0'))
		e = E_FORMAT;
	if (e == E_OK) {
		cut_name(p, q.name);
		verify_child_start(&p->asks, &q, id, on_answered);
	}
	explicit_bzero(&q, sizeof(q));
	return e;
}

static const struct ipc_rule auth_rule[] = {
	{ IPC_LOOKUP, 1, 0, 8 + 4 + NAME_MAX_OCTETS, take_question },
	{ IPC_VERIFY, 1, 0,
	    8 + 3 * 4 + NAME_MAX_OCTETS + PASSWORD_MAX + PEER_MAX,
	    take_question },
};

/* Nobody waits for what was asked: another auth counts from one again, and must not
 * take an answer for that to another question. */
static void
auth_gone(void *arg, enum err why)
{
	struct process *p = arg;

	role_link_lost(&p->role, ROLE_AUTH, 0, why);
	verify_parent_end(&p->asks);
	ipc_close(p->auth);
	p->auth = NULL;
}

static const struct ipc_rules auth_rules = { auth_rule,
	sizeof(auth_rule) / sizeof(auth_rule[0]), auth_gone };

static enum err
attach(void *arg, const struct role_peer *peer, int fd)
{
	struct process *p = arg;

	return role_attach_auth(
	    &p->role, &p->auth, &auth_rules, peer->role, fd);
}

/* ---- the process ---- */

static uint32_t
questions(const void *arg)
{
	return ((const struct process *)arg)->asks.n;
}

static const struct role_hooks hooks = {
	.attach = attach,
	.sessions = questions,
};

static const struct verify_driver *
load_driver(enum user_driver_kind kind)
{
	const struct user_driver *d = &user_drivers[kind];
	const struct verify_driver *driver;

	if (kind == DRIVER_SYSTEM)
		return &verify_system;
	if (kind == DRIVER_CHECKPASSWORD)
		return &verify_checkpassword;
	if ((driver = module_find(d->module, d->symbol)) == NULL)
		fatal("ev=start error=\"malote-%s.so, or a library that it "
		      "needs, is not installed\"",
		    d->module);
	return driver;
}

/* What each question would load anew. */
static void
warm_up(void)
{
	tzset();
	getpwnam("root");
	endpwent();
	getspnam("root");
	endspent();
}

/* By now with no more rights than a question has. */
static void
prepare(struct process *p)
{
	struct errbuf eb = { "" };

	warm_up();
	/* That it cannot be asked is no reason not to serve those whom others
	 * know. */
	if (p->asks.driver->prepare != NULL &&
	    p->asks.driver->prepare(&p->conf, &eb) != E_OK)
		log_line(LOG_FAULT, "ev=database users=\"%s\" error=\"%s\"",
		    p->conf.name, eb.text);
	p->asks.loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (p->asks.loop == NULL)
		fatal("ev=start error=\"out of memory\"");
	verify_parent_init(&p->asks);
}

int
pam_main(int ctl)
{
	static struct process p;

	role_begin("pam", ctl, &pam_conf_fields, &p.conf);
	p.asks.conf = &p.conf;
	p.asks.driver = load_driver(p.conf.driver);
	role_enter_asking(&p.conf.role);
	prepare(&p);
	role_open(&p.role, &hooks, p.asks.loop, ctl);
	role_serve(&p.role);
	verify_parent_end(&p.asks);
	return 0;
}
