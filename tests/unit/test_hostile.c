/*
 * Peers that were broken into: each role in turn hears every message there is,
 * from each of those that it has a channel to, as it should be and not, in any
 * order, again and again, about sessions of its own and of others.
 *
 * It may give the channel up, and go on with a new one.  It must not end, and
 * what other peers and clients have of it must not change.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/close_later.h"
#include "connection.h"
#include "drop.h"
#include "linger.h"
#include "server/auth/auth.h"
#include "server/helper/db.h"
#include "server/helper/net.h"
#include "server/ipc/addrcount.h"
#include "server/ipc/role.h"
#include "server/ipc/sealed.h"
#include "server/store/store.h"
#include "server/worker/worker.h"

enum {
	SOON = 20 * 1000, /* for any answer, however slow the machine */
	ROUNDS = 150,     /* of each message */
	EVERY = 16,       /* so often it is tried whether others are served */
	HONEST = 0,       /* indexes */
	BROKEN = 1,
};

/* Every message between roles: its fields, as numbers of octets, `s` for
 * octets with their length before them, `f` for a descriptor, `e` for one of few
 * values, `r` for the columns of a row. */
static const struct shape {
	uint16_t type;
	const char *name, *fields;
} shapes[] = {
#define SHAPE(name, fields) \
	{ \
		name, #name, fields \
	}
	SHAPE(IPC_PASS, "88fs1ss"),
	SHAPE(IPC_APOP, "88fs1sss"),
	SHAPE(IPC_SASL, "88fs1s11s1s"),
	SHAPE(IPC_SASL_STEP, "8s"),
	SHAPE(IPC_SERVICE, "81s1s1s"),
	SHAPE(IPC_SIGNED_IN, "8s"),
	SHAPE(IPC_SIGN_IN_END, "8"),
	SHAPE(IPC_CHALLENGE, "8s"),
	SHAPE(IPC_KPOP, "88fs1s"),
	SHAPE(IPC_REFUSED, "81ss4"),
	SHAPE(IPC_SERVED, "s84141"),
	SHAPE(IPC_OPEN, "288sss14488"),
	SHAPE(IPC_NO_WORKER, "28"),
	SHAPE(IPC_UNOPENED, "88"),
	SHAPE(IPC_EXPIRE, "ss4"),
	SHAPE(IPC_EXPIRED, ""),
	SHAPE(IPC_RETIRE, ""),
	SHAPE(IPC_RETIRED, "1"),
	SHAPE(IPC_OPENED, "88s4841444"),
	SHAPE(IPC_NOT_OPENED, "881s8s"),
	SHAPE(IPC_INDEX_IS, "818f"),
	SHAPE(IPC_FETCHED, "81411888f"),
	SHAPE(IPC_COMMITTED, "844"),
	SHAPE(IPC_YIELD, "84"),
	SHAPE(IPC_INDEX, "8"),
	SHAPE(IPC_FETCH, "814"),
	SHAPE(IPC_MARKS, "814s"),
	SHAPE(IPC_COMMIT, "8"),
	SHAPE(IPC_RELEASE, "8"),
	SHAPE(IPC_KEEP, "8"),
	SHAPE(IPC_DOUBT, "84"),
	SHAPE(IPC_CLOSED, "88"),
	SHAPE(IPC_TICKET, "81s"),
	SHAPE(IPC_TICKET_END, "8"),
	SHAPE(IPC_TICKET_KEYS, "s"),
	SHAPE(IPC_TICKET_ANSWER, "81ssss"),
	SHAPE(IPC_LOOKUP, "8s"),
	SHAPE(IPC_ROW, "8ers"),
	SHAPE(IPC_VERIFY, "8sss"),
	SHAPE(IPC_TOKEN, "8s"),
	SHAPE(IPC_TOKEN_IS, "8e1ss"),
	SHAPE(IPC_TRIED, "1s"),
	SHAPE(IPC_DB_COMMAND, "4ssssssss"),
	SHAPE(IPC_DB_ROW, "1ss"),
	SHAPE(IPC_DB_DONE, "118s"),
	SHAPE(IPC_SESSIONS_WANTED, "814s28"),
	SHAPE(IPC_SESSIONS, "842"),
	SHAPE(IPC_TRACE, "411s"),
	SHAPE(IPC_MESSAGES, "842"),
	SHAPE(IPC_TRACED, "4814s"),
	/* Of the parent and to it: nobody else may say them. */
	SHAPE(IPC_CONF, ""),
	SHAPE(IPC_ATTACH, "12f"),
	SHAPE(IPC_STOP, "4"),
	SHAPE(IPC_PING, "4"),
	SHAPE(IPC_SETTINGS, "4"),
	SHAPE(IPC_SETTINGS_USE, "1"),
	SHAPE(IPC_USERS, "1f1"),
	SHAPE(IPC_STORE_IS, "244"),
};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static struct {
	pid_t pid;
	struct ev_loop
	    *loop; /* never run: the channel only collects and sends */
	struct ipc_chan *ctl;
	int ctl_fd;
	unsigned accused;
	uint64_t dice;
	uint64_t sid[3];   /* sessions: two of others, and its own */
	bool names_stores; /* the process is auth */
	int worker, store, auth, client, other;
	struct sockaddr_in at; /* of the worker */
	char mail[2][256];     /* the honest peer's maildrop, and another */
} rig;

