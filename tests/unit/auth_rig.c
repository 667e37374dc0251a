#include "auth_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "connection.h"

struct auth_rig rig;

/* ---- messages ---- */

static void
nobody_calls(void *arg, enum err why)
{
	(void)arg;
	(void)why;
}

const struct ipc_rules no_rules = { NULL, 0, nobody_calls };

void
sent(struct ipc_chan *c)
{
	assert_int_equal(ipc_end(c), E_OK);
	ipc_flush(c);
}

void
sent_before_others(struct ipc_chan *c)
{
	sent(c);
	usleep(QUIET * 1000);
}

static enum err
take_none(void *arg, struct ipc_in *in)
{
	(void)arg;
	return ipc_get_end(in);
}

static enum err
take_served(void *arg, struct ipc_in *in)
{
	(void)arg;
	ipc_get_str(in, rig.served, sizeof(rig.served));
	rig.half = ipc_get_u64(in);
	rig.retention = ipc_get_u32(in);
	rig.retention_differs = ipc_get_u8(in) != 0;
	rig.login_delay = ipc_get_u32(in);
	rig.login_delay_differs = ipc_get_u8(in) != 0;
	return ipc_get_end(in);
}

bool
skip_served(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint16_t type;

	while (poll(&p, 1, ms) == 1) {
		if (recv(fd, &type, sizeof(type), MSG_PEEK) != sizeof(type) ||
		    type != IPC_SERVED)
			return true;
		assert_int_equal(
		    ipc_wait_one(fd, IPC_SERVED, 0, take_served, NULL), E_OK);
	}
	return false;
}

void
await_served(const char *mechanism, bool is)
{
	while ((strstr(rig.served, mechanism) != NULL) != is)
		assert_int_equal(ipc_wait_one(rig.pop3_fd[0], IPC_SERVED, SOON,
				     take_served, NULL),
		    E_OK);
}

void
assert_silent(int fd, int ms)
{
	assert_false(skip_served(fd, ms));
}

int
attach(enum ipc_role role, uint16_t index)
{
	static uint32_t pid = 100;
	int fds[2];

	assert_int_equal(ipc_pair(fds, NULL), E_OK);
	if (role == ROLE_WORKER)
		rig.worker_pid[index] = ++pid;
	ipc_begin(rig.ctl, IPC_ATTACH);
	ipc_put_u8(rig.ctl, (uint8_t)role);
	ipc_put_u16(rig.ctl, index);
	ipc_put_u32(rig.ctl, role == ROLE_WORKER ? pid : 1);
	ipc_put_fd(rig.ctl, fds[1], FD_CLOSED);
	sent_before_others(rig.ctl);
	return fds[0];
}

static void
put_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	ipc_put_u8(rig.ctl, USERS_NEW);
	ipc_put_fd(rig.ctl, fd, FD_CLOSED);
}

void
send_both(const char *users, const char *apps)
{
	const char *path[] = { users, apps };

	ipc_begin(rig.ctl, IPC_USERS);
	for (size_t i = 0; i < 2; i++)
		if (path[i] != NULL)
			put_file(path[i]);
		else
			ipc_put_u8(rig.ctl, USERS_SAME);
	sent_before_others(rig.ctl);
}

void
send_users(const char *path)
{
	send_both(path, NULL);
}

void
await_check(void)
{
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_USERS_CHECK, SOON, take_none, NULL),
	    E_OK);
}

void
answer_unchanged(void)
{
	await_check();
	send_users(NULL);
}

/* Of a sign-in; the store must get that of the one that is given to it. */
static uint64_t
token(int pop3, uint64_t sid)
{
	return ~sid * 3 + (uint64_t)pop3;
}

void
begin_sign_in(int pop3, uint16_t type, uint64_t sid, const char *peer)
{
	ipc_begin(rig.pop3[pop3], type);
	ipc_put_u64(rig.pop3[pop3], sid);
	ipc_put_u64(rig.pop3[pop3], token(pop3, sid));
	ipc_put_fd(rig.pop3[pop3], connection(), FD_STAYS);
	ipc_put_str(rig.pop3[pop3], peer);
	ipc_put_u8(rig.pop3[pop3], rig.tls);
}

