/*
 * The auth process as a whole: a child runs auth_main(), we are its parent,
 * the workers and the stores.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ev.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "sasl/sasl.h"
#include "server/auth/auth.h"
#include "server/auth/penalty.h"
#include "server/users/app_database.h"
#include "server/users/scheme.h"

enum { SOON = 3000, QUIET = 50, POP3S = 2, STORES = 2 };

/* A few milliseconds; it is "secret". */
#define CHEAP \
	"{ARGON2ID}$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHQ$" \
	"7GnnAsSKn5YeUzRZ69ANQhvASUBG2dmGoFmvaHe/eDs"

static struct {
	pid_t pid;
	struct ev_loop *loop; /* never run: channels only collect and send */
	struct ipc_chan *ctl, *pop3[POP3S];
	int ctl_fd, pop3_fd[POP3S], store_fd[STORES], log_fd;
	char log[64 * 1024];    /* all that was logged */
	size_t log_n, log_told; /* its length, and what log_text() told */
	char served[SERVED_MAX];
	uint64_t half; /* of APOP's timestamps */
	bool tls;      /* what is said of sessions */
	char dir[64], users[80], apps[80], costly[SCHEME_STORED_MAX];
} rig;

/* ---- messages ---- */

static void
nobody_calls(void *arg, enum err why)
{
	(void)arg;
	(void)why;
}

static const struct ipc_rules no_rules = { NULL, 0, nobody_calls };

static void
sent(struct ipc_chan *c)
{
	assert_int_equal(ipc_end(c), E_OK);
	ipc_flush(c);
}

/* Messages of different channels do not wait for one another. */
static void
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
	return ipc_get_end(in);
}

/* What can be served is told whenever it has changed: until something else is
 * there, or nothing for so long.  False: nothing. */
static bool
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

static void
assert_silent(int fd, int ms)
{
	assert_false(skip_served(fd, ms));
}

/* A channel of ours; the other end goes to the process. */
static int
attach(enum ipc_role role, uint16_t index)
{
	int fds[2];

	assert_int_equal(ipc_pair(fds, NULL), E_OK);
	ipc_begin(rig.ctl, IPC_ATTACH);
	ipc_put_u8(rig.ctl, (uint8_t)role);
	ipc_put_u16(rig.ctl, index);
	ipc_put_fd(rig.ctl, fds[1], FD_CLOSED);
	sent_before_others(rig.ctl);
	return fds[0];
}

static void
store_is(uint16_t index, uint32_t uid, uint32_t gid)
{
	ipc_begin(rig.ctl, IPC_STORE_IS);
	ipc_put_u16(rig.ctl, index);
	ipc_put_u32(rig.ctl, uid);
	ipc_put_u32(rig.ctl, gid);
	sent_before_others(rig.ctl);
}

static void
put_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	ipc_put_u8(rig.ctl, USERS_NEW);
	ipc_put_fd(rig.ctl, fd, FD_CLOSED);
}

/* Paths; NULL says that nothing has changed. */
static void
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

static void
send_users(const char *path)
{
	send_both(path, NULL);
}

static void
await_check(void)
{
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_USERS_CHECK, SOON, take_none, NULL),
	    E_OK);
}

static void
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

static void
begin_sign_in(int pop3, uint16_t type, uint64_t sid, const char *peer)
{
	ipc_begin(rig.pop3[pop3], type);
	ipc_put_u64(rig.pop3[pop3], sid);
	ipc_put_u64(rig.pop3[pop3], token(pop3, sid));
	ipc_put_str(rig.pop3[pop3], peer);
	ipc_put_u8(rig.pop3[pop3], rig.tls);
}

static void
pass_from(int pop3, uint64_t sid, const char *peer, const char *name,
    const char *password)
{
	begin_sign_in(pop3, IPC_PASS, sid, peer);
	ipc_put_str(rig.pop3[pop3], name);
	ipc_put_str(rig.pop3[pop3], password);
	sent(rig.pop3[pop3]);
}

static void
pass(uint64_t sid, const char *name, const char *password)
{
	pass_from(0, sid, "192.0.2.1", name, password);
}

static void
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
		if (poll(&p, 1, SOON) != 1)
			fail_msg("no why=%s in the log:\n%s", why, rig.log);
		read_log();
	}
}

static void
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

/* why: NULL if it is not auth that says it in the log. */
static void
refused(uint64_t sid, enum sign_in_code code, const char *why)
{
	refused_at(0, sid, code, why);
}

struct opened {
	uint16_t pop3;
	uint64_t sid;
	char user[256], mail[256], peer[64];
	bool read_only;
};

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
	o->read_only = ipc_get_u8(in) != 0;
	return ipc_get_end(in);
}

static struct opened
opened_at(int fd, uint64_t sid)
{
	struct opened o;

	assert_int_equal(ipc_wait_one(fd, IPC_OPEN, SOON, take_open, &o), E_OK);
	assert_int_equal(o.sid, sid);
	return o;
}

/* By whichever store of mail_uid. */
static struct opened
opened(uint64_t sid, int *store_r)
{
	struct pollfd p[STORES];

	for (int i = 0; i < STORES; i++)
		p[i] = (struct pollfd){ rig.store_fd[i], POLLIN, 0 };
	assert_int_equal(poll(p, STORES, SOON), 1);
	*store_r = p[0].revents != 0 ? 0 : 1;
	return opened_at(rig.store_fd[*store_r], sid);
}

static void
succeeds(uint64_t sid, const char *name, const char *password)
{
	int store;

	pass(sid, name, password);
	opened(sid, &store);
}

/* ---- what it costs ---- */

/* Hashes that the process under test has computed; ours are not counted, and
 * no clock is looked at. */
struct computed {
	unsigned pbkdf2, argon2;
	bool hold; /* argon2: each waits while this is so */
};

static pid_t ours;
static struct computed *computed;

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

/* Since the last call. */
static struct computed
take_computed(void)
{
	struct computed c = *computed;

	*computed = (struct computed){ .argon2 = 0 };
	return c;
}

/* ---- the rig ---- */