/* ---- chance, the same each time ---- */

static uint32_t
dice(uint32_t sides)
{
	rig.dice = rig.dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rig.dice >> 33) % sides;
}

static uint64_t
some_number(void)
{
	static const uint64_t odd[] = { 0, 1, 2, 3, 255, UINT32_MAX,
		UINT64_MAX };

	switch (dice(4)) {
	case 0: return dice(UINT32_MAX);
	case 1: return odd[dice(sizeof(odd) / sizeof(odd[0]))];
	default: return dice(4);
	}
}

struct message {
	uint8_t octets[IPC_MSG_MAX];
	size_t n;
	unsigned fds;
	int fd; /* what they are; 0: of no use */
};

static void
put(struct message *m, const void *p, size_t n)
{
	memcpy(m->octets + m->n, p, n);
	m->n += n;
}

static void
put_u(struct message *m, unsigned octets, uint64_t v)
{
	put(m, &v, octets);
}

static void
put_text(struct message *m, const char *text)
{
	put_u(m, 4, strlen(text));
	put(m, text, strlen(text));
}

static void
put_octets(struct message *m)
{
	static const uint32_t lengths[] = { 0, 1, 8, 16, 64, 255, 256, 1024,
		1025, 5000, 20000 };
	uint32_t n = lengths[dice(sizeof(lengths) / sizeof(lengths[0]))];
	static const char *const words[] = { "anna", "LOGIN", "CRAM-MD5",
		"192.0.2.1", "APOP" };
	bool letters = dice(2) == 0;

	if (dice(3) == 0) {
		put_text(m, words[dice(sizeof(words) / sizeof(words[0]))]);
		return;
	}
	put(m, &n, sizeof(n));
	for (uint32_t i = 0; i < n; i++)
		m->octets[m->n++] =
		    (uint8_t)(letters ? 'a' + dice(26) : dice(256));
}

static void
put_row(struct message *m)
{
	static const char *const words[] = { "password", "uid", "gid", "home",
		"user", "anna", "{PLAIN}x", "0", "", "\n", "mail",
		"maildir:/" };
	uint32_t n = dice(8) == 0 ? 33 : dice(4);

	put_u(m, 1, n);
	for (uint32_t i = 0; i < 2 * n; i++)
		put_text(m, words[dice(sizeof(words) / sizeof(words[0]))]);
}

static void
put_field(struct message *m, char field)
{
	/* What has 8 octets is most often a session. */
	uint64_t v =
	    field == '8' && dice(3) != 0 ? rig.sid[dice(3)] : some_number();

	switch (field) {
	case 's': put_octets(m); break;
	case 'f': m->fds++; break;
	case 'e': put_u(m, 1, dice(5)); break;
	case 'r': put_row(m); break;
	default: put(m, &v, (size_t)(field - '0'));
	}
}

static bool
begins_sign_in(uint16_t type)
{
	return type == IPC_PASS || type == IPC_APOP || type == IPC_SASL ||
	       type == IPC_KPOP;
}

/* As it should be but for what is in it, or in one of other ways. */
static void
make(struct message *m, const struct shape *s)
{
	m->n = m->fds = 0;
	/* One in eight is no connection. */
	m->fd = begins_sign_in(s->type) && dice(8) != 0 ? connection() : 0;
	put(m, &s->type, sizeof(s->type));
	for (const char *f = s->fields; *f != '\0'; f++)
		put_field(m, *f);
	switch (dice(12)) {
	case 0: m->n = dice((uint32_t)m->n + 1); break;
	case 1: m->n += 1 + dice(16); break;
	case 2: m->octets[dice((uint32_t)m->n)] = (uint8_t)dice(256); break;
	case 3: m->fds = dice(2) == 0 ? IPC_FDS : 1 + dice(3); break;
	case 4: m->fds = 0; break;
	case 5: m->n = sizeof(m->octets); break;
	default: break;
	}
}

/* False: the other end has given the channel up. */
static bool
say(int fd, const struct message *m)
{
	char ctl[CMSG_SPACE(sizeof(int) * IPC_FDS)] = { 0 };
	struct iovec iov = { (void *)m->octets, m->n };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm = (void *)ctl;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ssize_t sent;

	if (m->fds != 0) {
		h.msg_control = ctl;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * m->fds);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * m->fds);
		for (unsigned i = 0; i < m->fds; i++)
			memcpy(CMSG_DATA(cm) + i * sizeof(int),
			    m->fd != 0 ? &m->fd : &null, sizeof(int));
	}
	sent = sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(null);
	return sent >= 0;
}

/* Takes what has come.  False: the end. */
static bool
swallow(int fd)
{
	static char octets[IPC_MSG_MAX];
	char ctl[CMSG_SPACE(sizeof(int) * IPC_FDS)];
	ssize_t n;

	for (;;) {
		struct iovec iov = { octets, sizeof(octets) };
		struct msghdr h = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = ctl,
			.msg_controllen = sizeof(ctl) };

		n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		for (struct cmsghdr *cm = CMSG_FIRSTHDR(&h); cm != NULL;
		     cm = CMSG_NXTHDR(&h, cm))
			for (size_t i = 0;
			     i < (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			     i++) {
				int got;

				memcpy(&got, CMSG_DATA(cm) + i * sizeof(int),
				    sizeof(got));
				close(got);
			}
	}
}

static void
assert_nothing_came(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	assert_int_equal(poll(&p, 1, 0), 0);
}