void
pass_from(int pop3, uint64_t sid, const char *peer, const char *name,
    const char *password)
{
	begin_sign_in(pop3, IPC_PASS, sid, peer);
	ipc_put_str(rig.pop3[pop3], name);
	ipc_put_str(rig.pop3[pop3], password);
	sent(rig.pop3[pop3]);
}

void
pass(uint64_t sid, const char *name, const char *password)
{
	pass_from(0, sid, "192.0.2.1", name, password);
}

void
about(int pop3, uint16_t type, uint64_t sid)
{
	ipc_begin(rig.pop3[pop3], type);
	ipc_put_u64(rig.pop3[pop3], sid);
	sent(rig.pop3[pop3]);
}

struct refused {
	uint64_t sid;
	uint8_t code;
	char user[256];
};

static enum err
take_refused(void *arg, struct ipc_in *in)
{
	struct refused *r = arg;

	r->sid = ipc_get_u64(in);
	r->code = ipc_get_u8(in);
	ipc_get_str(in, r->user, sizeof(r->user));
	ipc_get_str(in, rig.refusal, sizeof(rig.refusal));
	rig.seconds = ipc_get_u32(in);
	return ipc_get_end(in);
}

static void
read_log(void)
{
	size_t room;
	ssize_t r;

	while ((room = sizeof(rig.log) - 1 - rig.log_n) != 0 &&
	       (r = read(rig.log_fd, rig.log + rig.log_n, room)) > 0)
		rig.log_n += (size_t)r;
	rig.log[rig.log_n] = '\0';
}

/* Does a line of the log say that?  Each does once. */
static bool
is_logged(int pop3, uint64_t sid, const char *why)
{
	char begin[64], end[64];
	char *line = rig.log;

	snprintf(begin, sizeof(begin), " ev=login-failed sid=%d.%llx ", pop3,
	    (unsigned long long)sid);
	snprintf(end, sizeof(end), " why=%s", why);
	while ((line = strstr(line, begin)) != NULL) {
		const char *words = strstr(line, " why=");

		if (words != NULL && strncmp(words, end, strlen(end)) == 0 &&
		    strchr(" \n", words[strlen(end)]) != NULL) {
			*line = '*';
			return true;
		}
		line++;
	}
	return false;
}

/* The line leaves after the message. */
static void
expect_logged(int pop3, uint64_t sid, const char *why)
{
	struct pollfd p = { rig.log_fd, POLLIN, 0 };

	read_log();
	while (!is_logged(pop3, sid, why)) {
		if (poll(&p, 1, 20000) != 1)
			fail_msg("no why=%s in the log:\n%s", why, rig.log);
		read_log();
	}
}

void
refused_at(int pop3, uint64_t sid, enum sign_in_code code, const char *why)
{
	struct refused r;

	skip_served(rig.pop3_fd[pop3], 20000);
	assert_int_equal(ipc_wait_one(rig.pop3_fd[pop3], IPC_REFUSED, 20000,
			     take_refused, &r),
	    E_OK);
	assert_int_equal(r.sid, sid);
	assert_int_equal(r.code, code);
	if (why != NULL)
		expect_logged(pop3, sid, why);
}

void
refused(uint64_t sid, enum sign_in_code code, const char *why)
{
	refused_at(0, sid, code, why);
}

static enum err
take_misbehaved(void *arg, struct ipc_in *in)
{
	uint16_t *who = arg;

	who[0] = ipc_get_u8(in);
	who[1] = ipc_get_u16(in);
	return ipc_get_end(in);
}