static void
write_users(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* As malotectl does it. */
static void
replace_users(const char *text)
{
	char tmp[96];

	snprintf(tmp, sizeof(tmp), "%s.new", rig.users);
	write_users(tmp, text);
	assert_int_equal(rename(tmp, rig.users), 0);
}

static struct auth_conf
usual(void)
{
	struct auth_conf conf = {
		.role = { .uid = geteuid(), .gid = getegid(), .memory = 1024 },
		.mail = "maildir:/srv/mail/%d/%n",
		.mail_root = "/srv/mail",
		.default_domain = "d.org",
		.login_lower = true,
		.apop = true,
		.mail_uid = 5000,
		.mail_gid = 5000,
		.first_uid = 500,
		.last_uid = 60000,
		.n_stores = STORES,
		.hash_threads = 1,
		.hash_queue = 1,
	};

	return conf;
}

static const char users[] =
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

static void
start(const struct auth_conf *conf)
{
	int ctl[2], log[2];

	rig.log_n = rig.log_told = 0;
	strcpy(rig.dir, "/tmp/malote-test-XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	snprintf(rig.users, sizeof(rig.users), "%s/users", rig.dir);
	snprintf(rig.apps, sizeof(rig.apps), "%s/apps", rig.dir);
	write_users(rig.users, users);
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

static int
set_up(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	start(&conf);
	return 0;
}

static int
set_up_penalties(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	conf.penalties = true;
	start(&conf);
	return 0;
}

static int
set_up_masters(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	strcpy(conf.master_separator, "*");
	start(&conf);
	return 0;
}

/* What has been logged since the last call. */
static const char *
log_text(void)
{
	const char *text = rig.log + rig.log_told;

	usleep(QUIET * 1000);
	read_log();
	rig.log_told = rig.log_n;
	return text;
}

/* The process must have gone on until now, and ends when its parent goes. */
static int
tear_down(void **state)
{
	char path[96];
	int status;

	(void)state;
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

/* ---- tests ---- */

static void
test_good(void **state)
{
	struct opened o;
	int store, again;

	(void)state;
	pass_from(1, 7, "2001:db8::1", "ANNA", "secret");
	o = opened(7, &store);
	assert_int_equal(o.pop3, 1);
	assert_string_equal(o.user, "anna@d.org");
	assert_string_equal(o.mail, "maildir:/srv/mail/d.org/anna");
	assert_string_equal(o.peer, "2001:db8::1");
	assert_silent(rig.pop3_fd[1], QUIET);
	assert_silent(rig.ctl_fd, 0);
	/* One maildrop is always in the same store. */
	pass(8, "anna@d.org", "secret");
	opened(8, &again);
	assert_int_equal(store, again);
	/* A uid that is mail_uid is nothing of one's own. */
	succeeds(9, "same", "secret");
	assert_null(strstr(log_text(), "login-failed"));
}

static void
test_refused(void **state)
{
	static const struct {
		const char *name, *password, *why;
	} v[] = {
		{ "anna", "Secret", "password" },
		{ "anna", "secret ", "password" },
		{ "anna", "", "password" },
		{ "nobody", "secret", "unknown-user" },
		{ "bob", "secret", "unknown-user" },
		{ "bob@b.org", "wrong", "password" },
		{ "zed", "", "locked" },
		{ "zed", "*", "locked" },
		{ "bad", "secret", "users-line" },
	};
	const char *log;

	(void)state;
	/* S-1939-18: all alike; the file was looked at before. */
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		pass(i, v[i].name, v[i].password);
		answer_unchanged();
		refused(i, SIGN_IN_CREDENTIALS, v[i].why);
	}
	log = log_text();
	assert_non_null(
	    strstr(log, "ev=login-failed sid=0.0 user=anna@d.org ip=192.0.2.1 "
			"method=PASS code=auth why=password\n"));
	assert_null(strstr(log, "Secret"));
}

static void
test_odd_requests(void **state)
{
	char longer[PASSWORD_MAX + 2];
	const char *log;

	(void)state;
	pass(1, "../x", "secret");
	refused(1, SIGN_IN_CREDENTIALS, "bad-name");
	pass(2, "a\nb=\"c\"", "secret");
	refused(2, SIGN_IN_CREDENTIALS, "bad-name");
	memset(longer, 'n', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	pass(3, longer, "secret");
	refused(3, SIGN_IN_CREDENTIALS, "bad-name");
	pass(4, "anna", longer);
	refused(4, SIGN_IN_CREDENTIALS, "bad-password");
	begin_sign_in(0, IPC_PASS, 5, "192.0.2.1");
	ipc_put_str(rig.pop3[0], "anna");
	ipc_put_bytes(rig.pop3[0], "secret\0x", 8); /* M-19 */
	sent(rig.pop3[0]);
	refused(5, SIGN_IN_CREDENTIALS, "bad-password");
	log = log_text();
	assert_non_null(strstr(log, "user=../x "));
	assert_non_null(strstr(log, "user=a\\x0ab\\x3d\\x22c\\x22 "));
	assert_null(strstr(log, "secret"));
}

static void
test_misconfigured(void **state)
{
	(void)state;
	/* S-3206-03: not [AUTH], to who has the password. */
	pass(2, "out", "secret");
	refused(2, SIGN_IN_PERMANENT, "mail-location");
	pass(3, "root", "secret");
	refused(3, SIGN_IN_PERMANENT, "uid-out-of-range");
	pass(4, "low", "secret");
	refused(4, SIGN_IN_PERMANENT, "uid-out-of-range");
	assert_non_null(strstr(log_text(), "error=\"not below mail_root\""));
}

/* A hash that makes no sense: whoever guesses learns of it neither by the words nor
 * by the time, and the log names it. */
static void
test_odd_hash(void **state)
{
	static const char *const odd[] = { "{FOO}x", "{SHA512-CRYPT}abc",
		"{ARGON2ID}$argon2id$v=19$x", "{SSHA}abcd", "{PLAIN.hex}6" };
	char text[256];
	uint64_t sid = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++, sid++) {
		snprintf(text, sizeof(text), "odd:%s\nbob@b.org:%s\n", odd[i],
		    CHEAP);
		replace_users(text);
		send_users(rig.users);
		take_computed();
		pass(sid, "odd", "x");
		answer_unchanged();
		refused(sid, SIGN_IN_CREDENTIALS, "hash");
		assert_int_equal(take_computed().argon2, 1);
		assert_non_null(strstr(rig.log, "ev=users-line line=1 "));
	}
}

static void
test_no_uid(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	conf.mail_uid = conf.mail_gid = AUTH_NO_UID;
	start(&conf);
	pass(1, "anna", "secret");
	refused(1, SIGN_IN_PERMANENT, "no-uid");
}

static void
test_user_added(void **state)
{
	int store;

	(void)state;
	/* The new file replaces the old one ... */
	replace_users("new:{PLAIN}secret\n");
	pass(1, "new", "secret");
	await_check();
	send_users(rig.users);
	opened(1, &store);
	/* ... or is written over it, which its times tell once it is not fresh
	 * any more ... */
	usleep(QUIET * 1000);
	succeeds(5, "new", "secret");
	write_users(rig.users, "newer:{PLAIN}secret\n");
	pass(2, "newer", "secret");
	answer_unchanged();
	opened(2, &store);
	/* ... or we see nothing of it until we ask. */
	pass(3, "newest", "secret");
	await_check();
	replace_users("newest:{PLAIN}secret\n");
	send_users(rig.users);
	opened(3, &store);
	succeeds(4, "newest", "secret");
}

static void
test_user_removed(void **state)
{
	(void)state;
	succeeds(1, "anna", "secret");
	replace_users("bob:{PLAIN}x\n");
	pass(2, "anna", "secret");
	await_check();
	send_users(rig.users);
	/* One question is enough. */
	refused(2, SIGN_IN_CREDENTIALS, "unknown-user");
	assert_silent(rig.ctl_fd, QUIET);
}

static void
test_hash_changed(void **state)
{
	char line[SCHEME_STORED_MAX + 64];

	(void)state;
	/* S-ENG: a verified password does not outlive its hash. */
	succeeds(1, "bob@b.org", "secret");
	succeeds(2, "bob@b.org", "secret");
	snprintf(line, sizeof(line), "bob@b.org:%s\n", rig.costly);
	replace_users(line);
	pass(3, "bob@b.org", "secret");
	await_check();
	send_users(rig.users);
	refused(3, SIGN_IN_CREDENTIALS, "password");
	succeeds(4, "bob@b.org", "other secret");
}

/* Nor is it right for a user who was taken away while it was verified, though
 * nobody else has seen the new file. */
static void
test_user_removed_meanwhile(void **state)
{
	uint64_t t = clock_ms();

	(void)state;
	take_computed();
	__atomic_store_n(&computed->hold, true, __ATOMIC_SEQ_CST);
	pass(1, "bob@b.org", "secret");
	while (__atomic_load_n(&computed->argon2, __ATOMIC_SEQ_CST) == 0)
		assert_true(clock_ms() - t < SOON);
	replace_users("anna:{PLAIN}secret\n");
	__atomic_store_n(&computed->hold, false, __ATOMIC_SEQ_CST);
	await_check();
	send_users(rig.users);
	refused(1, SIGN_IN_CREDENTIALS, "unknown-user");
}

static void
test_checks_are_shared(void **state)
{
	(void)state;
	pass(1, "anna", "x");
	await_check();
	/* These need a question put after they came, and share it. */
	pass(2, "anna", "y");
	pass(3, "nobody", "z");
	assert_silent(rig.ctl_fd, QUIET);
	send_users(NULL);
	refused(1, SIGN_IN_CREDENTIALS, "password");
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
	refused(3, SIGN_IN_CREDENTIALS, "unknown-user");
	assert_silent(rig.ctl_fd, QUIET);
}

static void
test_check_unanswered(void **state)
{
	uint64_t t = clock_ms();

	(void)state;
	pass(1, "anna", "x");
	await_check();
	refused(1, SIGN_IN_TEMPORARY, "users-check");
	assert_in_range(clock_ms() - t, 4500, 8000);
	/* The answer comes late: it is news all the same. */
	replace_users("anna:{PLAIN}x\n");
	send_users(rig.users);
	succeeds(2, "anna", "x");
}

static void
test_no_users_file(void **state)
{
	struct pollfd p;

	(void)state;
	write_users(rig.users, "");
	send_users(rig.users);
	pass(1, "anna", "secret");
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "unknown-user");
	/* What is no file keeps what there was. */
	replace_users(users);
	send_users(rig.users);
	send_users(rig.dir);
	succeeds(2, "anna", "secret");
	p = (struct pollfd){ rig.log_fd, POLLIN, 0 };
	poll(&p, 1, SOON);
	assert_non_null(strstr(log_text(), "ev=users-unread"));
}

/* As a disk leaves it that has lost what was written. */
static void
test_users_file_of_zeros(void **state)
{
	int store;

	(void)state;
	replace_users("anna:{PLAIN}other\n");
	assert_int_equal(truncate(rig.users, 4096), 0);
	send_users(rig.users);
	pass(1, "anna", "secret");
	answer_unchanged();
	opened(1, &store);
}

static void
test_bad_lines_are_logged(void **state)
{
	const char *log;

	(void)state;
	write_users(rig.users, "a\nb:{PLAIN}x\nc:{FOO}x\nb:{PLAIN}y\n");
	send_users(rig.users);
	succeeds(1, "b", "x");
	log = log_text();
	assert_non_null(strstr(log, "ev=users-line line=1 "));
	assert_null(strstr(log, "ev=users-line line=2 "));
	assert_non_null(strstr(log, "ev=users-line line=3 "));
	assert_non_null(strstr(log, "ev=users-line line=4 "));
	succeeds(2, "b", "x");
	assert_null(strstr(log_text(), "ev=users-line"));
}

static void
test_cached(void **state)
{
	(void)state;
	take_computed();
	for (uint64_t i = 0; i < 10; i++) {
		succeeds(i, "bob@b.org", "secret");
		assert_int_equal(take_computed().argon2, i == 0);
	}
	pass(10, "bob@b.org", "wrong");
	answer_unchanged();
	refused(10, SIGN_IN_CREDENTIALS, "password");
	assert_int_equal(take_computed().argon2, 1);
}

/* How often the password is hashed for a sign-in that succeeds. */
static unsigned
hashes(uint64_t sid)
{
	take_computed();
	succeeds(sid, "c", "secret");
	return take_computed().argon2;
}

/* Another home, and the password is verified anew; so after a reload. */
static void
test_cache_ends(void **state)
{
	(void)state;
	replace_users("c:" CHEAP "\n");
	send_users(rig.users);
	assert_int_equal(hashes(1), 1);
	assert_int_equal(hashes(2), 0);
	replace_users("c:" CHEAP "::::/home/c\n");
	send_users(rig.users);
	assert_int_equal(hashes(3), 1);
	assert_int_equal(hashes(4), 0);
	ipc_begin(rig.ctl, IPC_FORGET);
	sent_before_others(rig.ctl);
	assert_int_equal(hashes(5), 1);
}

/* A file that changes without its times: a page that was written to is written
 * to again. */
static void
change_in_place(const char first[18], const char second[18])
{
	int fd = open(rig.users, O_RDWR | O_CLOEXEC);
	char *p = mmap(NULL, 18, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(p != MAP_FAILED);
	memcpy(p, first, 18);
	send_users(rig.users);
	memcpy(p, second, 18);
	munmap(p, 18);
	close(fd);
}

/* Whose turn is it: is the parent asked about the users, or given a store a
 * session? */
static bool
is_parent_asked(void)
{
	struct pollfd p[1 + STORES];

	p[STORES] = (struct pollfd){ rig.ctl_fd, POLLIN, 0 };
	for (int i = 0; i < STORES; i++)
		p[i] = (struct pollfd){ rig.store_fd[i], POLLIN, 0 };
	assert_int_equal(poll(p, 1 + STORES, SOON), 1);
	return p[STORES].revents != 0;
}

/* Was the new password found out, or is the old one still right? */
static bool
is_found_out(uint64_t sid)
{
	int store;

	pass(sid, "anna", "first");
	if (!is_parent_asked()) {
		opened(sid, &store);
		return false;
	}
	answer_unchanged();
	refused(sid, SIGN_IN_CREDENTIALS, "password");
	return true;
}

/* The clock that stamps files has ticks: of two changes in one of them the times
 * do not tell.  It must be read within such a tick for that, so it is tried until
 * it was. */
static void
test_same_tick(void **state)
{
	(void)state;
	write_users(rig.users, "anna:{PLAIN}never\n");
	for (uint64_t i = 0; i < 50; i++) {
		change_in_place("anna:{PLAIN}first\n", "anna:{PLAIN}other\n");
		if (is_found_out(i))
			return;
	}
	fail_msg("the old password is right");
}

static void
test_queue_full(void **state)
{
	char text[SCHEME_STORED_MAX + 64];

	(void)state;
	snprintf(text, sizeof(text), "c:%s\na:{PLAIN}secret\n", rig.costly);
	replace_users(text);
	send_users(rig.users);
	/* One is worked on, one waits, the third is turned away; what costs
	 * nothing goes on meanwhile. */
	for (uint64_t i = 1; i <= 3; i++)
		pass(i, "c", "other secret");
	refused(3, SIGN_IN_TEMPORARY, "hash-queue");
	pass(4, "a", "secret");
	for (int i = 0; i < 3; i++) {
		static const uint64_t order[] = { 4, 1, 2 };
		int store;

		opened(order[i], &store);
	}
	succeeds(5, "c", "other secret");
}

static void
test_abandoned(void **state)
{
	char text[SCHEME_STORED_MAX + 64];
	uint64_t sid = 1;

	(void)state;
	snprintf(text, sizeof(text), "c:%s\na:{PLAIN}secret\n", rig.costly);
	replace_users(text);
	send_users(rig.users);
	/* While it is worked on and while it waits: nobody is told, and there
	 * is room for others at once. */
	for (; sid <= 2; sid++)
		pass(sid, "c", "other secret");
	about(0, IPC_SIGN_IN_END, 2);
	about(0, IPC_SIGN_IN_END, 1);
	pass(3, "c", "other secret");
	for (int store; sid <= 3; sid++)
		opened(sid, &store);
	assert_silent(rig.pop3_fd[0], QUIET);
	/* While the parent is asked; and of one that is not there. */
	pass(4, "a", "wrong");
	await_check();
	about(0, IPC_SIGN_IN_END, 4);
	about(0, IPC_SIGN_IN_END, 99);
	usleep(QUIET * 1000);
	send_users(NULL);
	assert_silent(rig.pop3_fd[0], QUIET);
	assert_non_null(strstr(log_text(), "sid=0.4 "));
	/* The same session may try again. */
	succeeds(4, "a", "secret");
}

static void
test_penalty(void **state)
{
	uint64_t t = clock_ms();
	int store;

	(void)state;
	pass(1, "anna", "x");
	answer_unchanged();
	/* Nobody else waits. */
	pass_from(1, 1, "192.0.2.2", "same", "secret");
	opened(1, &store);
	assert_true(clock_ms() - t < 500);
	refused(1, SIGN_IN_CREDENTIALS, "password");
	assert_in_range(clock_ms() - t, 950, 1900);

	t = clock_ms();
	pass(3, "anna", "y");
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "password");
	assert_in_range(clock_ms() - t, 1950, 3500);
	/* Who leaves before the answer has failed all the same, and what they
	 * did not wait for is waited for now. */
	pass_from(0, 4, "203.0.113.3", "same", "z");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 4);
	t = clock_ms();
	pass_from(0, 5, "203.0.113.3", "same", "zz");
	answer_unchanged();
	assert_in_range(clock_ms() - t, 900, 2900);
	refused(5, SIGN_IN_CREDENTIALS, "password");
	assert_in_range(clock_ms() - t, 2900, 5500);
}

/* How many lines of the log say so. */
static unsigned
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

/* Whoever does not wait for answers is given no more of them. */
static void
test_giving_up_buys_no_guess(void **state)
{
	char guess[16];

	(void)state;
	pass(1, "anna", "x");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 1);
	for (uint64_t i = 2; i < 200; i++) {
		snprintf(guess, sizeof(guess), "guess %d", (int)i);
		pass(i, i & 1 ? "anna" : "bob@b.org", guess);
		usleep(1000);
		about(0, IPC_SIGN_IN_END, i);
	}
	assert_int_equal(count_logged("ev=login-failed"), 1);
	/* Nor is one of them the password. */
	pass(200, "anna", "secret");
	about(0, IPC_SIGN_IN_END, 200);
	assert_silent(rig.store_fd[0], QUIET);
	assert_silent(rig.store_fd[1], 0);
}

