#include "server/store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/close_later.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/store/claim.h"
#include "server/store/expiry.h"
#include "server/store/idle.h"
#include "server/store/inquiry.h"
#include "server/store/mounts.h"
#include "server/store/store_messages.h"

enum {
	LAST_WORDS_MS = 500, /* for answers to leave, at the end */
	OVERTIME = 5,        /* seconds for commits after the deadline */
};

/* ---- auth ---- */

/* The worker of a sign-in; NULL: there is no channel to it. */
static struct store_worker *
worker_of(struct store *st, const struct role_peer *peer)
{
	struct store_worker *w = store_worker_find(st, peer->index);

	/* A new process in a message of the parent may not have been read yet. */
	if (w == NULL || w->pid != peer->pid) {
		ipc_drain(st->role.parent);
		w = store_worker_find(st, peer->index);
	}
	return w != NULL && w->pid == peer->pid ? w : NULL;
}

static void
log_bad_path(
    const struct store *st, uint16_t index, uint64_t sid, const char *mail)
{
	char shown[256];

	log_line(LOG_WARNING,
	    "ev=open-failed sid=%u.%llx path=%s error=\"not below %s\"", index,
	    (unsigned long long)sid,
	    str_escape(shown, sizeof(shown), mail, strlen(mail)),
	    st->conf.root);
}

static void
refuse_absent(
    const struct store *st, struct store_worker *w, const struct arrival *a)
{
	char shown[256];

	log_line(LOG_WARNING,
	    "ev=open-failed sid=%u.%llx user=%s root=%s error=\"not mounted, "
	    "see ev=mail-root\"",
	    w->index, (unsigned long long)a->sid,
	    str_escape(shown, sizeof(shown), a->user, strlen(a->user)),
	    st->conf.root);
	claim_refuse(w, a, SIGN_IN_TEMPORARY, NULL);
}

static enum err
take_open(void *arg, struct ipc_in *in)
{
	struct store *st = arg;
	char user[NAME_MAX_OCTETS + 1], mail[MAIL_MAX], peer[PEER_MAX];
	struct arrival a = { .user = user, .peer = peer };
	struct location where;
	struct role_peer from = { ROLE_WORKER, ipc_get_u16(in), 0 };
	struct store_worker *w;
	uint8_t bits;
	bool valid;

	a.sid = ipc_get_u64(in);
	a.token = ipc_get_u64(in);
	ipc_get_str(in, user, sizeof(user));
	ipc_get_str(in, mail, sizeof(mail));
	ipc_get_str(in, peer, sizeof(peer));
	bits = ipc_get_u8_to(
	    in, SESSION_UTF8 | SESSION_READ_ONLY | SESSION_MASTER);
	a.retention = ipc_get_u32_to(in, RETENTION_MAX);
	a.login_delay = ipc_get_u32_to(in, LOGIN_DELAY_MAX);
	a.counted = ipc_get_login_mark(in);
	from.pid = ipc_get_u32(in);
	a.read_only = (bits & SESSION_READ_ONLY) != 0;
	a.utf8 = (bits & SESSION_UTF8) != 0;
	a.master = (bits & SESSION_MASTER) != 0;
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	valid = location_parse(&where, mail, &st->conf);
	if (valid && claim_is_held(st, &where))
		store_worker_drain_all(st);
	if (!valid)
		log_bad_path(st, from.index, a.sid, mail);
	if ((w = worker_of(st, &from)) == NULL)
		store_tell_no_worker(st, &from, a.sid);
	else if (!valid)
		claim_refuse(w, &a, SIGN_IN_PERMANENT, NULL);
	else if (st->conf.absent)
		refuse_absent(st, w, &a);
	else if (st->stopping)
		claim_refuse(w, &a, SIGN_IN_TEMPORARY, NULL);
	else
		claim_open(w, &a, &where);
	return E_OK;
}

static void
expiry_answer(struct store *st)
{
	enum err e;

	if (st->auth == NULL)
		return;
	ipc_begin(st->auth, IPC_EXPIRED);
	if ((e = ipc_end(st->auth)) != E_OK)
		log_line(LOG_FAULT, "ev=queue error=\"%s\"", err_str(e));
}