void
expect_misbehaved(enum ipc_role role, uint16_t index, int fd)
{
	uint16_t who[2];
	char c;

	assert_int_equal(ipc_wait_one(rig.ctl_fd, IPC_MISBEHAVED, SOON,
			     take_misbehaved, who),
	    E_OK);
	assert_int_equal(who[0], role);
	assert_int_equal(who[1], index);
	skip_served(fd, 0);
	assert_true(read(fd, &c, 1) <= 0);
}

static enum err
take_open(void *arg, struct ipc_in *in)
{
	struct opened *o = arg;

	o->pop3 = ipc_get_u16(in);
	o->sid = ipc_get_u64(in);
	assert_int_equal(ipc_get_u64(in), token(o->pop3, o->sid));
	ipc_get_str(in, o->user, sizeof(o->user));
	ipc_get_str(in, o->mail, sizeof(o->mail));
	ipc_get_str(in, o->peer, sizeof(o->peer));
	o->bits = ipc_get_u8(in);
	o->read_only = (o->bits & SESSION_READ_ONLY) != 0;
	o->retention = ipc_get_u32(in);
	o->login_delay = ipc_get_u32(in);
	o->counted = ipc_get_login_mark(in);
	assert_int_equal(ipc_get_u32(in), rig.worker_pid[o->pop3]);
	return ipc_get_end(in);
}

struct opened
opened_at(int fd, uint64_t sid)
{
	struct opened o;

	assert_int_equal(ipc_wait_one(fd, IPC_OPEN, SOON, take_open, &o), E_OK);
	assert_int_equal(o.sid, sid);
	return o;
}

struct opened
opened(uint64_t sid, int *store_r)
{
	struct pollfd p[STORES];

	for (int i = 0; i < STORES; i++)
		p[i] = (struct pollfd){ rig.store_fd[i], POLLIN, 0 };
	assert_int_equal(poll(p, STORES, SOON), 1);
	*store_r = p[0].revents != 0 ? 0 : 1;
	return opened_at(rig.store_fd[*store_r], sid);
}

void
succeeds(uint64_t sid, const char *name, const char *password)
{
	int store;

	pass(sid, name, password);
	opened(sid, &store);
}

/* ---- what it costs ---- */

static pid_t ours;
struct computed *computed;

int __real_PKCS5_PBKDF2_HMAC(const char *pass, int passlen,
    const unsigned char *salt, int saltlen, int iter, const EVP_MD *digest,
    int keylen, unsigned char *out);
int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int passlen,
    const unsigned char *salt, int saltlen, int iter, const EVP_MD *digest,
    int keylen, unsigned char *out);
int __real_crypto_pwhash_str_verify(
    const char *str, const char *passwd, unsigned long long passwdlen);
int __wrap_crypto_pwhash_str_verify(
    const char *str, const char *passwd, unsigned long long passwdlen);

static void
count(unsigned *n)
{
	if (computed != NULL && getpid() != ours)
		__atomic_add_fetch(n, 1, __ATOMIC_SEQ_CST);
}

int
__wrap_PKCS5_PBKDF2_HMAC(const char *pass, int passlen,
    const unsigned char *salt, int saltlen, int iter, const EVP_MD *digest,
    int keylen, unsigned char *out)
{
	count(&computed->pbkdf2);
	return __real_PKCS5_PBKDF2_HMAC(
	    pass, passlen, salt, saltlen, iter, digest, keylen, out);
}

int
__wrap_crypto_pwhash_str_verify(
    const char *str, const char *passwd, unsigned long long passwdlen)
{
	count(&computed->argon2);
	while (__atomic_load_n(&computed->hold, __ATOMIC_SEQ_CST))
		usleep(1000);
	return __real_crypto_pwhash_str_verify(str, passwd, passwdlen);
}

struct computed
take_computed(void)
{
	struct computed c = *computed;

	*computed = (struct computed){ .argon2 = 0 };
	return c;
}

void
hold_hashes(void)
{
	take_computed();
	__atomic_store_n(&computed->hold, true, __ATOMIC_SEQ_CST);
}