/* Waits until one is found to be wrong, and for all that the ones before have cost;
 * nobody else is looked at. */
static void
expect_one_guess(uint64_t begun, unsigned nth, uint64_t due)
{
	await_check();
	assert_true(clock_ms() - begun + 50 >= due);
	send_users(NULL);
	assert_int_equal(count_logged("ev=login-failed"), nth);
}

/* Guesses on many connections at once: one is looked at, and the next when that has
 * been paid for.  Who came from there lately goes on meanwhile. */
static void
test_a_burst_is_one_guess_at_a_time(void **state)
{
	uint64_t begun, due = 0;
	char guess[16];

	(void)state;
	replace_users("anna:{PLAIN}secret\nsame:{PLAIN}secret\n");
	send_users(rig.users);
	succeeds(1, "anna", "secret");
	begun = clock_ms();
	for (uint64_t i = 10; i < 40; i++) {
		snprintf(guess, sizeof(guess), "guess %d", (int)i);
		pass(i, i & 1 ? "same" : "nobody", guess);
	}
	for (unsigned n = 1; n <= 3; n++) {
		expect_one_guess(begun, n, due);
		due += 500u << n;
		succeeds(100 + n, "anna", "secret");
	}
}

/* Those that wait for a thread when the first one fails lose their turn; one that
 * is right holds up nobody, however long its store takes. */
static void
test_a_costly_burst(void **state)
{
	uint64_t begun = clock_ms();
	int store;

	(void)state;
	replace_users("bob@b.org:" CHEAP "\n");
	send_users(rig.users);
	computed->hold = 1;
	pass(1, "bob@b.org", "guess");
	pass(2, "bob@b.org", "guess 2");
	usleep(QUIET * 1000);
	computed->hold = 0;
	expect_one_guess(begun, 1, 0);
	pass(3, "bob@b.org", "secret");
	expect_one_guess(begun, 2, 950);
	opened(3, &store);
}

/* A mail program behind an address from where others fail does not wait, if it
 * signed in from there lately; but only its own password is looked at for
 * that, and only until a wrong one comes. */
static void
test_who_came_lately_does_not_wait(void **state)
{
	int store;

	(void)state;
	succeeds(1, "anna", "secret");
	pass(2, "nobody", "x");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 2);
	for (uint64_t i = 3; i < 10; i++)
		succeeds(i, "anna", "secret");
	pass_from(1, 10, "192.0.2.2", "nobody", "x");
	answer_unchanged();
	about(1, IPC_SIGN_IN_END, 10);
	pass_from(1, 11, "192.0.2.2", "anna", "secret"); /* not from there */
	assert_silent(rig.store_fd[0], QUIET);
	assert_silent(rig.store_fd[1], 0);
	opened(11, &store);
	pass(12, "nobody", "y");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 12);
	pass(13, "anna", "guess");
	about(0, IPC_SIGN_IN_END, 13);
	pass(14, "anna", "secret");
	assert_silent(rig.store_fd[0], QUIET);
	assert_silent(rig.store_fd[1], 0);
	opened(14, &store);
}

/* Others try a user's name from five networks: where the user has signed in
 * before nothing of it is felt, even after a slip, elsewhere two seconds at
 * most, and by other users nothing anywhere. */
static void
test_a_user_is_held_up_little(void **state)
{
	char peer[32], guess[16];
	uint64_t t;
	int store;

	(void)state;
	succeeds(1, "anna", "secret");
	pass(2, "anna", "slip");
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
	pass_from(1, 10, "198.51.0.1", "anna", "guess");
	await_check();
	for (uint64_t i = 1; i < 5; i++) {
		snprintf(peer, sizeof(peer), "198.51.%d.1", (int)i);
		snprintf(guess, sizeof(guess), "guess %d", (int)i);
		pass_from(1, 10 + i, peer, "anna", guess);
	}
	usleep(QUIET * 1000);
	send_users(NULL);
	answer_unchanged();
	t = clock_ms();
	pass_from(0, 3, "192.0.2.9", "anna", "secret"); /* not from there */
	succeeds(4, "anna", "secret");
	pass_from(0, 5, "192.0.2.9", "same", "secret");
	opened(5, &store);
	assert_true(clock_ms() - t < 900);
	opened(3, &store);
	assert_in_range(clock_ms() - t, 1000, PENALTY_USER_MAX_MS + 900);
}

/* Costly hashes wait in the queue of one.  The crowd is refused, and that costs
 * it time; others come next.  All of it is one line. */
static void
test_crowd(void **state)
{
	char text[2 * SCHEME_STORED_MAX + 64], peer[16];
	int store;

	(void)state;
	snprintf(text, sizeof(text), "c:%s\nd:%s\n", rig.costly, rig.costly);
	replace_users(text);
	send_users(rig.users);
	for (unsigned i = 1; i <= 40; i++) {
		snprintf(peer, sizeof(peer), "192.0.2.%u", i);
		pass_from(0, i, peer, "c", "wrong");
	}
	pass_from(1, 1, "198.51.100.1", "d", "other secret");
	opened(1, &store);
	assert_int_equal(count_logged("why=hash-queue"), 1);
	/* Their refusals are held. */
	assert_silent(rig.pop3_fd[0], 0);
	pass_from(0, 50, peer, "d", "other secret");
	assert_silent(rig.store_fd[0], QUIET);
	assert_silent(rig.store_fd[1], 0);
}

/* A wrong password that costs nothing to verify takes its place among those
 * that do; a right one does not. */
static void
test_cheap_takes_as_long(void **state)
{
	char text[SCHEME_STORED_MAX + 64];

	(void)state;
	snprintf(text, sizeof(text), "c:%s\na:{PLAIN}secret\n", rig.costly);
	replace_users(text);
	send_users(rig.users);
	pass(1, "c", "other secret");
	pass(2, "a", "wrong");
	pass(3, "a", "wrong");
	refused(3, SIGN_IN_TEMPORARY, "hash-queue");
	pass(4, "a", "secret");
	for (int i = 0; i < 2; i++) {
		static const uint64_t sid[] = { 4, 1 };
		int store;

		opened(sid[i], &store);
	}
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
}

/* ---- stores ---- */

static enum err
take_wanted(void *arg, struct ipc_in *in)
{
	uint32_t *ids = arg;

	ids[0] = ipc_get_u32(in);
	ids[1] = ipc_get_u32(in);
	return ipc_get_end(in);
}

static void
expect_wanted(uint32_t uid, uint32_t gid)
{
	uint32_t ids[2];

	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_STORE_WANTED, SOON, take_wanted, ids),
	    E_OK);
	assert_int_equal(ids[0], uid);
	assert_int_equal(ids[1], gid);
}

static void
no_store(uint32_t uid, uint32_t gid)
{
	ipc_begin(rig.ctl, IPC_NO_STORE);
	ipc_put_u32(rig.ctl, uid);
	ipc_put_u32(rig.ctl, gid);
	ipc_put_str(rig.ctl, "no such thing");
	sent(rig.ctl);
}

static void
test_own_store(void **state)
{
	struct opened o;
	int fd;

	(void)state;
	pass(1, "own", "secret");
	expect_wanted(1000, 1001);
	pass(2, "own2", "secret");
	assert_silent(rig.ctl_fd, QUIET); /* it is on its way */
	store_is(7, 1000, 1001);
	fd = attach(ROLE_STORE, 7);
	o = opened_at(fd, 1);
	assert_string_equal(o.mail, "maildir:/srv/mail/own/M");
	opened_at(fd, 2);
	pass(3, "own", "secret");
	opened_at(fd, 3);
	/* It ends when it idles; then another is wanted. */
	close(fd);
	usleep(QUIET * 1000);
	pass(4, "own", "secret");
	expect_wanted(1000, 1001);
	store_is(8, 1000, 1001);
	fd = attach(ROLE_STORE, 8);
	opened_at(fd, 4);
	close(fd);
}

/* Of one uid, but not of one group. */
static void
test_own_group(void **state)
{
	int one, two;

	(void)state;
	pass(1, "own", "secret");
	expect_wanted(1000, 1001);
	pass(2, "own3", "secret");
	expect_wanted(1000, 1002);
	store_is(7, 1000, 1002);
	two = attach(ROLE_STORE, 7);
	opened_at(two, 2);
	store_is(8, 1000, 1001);
	one = attach(ROLE_STORE, 8);
	opened_at(one, 1);
	pass(3, "own3", "secret");
	opened_at(two, 3);
	pass(4, "own", "secret");
	opened_at(one, 4);
	close(one);
	close(two);
}

static void
say_idle(uint16_t index)
{
	ipc_begin(rig.ctl, IPC_IDLE);
	ipc_put_u16(rig.ctl, index);
	sent(rig.ctl);
}

