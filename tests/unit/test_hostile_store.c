/* Peers of a store that were broken into (see hostile_rig.h). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "drop.h"
#include "hostile_rig.h"
#include "server/store/store.h"

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
	put_u(m, 4, PID);
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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