void
await_held(void)
{
	uint64_t t = clock_ms();

	while (__atomic_load_n(&computed->argon2, __ATOMIC_SEQ_CST) == 0) {
		assert_true(clock_ms() - t < SOON);
		usleep(1000);
	}
}

void
let_hashes_go(void)
{
	__atomic_store_n(&computed->hold, false, __ATOMIC_SEQ_CST);
}

/* ---- the rig ---- */

void
write_users(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

void
replace_users(const char *text)
{
	char tmp[96];

	snprintf(tmp, sizeof(tmp), "%s.new", rig.users);
	write_users(tmp, text);
	assert_int_equal(rename(tmp, rig.users), 0);
}

#define PLACE \
	{ \
		.mail = "maildir:/srv/mail/%d/%n", .root = "/srv/mail" \
	}

struct auth_conf
usual(void)
{
	struct auth_conf conf = {
		.role = { .uid = geteuid(), .gid = getegid(), .memory = 1024 },
		.place = { PLACE, PLACE },
		.n_places = 2,
		.default_domain = "d.org",
		/* A client is of a proxy, so that it may be from wherever a test
		 * says. */
		.proxies = "127.0.0.0/8",
		.login_lower = true,
		.apop = true,
		.mail_uid = 5000,
		.mail_gid = 5000,
		.first_uid = 500,
		.last_uid = 60000,
		.n_stores = STORES,
		.hash_threads = 1,
		.hash_queue = 1,
		.known = { { .name = "users" } }, /* the file */
		.n_known = 1,
	};

	return conf;
}

const char usual_users[] =
    "anna:{PLAIN}secret\n"
    "bob@b.org:" CHEAP "\n"
    "zed:*\n"
    "odd:{FOO}x\n"
    "bad:{PLAIN}secret::::::malote_tls=maybe\n"
    "own:{PLAIN}secret:1000:1001::/srv/mail/own::userdb_mail=maildir:~/M\n"
    "own2:{PLAIN}secret:1000:1001::/srv/mail/own2::userdb_mail=maildir:~/M\n"
    "own3:{PLAIN}secret:1000:1002::/srv/mail/own3::userdb_mail=maildir:~/M\n"
    "root:{PLAIN}secret:0:0::::userdb_mail=maildir:/srv/mail/r\n"
    "low:{PLAIN}secret:499:499::::userdb_mail=maildir:/srv/mail/l\n"
    "same:{PLAIN}secret:5000:5000\n"
    "out:{PLAIN}secret::::::userdb_mail=maildir:/etc\n";

static void
child(int ctl, int log)
{
	dup2(log, STDERR_FILENO);
	dup2(ctl, ROLE_FD);
	closefrom(ROLE_FD + 1);
	_exit(auth_main(ROLE_FD));
}

void
start(const struct auth_conf *conf)
{
	int ctl[2], log[2];

	rig.log_n = rig.log_told = 0;
	rig.served[0] = '\0';
	strcpy(rig.dir, "/tmp/malote-test-XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	snprintf(rig.users, sizeof(rig.users), "%s/users", rig.dir);
	snprintf(rig.apps, sizeof(rig.apps), "%s/apps", rig.dir);
	write_users(rig.users, usual_users);
	assert_int_equal(ipc_pair(ctl, NULL), E_OK);
	assert_int_equal(pipe(log), 0);
	fcntl(log[0], F_SETFL, O_NONBLOCK);
	if ((rig.pid = fork()) == 0)
		child(ctl[1], log[1]);
	close(ctl[1]);
	close(log[1]);
	rig.ctl_fd = ctl[0];
	rig.log_fd = log[0];
	rig.loop = ev_loop_new(EVFLAG_AUTO);
	rig.ctl = ipc_open(rig.loop, ctl[0], &no_rules, NULL, false);
	ipc_begin(rig.ctl, IPC_CONF);
	ipc_put_fields(rig.ctl, &auth_conf_fields, conf);
	sent(rig.ctl);
	send_users(rig.users);
	for (uint16_t i = 0; i < POP3S; i++) {
		rig.pop3_fd[i] = attach(ROLE_WORKER, i);
		rig.pop3[i] =
		    ipc_open(rig.loop, rig.pop3_fd[i], &no_rules, NULL, true);
	}
	for (uint16_t i = 0; i < STORES; i++)
		rig.store_fd[i] = attach(ROLE_STORE, i);
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_READY, 10000, take_none, NULL), E_OK);
}