/* ---- the parent of the process ---- */

static void
nobody_calls(void *arg, enum err why)
{
}

static const struct ipc_rules no_rules = { NULL, 0, nobody_calls };

static void
sent(void)
{
	assert_int_equal(ipc_end(rig.ctl), E_OK);
	ipc_flush(rig.ctl);
}

/* What the process says to its parent; returns the type. */
static uint16_t
hear_process(void)
{
	uint16_t type[IPC_MSG_MAX / 2] = { 0 };

	if (recv(rig.ctl_fd, type, sizeof(type), 0) <= 0)
		fail_msg("it has ended");
	rig.accused += type[0] == IPC_MISBEHAVED;
	if (type[0] == IPC_USERS_CHECK) { /* they are as they were */
		ipc_begin(rig.ctl, IPC_USERS);
		ipc_put_u8(rig.ctl, USERS_SAME);
		ipc_put_u8(rig.ctl, USERS_SAME);
		sent();
	}
	return type[0];
}

/* Waits until something comes there, and serves the process meanwhile. */
static void
await(int fd)
{
	struct pollfd p[] = { { fd, POLLIN, 0 }, { rig.ctl_fd, POLLIN, 0 } };

	while (p[0].revents == 0) {
		if (poll(p, 2, SOON) <= 0)
			fail_msg("no answer");
		if (p[1].revents != 0)
			(void)hear_process();
	}
}

static void
assert_turns(void)
{
	struct pollfd p = { rig.ctl_fd, POLLIN, 0 };

	ipc_begin(rig.ctl, IPC_PING);
	ipc_put_u32(rig.ctl, 1);
	sent();
	do
		p.revents = 0;
	while (poll(&p, 1, SOON) == 1 && hear_process() != IPC_PONG);
	if (p.revents == 0)
		fail_msg("it does not turn");
}

static int
attach(enum ipc_role role, uint16_t index)
{
	int fd[2];

	assert_int_equal(ipc_pair(fd, NULL), E_OK);
	if (rig.names_stores && role == ROLE_STORE && index == BROKEN) {
		ipc_begin(rig.ctl, IPC_STORE_IS);
		ipc_put_u16(rig.ctl, index);
		ipc_put_u32(rig.ctl, 1000);
		ipc_put_u32(rig.ctl, 1000);
		sent();
	}
	ipc_begin(rig.ctl, IPC_ATTACH);
	ipc_put_u8(rig.ctl, (uint8_t)role);
	ipc_put_u16(rig.ctl, index);
	ipc_put_fd(rig.ctl, fd[1], FD_CLOSED);
	sent();
	assert_turns();
	return fd[0];
}

static enum err
take_none(void *arg, struct ipc_in *in)
{
	return ipc_get_end(in);
}

/* The only process of its role. */
static struct role_conf
our_role(void)
{
	return (struct role_conf){
		.n = 1, .uid = geteuid(), .gid = getegid(), .memory = 1024
	};
}

static void
start(int (*role_main)(int ctl), const struct ipc_fields *fields, void *conf)
{
	int ctl[2];

	memset(&rig, 0, sizeof(rig));
	rig.dice = 20261129;
	assert_int_equal(ipc_pair(ctl, NULL), E_OK);
	if ((rig.pid = fork()) == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO); /* much is logged */
		dup2(ctl[1], ROLE_FD);
		closefrom(ROLE_FD + 1);
		_exit(role_main(ROLE_FD));
	}
	close(ctl[1]);
	rig.ctl_fd = ctl[0];
	rig.loop = ev_loop_new(EVFLAG_AUTO);
	rig.ctl = ipc_open(rig.loop, ctl[0], &no_rules, NULL, false);
	ipc_begin(rig.ctl, IPC_CONF);
	ipc_put_fields(rig.ctl, fields, conf);
	sent();
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_READY, SOON, take_none, NULL), E_OK);
}

static void
finish(void)
{
	int status;

	ipc_close(rig.ctl);
	assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	ev_loop_destroy(rig.loop);
}

/* A new channel, and what the peer may have by it. */
static int
attach_broken(enum ipc_role role, void (*begin)(int fd))
{
	int fd = attach(role, BROKEN);

	if (begin != NULL)
		begin(fd);
	return fd;
}

/* often: the only type that it may say, or 0. */
static const struct shape *
any_shape(uint16_t often)
{
	const struct shape *s = &shapes[dice(SHAPES)];

	if (often != 0 && dice(8) == 0)
		for (s = shapes; s->type != often; s++)
			;
	return s;
}

/* Says everything, by channels that are replaced as often as they are given
 * up. */
static void
say_all(enum ipc_role role, uint16_t often, void (*begin)(int fd),
    void (*unchanged)(void))
{
	struct message *m = malloc(sizeof(*m));
	int fd = attach_broken(role, begin);

	assert_non_null(m);
	rig.accused = 0;
	for (unsigned i = 0; i < SHAPES * ROUNDS; i++) {
		const struct shape *s = any_shape(often);
		unsigned times = 1 + (dice(4) == 0);

		make(m, s);
		while (times-- > 0)
			if (!say(fd, m))
				break;
		assert_turns();
		if (!swallow(fd)) {
			close(fd);
			fd = attach_broken(role, begin);
		}
		if (i % EVERY == 0)
			unchanged();
	}
	free(m);
	close(fd);
	/* Much of it was against the rules, and much was not. */
	assert_in_range(rig.accused, SHAPES, SHAPES * ROUNDS - SHAPES);
}

