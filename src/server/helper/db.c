#include "server/helper/db.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "net/host_names.h"
#include "server/helper/db_kept.h"
#include "server/helper/db_start.h"
#include "server/helper/outcome.h"

/* A request that has waited for so many times the time for an answer is not put
 * any more: who signs in has been told. */
enum { PATIENCE = 3, DNS = 53 };

struct process {
	struct role role; /* first: see role.h */
	struct db_conf conf;
	struct ev_loop *loop;
	struct pool *pool;
	struct db_kept kept;
	struct ipc_chan *auth; /* or NULL */
	uint32_t requests;     /* that are not answered */
	bool is_down;          /* and that was said */
};

struct request {
	struct pool_job job;
	struct process *process;
	uint32_t from; /* of the role's auths, which */
	uint64_t id, asked;
	char name[NAME_MAX_OCTETS + 1];
	char password[PASSWORD_MAX + 1]; /* to be verified, or "" */
	enum lookup_result result;
	struct db_row row;
	struct errbuf why;
};

/* ---- on a thread ---- */

/* E_CLOSED: once more, on a new connection. */
static enum err
ask_once(struct request *r, uint64_t until, bool *was_kept_r)
{
	struct db_kept *k = &r->process->kept;
	enum err e;
	void *conn;

	*was_kept_r = false;
	if (db_kept_take(k, &conn, was_kept_r, until, &r->why) != E_OK)
		return E_AGAIN;
	e = r->password[0] == '\0' ? k->driver->find(conn, k->conf, r->name,
					 until, &r->row, &r->why)
				   : k->driver->verify(conn, k->conf, r->name,
					 r->password, until, &r->row, &r->why);
	if (e == E_CLOSED)
		db_kept_lost(k, conn);
	else if (e == E_AGAIN)
		db_kept_hangs(k, conn);
	else
		db_kept_give(k, conn);
	if (e != E_OK)
		db_row_clear(&r->row);
	return e;
}

static void
ask_in_time(struct request *r)
{
	uint64_t span = r->process->conf.timeout * 1000u, now = clock_ms();
	bool was_kept;
	enum err e;

	r->result = LOOKUP_FAILED;
	host_names_deadline(now + span);
	if (now - r->asked > PATIENCE * span) {
		err_set(&r->why, E_AGAIN, "too many wait for it");
		return;
	}
	/* All that were kept may be of no use any more. */
	do
		e = ask_once(r, now + span, &was_kept);
	while (e == E_CLOSED && was_kept);
	if (e == E_OK)
		r->result = LOOKUP_FOUND;
	else if (e == E_NOENT)
		r->result = LOOKUP_NOBODY;
	else if (e == E_DENIED && r->password[0] != '\0')
		r->result = LOOKUP_WRONG;
}

static void
ask(struct pool_job *job)
{
	struct request *r =
	    (void *)((char *)job - offsetof(struct request, job));

	ask_in_time(r);
	explicit_bzero(r->password, sizeof(r->password));
}

/* ---- the answer ---- */

static void
asked(struct pool_job *job)
{
	struct request *r =
	    (void *)((char *)job - offsetof(struct request, job));
	struct process *p = r->process;

	p->requests--;
	outcome_log(p->conf.name, &p->is_down, r->result, r->why.text);
	if (p->auth != NULL && p->role.auths == r->from)
		outcome_send(p->auth, r->id, r->result, &r->row, r->why.text);
	db_row_clear(&r->row);
	free(r);
}

/* ---- auth ---- */

/* to: all zeroes. */
static enum err
get_request(const struct process *p, struct ipc_in *in, struct request *to)
{
	char peer[PEER_MAX];

	to->id = ipc_get_u64(in);
	ipc_get_str(in, to->name, sizeof(to->name));
	if (in->type == IPC_VERIFY) {
		ipc_get_str(in, to->password, sizeof(to->password));
		ipc_get_str(in, peer, sizeof(peer));
		/* With an empty one some directories believe anything. */
		in->bad = in->bad || p->kept.driver->verify == NULL ||
			  to->password[0] == '\0';
	}
	return ipc_get_end(in);
}

