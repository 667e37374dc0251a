#include "server/helper/net.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/module.h"
#include "base/pool.h"
#include "server/helper/db.h"
#include "server/helper/db_start.h"

enum {
	THREADS = 12,
	THREADS_EACH = 3, /* that wait for one issuer */
	PATIENCE = 2,     /* times the timeout: then nobody waits any more */
};

/* Fetches an issuer's keys. */
struct refresh {
	struct pool_job job;
	struct process *process;
	unsigned issuer; /* its place */
	bool is_under_way;
	enum err e;
	struct errbuf why;
};

struct process {
	struct role role; /* first: see role.h */
	struct net_conf conf;
	struct ev_loop *loop;
	struct pool *pool;
	const struct token_judge *judge;
	struct ipc_chan *auth; /* or NULL */
	uint32_t requests;     /* that are not answered */
	struct refresh refresh[ISSUERS_MAX];
	bool is_down[ISSUERS_MAX];  /* and that was said */
	uint64_t told[ISSUERS_MAX]; /* of whose keys the parent has heard */
};

struct request {
	struct pool_job job;
	struct process *process;
	uint32_t from; /* of the role's auths, which */
	uint64_t id, asked;
	bool is_done;
	struct token_verdict verdict;
	size_t n;
	char token[];
};

/* ---- what is said of issuers ---- */

static void
note(struct process *p, unsigned issuer, bool is_down, const char *why)
{
	bool was_down = p->is_down[issuer];
	const char *name = p->conf.issuer[issuer].name;
	char words[512];

	p->is_down[issuer] = is_down;
	if (is_down && !was_down)
		log_line(LOG_FAULT, "ev=issuer oauth=\"%s\" error=\"%s\"", name,
		    str_quote(words, sizeof(words), why, strlen(why)));
	else if (!is_down && was_down)
		log_line(
		    LOG_EVENT, "ev=issuer oauth=\"%s\" answers=again", name);
}

/* ---- keys ---- */

/* For the process that will have our place. */
static void
tell_keys(struct process *p, unsigned issuer)
{
	struct ipc_chan *to = p->role.parent;
	struct token_kept keys;

	if (!p->judge->news(issuer, &p->told[issuer], &keys))
		return;
	ipc_begin(to, IPC_ISSUER_KEYS);
	ipc_put_u16(to, (uint16_t)issuer);
	ipc_put_u64(to, keys.old_at);
	ipc_put_u64(to, keys.ends_at);
	ipc_put_bytes(to, keys.text.p, keys.text.n);
	(void)!ipc_end(to); /* then that one fetches them */
}

/* What the one before us has fetched. */
static enum err
take_keys(void *arg, struct ipc_in *in)
{
	struct process *p = arg;
	uint16_t issuer = ipc_get_u16(in);
	struct token_kept keys = { .old_at = ipc_get_u64(in) };

	keys.ends_at = ipc_get_u64(in);
	keys.text = ipc_get_slice(in);
	if (ipc_get_end(in) != E_OK || issuer >= p->conf.n_issuers)
		return E_FORMAT;
	p->judge->kept(issuer, &keys);
	return E_OK;
}

static void
fetch(struct pool_job *job)
{
	struct refresh *r =
	    (void *)((char *)job - offsetof(struct refresh, job));

	r->e = r->process->judge->refresh(r->issuer, &r->why);
}

static void
fetched(struct pool_job *job)
{
	struct refresh *r =
	    (void *)((char *)job - offsetof(struct refresh, job));

	r->is_under_way = false;
	note(r->process, r->issuer, r->e != E_OK, r->why.text);
	tell_keys(r->process, r->issuer);
}

static void
fetch_keys(struct process *p, unsigned issuer)
{
	struct refresh *r = &p->refresh[issuer];

	if (r->is_under_way || !issuer_fetches_keys(&p->conf.issuer[issuer]))
		return;
	*r = (struct refresh){
		.process = p, .issuer = issuer, .is_under_way = true
	};
	r->job = (struct pool_job){
		.run = fetch, .done = fetched, .slow = true, .of = issuer + 1
	};
	pool_add(p->pool, &r->job);
}

/* Before anybody signs in. */
static void
fetch_all(struct process *p)
{
	for (unsigned i = 0; i < p->conf.n_issuers; i++)
		fetch_keys(p, i);
}

/* ---- on a thread ---- */

static bool
is_too_late(const struct request *r)
{
	unsigned i = r->verdict.issuer;
	uint64_t span = i != 0 ? r->process->conf.issuer[i - 1].timeout : 0;

	return span != 0 && clock_ms() - r->asked > PATIENCE * span * 1000;
}

static void
look(struct pool_job *job)
{
	struct request *r =
	    (void *)((char *)job - offsetof(struct request, job));
	struct slice token = { r->token, r->n };

	r->is_done = true;
	if (job->slow && is_too_late(r)) {
		r->verdict.result = TOKEN_FAILED;
		err_set(&r->verdict.why, E_AGAIN, "too many wait for it");
	} else {
		r->is_done =
		    r->process->judge->judge(token, job->slow, &r->verdict);
	}
}

/* ---- the answer ---- */

static void
answer(struct process *p, uint64_t id, const struct token_verdict *v)
{
	ipc_begin(p->auth, IPC_TOKEN_IS);
	ipc_put_u64(p->auth, id);
	ipc_put_u8(p->auth, (uint8_t)v->result);
	ipc_put_u8(p->auth, (uint8_t)v->issuer);
	ipc_put_str(p->auth, v->result == TOKEN_GOOD ? v->user : "");
	ipc_put_str(p->auth, v->result == TOKEN_GOOD ? "" : v->why.text);
	if (ipc_end(p->auth) != E_OK) /* it learns by its own deadline */
		log_line(LOG_FAULT, "ev=unanswered");
}