static enum err
take_idle(void *arg, struct ipc_in *in)
{
	*(uint16_t *)arg = ipc_get_u16(in);
	return ipc_get_end(in);
}

/* A store that is idle is kept while somebody may be on the way to it, or
 * waits for one. */
static void
test_idle_store(void **state)
{
	uint16_t index = 0;
	int fd;

	(void)state;
	say_idle(8);
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_IDLE, SOON, take_idle, &index), E_OK);
	assert_int_equal(index, 8);
	pass(1, "own", "secret");
	expect_wanted(1000, 1001);
	say_idle(8);
	assert_silent(rig.ctl_fd, QUIET);
	store_is(7, 1000, 1001);
	fd = attach(ROLE_STORE, 7);
	opened_at(fd, 1);
	say_idle(7);
	assert_silent(rig.ctl_fd, QUIET);
	pass(2, "own", "secret");
	opened_at(fd, 2);
	close(fd);
	refused(1, SIGN_IN_TEMPORARY, NULL);
	refused(2, SIGN_IN_TEMPORARY, NULL);
}

static void
test_no_store(void **state)
{
	uint64_t t;

	(void)state;
	pass(1, "own", "secret");
	pass(2, "own2", "secret");
	expect_wanted(1000, 1001);
	no_store(999, 1001); /* nobody wanted it */
	no_store(1000, 1002);
	no_store(1000, 1001);
	refused(1, SIGN_IN_TEMPORARY, "no-store");
	refused(2, SIGN_IN_TEMPORARY, "no-store");
	t = clock_ms();
	pass(3, "own", "secret");
	expect_wanted(1000, 1001);
	pass(4, "own", "secret");
	about(0, IPC_SIGN_IN_END, 4);
	refused(3, SIGN_IN_TEMPORARY, "store-timeout");
	assert_in_range(clock_ms() - t, 9500, 13000);
	assert_silent(rig.pop3_fd[0], QUIET);
}

static void
test_store_down(void **state)
{
	int store;

	(void)state;
	pass(1, "anna", "secret");
	opened(1, &store);
	close(rig.store_fd[store]);
	refused(1, SIGN_IN_TEMPORARY, NULL);
	pass(2, "anna", "secret");
	refused(2, SIGN_IN_TEMPORARY, "store-down");
	rig.store_fd[store] = attach(ROLE_STORE, (uint16_t)store);
	succeeds(3, "anna", "secret");
}

/* Whoever was given to it is refused, whichever end is noticed first; for
 * those who had its answer that is stale. */
static void
test_store_dies(void **state)
{
	int store;

	(void)state;
	pass(1, "anna", "secret");
	opened(1, &store);
	pass(2, "own", "secret");
	expect_wanted(1000, 1001);
	close(rig.store_fd[store]);
	refused(1, SIGN_IN_TEMPORARY, NULL);
	rig.store_fd[store] = attach(ROLE_STORE, (uint16_t)store);
	succeeds(3, "anna", "secret");
	close(rig.store_fd[store]);
	rig.store_fd[store] = attach(ROLE_STORE, (uint16_t)store);
	refused(3, SIGN_IN_TEMPORARY, NULL);
	assert_silent(rig.pop3_fd[0], QUIET);
	no_store(1000, 1001);
	refused(2, SIGN_IN_TEMPORARY, "no-store");
}

/* ---- SASL and APOP ---- */

static void
sasl_with(uint64_t sid, const char *mechanism, struct slice certificate,
    const void *initial, size_t n)
{
	begin_sign_in(0, IPC_SASL, sid, "192.0.2.1");
	ipc_put_str(rig.pop3[0], mechanism);
	ipc_put_u8(rig.pop3[0], 0);
	ipc_put_u8(rig.pop3[0], 0);
	ipc_put_bytes(rig.pop3[0], certificate.p, certificate.n);
	ipc_put_u8(rig.pop3[0], initial != NULL);
	ipc_put_bytes(rig.pop3[0], initial != NULL ? initial : "", n);
	sent(rig.pop3[0]);
}

static void
sasl(uint64_t sid, const char *mechanism, const void *initial, size_t n)
{
	sasl_with(sid, mechanism, (struct slice){ "", 0 }, initial, n);
}

static void
sasl_step(uint64_t sid, const void *p, size_t n)
{
	ipc_begin(rig.pop3[0], IPC_SASL_STEP);
	ipc_put_u64(rig.pop3[0], sid);
	ipc_put_bytes(rig.pop3[0], p, n);
	sent(rig.pop3[0]);
}

struct challenge {
	uint64_t sid;
	char text[64];
};

static enum err
take_challenge(void *arg, struct ipc_in *in)
{
	struct challenge *c = arg;

	c->sid = ipc_get_u64(in);
	ipc_get_str(in, c->text, sizeof(c->text));
	return ipc_get_end(in);
}

static void
expect_challenge(uint64_t sid, const char *text)
{
	struct challenge c;

	skip_served(rig.pop3_fd[0], SOON);
	assert_int_equal(ipc_wait_one(rig.pop3_fd[0], IPC_CHALLENGE, SOON,
			     take_challenge, &c),
	    E_OK);
	assert_int_equal(c.sid, sid);
	assert_string_equal(c.text, text);
}

/* ---- SCRAM ---- */

struct said {
	uint64_t sid;
	char text[SASL_MAX];
	size_t n;
};

static enum err
take_said(void *arg, struct ipc_in *in)
{
	struct said *s = arg;
	struct slice text;

	s->sid = ipc_get_u64(in);
	text = ipc_get_slice(in);
	assert_true(text.n <= sizeof(s->text));
	memcpy(s->text, text.p, text.n);
	s->n = text.n;
	return ipc_get_end(in);
}

static struct slice
await_said(uint64_t sid, struct said *s)
{
	skip_served(rig.pop3_fd[0], SOON);
	assert_int_equal(
	    ipc_wait_one(rig.pop3_fd[0], IPC_CHALLENGE, SOON, take_said, s),
	    E_OK);
	assert_int_equal(s->sid, sid);
	return (struct slice){ s->text, s->n };
}

/* A client that has said its first message, and heard the answer. */
struct scram {
	struct sasl_credentials cred;
	struct sasl_client *client;
	struct said said;
	struct buf out;
};

static void
scram_begin_as(
    struct scram *sc, uint64_t sid, const char *name, const char *password)
{
	static const char mechanism[] = "SCRAM-SHA-256";

	memset(sc, 0, sizeof(*sc));
	sc->cred.authcid = (struct slice){ name, strlen(name) };
	sc->cred.password = (struct slice){ password, strlen(password) };
	sc->client = sasl_client_new(
	    sasl_find((struct slice){ mechanism, strlen(mechanism) }),
	    &sc->cred);
	buf_init(&sc->out, SASL_MAX, true);
	assert_int_equal(
	    sasl_client_step(sc->client, (struct slice){ "", 0 }, &sc->out),
	    SASL_MORE);
	sasl(sid, mechanism, buf_data(&sc->out), sc->out.len);
	buf_consume(&sc->out, sc->out.len);
	assert_int_equal(
	    sasl_client_step(sc->client, await_said(sid, &sc->said), &sc->out),
	    SASL_MORE);
}

static void
scram_finish(struct scram *sc, uint64_t sid)
{
	sasl_step(sid, buf_data(&sc->out), sc->out.len);
}

static void
scram_free(struct scram *sc)
{
	sasl_client_free(sc->client);
	buf_free(&sc->out);
}

static const struct {
	const char *name, *stored, *why;
} kinds[] = {
	{ "plain", "{PLAIN}pencil", "password" },
	{ "scram",
	    "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
	    "password" },
	{ "argon", CHEAP, "scheme" },
	{ "ssha", "{SSHA}mAdraI+LwCPz5ty/q42IRRJz7w2xmEk/", "scheme" },
	{ "locked", "*", "locked" },
	{ "nobody", NULL, "unknown-user" },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void
write_kinds(size_t first)
{
	char text[2048] = "";

	for (size_t i = first; i < KINDS; i++)
		if (kinds[i].stored != NULL)
			snprintf(text + strlen(text),
			    sizeof(text) - strlen(text), "%s:%s\n",
			    kinds[i].name, kinds[i].stored);
	write_users(rig.users, text);
	send_users(rig.users);
}

/* Says a wrong password, or proves to know one. */
static void
guess(const char *how, uint64_t sid, char name)
{
	char text[64];
	int n;

	if (strcmp(how, "PASS") == 0) {
		pass(sid, (char[]){ name, '\0' }, "wrong");
	} else if (strcmp(how, "PLAIN") == 0) {
		n = snprintf(text, sizeof(text), "%c%c%cwrong", 0, name, 0);
		sasl(sid, how, text, (size_t)n);
	} else {
		struct said said;

		sasl(sid, how, NULL, 0);
		await_said(sid, &said);
		n = snprintf(text, sizeof(text), "%c %032d", name, 0);
		sasl_step(sid, text, (size_t)n);
	}
}

/* S-1939-18: neither whether there is such a user nor how their password is
 * stored is told by what a wrong one costs: one hash, where anybody's is
 * costly, for each name. */
static void
test_unknown_costs_the_same(void **state)
{
	static const struct {
		const char *how, *first;
		unsigned argon2;
	} v[] = { { "PASS", CHEAP, 1 }, { "PLAIN", CHEAP, 1 },
		{ "CRAM-MD5", CHEAP, 0 }, { "PASS", "{PLAIN}x", 0 } };
	/* costly or not, {PLAIN}, {SSHA}, locked, nobody */
	static const char names[] = "caslx";
	char text[512];
	uint64_t sid = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		snprintf(text, sizeof(text),
		    "c:%s\na:{PLAIN}secret\nl:*\n"
		    "s:{SSHA}mAdraI+LwCPz5ty/q42IRRJz7w2xmEk/\n",
		    v[i].first);
		replace_users(text);
		send_users(rig.users);
		take_computed();
		for (const char *name = names; *name != '\0'; name++, sid++) {
			struct computed c;

			guess(v[i].how, sid, *name);
			answer_unchanged();
			refused(sid, SIGN_IN_CREDENTIALS, NULL);
			c = take_computed();
			assert_int_equal(c.argon2, v[i].argon2);
			assert_int_equal(c.pbkdf2, 0);
		}
	}
}

/* S-5802-03: a name that is there and one that is not cost the same steps:
 * counted, as no clock is. */
static void
test_scram_costs_the_same(void **state)
{
	struct said proof;
	uint64_t sid = 1;
	struct scram sc;
	int store;

	(void)state;
	/* With a readable password in the file each name costs one; without
	 * any, none. */
	for (size_t first = 0; first < 2; first++) {
		write_kinds(first);
		for (size_t i = first; i < KINDS; i++, sid++) {
			take_computed();
			scram_begin_as(&sc, sid, kinds[i].name, "wrong");
			assert_int_equal(take_computed().pbkdf2, 0);
			scram_finish(&sc, sid);
			answer_unchanged();
			refused(sid, SIGN_IN_CREDENTIALS, kinds[i].why);
			assert_int_equal(take_computed().pbkdf2, first == 0);
			scram_free(&sc);
		}
		/* RFC 7677 s3: salt and keys of the example's password. */
		take_computed();
		scram_begin_as(&sc, sid, "scram", "pencil");
		scram_finish(&sc, sid);
		assert_int_equal(sasl_client_step(sc.client,
				     await_said(sid, &proof), &sc.out),
		    SASL_DONE);
		sasl_step(sid, "", 0);
		opened(sid++, &store);
		assert_int_equal(take_computed().pbkdf2, first == 0);
		scram_free(&sc);
	}
}

