#include "hostile_rig.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
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

#include "connection.h"
#include "server/auth/auth.h"
#include "server/store/store.h"
#include "server/worker/worker.h"

enum {
	ROUNDS = 150, /* of each message */
	EVERY = 16,   /* so often it is tried whether others are served */
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
	SHAPE(IPC_OPEN, "288sss144884"),
	SHAPE(IPC_NO_WORKER, "284"),
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
	SHAPE(IPC_ISSUER_KEYS, "288s"),
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
	SHAPE(IPC_ATTACH, "124f"),
	SHAPE(IPC_STOP, "4"),
	SHAPE(IPC_PING, "4"),
	SHAPE(IPC_SETTINGS, "4"),
	SHAPE(IPC_SETTINGS_USE, "1"),
	SHAPE(IPC_USERS, "1f1"),
	SHAPE(IPC_STORE_IS, "2444"),
};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

const unsigned n_shapes = SHAPES;

struct rig rig;

/* ---- chance, the same each time ---- */

uint32_t
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

static void
put(struct message *m, const void *p, size_t n)
{
	memcpy(m->octets + m->n, p, n);
	m->n += n;
}

void
put_u(struct message *m, unsigned octets, uint64_t v)
{
	put(m, &v, octets);
}

void
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

bool
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

bool
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

void
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

void
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

void
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

void
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

int
attach(enum ipc_role role, uint16_t index)
{
	int fd[2];

	assert_int_equal(ipc_pair(fd, NULL), E_OK);
	if (rig.names_stores && role == ROLE_STORE && index == BROKEN) {
		ipc_begin(rig.ctl, IPC_STORE_IS);
		ipc_put_u16(rig.ctl, index);
		ipc_put_u32(rig.ctl, 1000);
		ipc_put_u32(rig.ctl, 1000);
		ipc_put_u32(rig.ctl, 0);
		sent();
	}
	ipc_begin(rig.ctl, IPC_ATTACH);
	ipc_put_u8(rig.ctl, (uint8_t)role);
	ipc_put_u16(rig.ctl, index);
	ipc_put_u32(rig.ctl, PID);
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

struct role_conf
our_role(void)
{
	return (struct role_conf){
		.n = 1, .uid = geteuid(), .gid = getegid(), .memory = 1024
	};
}

void
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

void
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

void
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

void
say_everything(
    enum ipc_role role, void (*begin)(int fd), void (*unchanged)(void))
{
	say_all(role, 0, begin, unchanged);
}

struct message *
message(uint16_t type)
{
	static struct message m;

	m.n = m.fds = 0;
	m.fd = 0;
	put(&m, &type, sizeof(type));
	return &m;
}

void
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

bool
is_said(const char *name, unsigned type)
{
	for (size_t i = 0; i < SHAPES; i++)
		if (strcmp(shapes[i].name, name) == 0)
			return shapes[i].type == type;
	return false;
}
