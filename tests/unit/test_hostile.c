/*
 * Peers that were broken into (see hostile_rig.h): of auth, a database and who
 * looks at tokens.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "connection.h"
#include "hostile_rig.h"
#include "server/auth/auth.h"
#include "server/helper/db.h"
#include "server/helper/net.h"

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

#define PLACE \
	{ \
		.mail = "maildir:/srv/mail/%n", .root = "/srv/mail" \
	}

static struct auth_conf
some_auth(void)
{
	return (struct auth_conf){
		.role = our_role(),
		.place = { PLACE, PLACE, PLACE },
		.n_places = 3,
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
	assert_in_range(said, 26, n_shapes);
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
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
