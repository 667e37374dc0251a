/* The configuration in several files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf_rig.h"

static const struct included {
	const char *name, *text;
} included[] = {
	{ "d/a.conf", "takeover = 9\n# no end of line: login_delay = 3" },
	{ "d/b.conf", "listener \"b\" {\n\tport = 2110\n}\n" },
	{ "d/.c.conf", "junk\n" },
	{ "d/c.other", "junk\n" },
	{ "twice.conf", "\n\ntakeover = 8\n" },
	{ "self.conf", "include \"self.conf\"\n" },
	{ "ring1.conf", "\ninclude \"ring2.conf\"\n" },
	{ "ring2.conf", "include \"./ring1.conf\"\n" },
	{ "cut.conf", "" },
	{ "open.conf", "\nlistener \"c\" {\n" },
	{ "far.conf", "include 'd/a.conf'\ntakeover2 = 1\n" },
	{ "b.conf", "\n\nlistener \"other\" { port = 2110 }\n" },
	{ "[x].conf", "idle_timeout = 700\n" },
};

static void
write_included(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/d", dir);
	mkdir(path, 0700);
	for (size_t i = 0; i < sizeof(included) / sizeof(included[0]); i++)
		write_file(included[i].name, included[i].text, 0600);
}

static void
remove_included(void)
{
	char path[256];

	for (size_t i = 0; i < sizeof(included) / sizeof(included[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, included[i].name);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/d", dir);
	rmdir(path);
}

/* In the place of the line, in the order of names. */
static void
included_files_are_read(void **state)
{
	(void)state;
	write_included();
	assert_int_equal(read_text("include \"d/*.conf\"\n"
				   "include '$D/none/*.conf'\n"
				   "  include\t\"d/none*\"  # none\n"
				   "include \"[[]x].conf\"\n"
				   "login_delay = 7\n",
			     user),
	    E_OK);
	assert_string_equal(said, "");
	assert_int_equal(conf.store.takeover, 9);
	assert_int_equal(conf.auth.login_delay, 7);
	assert_int_equal(conf.worker.idle_timeout, 700);
	assert_int_equal(conf.n_listeners, 1);
	assert_int_equal(conf.listener[0].port, 2110);
	remove_included();
}

static void
expect_includes(const char *text, const char *right)
{
	char what[512];

	assert_int_equal(read_text(text, user), E_CONFIG);
	with_dir(what, sizeof(what), right);
	if (strstr(said, what) == NULL)
		fail_msg("%s: not %s but %s", text, what, said);
}

/* By the file that it is in, and its line there; and what stands behind an
 * include, by its own line. */
static void
what_is_wrong_with_includes(void **state)
{
	(void)state;
	write_included();
	expect_includes("\ninclude \"d/a.conf\"\n\nnonsense = 1\n",
	    "$D/t.conf:4: there is no setting nonsense");
	expect_includes("include \"far.conf\"\n",
	    "$D/far.conf:2: there is no setting takeover2");
	expect_includes("include \"d/a.conf\"\ninclude \"twice.conf\"\n",
	    "$D/twice.conf:3: takeover stands in line 1 of $D/d/a.conf "
	    "already");
	expect_includes("takeover = 1\ninclude \"twice.conf\"\n",
	    "$D/twice.conf:3: takeover stands in line 1 of $D/t.conf already");
	expect_includes("include \"d/b.conf\"\ninclude \"b.conf\"\n",
	    "$D/b.conf:3: listener \"other\" is at [::]:2110, where listener "
	    "\"b\" of line 3 of $D/d/b.conf is;");
	expect_includes("\ninclude \"none.conf\"\n",
	    "$D/t.conf:2: include $D/none.conf: No such file or directory; "
	    "write it, or remove this line\n");
	expect_includes(
	    "include \"d\"\n", "$D/t.conf:1: include $D/d: not a regular file");
	expect_includes("include \"t.conf\"\n",
	    "$D/t.conf:1: include $D/t.conf: it would include itself;");
	expect_includes("include \"self.conf\"\n",
	    "$D/self.conf:1: include $D/self.conf: it would include itself;");
	expect_includes("include \"ring1.conf\"\n",
	    "$D/ring2.conf:1: include $D/./ring1.conf: it would include "
	    "itself;");
	expect_includes(
	    "include \"open.conf\"\n", "$D/open.conf:2: a { has no end;");
	for (size_t i = 0; i < 3; i++) {
		static const char *const cut[] = { "# x\ntakeover =\n\n",
			"# x\ntakeover", "takeover = 5\nuidl\n" };

		write_file("cut.conf", cut[i], 0600);
		expect_includes("include \"cut.conf\"\nsessions = shared\n",
		    "$D/cut.conf:2: the file ends within a setting; write "
		    "NAME");
	}
	expect_includes("listener \"x\" {\ninclude \"d/a.conf\"\n}\n",
	    "$D/t.conf:2: include stands within a block; move it out");
	for (size_t i = 0; i < 6; i++) {
		static const char *const odd[] = { "\"d/a.conf\" takeover = 1",
			"d/a.conf", "", "\"\"", "(\"d/a.conf\")",
			"\"d\\/a.conf\"" };
		char line[64];

		snprintf(line, sizeof(line), "\ninclude %s\n", odd[i]);
		expect_includes(line, "$D/t.conf:2: that is no include;");
	}
	remove_included();
}

static void
including_has_an_end(void **state)
{
	char name[16], text[32];

	(void)state;
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "deep%d", i);
		snprintf(text, sizeof(text), "include \"deep%d\"\n", i + 1);
		write_file(name, text, 0600);
	}
	expect_includes("include \"deep0\"\n",
	    "$D/deep6:1: include $D/deep7: too many files include each other");
	for (int i = 0; i < 9; i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/deep%d", dir, i);
		unlink(path);
	}
}

/* Who may put a file there may read all mail. */
static void
writers_of_included_files_are_warned_of(void **state)
{
	char what[256], path[256];

	(void)state;
	write_included();
	snprintf(path, sizeof(path), "%s/d", dir);
	chmod(path, 01777);
	write_file("d/a.conf", "", 0602);
	assert_int_equal(read_text("\ninclude \"d/*.conf\"\n", user), E_OK);
	with_dir(what, sizeof(what),
	    "$D/t.conf:2: warning: everybody may put files into $D/d, and");
	assert_non_null(strstr(said, what));
	with_dir(what, sizeof(what), "everybody may write $D/d/a.conf, and");
	assert_non_null(strstr(said, what));
	remove_included();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(included_files_are_read),
		cmocka_unit_test(what_is_wrong_with_includes),
		cmocka_unit_test(including_has_an_end),
		cmocka_unit_test(writers_of_included_files_are_warned_of),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