/* Where nobody signs in. */
static enum err
take_expire(void *arg, struct ipc_in *in)
{
	struct store *st = arg;
	char user[NAME_MAX_OCTETS + 1], mail[MAIL_MAX];
	struct expiry_of of = { .user = user };
	struct maildrop *md = NULL;
	struct location where;

	ipc_get_str(in, user, sizeof(user));
	ipc_get_str(in, mail, sizeof(mail));
	of.days = ipc_get_u32_to(in, RETENTION_DAYS_MAX);
	if (ipc_get_end(in) != E_OK || of.days == 0)
		return E_FORMAT;
	if (!st->conf.absent && location_parse(&where, mail, &st->conf))
		md = maildrop_get(st, &where);
	if (md == NULL) {
		expiry_answer(st);
		return E_OK;
	}
	expiry_begin(st, md, &of, expiry_answer);
	maildrop_put(md); /* unless it has begun */
	return E_OK;
}

/* What auth has given to us before has come before this. */
static enum err
take_retire(void *arg, struct ipc_in *in)
{
	struct store *st = arg;
	enum err e = ipc_get_end(in);

	if (e != E_OK)
		return e;
	ipc_begin(st->auth, IPC_RETIRED);
	ipc_put_u8(st->auth, st->n_sessions == 0);
	return ipc_end(st->auth);
}

static void
store_auth_gone(void *arg, enum err why)
{
	struct store *st = arg;

	role_link_lost(&st->role, ROLE_AUTH, 0, why);
	ipc_close(st->auth);
	st->auth = NULL;
}

static const struct ipc_rule auth_rule[] = {
	{ IPC_OPEN, 1, 0,
	    2 + 8 + 8 + 4 + NAME_MAX_OCTETS + 4 + MAIL_MAX + 4 + PEER_MAX + 1 +
		4 + 4 + 16 + 4,
	    take_open },
	{ IPC_RETIRE, 1, 0, 0, take_retire },
	{ IPC_EXPIRE, 1, 0, 4 + NAME_MAX_OCTETS + 4 + MAIL_PATH_MAX + 4,
	    take_expire },
};

static const struct ipc_rules auth_rules = { auth_rule,
	sizeof(auth_rule) / sizeof(auth_rule[0]), store_auth_gone };

/* ---- the parent ---- */

static enum err
store_attach(void *arg, const struct role_peer *peer, int fd)
{
	struct store *st = arg;

	if (peer->role == ROLE_WORKER) {
		store_worker_attach(st, peer, fd);
		return E_OK;
	}
	if (peer->role == ROLE_AUTH) {
		ipc_close(st->auth);
		st->auth = ipc_open(st->loop, fd, &auth_rules, st, false);
		return E_OK;
	}
	close(fd);
	return E_FORMAT;
}

static void
stop_in(struct store *st, double seconds)
{
	st->stopping = true;
	if (st->n_sessions == 0)
		ev_break(st->loop, EVBREAK_ALL);
	ev_timer_stop(st->loop, &st->stop);
	ev_timer_set(&st->stop, seconds, OVERTIME);
	ev_timer_start(st->loop, &st->stop);
}

static void
store_stop(void *arg, uint32_t ms)
{
	stop_in(arg, ms / 1000.);
}

/* Commits that were received are finished; all other sessions end. */
static void
release_all(struct store *st)
{
	struct store_worker *w;

	store_worker_drain_all(st);
	LIST_FOREACH (w, &st->workers, entry)
		store_worker_release(w);
}

static void
store_orphaned(void *arg)
{
	struct store *st = arg;

	release_all(st);
	stop_in(st, OVERTIME);
}

/* The admin asks about a maildrop, or wants something forgotten. */
static enum err
take_inquiry(void *arg, struct ipc_in *in)
{
	struct store *st = arg;
	uint64_t token = ipc_get_u64(in);
	enum inquiry_kind what =
	    (enum inquiry_kind)ipc_get_u8_to(in, INQUIRY_KINDS - 1);
	char mail[MAIL_PATH_MAX];
	uint32_t number;

	ipc_get_str(in, mail, sizeof(mail));
	number = ipc_get_u32(in);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	if (inquiry_changes(what))
		store_worker_drain_all(st); /* it may have been let go of */
	inquiry_begin(st, token, mail, what, number);
	return E_OK;
}

/* ---- life ---- */

/* First the deadline, after which only commits go on; the second time the end
 * of the overtime that they were granted. */
static void
store_on_deadline(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	struct store *st = watcher->data;

	if (st->overtime) {
		log_line(LOG_WARNING, "ev=stop unfinished=%u", st->n_sessions);
		log_flush();
		_exit(0);
	}
	st->overtime = true;
	release_all(st);
}

/* Gives up the workers that took no answers in this turn of the loop. */
static void
store_turn_end(void *arg)
{
	struct store *st = arg;
	struct store_worker *w, *next;

	for (w = LIST_FIRST(&st->workers); w != NULL; w = next) {
		next = LIST_NEXT(w, entry);
		if (w->broken && w->chan != NULL)
			store_worker_gone(w, E_FORMAT);
	}
}