/* A client or a worker that goes, in each state, leaves nothing that the next
 * one meets. */
static void
test_scram_given_up(void **state)
{
	struct scram sc;
	uint64_t sid = 1;
	int store;

	(void)state;
	write_kinds(0);
	for (int step = 0; step < 2; step++, sid++) {
		scram_begin_as(&sc, sid, "plain", "wrong");
		if (step == 1)
			scram_finish(&sc, sid);
		about(0, IPC_SIGN_IN_END, sid);
		scram_free(&sc);
		sasl(sid, "PLAIN", "\0plain\0pencil", 13);
		opened(sid, &store);
	}
	/* Too late is no fault, and too much is one. */
	scram_begin_as(&sc, sid, "scram", "pencil");
	close(rig.pop3_fd[1]);
	scram_finish(&sc, sid);
	await_said(sid, &sc.said);
	sasl_step(sid, "more", 4);
	refused(sid, SIGN_IN_MALFORMED, "malformed");
	scram_free(&sc);
}

/* The salt that a name is told, and for whom nothing can be right. */
static void
told_salt(uint64_t sid, const char *first, char salt[64])
{
	struct said said;
	const char *at;

	sasl(sid, "SCRAM-SHA-256", first, strlen(first));
	await_said(sid, &said);
	about(0, IPC_SIGN_IN_END, sid);
	said.text[said.n] = '\0';
	at = strstr(said.text, ",s=");
	assert_non_null(at);
	snprintf(salt, 64, "%.63s", at);
}

/* S-5802-03: whoever asks for another's mail is told the salt that they are told
 * who do not.  Else the two would differ where there is such a user, and be the
 * same where there is none. */
static void
test_scram_salt_is_of_the_name(void **state)
{
	static const char *const names[] = { "scram", "plain", "nobody" };
	char salt[64], other[64], first[64];
	uint64_t sid = 1;

	(void)state;
	write_kinds(0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(first, sizeof(first), "n,,n=%s,r=x", names[i]);
		told_salt(sid++, first, salt);
		snprintf(first, sizeof(first), "n,a=argon,n=%s,r=x", names[i]);
		told_salt(sid++, first, other);
		assert_string_equal(salt, other);
		snprintf(first, sizeof(first), "n,,n=argon*%s,r=x", names[i]);
		told_salt(sid++, first, other);
		assert_string_equal(salt, other);
	}
}

/* Nor is that the way to the mail: neither with a proof of the right password. */
static void
test_scram_for_another(void **state)
{
	struct scram sc;

	(void)state;
	write_kinds(0);
	scram_begin_as(&sc, 1, "argon*scram", "pencil");
	scram_finish(&sc, 1);
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "not-master");
	scram_free(&sc);
}

/* A password that is taken away while its proof is under way opens nothing, also
 * if nobody else has come and seen the new file. */
static void
test_scram_password_taken_away(void **state)
{
	struct scram sc;
	int store;

	(void)state;
	for (uint64_t sid = 1; sid < 3; sid++) {
		write_kinds(1);
		scram_begin_as(&sc, sid, "scram", "pencil");
		scram_finish(&sc, sid);
		await_said(sid, &sc.said);
		replace_users(sid == 1 ? "scram:{PLAIN}new\n" : "x:*\n");
		sasl_step(sid, "", 0);
		await_check();
		send_users(rig.users);
		refused(sid, SIGN_IN_CREDENTIALS, "changed");
		scram_free(&sc);
	}
	/* Another change does not matter. */
	write_kinds(1);
	scram_begin_as(&sc, 3, "scram", "pencil");
	scram_finish(&sc, 3);
	await_said(3, &sc.said);
	utimensat(AT_FDCWD, rig.users, NULL, 0);
	sasl_step(3, "", 0);
	await_check();
	send_users(NULL);
	opened(3, &store);
	scram_free(&sc);
}

/* Who signed in from an address does not wait for others' failures there; that
 * is for one try, as a proof cannot be looked at beforehand. */
static void
test_scram_waits_after_a_failure(void **state)
{
	static const char first[] = "n,,n=scram,r=anything";
	struct scram sc;
	int store;

	(void)state;
	write_kinds(1);
	for (uint64_t sid = 1; sid < 4; sid++) {
		scram_begin_as(&sc, sid, "scram", sid < 3 ? "pencil" : "wrong");
		scram_finish(&sc, sid);
		if (sid < 3) {
			await_said(sid, &sc.said);
			sasl_step(sid, "", 0);
			opened(sid, &store);
		}
		scram_free(&sc);
		if (sid > 1)
			continue;
		pass(10, "nobody", "x");
		answer_unchanged();
		about(0, IPC_SIGN_IN_END, 10);
	}
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 3);
	sasl(4, "SCRAM-SHA-256", first, strlen(first));
	assert_silent(rig.pop3_fd[0], QUIET);
	await_said(4, &sc.said);
}

/* Proofs that are sent at once are looked at one by one, too; and one who has been
 * told the salt, and says nothing, keeps nobody waiting. */
static void
test_scram_burst(void **state)
{
	uint64_t begun;
	struct scram sc[4];
	int store;

	(void)state;
	write_kinds(1);
	for (uint64_t sid = 0; sid < 4; sid++)
		scram_begin_as(&sc[sid], sid, "scram", "wrong");
	begun = clock_ms();
	for (uint64_t sid = 1; sid < 4; sid++)
		scram_finish(&sc[sid], sid);
	expect_one_guess(begun, 1, 0);
	expect_one_guess(begun, 2, 1000);
	about(0, IPC_SIGN_IN_END, 1);
	about(0, IPC_SIGN_IN_END, 2);
	about(0, IPC_SIGN_IN_END, 3);
	pass(4, "scram", "pencil");
	opened(4, &store);
	for (uint64_t sid = 0; sid < 4; sid++)
		scram_free(&sc[sid]);
}

static void
expect_served(const char *names)
{
	assert_silent(rig.pop3_fd[0], QUIET);
	assert_string_equal(rig.served, names);
}

/* Also after a change that the times of the file do not tell of. */
static void
test_served_in_the_same_tick(void **state)
{
	bool told = true;
	int store;

	(void)state;
	write_users(rig.users, "anna:{PLAIN}never\nbob@b.org:" CHEAP "\n");
	for (uint64_t i = 0; told && i < 50; i++) {
		change_in_place("anna:{PLAIN}first\n", "anna:{FOO}firstxx\n");
		usleep(QUIET * 1000);
		pass(i, "bob@b.org", "secret");
		if ((told = is_parent_asked()))
			answer_unchanged();
		opened(i, &store);
	}
	assert_false(told);
	expect_served("PLAIN LOGIN ");
}

/* What is announced is what somebody could use. */
static void
test_served(void **state)
{
	(void)state;
	expect_served("APOP SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 "
		      "SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5 ");
	write_kinds(1);
	expect_served("SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN ");
	write_kinds(2);
	expect_served("PLAIN LOGIN ");
	sasl(1, "SCRAM-SHA-256", NULL, 0);
	refused(1, SIGN_IN_MALFORMED, "mechanism");
	sasl(2, "EXTERNAL", "", 0);
	refused(2, SIGN_IN_MALFORMED, "mechanism");
	sasl(3, "ANONYMOUS", "", 0);
	refused(3, SIGN_IN_MALFORMED, "mechanism");
}

static void
test_sasl(void **state)
{
	int store;

	(void)state;
	/* S-4616-02, S-LOGIN-01, S-LOGIN-02 */
	sasl(1, "PLAIN", "\0anna\0secret", 12);
	opened(1, &store);
	sasl(2, "plain", NULL, 0);
	expect_challenge(2, "");
	sasl_step(2, "ANNA\0anna@d.org\0secret", 22);
	opened(2, &store);
	sasl(3, "LOGIN", NULL, 0);
	expect_challenge(3, "Username:");
	sasl_step(3, "anna", 4);
	expect_challenge(3, "Password:");
	sasl_step(3, "secret", 6);
	opened(3, &store);
	sasl(4, "LOGIN", "bob@b.org", 9);
	expect_challenge(4, "Password:");
	sasl_step(4, "secret", 6);
	opened(4, &store);
	/* A cancelled one, then another in the same session. */
	sasl(5, "LOGIN", NULL, 0);
	expect_challenge(5, "Username:");
	about(0, IPC_SIGN_IN_END, 5);
	sasl(5, "PLAIN", "\0anna\0secret", 12);
	opened(5, &store);
}

static void
test_sasl_refused(void **state)
{
	(void)state;
	sasl(1, "PLAIN", "\0anna\0wrong", 11);
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "password");
	/* S-5034-10: nobody acts for another. */
	sasl(2, "PLAIN", "bob\0anna\0secret", 15);
	refused(2, SIGN_IN_CREDENTIALS, "authzid");
	sasl(3, "PLAIN", "\0anna", 5); /* S-4616-01 */
	refused(3, SIGN_IN_MALFORMED, "malformed");
	sasl(4, "PLAIN", "", 0); /* M-20 */
	refused(4, SIGN_IN_MALFORMED, "malformed");
	sasl(5, "XOAUTH2", NULL, 0);
	refused(5, SIGN_IN_MALFORMED, "mechanism");
	sasl(6, "LOGIN", "\xff", 1);
	refused(6, SIGN_IN_MALFORMED, "malformed");
	assert_non_null(strstr(log_text(), "method=PLAIN code=malformed"));
}

/* ---- certificates of clients ---- */

struct signer {
	X509 *x;
	EVP_PKEY *key;
};

struct owner {
	const char *name;
	size_t name_n;
	long seconds;
	const char *usage; /* NULL: any */
};

/* issuer: NULL if it signs itself. */
static struct signer
sign(struct owner o, const struct signer *issuer)
{
	struct signer s = { X509_new(), EVP_EC_gen("P-256") };
	X509_EXTENSION *usage = NULL;

	X509_set_version(
	    s.x, o.usage != NULL ? X509_VERSION_3 : X509_VERSION_1);
	X509_gmtime_adj(X509_getm_notBefore(s.x), -1000000);
	X509_gmtime_adj(X509_getm_notAfter(s.x), o.seconds);
	X509_set_pubkey(s.x, s.key);
	X509_NAME_add_entry_by_NID(X509_get_subject_name(s.x), NID_commonName,
	    MBSTRING_ASC, (const unsigned char *)o.name, (int)o.name_n, -1, 0);
	X509_set_issuer_name(
	    s.x, X509_get_subject_name(issuer != NULL ? issuer->x : s.x));
	if (o.usage != NULL) {
		usage =
		    X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, o.usage);
		X509_add_ext(s.x, usage, -1);
		X509_EXTENSION_free(usage);
	}
	assert_true(X509_sign(s.x, issuer != NULL ? issuer->key : s.key,
			EVP_sha256()) > 0);
	return s;
}