static void
say_everything(
    enum ipc_role role, void (*begin)(int fd), void (*unchanged)(void))
{
	say_all(role, 0, begin, unchanged);
}

/* A message that is right. */
static struct message *
message(uint16_t type)
{
	static struct message m;

	m.n = m.fds = 0;
	m.fd = 0;
	put(&m, &type, sizeof(type));
	return &m;
}

/* The next message of that type, which must come; another is left out. */
static void
hear(int fd, uint16_t type, void *out, size_t n)
{
	static uint8_t octets[IPC_MSG_MAX];
	uint16_t is = 0;

	while (is != type) {
		await(fd);
		if (recv(fd, octets, sizeof(octets), 0) < (ssize_t)sizeof(is))
			fail_msg("no message %u", type);
		memcpy(&is, octets, sizeof(is));
	}
	memcpy(out, octets + sizeof(is), n);
}

/* ---- auth ---- */

static void
sign_in(uint64_t sid)
{
	struct message *m = message(IPC_PASS);

	put_u(m, 8, sid);
	put_u(m, 8, 99); /* token */
	m->fd = connection();
	m->fds = 1;
	put_text(m, "192.0.2.1");
	put_u(m, 1, 0);
	put_text(m, "anna");
	put_text(m, "secret");
	assert_true(say(rig.worker, m));
}

/* Who signs in by another worker is given to another store, and whom it has it
 * keeps. */
static void
auth_is_unchanged(void)
{
	static uint64_t sid = 100;
	struct {
		uint16_t worker;
		uint64_t sid;
	} __attribute__((packed)) open;

	assert_nothing_came(rig.worker);
	assert_nothing_came(rig.store);
	sign_in(++sid);
	hear(rig.store, IPC_OPEN, &open, sizeof(open));
	assert_int_equal(open.worker, HONEST);
	assert_int_equal(open.sid, sid);
	rig.sid[0] = sid;
}

static void
start_auth(struct auth_conf conf)
{
	FILE *users = tmpfile();
	uint16_t served;

	assert_non_null(users);
	fputs("anna:{PLAIN}secret\n", users);
	rewind(users);
	start(auth_main, &auth_conf_fields, &conf);
	rig.names_stores = true;
	ipc_begin(rig.ctl, IPC_USERS);
	ipc_put_u8(rig.ctl, USERS_NEW);
	ipc_put_fd(rig.ctl, fileno(users), FD_STAYS);
	ipc_put_u8(rig.ctl, USERS_NONE);
	sent();
	rig.store = attach(ROLE_STORE, HONEST);
	rig.worker = attach(ROLE_WORKER, HONEST);
	hear(rig.worker, IPC_SERVED, &served, sizeof(served));
	fclose(users);
}

static void
finish_auth(void)
{
	finish();
	close(rig.worker);
	close(rig.store);
}

static struct auth_conf
some_auth(void)
{
	return (struct auth_conf){
		.role = our_role(),
		.mail = "maildir:/srv/mail/%n",
		.mail_root = "/srv/mail",
		.apop = true,
		.mail_uid = 5000,
		.mail_gid = 5000,
		.first_uid = 500,
		.last_uid = 60000,
		.n_stores = 1,
		.hash_threads = 1,
		.hash_queue = 1,
	};
}

static void
test_auth(void **state)
{
	struct auth_conf conf = some_auth();

	conf.n_known = 3;
	conf.known[0] = (struct known_users){ .name = "file",
		.driver = DRIVER_PASSWD_FILE };
	conf.known[1] = (struct known_users){ .name = "directory",
		.driver = DRIVER_LDAP_BIND,
		.index = BROKEN,
		.timeout = 1,
		.connections = 1 };
	conf.known[2] = (struct known_users){ .name = "machine",
		.driver = DRIVER_SYSTEM,
		.index = BROKEN,
		.timeout = 1,
		.connections = 1 };
	start_auth(conf);
	say_everything(ROLE_WORKER, NULL, auth_is_unchanged);
	say_everything(ROLE_STORE, NULL, auth_is_unchanged);
	say_all(ROLE_DB, IPC_ROW, NULL, auth_is_unchanged);
	say_all(ROLE_PAM, IPC_ROW, NULL, auth_is_unchanged);
	finish_auth();
}

/* ---- a database ---- */

/* What it is asked about: somebody whom the users file does not know, and,
 * without any need, one whom it does. */
static void
ask_it(int fd)
{
	static uint64_t sid;

	swallow(rig.other);
	for (size_t i = 0; i < 2; i++) {
		struct message *m = message(IPC_PASS);

		put_u(m, 8, ++sid);
		put_u(m, 8, 99); /* token */
		m->fd = connection();
		m->fds = 1;
		put_text(m, "192.0.2.1");
		put_u(m, 1, 0);
		put_text(m, i == 0 ? "zoe" : "anna");
		put_text(m, "wrong");
		assert_true(say(rig.other, m));
		hear(fd, IPC_LOOKUP, &rig.sid[i], sizeof(rig.sid[i]));
	}
}

