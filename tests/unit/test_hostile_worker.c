/* Peers of a worker that were broken into (see hostile_rig.h). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/close_later.h"
#include "hostile_rig.h"
#include "linger.h"
#include "server/ipc/addrcount.h"
#include "server/ipc/sealed.h"
#include "server/worker/worker.h"

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_fetched_count),
		cmocka_unit_test(test_long_closes),
		cmocka_unit_test(test_messages_that_linger),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