static enum err
take_lookup(void *arg, struct ipc_in *in)
{
	struct process *p = arg;
	struct request got = { .id = 0 }, *r = NULL;
	enum err e = get_request(p, in, &got);

	/* Without room for it auth learns by its own deadline. */
	if (e == E_OK && p->requests < 2 * LOOKUPS_MAX &&
	    (r = malloc(sizeof(*r))) != NULL)
		*r = got;
	explicit_bzero(&got, sizeof(got));
	if (r == NULL)
		return e;
	r->process = p;
	r->from = p->role.auths;
	r->asked = clock_ms();
	r->job.run = ask;
	r->job.done = asked;
	p->requests++;
	pool_add(p->pool, &r->job);
	return E_OK;
}

static const struct ipc_rule auth_rule[] = {
	{ IPC_LOOKUP, 1, 0, 8 + 4 + NAME_MAX_OCTETS, take_lookup },
	{ IPC_VERIFY, 1, 0,
	    8 + 3 * 4 + NAME_MAX_OCTETS + PASSWORD_MAX + PEER_MAX,
	    take_lookup },
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

static const struct role_hooks hooks = {
	.attach = attach,
	.sessions = requests,
};

static void
prepare(struct process *p, struct db_reach *reach)
{
	const struct db_driver *driver = db_driver_load(p->conf.driver);
	struct errbuf eb;

	if (driver == NULL)
		fatal("ev=start error=\"malote-%s.so, or a library that it "
		      "needs, is not installed\"",
		    user_drivers[p->conf.driver].module);
	/* That it cannot be asked is no reason not to serve those whom others
	 * know. */
	if (driver->prepare(&p->conf, reach, &eb) != E_OK)
		log_line(LOG_FAULT, "ev=database users=\"%s\" error=\"%s\"",
		    p->conf.name, eb.text);
	db_kept_init(&p->kept, driver, &p->conf);
	if ((p->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV)) == NULL)
		fatal("ev=start error=\"out of memory\"");
}

void
db_confine(const struct role_conf *r, bool is_file, struct db_reach *reach)
{
	/* A resolver asks by TCP what has a long answer. */
	db_reach_port(reach, DNS);
	role_enter_reading(r, reach->path, reach->n);
	if (is_file)
		role_connect_to(NULL, 0);
	else if (!reach->any_port)
		role_connect_to(reach->port, reach->n_ports);
}

void
db_limit(bool is_file)
{
	/* The last ones are for a network.  A resolver asks the kernel for its
	 * addresses by a socket that is bound to it, which listens to nobody. */
	static const char *const calls[] = { "access", "faccessat",
		"faccessat2", "fstat", "geteuid", "ioctl", "lseek", "lstat",
		"newfstatat", "openat", "pread64", "readlink",
		"sched_getaffinity", "stat", "statx", "sysinfo", "uname",
		"bind", "connect", "getpeername", "getsockname", "getsockopt",
		"recvfrom", "recvmsg", "rt_sigpending", "rt_sigtimedwait",
		"sendto", "setsockopt", "shutdown", "socket" };
	enum { OF_FILES = 17, ALL = sizeof(calls) / sizeof(*calls) };

	role_limit(calls, is_file ? OF_FILES : ALL);
}

int
db_main(int ctl)
{
	static struct process p;
	struct db_reach reach = { .n = 0 };
	struct errbuf eb;

	role_begin("db", ctl, &db_conf_fields, &p.conf);
	prepare(&p, &reach);
	db_confine(&p.conf.role, p.kept.driver->is_file, &reach);
	if (pool_new(&p.pool, p.loop, p.conf.connections, &eb) != E_OK ||
	    (!p.kept.driver->is_file && host_names_begin(&eb) != E_OK))
		fatal("ev=start error=\"%s\"", eb.text);
	db_limit(p.kept.driver->is_file);
	role_open(&p.role, &hooks, p.loop, ctl);
	role_serve(&p.role);
	_exit(0); /* threads still run: no exit handlers */
}