/* ---- settings that come anew ---- */

/* What is the process's own stays as it is: where it is, and what is mounted
 * there. */
static enum err
prepare(void *arg, void *conf, struct errbuf *eb)
{
	struct store *st = arg;
	struct store_conf *next = conf;

	role_tally_close(&next->tally);
	next->role = st->conf.role;
	memcpy(next->root, st->conf.root, sizeof(next->root));
	memcpy(next->mounts, st->conf.mounts, sizeof(next->mounts));
	next->absent = st->conf.absent;
	next->threads = st->conf.threads;
	terms_put(st->next);
	st->next = terms_new(next);
	free(conf);
	return st->next != NULL ? E_OK : err_set(eb, E_NOMEM, "out of memory");
}

static void
decide(void *arg, bool use)
{
	struct store *st = arg;

	if (use && st->next != NULL) {
		terms_put(st->terms);
		st->terms = terms_get(st->next);
		st->conf = st->terms->conf;
	}
	terms_put(st->next);
	st->next = NULL;
}

static uint32_t
store_sessions(const void *arg)
{
	return ((const struct store *)arg)->n_sessions;
}

static const struct ipc_rule parent_rule[] = {
	{ IPC_INQUIRY, 1, 0, 8 + 1 + 4 + MAIL_PATH_MAX + 4, take_inquiry },
};

static const struct role_hooks store_hooks = {
	.settings = &store_conf_fields,
	.settings_size = sizeof(struct store_conf),
	.prepare = prepare,
	.decide = decide,
	.attach = store_attach,
	.stop = store_stop,
	.orphaned = store_orphaned,
	.turn_end = store_turn_end,
	.sessions = store_sessions,
	.rule = parent_rule,
	.n_rules = sizeof(parent_rule) / sizeof(parent_rule[0]),
};

/* System calls of the threads and the loop, beside those of every role.
 * sysinfo: qsort() asks how much memory there is. */
static const char *const calls[] = { "fdatasync", "fstat", "fsync", "ftruncate",
	"getdents64", "linkat", "lseek", "memfd_create", "mkdir", "mremap",
	"mkdirat", "newfstatat", "openat", "openat2", "pread64", "preadv2",
	"pwrite64", "renameat", "renameat2", "statx", "sysinfo", "unlinkat" };

/* A quarter of the descriptors is for work on mail: see conf/check.c. */
static void
budget_fds(struct store *st)
{
	struct rlimit lim;

	st->closing_max = 2 * CLOSE_LATER_MANY;
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 &&
	    lim.rlim_cur / 4 > st->closing_max)
		st->closing_max = (unsigned)(lim.rlim_cur / 4);
}

static void
store_start(struct store *st)
{
	struct errbuf eb;

	st->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	st->terms = terms_new(&st->conf);
	if (st->loop == NULL || st->terms == NULL)
		fatal("ev=start error=\"no event loop\"");
	idle_init(st);
	budget_fds(st);
	if (!mounts_open(st->conf.root))
		log_line(
		    LOG_WARNING, "ev=mounts error=\"%s\"", strerror(errno));
	mounts_watch(st->loop);
	ev_timer_init(&st->stop, store_on_deadline, 0., 0.);
	st->stop.data = st;
	/* Landlock holds for threads that are started after it. */
	role_enter(&st->conf.role, st->conf.absent ? NULL : st->conf.root);
	if (pool_new(&st->pool, st->loop, st->conf.threads, &eb) != E_OK ||
	    close_later_start(st->loop, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	pool_limit(st->pool, st->conf.threads / 2);
	role_limit(calls, sizeof(calls) / sizeof(calls[0]));
}

static void
store_finish(struct store *st)
{
	struct store_worker *w;

	while ((w = LIST_FIRST(&st->workers)) != NULL) {
		ipc_flush_wait(w->chan, LAST_WORDS_MS);
		store_worker_gone(w, E_CLOSED);
	}
	ipc_close(st->auth);
	ipc_close(st->role.parent);
	pool_free(st->pool);
	close_later_end();
	terms_put(st->next);
	terms_put(st->terms);
	log_flush();
	ev_loop_destroy(st->loop);
}

int
store_main(int ctl)
{
	struct store st = { .stopping = false };

	/* Only the parent ends this process. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	umask(077);
	tzset(); /* while there is a file to read it from */
	role_begin("store", ctl, &store_conf_fields, &st.conf);
	role_tally(&st.conf.tally);
	store_start(&st);
	role_open(&st.role, &store_hooks, st.loop, ctl);
	idle_begin(&st);
	role_serve(&st.role);
	store_finish(&st);
	return 0;
}