static void
signer_free(struct signer *s)
{
	X509_free(s->x);
	EVP_PKEY_free(s->key);
}

static void
send_client_ca(const struct signer *ca)
{
	FILE *f = tmpfile();

	assert_true(PEM_write_X509(f, ca->x) == 1 && fflush(f) == 0);
	rewind(f);
	ipc_begin(rig.ctl, IPC_CLIENT_CA);
	ipc_put_fd(rig.ctl, fileno(f), false);
	sent_before_others(rig.ctl);
	fclose(f);
}

/* more: octets behind the certificate. */
static void
external(uint64_t sid, struct owner o, const struct signer *issuer, size_t more,
    const char *authzid)
{
	struct signer s = sign(o, issuer);
	unsigned char der[CLIENT_CERT_MAX] = { 0 }, *p = der;
	int n = i2d_X509(s.x, &p);

	assert_true(n > 0);
	sasl_with(sid, "EXTERNAL",
	    (struct slice){ (const char *)der, (size_t)n + more }, authzid,
	    strlen(authzid));
	signer_free(&s);
}

#define OWNER(name) name, sizeof(name) - 1

/* Whatever a worker says that a client has shown. */
static void
test_external(void **state)
{
	static const struct owner anna = { OWNER("anna@d.org"), 1000, NULL };
	static const struct owner authority = { OWNER("ca"), 1000, NULL };
	static const struct owner bad[] = {
		{ OWNER("anna@d.org"), -1000, NULL },
		{ OWNER("anna@d.org"), 1000, "serverAuth" },
		{ OWNER("anna@d.org\0.example"), 1000, NULL },
		{ OWNER(""), 1000, NULL },
	};
	struct auth_conf conf = usual();
	struct signer ca = sign(authority, NULL), other = sign(authority, NULL);
	uint64_t sid = 10;
	int store;

	(void)state;
	conf.client_name = CLIENT_NAME_CN;
	start(&conf);
	send_client_ca(&ca);
	external(1, anna, &ca, 0, "");
	opened(1, &store);
	external(2, anna, &ca, 0, "ANNA");
	opened(2, &store);
	/* S-4422-02: nobody acts for another. */
	external(3, anna, &ca, 0, "own");
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "authzid");
	external(4, anna, &other, 0, "");
	refused(4, SIGN_IN_CREDENTIALS, "certificate");
	external(5, anna, NULL, 0, "");
	refused(5, SIGN_IN_CREDENTIALS, "certificate");
	external(6, anna, &ca, 1, "");
	refused(6, SIGN_IN_CREDENTIALS, "certificate");
	sasl(7, "EXTERNAL", "", 0);
	refused(7, SIGN_IN_CREDENTIALS, "certificate");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++, sid++) {
		external(sid, bad[i], &ca, 0, "");
		refused(sid, SIGN_IN_CREDENTIALS, "certificate");
	}
	signer_free(&ca);
	signer_free(&other);
}

static void
apop(unsigned pop3, uint64_t sid, const char *name, const char *timestamp,
    const char *password)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestInit_ex(ctx, EVP_md5(), NULL), 1);
	EVP_DigestUpdate(ctx, timestamp, strlen(timestamp));
	EVP_DigestUpdate(ctx, password, strlen(password));
	EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	begin_sign_in(pop3, IPC_APOP, sid, "192.0.2.1");
	ipc_put_str(rig.pop3[pop3], name);
	ipc_put_str(rig.pop3[pop3], timestamp);
	ipc_put_bytes(rig.pop3[pop3], digest, APOP_DIGEST);
	sent(rig.pop3[pop3]);
}

static const char *
stamp(unsigned n)
{
	static char out[64];

	snprintf(out, sizeof(out), "<%016llx%016x@host>",
	    (unsigned long long)rig.half, n);
	return out;
}

static void
test_apop(void **state)
{
	int store;

	(void)state;
	write_users(rig.users, "mrose:{PLAIN}tanstaaf\nbob:" CHEAP "\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], SOON / 10);
	apop(0, 1, "mrose", stamp(1), "tanstaaf");
	opened(1, &store);
	apop(0, 2, "mrose", stamp(2), "wrong");
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
	apop(0, 3, "bob", stamp(3), "secret");
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "password");
	apop(0, 4, "nobody", stamp(4), "tanstaaf");
	answer_unchanged();
	refused(4, SIGN_IN_CREDENTIALS, "unknown-user");
	/* Its timestamp could be tried again after that. */
	apop(0, 2, "mrose", stamp(2), "tanstaaf");
	opened(2, &store);
}

/* Who signed in from an address does not wait for others' failures there, as by
 * any mechanism that does not send the password. */
static void
test_apop_does_not_wait_for_others(void **state)
{
	int store;

	(void)state;
	skip_served(rig.pop3_fd[0], SOON / 10);
	apop(0, 1, "anna", stamp(1), "secret");
	opened(1, &store);
	pass(2, "nobody", "x");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 2);
	pass_from(1, 10, "192.0.2.1", "same", "secret");
	for (unsigned i = 3; i < 6; i++) {
		apop(0, i, "anna", stamp(i), "secret");
		opened(i, &store);
	}
	opened(10, &store);
	/* It is for one try. */
	apop(0, 6, "anna", stamp(6), "guess");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 6);
	apop(0, 7, "anna", stamp(7), "secret");
	assert_silent(rig.store_fd[0], QUIET);
	assert_silent(rig.store_fd[1], 0);
	opened(7, &store);
}

/* Whoever has broken into a worker cannot use a digest that it has seen, nor one
 * for a timestamp that it has chosen. */
static void
test_apop_again(void **state)
{
	int store;

	(void)state;
	write_users(rig.users, "mrose:{PLAIN}tanstaaf\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], SOON / 10);
	apop(0, 1, "mrose", stamp(1), "tanstaaf");
	opened(1, &store);
	apop(0, 1, "mrose", stamp(1), "tanstaaf");
	refused(1, SIGN_IN_TEMPORARY, "timestamp");
	apop(0, 2, "mrose", stamp(1), "tanstaaf");
	refused(2, SIGN_IN_TEMPORARY, "timestamp");
	/* RFC 1939 s7 */
	apop(0, 3, "mrose", "<1896.697170952@dbc.mtview.ca.us>", "tanstaaf");
	refused(3, SIGN_IN_TEMPORARY, "timestamp");
	apop(0, 4, "mrose", "", "tanstaaf");
	refused(4, SIGN_IN_TEMPORARY, "timestamp");
	apop(0, 5, "mrose", stamp(5), "tanstaaf");
	opened(5, &store);
}

/* Who has remembered many digests forgets them with their half, and all workers
 * have another one. */
static void
test_apop_turns(void **state)
{
	uint64_t half, sid = 0;
	int store;

	(void)state;
	write_users(rig.users, "mrose:{PLAIN}tanstaaf\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], SOON / 10);
	skip_served(rig.pop3_fd[1], 0);
	half = rig.half;
	do {
		assert_in_range(++sid, 1, 100000);
		apop(0, sid, "mrose", stamp((unsigned)sid), "tanstaaf");
		opened(sid, &store);
		skip_served(rig.pop3_fd[0], 0);
	} while (rig.half == half);
	apop(0, 1, "mrose", stamp(1), "tanstaaf");
	opened(1, &store);
	half = rig.half;
	rig.half = 0;
	skip_served(rig.pop3_fd[1], SOON / 10);
	assert_int_equal(rig.half, half);
}

/* ---- what a line of the users file forbids ---- */

static void
test_switches(void **state)
{
	int store;

	(void)state;
	replace_users("off:{PLAIN}secret::::::nologin\n"
		      "imap:{PLAIN}secret::::::malote_pop3=no\n"
		      "safe:{PLAIN}secret::::::malote_tls=yes\n"
		      "look:{PLAIN}secret::::::malote_read_only=yes\n");
	send_users(rig.users);
	pass(1, "off", "secret");
	refused(1, SIGN_IN_SWITCHED_OFF, "nologin");
	pass(2, "imap", "secret");
	refused(2, SIGN_IN_SWITCHED_OFF, "pop3-off");
	pass(3, "safe", "secret");
	refused(3, SIGN_IN_TLS_ONLY, "tls-only");
	rig.tls = true;
	pass(4, "safe", "secret");
	assert_false(opened(4, &store).read_only);
	rig.tls = false;
	sasl(5, "PLAIN", "\0safe\0secret", 12);
	refused(5, SIGN_IN_TLS_ONLY, "tls-only");
	pass(6, "look", "secret");
	assert_true(opened(6, &store).read_only);
	/* Who has not the password does not learn of it. */
	pass(7, "off", "wrong");
	answer_unchanged();
	refused(7, SIGN_IN_CREDENTIALS, "password");
}

/* From elsewhere the right password is as wrong as another one, and takes as
 * long, also when it has been verified lately. */
static void
test_allow_nets(void **state)
{
	char text[SCHEME_STORED_MAX + 64];
	uint64_t t, took[2];
	int store;

	(void)state;
	snprintf(text, sizeof(text),
	    "c:%s::::::allow_nets=192.0.2.0/24,2001:db8::/32\n", rig.costly);
	replace_users(text);
	send_users(rig.users);
	pass(1, "c", "other secret");
	opened(1, &store);
	pass_from(0, 2, "2001:db8::1", "c", "other secret");
	opened(2, &store);
	for (uint64_t i = 0; i < 2; i++) {
		t = clock_ms();
		pass_from(0, 3 + i, "192.0.3.1", "c",
		    i == 0 ? "other secret" : "wrong");
		answer_unchanged();
		refused(3 + i, SIGN_IN_CREDENTIALS, "allow_nets");
		took[i] = clock_ms() - t;
	}
	if (took[0] * 3 < took[1])
		fail_msg("right: %u ms, wrong: %u ms", (unsigned)took[0],
		    (unsigned)took[1]);
}

/* The line that counts is the one that is there when the password has been
 * verified. */
static void
test_forbidden_meanwhile(void **state)
{
	static const char *const words[] = { "allow_nets=::1", "nologin" };
	char text[SCHEME_STORED_MAX + 64];

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "c%d:%s\n", (int)i, rig.costly);
		replace_users(text);
		send_users(rig.users);
		snprintf(text, sizeof(text), "c%d", (int)i);
		pass(i, text, "other secret");
		usleep(QUIET * 1000 / 5);
		snprintf(text, sizeof(text), "c%d:%s::::::%s\n", (int)i,
		    rig.costly, words[i]);
		replace_users(text);
		send_users(rig.users);
		if (i == 0)
			answer_unchanged();
		refused(i, i == 0 ? SIGN_IN_CREDENTIALS : SIGN_IN_SWITCHED_OFF,
		    i == 0 ? "allow_nets" : "nologin");
	}
}

/* ---- app passwords ---- */

#define PHONE  "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"
#define LAPTOP "bbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbb"
#define OLD    "cccc-cccc-cccc-cccc-cccc-cccc-cccc"