static void
test_auth_database(void **state)
{
	struct auth_conf conf = some_auth();

	conf.n_known = 2;
	conf.known[0] = (struct known_users){ .name = "file",
		.driver = DRIVER_PASSWD_FILE };
	conf.known[1] = (struct known_users){ .name = "far",
		.driver = DRIVER_SQLITE,
		.index = BROKEN,
		.timeout = 60 };
	start_auth(conf);
	rig.other = attach(ROLE_WORKER, BROKEN);
	say_everything(ROLE_DB, ask_it, auth_is_unchanged);
	close(rig.other);
	finish_auth();
}

/* Who asks it next is answered. */
static void
db_is_unchanged(void)
{
	int fd = attach(ROLE_AUTH, HONEST);
	struct message *m = message(IPC_LOOKUP);
	struct {
		uint64_t id;
		uint8_t result, n;
	} __attribute__((packed)) row;

	put_u(m, 8, 77);
	put_text(m, "anna");
	assert_true(say(fd, m));
	hear(fd, IPC_ROW, &row, sizeof(row));
	assert_int_equal(row.id, 77);
	assert_int_equal(row.result, LOOKUP_FOUND);
	assert_int_equal(row.n, 1);
	close(fd);
}

static void
test_db(void **state)
{
	struct db_conf conf = { .role = our_role(),
		.name = "far",
		.driver = DRIVER_SQLITE,
		.query = "SELECT 'x' AS password WHERE $1 = 'anna'",
		.timeout = 60,
		.connections = 2 };
	char folder[] = "/tmp/malote-hostile.XXXXXX";

	assert_non_null(mkdtemp(folder));
	snprintf(conf.file, sizeof(conf.file), "%s/db", folder);
	close(open(conf.file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	start(db_main, &db_conf_fields, &conf);
	say_everything(ROLE_AUTH, NULL, db_is_unchanged);
	finish();
	unlink(conf.file);
	rmdir(folder);
}

/* ---- who looks at tokens ---- */

/* Two tokens, of whoever it says. */
static void
ask_of_tokens(int fd)
{
	static const char text[] = "user=zoe\1auth=Bearer t\1\1";
	static uint64_t sid;

	swallow(rig.other);
	for (size_t i = 0; i < 2; i++) {
		struct message *m = message(IPC_SASL);

		m->fd = connection();
		m->fds = 1;
		put_u(m, 8, ++sid);
		put_u(m, 8, 99); /* token */
		put_text(m, "192.0.2.1");
		put_u(m, 1, 0);
		put_text(m, "XOAUTH2");
		put_u(m, 2, 0); /* no bindings */
		put_text(m, "");
		put_u(m, 1, 1);
		put_text(m, text);
		assert_true(say(rig.other, m));
		hear(fd, IPC_TOKEN, &rig.sid[i], sizeof(rig.sid[i]));
	}
}

static void
test_auth_tokens(void **state)
{
	struct auth_conf conf = some_auth();

	conf.n_issuers = 1;
	conf.issuer[0] = (struct known_issuer){ .name = "far" };
	conf.token_timeout = 60;
	start_auth(conf);
	rig.other = attach(ROLE_WORKER, BROKEN);
	say_all(ROLE_NET, IPC_TOKEN_IS, ask_of_tokens, auth_is_unchanged);
	close(rig.other);
	finish_auth();
}

#ifdef HAVE_OAUTH
static void
net_is_unchanged(void)
{
	int fd = attach(ROLE_AUTH, HONEST);
	struct message *m = message(IPC_TOKEN);
	struct {
		uint64_t id;
		uint8_t result, issuer;
	} __attribute__((packed)) is;

	put_u(m, 8, 77);
	put_text(m, "no token");
	assert_true(say(fd, m));
	hear(fd, IPC_TOKEN_IS, &is, sizeof(is));
	assert_int_equal(is.id, 77);
	assert_int_equal(is.result, TOKEN_BAD);
	assert_int_equal(is.issuer, 0);
	close(fd);
}

static void
test_net(void **state)
{
	struct net_conf conf = { .role = our_role(), .n_issuers = 1 };

	conf.issuer[0] = (struct issuer_conf){ .name = "far",
		.issuer = "https://far.invalid",
		.keys = "/nowhere",
		.timeout = 60 };
	start(net_main, &net_conf_fields, &conf);
	say_everything(ROLE_AUTH, NULL, net_is_unchanged);
	finish();
}

/* Of an issuer that has not said its keys yet. */
static void
ask_for_long(int fd, uint64_t id)
{
	struct message *m = message(IPC_TOKEN);

	put_u(m, 8, id);
	/* {"alg":"RS256"} and {"iss":"https://far.invalid"} */
	put_text(m, "eyJhbGciOiJSUzI1NiJ9"
		    ".eyJpc3MiOiJodHRwczovL2Zhci5pbnZhbGlkIn0.AAAA");
	assert_true(say(fd, m));
	assert_turns();
}

static int
silent_issuer(char *url, size_t size)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	snprintf(url, size, "https://127.0.0.1:%u/", ntohs(at.sin_port));
	return fd;
}

/* Another auth counts from one again: it must not hear of a token that one before
 * it has asked about, which may be somebody else's.  So many, that a channel is
 * where another one was in memory. */
static void
test_net_of_another_auth(void **state)
{
	enum { AUTHS = 20 };
	struct net_conf conf = { .role = our_role(), .n_issuers = 1 };
	struct issuer_conf *far = &conf.issuer[0];
	int issuer, fd[AUTHS];
	uint64_t id;

	*far = (struct issuer_conf){ .name = "far",
		.issuer = "https://far.invalid",
		.algorithms = "RS256",
		.timeout = 1 };
	issuer = silent_issuer(far->keys, sizeof(far->keys));
	start(net_main, &net_conf_fields, &conf);
	for (uint64_t i = 0; i < AUTHS; i++) {
		fd[i] = attach(ROLE_AUTH, HONEST);
		ask_for_long(fd[i], i + 1);
	}
	hear(fd[AUTHS - 1], IPC_TOKEN_IS, &id, sizeof(id));
	assert_int_equal(id, AUTHS);
	usleep(50 * 1000);
	assert_nothing_came(fd[AUTHS - 1]);
	for (size_t i = 0; i < AUTHS; i++)
		close(fd[i]);
	finish();
	close(issuer);
}
#endif

/* ---- a store ---- */

/* Who has a session reads its mail. */
static void
store_is_unchanged(void)
{
	struct message *m = message(IPC_FETCH);
	struct {
		uint64_t sid;
		uint8_t n;
		uint32_t msgno;
		uint8_t status;
	} __attribute__((packed)) fetched;

	put_u(m, 8, rig.sid[0]);
	put_u(m, 1, 1);
	put_u(m, 4, 2);
	assert_true(say(rig.worker, m));
	hear(rig.worker, IPC_FETCHED, &fetched, sizeof(fetched));
	assert_int_equal(fetched.sid, rig.sid[0]);
	assert_int_equal(fetched.msgno, 2);
	assert_int_equal(fetched.status, FETCH_OK);
}

static void
store_is_silent(void)
{
	assert_nothing_came(rig.worker);
	store_is_unchanged();
}

static void
say_open(uint16_t index, uint64_t sid)
{
	struct message *m = message(IPC_OPEN);

	put_u(m, 2, index);
	put_u(m, 8, sid);
	put_u(m, 8, 99);
	put_text(m, "anna");
	put_text(m, rig.mail[index]);
	put_text(m, "192.0.2.1");
	put_u(m, 1, false);
	put_u(m, 4, RETENTION_NEVER);
	put_u(m, 4, 0);
	put_u(m, 8, 0);
	put_u(m, 8, 0);
	assert_true(say(rig.auth, m));
}

static void
open_its_own(int fd)
{
	uint64_t sid;

	say_open(BROKEN, rig.sid[2]);
	hear(fd, IPC_OPENED, &sid, sizeof(sid));
	assert_int_equal(sid, rig.sid[2]);
}

static void
make_maildir(const char *path)
{
	static const char *const folders[] = { "", "/new", "/cur", "/tmp" };
	char folder[300];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(folder, sizeof(folder), "%s%s", path, folders[i]);
		assert_int_equal(mkdir(folder, 0700), 0);
	}
}