static void
request_free(struct request *r)
{
	r->process->requests--;
	explicit_bzero(r->token, r->n);
	free(r);
}

/* That an issuer answers is known only where it was asked. */
static void
looked(struct pool_job *job)
{
	struct request *r =
	    (void *)((char *)job - offsetof(struct request, job));
	struct process *p = r->process;
	const struct token_verdict *v = &r->verdict;

	if (!r->is_done) {
		job->slow = true;
		job->of = v->issuer;
		pool_add(p->pool, job);
		return;
	}
	if (v->issuer != 0 && (v->result == TOKEN_FAILED || job->slow))
		note(p, v->issuer - 1, v->result == TOKEN_FAILED, v->why.text);
	if (v->issuer != 0 && job->slow)
		tell_keys(p, v->issuer - 1);
	if (v->issuer != 0 && v->is_stale)
		fetch_keys(p, v->issuer - 1);
	if (p->auth != NULL && p->role.auths == r->from)
		answer(p, r->id, v);
	request_free(r);
}

/* ---- auth ---- */

static enum err
take_token(void *arg, struct ipc_in *in)
{
	struct process *p = arg;
	uint64_t id = ipc_get_u64(in);
	struct slice token = ipc_get_slice(in);
	struct request *r;

	if (ipc_get_end(in) != E_OK || token.n == 0 ||
	    token.n > TOKEN_MESSAGE_MAX)
		return E_FORMAT;
	/* Without room for it auth learns by its own deadline. */
	if (p->requests >= 2 * TOKENS_MAX ||
	    (r = malloc(sizeof(*r) + token.n)) == NULL)
		return E_OK;
	*r = (struct request){ .process = p,
		.from = p->role.auths,
		.id = id,
		.asked = clock_ms(),
		.n = token.n };
	memcpy(r->token, token.p, token.n);
	r->job.run = look;
	r->job.done = looked;
	p->requests++;
	pool_add(p->pool, &r->job);
	return E_OK;
}

static const struct ipc_rule auth_rule[] = {
	{ IPC_TOKEN, 1, 0, 8 + 4 + TOKEN_MESSAGE_MAX, take_token },
};

static void
auth_gone(void *arg, enum err why)
{
	struct process *p = arg;

	role_link_lost(&p->role, ROLE_AUTH, 0, why);
	ipc_close(p->auth);
	p->auth = NULL;
}

static const struct ipc_rules auth_rules = { auth_rule,
	sizeof(auth_rule) / sizeof(auth_rule[0]), auth_gone };

static enum err
attach(void *arg, const struct role_peer *peer, int fd)
{
	struct process *p = arg;
	enum err e =
	    role_attach_auth(&p->role, &p->auth, &auth_rules, peer->role, fd);

	if (e == E_OK && p->auth != NULL)
		ipc_answer_first(p->auth);
	return e;
}

/* ---- the process ---- */

static uint32_t
requests(const void *arg)
{
	return ((const struct process *)arg)->requests;
}

static const struct ipc_rule parent_rule[] = {
	{ IPC_ISSUER_KEYS, 1, 0, 2 + 8 + 8 + 4 + ISSUER_KEYS_MAX, take_keys },
};

static const struct role_hooks hooks = {
	.attach = attach,
	.sessions = requests,
	.rule = parent_rule,
	.n_rules = sizeof(parent_rule) / sizeof(parent_rule[0]),
};

const struct token_judge *
net_judge(void)
{
	db_warm_up();
	return module_find("oauth", "token_judge");
}

void
net_confine(const struct role_conf *r, struct db_reach *reach)
{
	db_confine(r, false, reach);
}

static void
prepare(struct process *p, struct db_reach *reach)
{
	struct errbuf eb;

	if ((p->judge = net_judge()) == NULL)
		fatal("ev=start error=\"malote-oauth.so, or a library that it "
		      "needs, is not installed\"");
	/* That one issuer's files cannot be read is no reason not to serve the
	 * users of others, and those who have a password. */
	if (p->judge->prepare(&p->conf, reach, &eb) != E_OK)
		log_line(LOG_FAULT, "ev=issuer error=\"%s\"", eb.text);
	if ((p->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV)) == NULL)
		fatal("ev=start error=\"out of memory\"");
}

/* What libcurl asks the kernel for beyond what they do who ask databases. */
void
net_limit(void)
{
	static const char *const calls[] = { "fstat", "geteuid", "ioctl",
		"lseek", "lstat", "newfstatat", "openat", "pread64", "readlink",
		"sched_getaffinity", "stat", "statx", "sysinfo", "uname",
		"bind", "connect", "getpeername", "getsockname", "getsockopt",
		"recvfrom", "recvmsg", "sendto", "setsockopt", "shutdown",
		"socket", "socketpair", "eventfd2", "pipe2" };

	role_limit(calls, sizeof(calls) / sizeof(*calls));
}

int
net_main(int ctl)
{
	static struct process p;
	struct db_reach reach = { .n = 0 };
	struct errbuf eb;

	role_begin("net", ctl, &net_conf_fields, &p.conf);
	prepare(&p, &reach);
	net_confine(&p.conf.role, &reach);
	if (pool_new(&p.pool, p.loop, THREADS, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	pool_limit(p.pool, THREADS_EACH);
	net_limit();
	role_open(&p.role, &hooks, p.loop, ctl);
	fetch_all(&p);
	role_serve(&p.role);
	_exit(0); /* threads still run: no exit handlers */
}