static void
add_app(struct app_database *db, const char *user, const char *label,
    const char *typed, const char *networks, uint64_t until)
{
	uint8_t digest[APP_DIGEST];
	char secret[APP_SECRET];

	assert_true(
	    app_secret_read(secret, (struct slice){ typed, strlen(typed) }));
	app_secret_digest(digest, app_database_salt(db), secret);
	assert_int_equal(app_database_add(db,
			     &(struct app_row){
				 user, label, "", networks, 1, until, digest },
			     NULL),
	    E_OK);
}

/* As malotectl does it.  label: the one that is left out, or NULL. */
static void
replace_apps(const char *label)
{
	struct app_database *db;
	char tmp[96], *image;
	unsigned removed;
	size_t n;
	FILE *f;

	assert_int_equal(app_database_init(), E_OK);
	assert_int_equal(
	    app_database_open(&db, (struct slice){ NULL, 0 }, NULL), E_OK);
	add_app(db, "anna", "phone", PHONE, "", 0);
	add_app(db, "bob@b.org", "laptop", LAPTOP, "192.0.2.0/24", 0);
	add_app(db, "anna", "old", OLD, "", 1000);
	add_app(
	    db, "zed", "phone", "dddd-dddd-dddd-dddd-dddd-dddd-dddd", "", 0);
	if (label != NULL)
		assert_int_equal(
		    app_database_remove(db, "anna", label, &removed, NULL),
		    E_OK);
	assert_int_equal(app_database_image(db, &image, &n, NULL), E_OK);
	app_database_close(db);
	snprintf(tmp, sizeof(tmp), "%s.new", rig.apps);
	f = fopen(tmp, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(image, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(tmp, rig.apps), 0);
	free(image);
}

static void
test_app_passwords(void **state)
{
	int store;

	(void)state;
	/* The first one that there is: found when the password seems wrong. */
	pass(1, "anna", PHONE);
	await_check();
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	opened(1, &store);
	succeeds(2, "ANNA", "AAAAaaaa aaaa-aaaaaaaaaaaaaaaa");
	succeeds(3, "bob@b.org", LAPTOP);
	sasl(4, "PLAIN", "\0anna\0" PHONE, 40);
	opened(4, &store);
	succeeds(5, "anna", "secret"); /* as before */
	assert_non_null(strstr(log_text(),
	    "ev=app-password sid=0.1 user=anna@d.org label=\"phone\"\n"));
	/* Not another's, not from elsewhere, not when it is over, and not of
	 * who is locked out: wrong, as any other. */
	pass(6, "bob@b.org", PHONE);
	answer_unchanged();
	refused(6, SIGN_IN_CREDENTIALS, "password");
	pass_from(0, 7, "192.0.3.1", "bob@b.org", LAPTOP);
	answer_unchanged();
	refused(7, SIGN_IN_CREDENTIALS, "app-password-network");
	pass(8, "anna", OLD);
	answer_unchanged();
	refused(8, SIGN_IN_CREDENTIALS, "app-password-expired");
	pass(9, "zed", "dddd-dddd-dddd-dddd-dddd-dddd-dddd");
	answer_unchanged();
	refused(9, SIGN_IN_CREDENTIALS, "locked");
	pass(10, "nobody", PHONE);
	answer_unchanged();
	refused(10, SIGN_IN_CREDENTIALS, "unknown-user");
	assert_null(strstr(log_text(), "ev=app-password "));
}

static void
test_app_password_revoked(void **state)
{
	(void)state;
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	succeeds(1, "anna", PHONE);
	assert_silent(rig.ctl_fd, QUIET);
	/* We see that the file is another one, and wait for the parent. */
	replace_apps("phone");
	pass(2, "anna", PHONE);
	await_check();
	send_both(NULL, rig.apps);
	refused(2, SIGN_IN_CREDENTIALS, "password");
	/* There is no such file any more. */
	succeeds(3, "bob@b.org", LAPTOP);
	assert_int_equal(unlink(rig.apps), 0);
	pass(4, "bob@b.org", LAPTOP);
	await_check();
	ipc_begin(rig.ctl, IPC_USERS);
	ipc_put_u8(rig.ctl, USERS_SAME);
	ipc_put_u8(rig.ctl, USERS_NONE);
	sent(rig.ctl);
	refused(4, SIGN_IN_CREDENTIALS, "password");
	succeeds(5, "anna", "secret");
	assert_silent(rig.ctl_fd, QUIET);
}

/* A database that cannot be read: nobody is told that an app password is wrong,
 * and other passwords are what they were. */
static void
test_app_passwords_unread(void **state)
{
	(void)state;
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	succeeds(1, "anna", PHONE);
	write_users(rig.apps, "this is none");
	send_both(NULL, rig.apps);
	pass(2, "anna", PHONE);
	refused(2, SIGN_IN_TEMPORARY, "app-passwords");
	pass(3, "nobody", PHONE);
	refused(3, SIGN_IN_TEMPORARY, "app-passwords");
	succeeds(4, "anna", "secret");
	assert_non_null(strstr(log_text(), "ev=app-passwords-unread"));
	write_users(rig.apps, "");
	send_both(NULL, rig.apps);
	pass(5, "anna", PHONE);
	refused(5, SIGN_IN_TEMPORARY, "app-passwords");
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	succeeds(6, "anna", PHONE);
}

/* What was added while a password was verified is looked at, too. */
static void
test_app_password_added_meanwhile(void **state)
{
	char text[SCHEME_STORED_MAX + 64];
	int store;

	(void)state;
	snprintf(text, sizeof(text), "anna:%s\n", rig.costly);
	replace_users(text);
	send_users(rig.users);
	pass(1, "anna", PHONE);
	usleep(QUIET * 1000 / 5);
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	opened(1, &store);
}

/* ---- masters ---- */

static void
write_masters(const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "anna:{PLAIN}secret::::::nologin\n"
	    "look:{PLAIN}secret::::::malote_read_only=yes\n"
	    "bob:{PLAIN}secret\n"
	    "boss:{PLAIN}open sesame::::::malote_master=yes %s\n"
	    "viewer:{PLAIN}open sesame::::::malote_master=yes "
	    "malote_read_only=yes\n",
	    more);
	replace_users(text);
	send_users(rig.users);
}

static struct opened
opened_for(uint64_t sid, const char *user)
{
	int store;
	struct opened o = opened(sid, &store);

	assert_string_equal(o.user, user);
	return o;
}

static void
test_master(void **state)
{
	struct opened o;

	(void)state;
	write_masters("");
	pass(1, "Anna*BOSS", "open sesame");
	o = opened_for(1, "anna@d.org");
	assert_string_equal(o.mail, "maildir:/srv/mail/d.org/anna");
	assert_false(o.read_only);
	assert_non_null(strstr(log_text(), "ev=master sid=0.1 ip=192.0.2.1 "
					   "method=PASS user=anna@d.org "
					   "master=boss@d.org\n"));
	/* By PLAIN's other name, also where both say the same. */
	sasl(2, "PLAIN", "bob\0boss\0open sesame", 20);
	opened_for(2, "bob@d.org");
	sasl(3, "PLAIN", "bob*boss\0bob*boss\0open sesame", 29);
	opened_for(3, "bob@d.org");
	sasl(4, "PLAIN", "bob\0bob*boss\0open sesame", 24);
	opened_for(4, "bob@d.org");
	sasl(5, "PLAIN", "boss\0boss\0open sesame", 21);
	opened_for(5, "boss@d.org");
	sasl(6, "LOGIN", "bob*boss", 8);
	expect_challenge(6, "Password:");
	sasl_step(6, "open sesame", 11);
	opened_for(6, "bob@d.org");
	/* What shall not be removed is removed by nobody. */
	pass(7, "look*boss", "open sesame");
	assert_true(opened_for(7, "look@d.org").read_only);
	pass(8, "bob*viewer", "open sesame");
	assert_true(opened_for(8, "bob@d.org").read_only);
	pass(9, "boss", "open sesame");
	opened_for(9, "boss@d.org");
}

static void
test_no_master(void **state)
{
	static const struct {
		const char *name, *password, *why;
	} v[] = {
		{ "bob*bob", "secret", "not-master" },
		{ "anna*bob", "secret", "not-master" },
		{ "nobody*bob", "secret", "not-master" },
		{ "bob*boss", "secret", "password" }, /* bob's own */
		{ "bob*nobody", "open sesame", "unknown-user" },
		{ "nobody*boss", "open sesame", "unknown-target" },
		{ "boss*bob", "open sesame", "not-master" },
	};

	(void)state;
	write_masters("");
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		pass(i, v[i].name, v[i].password);
		if (strcmp(v[i].why, "unknown-target") != 0)
			answer_unchanged();
		refused(i, SIGN_IN_CREDENTIALS, v[i].why);
	}
	assert_non_null(strstr(log_text(), "user=boss@d.org ip=192.0.2.1 "
					   "method=PASS code=auth "
					   "why=unknown-target "
					   "target=nobody@d.org\n"));
	pass(20, "*boss", "open sesame");
	refused(20, SIGN_IN_CREDENTIALS, "bad-name");
	pass(21, "bob*", "open sesame");
	refused(21, SIGN_IN_CREDENTIALS, "bad-name");
	pass(22, "../x*boss", "open sesame");
	refused(22, SIGN_IN_CREDENTIALS, "bad-name");
	pass(23, "anna*bob*boss", "open sesame");
	refused(23, SIGN_IN_CREDENTIALS, "bad-name");
	sasl(24, "PLAIN", "bob\0look*boss\0open sesame", 25);
	refused(24, SIGN_IN_CREDENTIALS, "authzid");
	sasl(25, "PLAIN", "anna\0bob\0secret", 15);
	answer_unchanged();
	refused(25, SIGN_IN_CREDENTIALS, "not-master");
	/* A device's password is for its user's mail. */
	replace_apps(NULL);
	write_masters("");
	send_both(NULL, rig.apps);
	replace_users("anna:{PLAIN}x::::::malote_master=yes\nbob:{PLAIN}x\n");
	send_users(rig.users);
	succeeds(26, "anna", PHONE);
	pass(27, "bob*anna", PHONE);
	answer_unchanged();
	refused(27, SIGN_IN_CREDENTIALS, "password");
}

/* A master's own line holds for whatever he signs in to. */
static void
test_master_restricted(void **state)
{
	(void)state;
	write_masters("allow_nets=192.0.2.0/24 malote_tls=yes");
	pass_from(0, 1, "192.0.3.1", "bob*boss", "open sesame");
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "allow_nets");
	pass(2, "bob*boss", "open sesame");
	refused(2, SIGN_IN_TLS_ONLY, "tls-only");
	rig.tls = true;
	pass(3, "bob*boss", "open sesame");
	opened_for(3, "bob@d.org");
	rig.tls = false;
	write_masters("nologin");
	pass(4, "bob*boss", "open sesame");
	refused(4, SIGN_IN_SWITCHED_OFF, "nologin");
}

/* Nobody is one where the setting does not say so. */
static void
test_masters_off(void **state)
{
	(void)state;
	write_masters("");
	pass(1, "bob*boss", "open sesame");
	refused(1, SIGN_IN_CREDENTIALS, "bad-name");
	sasl(2, "PLAIN", "bob\0boss\0open sesame", 20);
	refused(2, SIGN_IN_CREDENTIALS, "authzid");
}