static void
test_store(void **state)
{
	struct drop_fixture f;

	fixture_init(&f);
	fixture_put(&f, "new/1.a", "one\n");
	fixture_put(&f, "cur/2.b:2,F", "two\n");
	f.conf.threads = 3;
	f.conf.per_user_max = 16;
	f.conf.role = our_role();
	start(store_main, &store_conf_fields, &f.conf);
	rig.auth = attach(ROLE_AUTH, HONEST);
	rig.worker = attach(ROLE_WORKER, HONEST);
	snprintf(rig.mail[HONEST], sizeof(rig.mail[0]), "%s", f.path);
	snprintf(rig.mail[BROKEN], sizeof(rig.mail[0]), "%s/other", f.base);
	make_maildir(rig.mail[BROKEN]);
	fixture_put(&f, "../other/new/1.a", "one\n");
	fixture_put(&f, "../other/new/2.a", "two\n");
	rig.sid[0] = rig.sid[1] = 7;
	rig.sid[2] = 8;
	say_open(HONEST, rig.sid[0]);
	hear(rig.worker, IPC_OPENED, rig.sid, sizeof(rig.sid[0]));
	say_everything(ROLE_WORKER, open_its_own, store_is_silent);
	/* Auth may refuse on behalf of anybody. */
	say_everything(ROLE_AUTH, NULL, store_is_unchanged);
	assert_true(fixture_has(&f, "new/1.a"));
	assert_true(fixture_has(&f, "cur/2.b:2,F"));
	finish();
	close(rig.auth);
	close(rig.worker);
	fixture_clear(&f);
}

/* ---- a worker ---- */

static int
listening(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(*at);

	*at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)at, n), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
	return fd;
}

static void
expect_line(int fd, const char *line)
{
	char is[512] = "";

	for (size_t n = 0; strchr(is, '\n') == NULL; n++) {
		assert_in_range(n, 0, sizeof(is) - 2);
		await(fd);
		if (recv(fd, is + n, 1, 0) != 1)
			fail_msg("no answer: %s", is);
	}
	if (strncmp(is, line, strlen(line)) != 0)
		fail_msg("%s", is);
}

static void
write_line(int fd, const char *line)
{
	assert_int_equal(send(fd, line, strlen(line), 0), (int)strlen(line));
}

static void
say_opened(int store, const uint64_t sid_and_token[2])
{
	struct message *m = message(IPC_OPENED);

	put_u(m, 8, sid_and_token[0]);
	put_u(m, 8, sid_and_token[1]);
	put_text(m, "anna");
	put_u(m, 4, 3);
	put_u(m, 8, 300);
	put_u(m, 4, 0);
	put_u(m, 1, false);
	put_u(m, 4, 0);
	put_u(m, 4, RETENTION_NEVER);
	put_u(m, 4, 0);
	assert_true(say(store, m));
}

