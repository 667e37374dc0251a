/*
 * Which Maildirs are served, and under which names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/serve/serve_drops.h"

enum { ACCOUNTS = 4 };

static struct fixture {
	char base[64];
	struct account v[ACCOUNTS];
	struct client_conf conf;
	bool chosen[ACCOUNTS];
	struct serve_drops drops;
} f;

static char paths[ACCOUNTS][128]; /* of the Maildirs */

static void
make_folder(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", f.base, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void
account(const char *name, const char *folder)
{
	size_t i = f.conf.n++;

	snprintf(paths[i], sizeof(paths[i]), "%s/%s", f.base, folder);
	f.v[i] = (struct account){ .name = (char *)name,
		.dest = { .kind = DEST_MAILDIR, .path = paths[i] } };
	f.chosen[i] = true;
}

static void
find(void)
{
	struct errbuf eb;

	assert_int_equal(
	    serve_drops_find(&f.drops, &f.conf, f.chosen, &eb), E_OK);
}

static int
setup(void **state)
{
	memset(&f, 0, sizeof(f));
	snprintf(f.base, sizeof(f.base), "/tmp/malote-test.XXXXXX");
	assert_non_null(mkdtemp(f.base));
	make_folder("a");
	make_folder("a/new");
	make_folder("b");
	make_folder("b/new");
	f.conf.v = f.v;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "link", "a/in/new", "a/in",
		"a/new", "a", "b/new", "b", "c:d/new", "c:d", "empty", "" };
	char path[256];

	serve_drops_free(&f.drops);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f.base, names[i]);
		remove(path);
	}
	return 0;
}

/* maloted takes letters, digits, and .-_@+=&; no part that is empty or begins with
 * a dot. */
static void
names_are_what_maloted_takes(void **state)
{
	static const struct {
		const char *account, *user;
	} is[] = {
		{ "casa", "casa" },
		{ "Ana.b+c=d&e_f-g@example.org",
		    "Ana.b+c=d&e_f-g@example.org" },
		{ "minha obra", "minha-obra" },
		{ "escrit\xc3\xb3rio", "escrit-rio" },
		{ "a@b@c", "a@b-c" },
		{ "@home", "-home" },
		{ "home@", "home-" },
		{ ".a..b", "-a.-b" },
		{ "a@.b", "a@-b" },
		{ "#1:2", "-1-2" },
	};

	for (size_t i = 0; i < sizeof(is) / sizeof(is[0]); i++) {
		f.conf.n = 0;
		account(is[i].account, "a");
		find();
		assert_string_equal(f.drops.v[0].user, is[i].user);
		serve_drops_free(&f.drops);
	}
}

static void
names_are_never_the_same(void **state)
{
	account("my home", "a");
	account("my-home", "b");
	account("my/home", "a");
	account("my-home-2", "b");
	find();
	for (size_t i = 0; i < ACCOUNTS; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(
			    f.drops.v[i].user, f.drops.v[k].user);
	assert_string_equal(f.drops.v[1].user, "my-home");
	assert_string_equal(f.drops.v[3].user, "my-home-2");
}

/* By whichever path. */
static void
one_maildir_is_served_once(void **state)
{
	char link[256];

	snprintf(link, sizeof(link), "%s/link", f.base);
	account("one", "a");
	account("two", "b");
	account("three", "link");
	assert_int_equal(symlink(paths[0], link), 0);
	find();
	assert_int_equal(f.drops.served, 2);
	assert_int_equal(f.drops.v[0].same, 0);
	assert_int_equal(f.drops.v[1].same, 1);
	assert_int_equal(f.drops.v[2].same, 0);
	assert_string_equal(f.drops.root, f.base);
}

/* The root is above all of them, and none of them itself. */
static void
root_is_above(void **state)
{
	char root[128];

	make_folder("a/in");
	make_folder("a/in/new");
	account("inner", "a/in");
	find();
	snprintf(root, sizeof(root), "%s/a", f.base);
	assert_string_equal(f.drops.root, root);
	serve_drops_free(&f.drops);
	account("outer", "a");
	find();
	assert_string_equal(f.drops.root, f.base);
}

static void
others_are_left_out(void **state)
{
	make_folder("c:d");
	make_folder("c:d/new");
	make_folder("empty");
	account("colon", "c:d");
	account("empty", "empty");
	account("mbox", "a");
	f.v[2].dest.kind = DEST_MBOX;
	account("command", "a");
	f.v[3].dest.kind = DEST_COMMAND;
	find();
	assert_int_equal(f.drops.served, 0);
	for (size_t i = 0; i < ACCOUNTS; i++) {
		assert_null(f.drops.v[i].path);
		assert_non_null(f.drops.v[i].why);
	}
	assert_non_null(strstr(f.drops.v[0].why, "colon"));
	assert_non_null(strstr(f.drops.v[1].why, "nothing has been collected"));
	assert_non_null(strstr(f.drops.v[2].why, "mbox"));
	assert_non_null(strstr(f.drops.v[3].why, "handed on"));
}

static void
who_is_not_chosen_is_not_named(void **state)
{
	account("one", "a");
	account("two", "b");
	f.chosen[0] = false;
	find();
	assert_int_equal(f.drops.served, 1);
	assert_null(f.drops.v[0].path);
	assert_null(f.drops.v[0].why);
	assert_string_equal(f.drops.v[1].user, "two");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		T(names_are_what_maloted_takes),
		T(names_are_never_the_same),
		T(one_maildir_is_served_once),
		T(root_is_above),
		T(others_are_left_out),
		T(who_is_not_chosen_is_not_named),
	};

	umask(077);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