/* ---- who misbehaves ---- */

static enum err
take_misbehaved(void *arg, struct ipc_in *in)
{
	uint16_t *who = arg;

	who[0] = ipc_get_u8(in);
	who[1] = ipc_get_u16(in);
	return ipc_get_end(in);
}

static void
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

static void
test_misbehaved(void **state)
{
	static const char *const what[] = { "short", "unknown", "two at once",
		"step of none", "step of a password", "descriptor",
		"apop digest", "octets behind" };

	(void)state;
	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		struct ipc_chan *c = rig.pop3[1];

		switch (i) {
		case 0: ipc_begin(c, IPC_PASS); break;
		case 1: ipc_begin(c, 9999); break;
		case 2:
			sasl(1, "LOGIN", NULL, 0); /* on the other: fine */
			expect_challenge(1, "Username:");
			pass_from(1, 1, "::1", "own", "secret");
			expect_wanted(1000, 1001);
			pass_from(1, 1, "::1", "own", "secret");
			break;
		case 3:
			ipc_begin(c, IPC_SASL_STEP);
			ipc_put_u64(c, 1);
			ipc_put_str(c, "x");
			break;
		case 4:
			pass_from(1, 1, "::1", "own", "secret");
			expect_wanted(1000, 1001);
			ipc_begin(c, IPC_SASL_STEP);
			ipc_put_u64(c, 1);
			ipc_put_str(c, "x");
			break;
		case 5:
			ipc_begin(c, IPC_SIGN_IN_END);
			ipc_put_u64(c, 1);
			ipc_put_fd(c, rig.log_fd, FD_STAYS);
			break;
		case 6:
			begin_sign_in(1, IPC_APOP, 1, "::1");
			ipc_put_str(c, "anna");
			ipc_put_str(c, "<x>");
			ipc_put_str(c, "too short");
			break;
		default:
			ipc_begin(c, IPC_SIGN_IN_END);
			ipc_put_u64(c, 1);
			ipc_put_u8(c, 0);
			break;
		}
		if (i != 2)
			sent(c);
		expect_misbehaved(ROLE_WORKER, 1, rig.pop3_fd[1]);
		ipc_close(c);
		rig.pop3_fd[1] = attach(ROLE_WORKER, 1);
		rig.pop3[1] =
		    ipc_open(rig.loop, rig.pop3_fd[1], &no_rules, NULL, true);
		/* The others go on. */
		succeeds(100 + i, "anna", "secret");
	}
	no_store(1000, 1001);
	assert_silent(rig.pop3_fd[1], QUIET);
	assert_int_equal(write(rig.store_fd[0], "x", 1), 1);
	expect_misbehaved(ROLE_STORE, 0, rig.store_fd[0]);
}

static void
no_worker(int store, uint16_t worker, uint64_t sid)
{
	struct ipc_chan *c = ipc_open(
	    rig.loop, dup(rig.store_fd[store]), &no_rules, NULL, false);

	ipc_begin(c, IPC_NO_WORKER);
	ipc_put_u16(c, worker);
	ipc_put_u64(c, sid);
	sent_before_others(c);
	ipc_close(c);
}

/* A store cannot reach the worker; of others' sign-ins it can say nothing. */
static void
test_no_worker(void **state)
{
	struct opened o;
	int store;

	(void)state;
	pass_from(1, 4, "::1", "anna", "secret");
	o = opened(4, &store);
	assert_int_equal(o.pop3, 1);
	no_worker(1 - store, 1, 4);
	no_worker(store, 0, 4);
	no_worker(store, 1, 5);
	no_worker(store, POP3S, 4);
	assert_silent(rig.pop3_fd[1], QUIET);
	assert_silent(rig.pop3_fd[0], 0);
	no_worker(store, 1, 4);
	refused_at(1, 4, SIGN_IN_TEMPORARY, NULL);
	no_worker(store, 1, 4); /* it is over */
	assert_silent(rig.pop3_fd[1], QUIET);
}

static void
test_pop3_dies(void **state)
{
	(void)state;
	pass_from(1, 1, "::1", "own", "secret");
	expect_wanted(1000, 1001);
	pass_from(1, 2, "::1", "anna", "wrong");
	await_check();
	ipc_close(rig.pop3[1]);
	usleep(QUIET * 1000);
	send_users(NULL);
	no_store(1000, 1001);
	rig.pop3_fd[1] = attach(ROLE_WORKER, 1);
	rig.pop3[1] = ipc_open(rig.loop, rig.pop3_fd[1], &no_rules, NULL, true);
	assert_silent(rig.pop3_fd[1], QUIET);
	succeeds(3, "anna", "secret");
}

/* ---- another scheme ---- */

static enum err
take_row(void *arg, struct ipc_in *in)
{
	memset(arg, 0, sizeof(struct upgrade_row));
	ipc_get_fields(in, &upgrade_row_fields, arg);
	return ipc_get_end(in);
}

static int
set_up_upgrade(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	strcpy(conf.upgrade_scheme, "SCRAM-SHA-1");
	start(&conf);
	return 0;
}

/* What was verified is made anew and handed to the parent; what was not, and
 * what is right already, is not; and nothing when the parent cannot write. */
static void
test_upgrade(void **state)
{
	struct upgrade_row row;
	char made[SCHEME_STORED_MAX], text[1024];
	int store;

	(void)state;
	pass(1, "anna", "wrong");
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "password");
	succeeds(2, "Anna", "secret");
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_UPGRADE, SOON, take_row, &row), E_OK);
	assert_string_equal(row.user, "anna@d.org");
	assert_string_equal(row.was, "{PLAIN}secret");
	assert_memory_equal(row.hash, "{SCRAM-SHA-1}", 13);
	assert_int_equal(scheme_verify(row.hash, "secret"), E_OK);
	strcpy(made, row.hash);
	sasl(3, "PLAIN", "\0bob@b.org\0secret", 17);
	opened(3, &store);
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_UPGRADE, SOON, take_row, &row), E_OK);
	assert_string_equal(row.user, "bob@b.org");
	assert_string_equal(row.was, CHEAP);
	snprintf(text, sizeof(text), "anna:%s\nbob@b.org:" CHEAP "\n", made);
	replace_users(text);
	send_users(rig.users);
	succeeds(4, "anna", "secret");
	assert_silent(rig.ctl_fd, QUIET);
	ipc_begin(rig.ctl, IPC_NO_UPGRADE);
	sent_before_others(rig.ctl);
	succeeds(5, "bob@b.org", "secret");
	assert_silent(rig.ctl_fd, 4 * QUIET);
}

/* With old schemes a password with a slip at its end fits: a new hash is not made
 * of that one. */
static void
test_upgrade_of_what_counts(void **state)
{
	static const char a72[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct upgrade_row row;
	char longer[80];

	(void)state;
	replace_users(
	    "des:{CRYPT}abLZt3uEKpz7w\n"
	    "blow:{BLF-CRYPT}$2y$04$"
	    "abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe\n");
	send_users(rig.users);
	snprintf(longer, sizeof(longer), "%sx", a72);
	succeeds(1, "des", "secretpwx");
	succeeds(2, "blow", longer);
	assert_silent(rig.ctl_fd, 4 * QUIET);
	succeeds(3, "des", "secretpw");
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_UPGRADE, SOON, take_row, &row), E_OK);
	assert_string_equal(row.user, "des@d.org");
	succeeds(4, "blow", a72);
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_UPGRADE, SOON, take_row, &row), E_OK);
	assert_string_equal(row.user, "blow@d.org");
}

static void
test_stop(void **state)
{
	(void)state;
	ipc_begin(rig.ctl, IPC_STOP);
	ipc_put_u32(rig.ctl, 1000);
	sent(rig.ctl);
	succeeds(1, "anna", "secret");
}

/* Some 50 ms of Argon2, or what the machine makes of it. */
static int
make_costly(void **state)
{
	(void)state;
	alarm(110);
	return scheme_init() == E_OK && scheme_make("ARGON2ID", "other secret",
					    rig.costly, NULL) == E_OK
		   ? 0
		   : -1;
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_refused),
		TEST(test_odd_requests),
		TEST(test_misconfigured),
		TEST(test_odd_hash),
		cmocka_unit_test_teardown(test_no_uid, tear_down),
		TEST(test_user_added),
		TEST(test_user_removed),
		TEST(test_hash_changed),
		TEST(test_user_removed_meanwhile),
		TEST(test_checks_are_shared),
		TEST(test_check_unanswered),
		TEST(test_no_users_file),
		TEST(test_users_file_of_zeros),
		TEST(test_bad_lines_are_logged),
		TEST(test_cached),
		TEST(test_cache_ends),
		TEST(test_same_tick),
		TEST(test_unknown_costs_the_same),
		TEST(test_queue_full),
		TEST(test_abandoned),
		cmocka_unit_test_setup_teardown(
		    test_penalty, set_up_penalties, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_giving_up_buys_no_guess, set_up_penalties, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_burst_is_one_guess_at_a_time, set_up_penalties,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_costly_burst, set_up_penalties, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_who_came_lately_does_not_wait, set_up_penalties,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_user_is_held_up_little, set_up_penalties, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_crowd, set_up_penalties, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_cheap_takes_as_long, set_up, tear_down),
		TEST(test_switches),
		TEST(test_allow_nets),
		TEST(test_forbidden_meanwhile),
		cmocka_unit_test_setup_teardown(
		    test_master, set_up_masters, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_no_master, set_up_masters, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_master_restricted, set_up_masters, tear_down),
		TEST(test_masters_off),
		TEST(test_app_passwords),
		TEST(test_app_password_revoked),
		TEST(test_app_passwords_unread),
		TEST(test_app_password_added_meanwhile),
		TEST(test_own_store),
		TEST(test_own_group),
		TEST(test_idle_store),
		TEST(test_no_store),
		TEST(test_store_down),
		TEST(test_store_dies),
		TEST(test_sasl),
		TEST(test_sasl_refused),
		TEST(test_scram_costs_the_same),
		TEST(test_scram_given_up),
		cmocka_unit_test_setup_teardown(
		    test_scram_salt_is_of_the_name, set_up_masters, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_scram_for_another, set_up_masters, tear_down),
		TEST(test_scram_password_taken_away),
		cmocka_unit_test_setup_teardown(
		    test_scram_waits_after_a_failure, set_up_penalties,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    test_scram_burst, set_up_penalties, tear_down),
		TEST(test_served),
		TEST(test_served_in_the_same_tick),
		cmocka_unit_test_teardown(test_external, tear_down),
		TEST(test_apop),
		cmocka_unit_test_setup_teardown(
		    test_apop_does_not_wait_for_others, set_up_penalties,
		    tear_down),
		TEST(test_apop_again),
		TEST(test_apop_turns),
		TEST(test_misbehaved),
		TEST(test_no_worker),
		TEST(test_pop3_dies),
		cmocka_unit_test_setup_teardown(
		    test_upgrade, set_up_upgrade, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_upgrade_of_what_counts, set_up_upgrade, tear_down),
		TEST(test_stop),
	};

	ours = getpid();
	computed = mmap(NULL, sizeof(*computed), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return cmocka_run_group_tests(tests, make_costly, NULL);
}
