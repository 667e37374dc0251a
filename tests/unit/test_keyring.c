/* The keyring of a desktop: a real one, on a bus of its own.  Skipped where
 * gnome-keyring-daemon, secret-tool or dbus-run-session are missing. */
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/secret/secret.h"

enum { PATIENCE = 30, SKIPPED = 77 };

static struct {
	unsigned calls;
	enum err e;
	char value[64], words[1024];
} got;

static void
done(void *arg, enum err e, const char *value, const char *words)
{
	(void)arg;
	got.calls++;
	got.e = e;
	snprintf(
	    got.value, sizeof(got.value), "%s", value != NULL ? value : "");
	snprintf(got.words, sizeof(got.words), "%s", words);
}

static void
ask(const char *user)
{
	struct account a = { .name = "casa",
		.user = (char *)user,
		.server = (char *)"pop.example.org",
		.keyring = true };
	struct secret_question question = { .loop = EV_DEFAULT,
		.account = &a,
		.kind = SECRET_PASSWORD,
		.timeout = PATIENCE,
		.done = done };
	struct errbuf eb;
	struct secret *s;

	memset(&got, 0, sizeof(got));
	ev_now_update(EV_DEFAULT);
	assert_int_equal(secret_ask(&s, &question, &eb), E_OK);
	ev_run(EV_DEFAULT, 0);
	assert_int_equal(got.calls, 1);
}

static void
shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

#define STORE(user) \
	"secret-tool store --label=x service pop3 host pop.example.org " \
	"user " user

static void
a_password_comes_from_the_keyring(void **state)
{
	(void)state;
	shell("printf 'pass w\303\266rd ' | " STORE("ana"));
	shell("printf other | " STORE("bob"));
	ask("ana");
	assert_int_equal(got.e, E_OK);
	assert_string_equal(got.value, "pass w\xc3\xb6rd ");
	ask("bob");
	assert_string_equal(got.value, "other");
}

static void
what_is_not_there_is_said(void **state)
{
	(void)state;
	ask("carla");
	assert_int_equal(got.e, E_DENIED);
	assert_string_equal(got.words,
	    "the keyring has no password for it; put it there: secret-tool "
	    "store --label=malote service pop3 host \"pop.example.org\" user "
	    "\"carla\"");
}

/* It is found again by malote and by secret-tool; an accent stays what it is. */
static void
a_password_is_kept_and_taken_out(void **state)
{
	struct account a = { .name = (char *)"casa",
		.user = (char *)"dora",
		.server = (char *)"pop.example.org",
		.timeout = PATIENCE };
	struct errbuf eb;

	(void)state;
	assert_int_equal(secret_keep(&a, "s\303\251 'cret", &eb), E_OK);
	ask("dora");
	assert_string_equal(got.value, "s\303\251 'cret");
	assert_int_equal(secret_keep(&a, "another", &eb), E_OK);
	shell("test \"$(secret-tool lookup service pop3 host pop.example.org "
	      "user dora)\" = another");
	assert_int_equal(secret_keep(&a, NULL, &eb), E_OK);
	ask("dora");
	assert_int_equal(got.e, E_DENIED);
	assert_int_equal(secret_keep(&a, NULL, &eb), E_DENIED);
	ask("ana");
	assert_int_equal(got.e, E_OK);
}

/* There is no display on which its owner could be asked. */
static void
a_locked_keyring_is_said(void **state)
{
	(void)state;
	shell("gdbus call --session --dest org.freedesktop.secrets "
	      "--object-path /org/freedesktop/secrets --method "
	      "org.freedesktop.Secret.Service.Lock "
	      "\"['/org/freedesktop/secrets/collection/login']\" >/dev/null");
	ask("ana");
	assert_int_equal(got.e, E_DENIED);
	assert_string_equal(
	    got.words, "the keyring is locked; unlock it, and try again");
}

/* What is in the folder of the bus is not the person's own. */
static const char bus[] =
    "for p in gnome-keyring-daemon secret-tool dbus-run-session gdbus; do"
    " command -v $p >/dev/null || exit 77; done\n"
    "dir=$(mktemp -d) || exit 1\n"
    "trap 'rm -rf $dir' EXIT\n"
    "unset DISPLAY WAYLAND_DISPLAY GNOME_KEYRING_CONTROL\n"
    "export HOME=$dir XDG_DATA_HOME=$dir XDG_RUNTIME_DIR=$dir"
    " MALOTE_TEST_BUS=1\n"
    "timeout 100 dbus-run-session -- sh -c '"
    "printf x | gnome-keyring-daemon --unlock --components=secrets"
    " >/dev/null 2>&1; exec \"$0\"' \"$0\" 2>$dir/err\n"
    "code=$?; [ $code = 0 ] || cat $dir/err; exit $code\n";

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_comes_from_the_keyring),
		cmocka_unit_test(what_is_not_there_is_said),
		cmocka_unit_test(a_password_is_kept_and_taken_out),
		cmocka_unit_test(a_locked_keyring_is_said),
	};

	(void)argc;
	if (getenv("MALOTE_TEST_BUS") == NULL) {
		execl("/bin/sh", "sh", "-c", bus, argv[0], NULL);
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
