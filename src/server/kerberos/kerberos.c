#include "server/kerberos/kerberos.h"

#include <errno.h>
#include <ev.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "server/kerberos/judge.h"

/* An exchange of GSSAPI, by the rest of its id. */
struct place {
	uint64_t id; /* 0: nobody's */
	struct exchange exchange;
};

struct process {
	struct role role; /* first: see role.h */
	struct kerberos_conf conf;
	struct ev_loop *loop;
	struct keys keys;
	struct ipc_chan *auth; /* or NULL */
	struct place place[TICKETS_MAX];
};

/* ---- exchanges ---- */

static void
leave(struct place *at)
{
	judge_end(&at->exchange);
	at->id = 0;
}

/* Auth gives each id once, so what is in its place is over. */
static struct place *
enter(struct process *p, uint64_t id)
{
	struct place *at = &p->place[id % TICKETS_MAX];

	leave(at);
	at->id = id;
	return at;
}

static struct place *
find(struct process *p, uint64_t id)
{
	struct place *at = &p->place[id % TICKETS_MAX];

	return at->id == id ? at : NULL;
}

static void
judge_exchange(struct process *p, struct place *at, struct slice message,
    struct verdict *v)
{
	if (at == NULL) {
		v->result = TICKET_FAILED;
		return;
	}
	judge_gssapi(&p->keys, &at->exchange, message, v);
	if (v->result != TICKET_MORE)
		leave(at);
}

static void
judge(struct process *p, uint64_t id, enum ticket_kind kind,
    struct slice message, struct verdict *v)
{
	if (p->keys.realms[0] == '\0')
		v->result = TICKET_FAILED;
	else if (kind == TICKET_AP_REQ)
		judge_ap_req(&p->keys, message, v);
	else
		judge_exchange(p,
		    kind == TICKET_GSSAPI ? enter(p, id) : find(p, id), message,
		    v);
}

/* ---- auth ---- */

static void
put_buf(struct ipc_chan *c, const struct buf *b)
{
	ipc_put_bytes(c, b->len != 0 ? buf_data(b) : "", b->len);
}

static void
answer(struct process *p, uint64_t id, const struct verdict *v)
{
	ipc_begin(p->auth, IPC_TICKET_ANSWER);
	ipc_put_u64(p->auth, id);
	ipc_put_u8(p->auth, (uint8_t)v->result);
	ipc_put_str(p->auth, v->principal);
	put_buf(p->auth, &v->authzid);
	put_buf(p->auth, &v->reply);
	ipc_put_str(p->auth, v->why);
	if (ipc_end(p->auth) != E_OK) /* it learns by its own deadline */
		log_line(LOG_FAULT, "ev=unanswered");
}

static enum err
take_ticket(void *arg, struct ipc_in *in)
{
	struct process *p = arg;
	struct verdict v = { .result = TICKET_FAILED };
	uint64_t id = ipc_get_u64(in);
	uint8_t kind = ipc_get_u8_to(in, TICKET_KINDS - 1);
	struct slice message = ipc_get_slice(in);

	if (ipc_get_end(in) != E_OK || message.n > TICKET_MAX)
		return E_FORMAT;
	buf_init(&v.authzid, NAME_MAX_OCTETS, false);
	buf_init(&v.reply, TICKET_REPLY_MAX, true);
	judge(p, id, (enum ticket_kind)kind, message, &v);
	answer(p, id, &v);
	buf_free(&v.authzid);
	buf_free(&v.reply);
	return E_OK;
}

static enum err
take_end(void *arg, struct ipc_in *in)
{
	struct place *at = find(arg, ipc_get_u64(in));

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	if (at != NULL)
		leave(at);
	return E_OK;
}

static const struct ipc_rule auth_rule[] = {
	{ IPC_TICKET, 1, 0, 8 + 1 + 4 + TICKET_MAX, take_ticket },
	{ IPC_TICKET_END, 1, 0, 8, take_end },
};

static void
auth_gone(void *arg, enum err why)
{
	struct process *p = arg;

	role_link_lost(&p->role, ROLE_AUTH, 0, why);
	ipc_close(p->auth);
	p->auth = NULL;
	for (unsigned i = 0; i < TICKETS_MAX; i++)
		if (p->place[i].id != 0)
			leave(&p->place[i]);
}

static const struct ipc_rules auth_rules = { auth_rule,
	sizeof(auth_rule) / sizeof(auth_rule[0]), auth_gone };

static enum err
attach(void *arg, const struct role_peer *peer, int fd)
{
	struct process *p = arg;
	enum err e =
	    role_attach_auth(&p->role, &p->auth, &auth_rules, peer->role, fd);

	if (e != E_OK || p->auth == NULL)
		return e;
	ipc_answer_first(p->auth);
	ipc_begin(p->auth, IPC_TICKET_KEYS);
	ipc_put_str(p->auth, p->keys.realms);
	(void)!ipc_end(p->auth);
	return E_OK;
}

/* ---- the process ---- */

static uint32_t
exchanges(const void *arg)
{
	const struct process *p = arg;
	uint32_t n = 0;

	for (unsigned i = 0; i < TICKETS_MAX; i++)
		n += p->place[i].id != 0;
	return n;
}

static const struct role_hooks hooks = {
	.attach = attach,
	.sessions = exchanges,
};

/* It is to be written by the role's user, to whom root may not be permitted to
 * give it: so anybody may write to it, in a folder that is closed to everybody
 * but root. */
static void
enter_folder(const char *folder)
{
	static const char inner[] = "own";

	if ((mkdir(folder, 0700) < 0 && errno != EEXIST) || chdir(folder) < 0 ||
	    (mkdir(inner, 0700) < 0 && errno != EEXIST) ||
	    chmod(inner, 0777) < 0 || chdir(inner) < 0)
		fatal("ev=start error=\"%s: %s\"", folder, strerror(errno));
}

/* Without a key there is nothing to do, which is no reason not to serve those
 * who have a password. */
static void
load(struct process *p)
{
	struct errbuf eb = { "it has no key for pop/HOST" };

	if (keys_load(&p->keys, &p->conf, &eb) != E_OK)
		p->keys.realms[0] = '\0';
	if (p->keys.realms[0] == '\0')
		log_line(LOG_FAULT, "ev=keytab file=\"%s\" error=\"%s\"",
		    p->conf.keytab, eb.text);
	else
		log_line(LOG_EVENT, "ev=keytab file=\"%s\" realms=\"%s\"",
		    p->conf.keytab, p->keys.realms);
}

int
kerberos_main(int ctl)
{
	/* For what was seen already, and for the copy of krb5.conf. */
	static const char *const calls[] = { "access", "faccessat",
		"faccessat2", "fstat", "lseek", "newfstatat", "openat" };
	static struct process p;

	role_begin("kerberos", ctl, &kerberos_conf_fields, &p.conf);
	umask(077);
	tzset(); /* while there is a file to read it from */
	enter_folder(p.conf.folder);
	load(&p);
	if ((p.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV)) == NULL)
		fatal("ev=start error=\"out of memory\"");
	role_enter(&p.conf.role, ".");
	role_limit(calls, sizeof(calls) / sizeof(*calls));
	role_open(&p.role, &hooks, p.loop, ctl);
	role_serve(&p.role);
	return 0;
}