int
set_up(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	start(&conf);
	return 0;
}

int
set_up_penalties(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	conf.penalties = true;
	start(&conf);
	return 0;
}

int
set_up_masters(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	strcpy(conf.master_separator, "*");
	start(&conf);
	return 0;
}

int
set_up_expire(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	conf.retention = 30;
	start(&conf);
	return 0;
}

const char *
log_text(void)
{
	const char *text = rig.log + rig.log_told;

	usleep(QUIET * 1000);
	read_log();
	rig.log_told = rig.log_n;
	return text;
}

void
expect_served(const char *names)
{
	assert_silent(rig.pop3_fd[0], QUIET);
	assert_string_equal(rig.served, names);
}

unsigned
count_logged(const char *words)
{
	unsigned n = 0;
	const char *p;

	usleep(QUIET * 1000);
	read_log();
	for (p = rig.log; (p = strstr(p, words)) != NULL; p++)
		n++;
	return n;
}

void
expect_one_guess(uint64_t begun, unsigned nth, uint64_t due)
{
	await_check();
	assert_true(clock_ms() - begun + 50 >= due);
	send_users(NULL);
	assert_int_equal(count_logged("ev=login-failed"), nth);
}

int
tear_down(void **state)
{
	char path[96];
	int status;

	(void)state;
	let_hashes_go();
	ipc_close(rig.ctl);
	if (waitpid(rig.pid, &status, 0) != rig.pid || status != 0) {
		print_error("status %d\n%s", status, log_text());
		return -1;
	}
	for (int i = 0; i < POP3S; i++)
		ipc_close(rig.pop3[i]);
	for (int i = 0; i < STORES; i++)
		close(rig.store_fd[i]);
	close(rig.log_fd);
	ev_loop_destroy(rig.loop);
	snprintf(path, sizeof(path), "%s.new", rig.users);
	unlink(path);
	unlink(rig.users);
	unlink(rig.apps);
	return rmdir(rig.dir);
}

/* ---- stores ---- */

static enum err
take_wanted(void *arg, struct ipc_in *in)
{
	uint32_t *ids = arg;

	ids[0] = ipc_get_u32(in);
	ids[1] = ipc_get_u32(in);
	ids[2] = ipc_get_u32(in);
	return ipc_get_end(in);
}

void
expect_wanted_in(uint32_t uid, uint32_t gid, uint32_t root)
{
	uint32_t ids[3];

	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_STORE_WANTED, SOON, take_wanted, ids),
	    E_OK);
	assert_int_equal(ids[0], uid);
	assert_int_equal(ids[1], gid);
	assert_int_equal(ids[2], root);
}

void
expect_wanted(uint32_t uid, uint32_t gid)
{
	expect_wanted_in(uid, gid, 0);
}

void
no_store(uint32_t uid, uint32_t gid)
{
	ipc_begin(rig.ctl, IPC_NO_STORE);
	ipc_put_u32(rig.ctl, uid);
	ipc_put_u32(rig.ctl, gid);
	ipc_put_u32(rig.ctl, 0);
	ipc_put_str(rig.ctl, "no such thing");
	sent(rig.ctl);
}

/* Some 50 ms of Argon2, or what the machine makes of it. */
int
auth_rig_begin(void **state)
{
	ours = getpid();
	computed = mmap(NULL, sizeof(*computed), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	alarm(110);
	return computed != MAP_FAILED && scheme_init() == E_OK &&
		       scheme_make(
			   "ARGON2ID", "other secret", rig.costly, NULL) == E_OK
		   ? 0
		   : -1;
}