/* A client that has said its password; what the worker tells auth of it. */
static int
client(const struct sockaddr_in *at, int auth, uint64_t sid_and_token[2])
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(
	    connect(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
	expect_line(fd, "+OK");
	write_line(fd, "USER anna\r\n");
	expect_line(fd, "+OK");
	write_line(fd, "PASS secret\r\n");
	hear(auth, IPC_PASS, sid_and_token, 2 * sizeof(uint64_t));
	return fd;
}

/* A client whose maildrop the broken store has, and who waits for what it says. */
static void
serve_its_own(int fd)
{
	uint64_t sid[2];

	if (rig.other != 0)
		close(rig.other);
	rig.other = client(&rig.at, rig.auth, sid);
	rig.sid[2] = sid[0];
	say_opened(fd, sid);
	expect_line(rig.other, "+OK");
	write_line(rig.other, dice(2) == 0
				  ? "RETR 1\r\nUIDL\r\nLIST\r\nRETR 3\r\n"
				  : "UIDL\r\nRETR 2\r\nDELE 1\r\nQUIT\r\n");
}

/* Who is signed in has the maildrop that the store has opened. */
static void
worker_is_unchanged(void)
{
	assert_nothing_came(rig.store);
	assert_nothing_came(rig.client);
	write_line(rig.client, "STAT\r\n");
	expect_line(rig.client, "+OK 3 300\r\n");
}

static void
start_worker(struct sockaddr_in *at, struct worker_conf *conf)
{
	*conf = (struct worker_conf){
		.role = our_role(),
		.listener = { { .fd = listening(at),
		    .plain_passwords = true } },
		.n_listeners = 1,
		.host = "h.example",
		.login_timeout = 600,
		.idle_timeout = 600,
		.write_timeout = 600,
		.tls_timeout = 600,
		.sessions_max = 16,
		.slots = 16,
		.bad_max = 10,
		.failures_max = 3,
		.shared_stores = BROKEN,
	};

	assert_int_equal(addrcount_create(1, conf->counts_fd, NULL), E_OK);
	assert_int_equal(
	    sealed_make(&conf->languages_fd, "languages", "", 0, NULL), E_OK);
	start(worker_main, &worker_conf_fields, conf);
	rig.at = *at;
}

static void
finish_worker(const struct worker_conf *conf)
{
	finish();
	close(conf->listener[0].fd);
	close(conf->counts_fd[0]);
	close(conf->counts_fd[1]);
	close(conf->languages_fd);
}

/* As many messages as the store was asked for, or it is no answer. */
static void
test_fetched_count(void **state)
{
	enum { NONE, ONE_MORE, MOST, ALL };
	struct sockaddr_in at;
	struct worker_conf conf;
	struct {
		uint64_t sid;
		uint8_t n;
	} __attribute__((packed)) asked;
	uint64_t sid[2];

	start_worker(&at, &conf);
	rig.auth = attach(ROLE_AUTH, HONEST);
	for (int i = NONE; i < ALL; i++) {
		struct message *m;
		int store = attach(ROLE_STORE, BROKEN);
		int fd = client(&at, rig.auth, sid);
		unsigned n, accused = rig.accused;

		say_opened(store, sid);
		expect_line(fd, "+OK");
		write_line(fd, "RETR 1\r\n");
		hear(store, IPC_FETCH, &asked, sizeof(asked));
		assert_in_range(asked.n, 2, 3);
		n = i == NONE ? 0 : i == ONE_MORE ? asked.n + 1 : 255;
		m = message(IPC_FETCHED);
		put_u(m, 8, asked.sid);
		put_u(m, 1, n);
		for (unsigned k = 0; k < n; k++) {
			put_u(m, 4, 1 + k % 3);
			put_u(m, 2, FETCH_GONE); /* not made, either */
			put_u(m, 8, 0);
			put_u(m, 8, 0);
			put_u(m, 8, 0);
		}
		assert_true(say(store, m));
		await(store);
		assert_int_equal(recv(store, m, 1, 0), 0);
		assert_turns();
		assert_int_equal(rig.accused, accused + 1);
		close(store);
		close(fd);
	}
	finish_worker(&conf);
	close(rig.auth);
}

static void
test_worker(void **state)
{
	struct sockaddr_in at;
	struct worker_conf conf;
	uint64_t one[2], two[2];
	int waits;

	start_worker(&at, &conf);
	rig.store = attach(ROLE_STORE, HONEST);
	rig.auth = attach(ROLE_AUTH, HONEST);
	rig.client = client(&at, rig.auth, one);
	say_opened(rig.store, one);
	expect_line(rig.client, "+OK");
	waits = client(&at, rig.auth, two);
	rig.sid[0] = one[0];
	rig.sid[1] = two[0];
	say_everything(ROLE_STORE, serve_its_own, worker_is_unchanged);
	/* A store that shows no token has no part in a sign-in. */
	assert_nothing_came(waits);
	say_everything(ROLE_AUTH, NULL, worker_is_unchanged);
	close(rig.client);
	close(waits);
	close(rig.other);
	finish_worker(&conf);
	close(rig.auth);
	close(rig.store);
}

/* A client asks for what is in the index, and its store gives that, which nobody can
 * read. */
static void
give_index(int store, int index)
{
	uint64_t sid[2], asked;
	struct message *m;
	int fd = client(&rig.at, rig.auth, sid);

	say_opened(store, sid);
	expect_line(fd, "+OK");
	write_line(fd, "UIDL\r\n");
	hear(store, IPC_INDEX, &asked, sizeof(asked));
	assert_int_equal(asked, sid[0]);
	m = message(IPC_INDEX_IS);
	put_u(m, 8, asked);
	put_u(m, 1, true);
	put_u(m, 8, 1000);
	m->fds = 1;
	m->fd = index;
	assert_true(say(store, m));
	expect_line(fd, "");
	close(index);
	close(fd);
}

/* A client asks for a message, and its store gives that, which nobody can read. */
static void
give_message(int store, int file, uint64_t octets)
{
	uint64_t sid[2], asked;
	struct message *m;
	int fd = client(&rig.at, rig.auth, sid);

	say_opened(store, sid);
	expect_line(fd, "+OK");
	write_line(fd, "RETR 1\r\n");
	hear(store, IPC_FETCH, &asked, sizeof(asked));
	assert_int_equal(asked, sid[0]);
	m = message(IPC_FETCHED);
	put_u(m, 8, asked);
	put_u(m, 1, 1);
	put_u(m, 4, 1);
	put_u(m, 2, FETCH_OK); /* not made */
	put_u(m, 8, 0);
	put_u(m, 8, octets);
	put_u(m, 8, octets);
	m->fds = 1;
	m->fd = file;
	assert_true(say(store, m));
	close(file);
	expect_line(fd, "");
	close(fd);
}

/* Only a small message of a store of mail_uid is closed at once. */
static void
test_messages_that_linger(void **state)
{
	struct sockaddr_in at;
	struct worker_conf conf;
	int peer[2], store;

	start_worker(&at, &conf);
	rig.auth = attach(ROLE_AUTH, HONEST);
	rig.store = attach(ROLE_STORE, HONEST);
	store = attach(ROLE_STORE, BROKEN);
	give_message(store, lingering(&peer[0], 10 * SOON / 1000), 1);
	assert_turns();
	give_message(rig.store, lingering(&peer[1], 10 * SOON / 1000),
	    CLOSE_QUICK_MAX + 1);
	assert_turns();
	usleep(2 * CLOSE_LATER_MS * 1000);
	assert_turns();
	close(peer[0]);
	close(peer[1]);
	finish_worker(&conf);
	close(rig.auth);
	close(rig.store);
	close(store);
}

/* Files of a user's own store that take long to close hold up no other's. */
static void
test_long_closes(void **state)
{
	enum { MANY = CLOSE_LATER_THREADS + 1 };
	struct sockaddr_in at;
	struct worker_conf conf;
	int peer[MANY], store, pipe_fd[2];

	start_worker(&at, &conf);
	rig.auth = attach(ROLE_AUTH, HONEST);
	rig.store = attach(ROLE_STORE, HONEST);
	store = attach(ROLE_STORE, BROKEN);
	for (int i = 0; i < MANY; i++) {
		give_index(store, lingering(&peer[i], 10 * SOON / 1000));
		usleep(2 * CLOSE_LATER_MS * 1000);
	}
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	give_index(rig.store, pipe_fd[1]);
	await(pipe_fd[0]);
	for (int i = 0; i < MANY; i++)
		close(peer[i]);
	close(pipe_fd[0]);
	finish_worker(&conf);
	close(rig.auth);
	close(rig.store);
	close(store);
}

/* ---- all messages ---- */

/* The text of a file without its comments. */
static char *
text_of(const char *path)
{
	static char text[64 * 1024];
	FILE *f = fopen(path, "r");
	char *from, *to;

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	while ((from = strstr(text, "/*")) != NULL) {
		assert_non_null(to = strstr(from, "*/"));
		memmove(from, to + 2, strlen(to + 2) + 1);
	}
	return text;
}

static bool
is_said(const char *name, unsigned type)
{
	for (size_t i = 0; i < SHAPES; i++)
		if (strcmp(shapes[i].name, name) == 0)
			return shapes[i].type == type;
	return false;
}

static void
test_all_messages(void **state)
{
	char *p = strstr(text_of(PROTO_H), "enum ipc_type {"), *rest, name[64];
	unsigned type = 0, said = 0;

	assert_non_null(p);
	p = strtok_r(p + strlen("enum ipc_type {"), "}", &rest);
	for (p = strtok_r(p, ",", &rest); p != NULL;
	     p = strtok_r(NULL, ",", &rest)) {
		if (sscanf(p, " %63[A-Z_] = %u", name, &type) == 1)
			type++;
		if (type < IPC_PASS)
			continue;
		if (!is_said(name, type))
			fail_msg("%s is not among them", name);
		said++;
	}
	assert_in_range(said, 26, SHAPES);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_messages),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_auth_database),
		cmocka_unit_test(test_db),
		cmocka_unit_test(test_auth_tokens),
#ifdef HAVE_OAUTH
		cmocka_unit_test(test_net),
		cmocka_unit_test(test_net_of_another_auth),
#endif
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_fetched_count),
		cmocka_unit_test(test_long_closes),
		cmocka_unit_test(test_messages_that_linger),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
