/* The configuration file changed as text: what is not meant stays as it is, to
 * the octet, and the file is whole at each moment. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/conf/client_conf.h"
#include "client/setup/conf_edit.h"

#define BOM "\xef\xbb\xbf"
#define ACL "system.posix_acl_access"

static char dir[] = "/tmp/malote-conf-edit-XXXXXX";
static char file[64], new[80];
static struct errbuf eb;

static int
make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/t.conf", dir);
	snprintf(new, sizeof(new), "%s.malote-new", file);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir); /* nothing else is left in it */
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
expect_file(const char *path, const char *want)
{
	char text[8192];
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, want);
}

static void
open_text(struct conf_edit *ed, const char *text)
{
	write_file(file, text);
	if (conf_edit_open(ed, file, &eb) != E_OK)
		fail_msg("of:\n%s\nis said: %s", text, eb.text);
}

/* ---- finding ---- */

static void
expect_title(const char *text, size_t number, const char *title)
{
	struct conf_edit ed;
	struct conf_block b;

	open_text(&ed, text);
	assert_true(conf_edit_block(&ed, number, &b));
	assert_int_equal(b.title_n, strlen(title));
	assert_memory_equal(ed.text + b.title, title, b.title_n);
	assert_memory_equal(ed.text + b.at, "account", 7);
	assert_int_equal(ed.text[b.at + b.n - 1], '}');
	conf_edit_close(&ed);
}

static void
test_blocks(void **state)
{
	(void)state;
	expect_title("account \"a\" {}", 0, "\"a\"");
	expect_title("account a{}account 'b' { x = '}' }", 1, "'b'");
	expect_title("# account \"c\" {\naccount \"a\" { }\n", 0, "\"a\"");
	expect_title("/* } */ account /* { */ a // }\n{ }", 0, "a");
	expect_title(BOM "account \"a\\\"}\" { x = \"\\\"}\" }\n"
			 "account \"b\" { }",
	    1, "\"b\"");
	expect_title("account\r\n\t\"a\"\r\n{\r\n}\r\n", 0, "\"a\"");
	/* Blocks of other kinds are none of those. */
	expect_title("oauth a { }\naccount \"b\" { }\n", 0, "\"b\"");
	expect_title("account a { } oauth x { } account c { }", 1, "c");
}

static void
test_no_block(void **state)
{
	static const char *const texts[] = { "", "\n", "# account \"a\" { }\n",
		BOM, "account \"a\"", "}", "oauth \"a\" { }" };
	struct conf_edit ed;
	struct conf_block b;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		open_text(&ed, texts[i]);
		assert_false(conf_edit_block(&ed, 0, &b));
		conf_edit_close(&ed);
	}
	open_text(&ed, "account a { }");
	assert_true(conf_edit_block(&ed, 0, &b));
	assert_false(conf_edit_block(&ed, 1, &b));
	conf_edit_close(&ed);
}

static void
test_blocks_cannot_be_told_apart(void **state)
{
	struct conf_edit ed;

	(void)state;
	write_file(file, "account \"a\" {\n\tuser = \"ana\n}\n");
	assert_int_equal(conf_edit_open(&ed, file, &eb), E_CONFIG);
	assert_non_null(strstr(eb.text, "t.conf:2: "));
	conf_edit_close(&ed);
}

/* ---- changing ---- */

static void
expect_renamed(
    const char *before, size_t number, const char *name, const char *after)
{
	struct conf_edit ed;
	struct conf_block b;

	open_text(&ed, before);
	assert_true(conf_edit_block(&ed, number, &b));
	assert_int_equal(conf_edit_rename(&ed, &b, name, &eb), E_OK);
	assert_int_equal(conf_edit_save(&ed, &eb), E_OK);
	conf_edit_close(&ed);
	expect_file(file, after);
}

static void
test_rename(void **state)
{
	(void)state;
	expect_renamed("# casa\naccount \"casa\" { # casa\n\tx = casa\n}\n", 0,
	    "lar", "# casa\naccount \"lar\" { # casa\n\tx = casa\n}\n");
	expect_renamed(BOM "account a{}\r\naccount a2 {}", 1, "b c",
	    BOM "account a{}\r\naccount \"b c\" {}");
	expect_renamed(
	    "account 'a' {}", 0, "b\"\\${x}'", "account 'b\"\\\\${x}\\'' {}");
}

static void
expect_removed(const char *before, size_t number, const char *after)
{
	struct conf_edit ed;
	struct conf_block b;

	open_text(&ed, before);
	assert_true(conf_edit_block(&ed, number, &b));
	assert_int_equal(conf_edit_remove(&ed, &b, &eb), E_OK);
	assert_int_equal(conf_edit_save(&ed, &eb), E_OK);
	conf_edit_close(&ed);
	expect_file(file, after);
}

static void
test_remove(void **state)
{
	static const char three[] = "# mine\n\naccount \"a\" {\n\tx = 1\n}\n\n"
				    "account \"b\" {\n\tx = 1\n}\n\n"
				    "account \"c\" {\n\tx = 1\n}\n";

	(void)state;
	expect_removed(three, 0,
	    "# mine\n\naccount \"b\" {\n\tx = 1\n}\n\n"
	    "account \"c\" {\n\tx = 1\n}\n");
	expect_removed(three, 1,
	    "# mine\n\naccount \"a\" {\n\tx = 1\n}\n\n"
	    "account \"c\" {\n\tx = 1\n}\n");
	expect_removed(three, 2,
	    "# mine\n\naccount \"a\" {\n\tx = 1\n}\n\n"
	    "account \"b\" {\n\tx = 1\n}\n");
	expect_removed("account a {}\n\naccount b {}", 0, "account b {}");
	expect_removed(
	    "account a {}\r\n\r\naccount b {}\r\n", 1, "account a {}\r\n");
	expect_removed(
	    BOM "account a {}\n\naccount b {}\n", 0, BOM "account b {}\n");
	expect_removed(BOM "account a {}", 0, BOM);
}

static void
test_remove_beside_others(void **state)
{
	(void)state;
	expect_removed("account a {} account b {}\n", 0, " account b {}\n");
	expect_removed("account a {} account b {}\n", 1, "account a {} \n");
	expect_removed("account a {\n} # was a\n", 0, " # was a\n");
	expect_removed("/* x */ account a {\n}\naccount b {}", 0,
	    "/* x */ \naccount b {}");
	expect_removed("# of a\naccount a {\n}\n# of b\naccount b {}\n", 0,
	    "# of a\n# of b\naccount b {}\n");
}

static void
expect_added(const char *before, const char *after)
{
	struct conf_edit ed;
	struct conf_block b;

	open_text(&ed, before);
	assert_true(conf_edit_block(&ed, 0, &b));
	assert_int_equal(conf_edit_add(&ed, &b, "k = v", &eb), E_OK);
	assert_int_equal(conf_edit_save(&ed, &eb), E_OK);
	conf_edit_close(&ed);
	expect_file(file, after);
}

static void
test_add(void **state)
{
	(void)state;
	expect_added("account a {\n\tx = 1 # }\n}\n# x\n",
	    "account a {\n\tx = 1 # }\n\tk = v\n}\n# x\n");
	expect_added("account a {\r\n  x = 1\r\n  }",
	    "account a {\r\n  x = 1\r\n  k = v\r\n  }");
	expect_added("account a {\n}", "account a {\n\tk = v\n}");
	expect_added("account a {}", "account a { k = v }");
	expect_added("account a { x = 1 }", "account a { x = 1  k = v }");
	expect_added("account a { x = 1\n y = 2 } account b { }",
	    "account a { x = 1\n y = 2  k = v } account b { }");
}

static void
expect_appended(const char *before, const char *after)
{
	struct conf_edit ed;

	open_text(&ed, before);
	assert_int_equal(
	    conf_edit_append(&ed, "account \"z\" {\n}\n", &eb), E_OK);
	assert_int_equal(conf_edit_save(&ed, &eb), E_OK);
	conf_edit_close(&ed);
	expect_file(file, after);
}

static void
test_append(void **state)
{
	(void)state;
	expect_appended("", "account \"z\" {\n}\n");
	expect_appended("# x", "# x\n\naccount \"z\" {\n}\n");
	expect_appended("# x\n", "# x\n\naccount \"z\" {\n}\n");
	expect_appended("# x\n\n", "# x\n\naccount \"z\" {\n}\n");
	expect_appended("# x\r\n", "# x\r\n\r\naccount \"z\" {\r\n}\r\n");
	expect_appended(
	    "# x\r\n# y", "# x\r\n# y\r\n\r\naccount \"z\" {\r\n}\r\n");
}

/* What would be misread is not written. */
static void
test_bad_block(void **state)
{
	struct conf_edit ed;

	(void)state;
	open_text(&ed, "account a {}\n");
	assert_int_equal(
	    conf_edit_append(&ed, "account \"z\" {\n", &eb), E_CONFIG);
	assert_int_equal(conf_edit_save(&ed, &eb), E_OK);
	conf_edit_close(&ed);
	expect_file(file, "account a {}\n");
}

/* ---- the file ---- */

static mode_t
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void
append_and_save(const char *path)
{
	struct conf_edit ed;

	assert_int_equal(conf_edit_open(&ed, path, &eb), E_OK);
	assert_int_equal(conf_edit_append(&ed, "account z {}\n", &eb), E_OK);
	assert_int_equal(conf_edit_save(&ed, &eb), E_OK);
	conf_edit_close(&ed);
}

static void
test_mode(void **state)
{
	(void)state;
	write_file(file, "# x\n");
	assert_int_equal(chmod(file, 0640), 0);
	append_and_save(file);
	assert_int_equal(mode_of(file), 0640);
	unlink(file);
	append_and_save(file);
	assert_int_equal(mode_of(file), 0600);
	expect_file(file, "account z {}\n");
}

/* A folder of its own is made for the first file, and is nobody else's. */
static void
test_first_file(void **state)
{
	char folder[80], path[96];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/config", dir);
	snprintf(path, sizeof(path), "%s/malote.conf", folder);
	append_and_save(path);
	assert_int_equal(mode_of(folder), 0700);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void
test_symbolic_link(void **state)
{
	struct conf_edit ed;
	char link[80];
	struct stat st;

	(void)state;
	snprintf(link, sizeof(link), "%s/link", dir);
	write_file(file, "");
	assert_int_equal(symlink("t.conf", link), 0);
	append_and_save(link);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	expect_file(file, "account z {}\n");
	/* What it leads to may be on a disk that is not there now. */
	unlink(file);
	assert_int_equal(conf_edit_open(&ed, link, &eb), E_DENIED);
	conf_edit_close(&ed);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(link);
}

/* Who else may read it may read it still, and nobody more. */
static void
test_access_list(void **state)
{
	static const char acl[] = "\2\0\0\0\1\0\6\0\xff\xff\xff\xff"
				  "\2\0\4\0\1\0\0\0\4\0\0\0\xff\xff\xff\xff"
				  "\20\0\4\0\xff\xff\xff\xff\40\0\0\0"
				  "\xff\xff\xff\xff";
	char now[256];

	(void)state;
	write_file(file, "# x\n");
	if (setxattr(file, ACL, acl, sizeof(acl) - 1, 0) < 0)
		skip();
	assert_int_equal(mode_of(file), 0640);
	append_and_save(file);
	assert_int_equal(
	    getxattr(file, ACL, now, sizeof(now)), sizeof(acl) - 1);
	assert_memory_equal(now, acl, sizeof(acl) - 1);
}

/* The folder's own list is for new files, and this is none. */
static void
test_no_access_list(void **state)
{
	static const char acl[] = "\2\0\0\0\1\0\7\0\xff\xff\xff\xff"
				  "\2\0\4\0\1\0\0\0\4\0\0\0\xff\xff\xff\xff"
				  "\20\0\4\0\xff\xff\xff\xff\40\0\0\0"
				  "\xff\xff\xff\xff";
	char now[256];

	(void)state;
	unlink(file);
	write_file(file, "# x\n");
	assert_int_equal(chmod(file, 0640), 0);
	if (setxattr(dir, "system.posix_acl_default", acl, sizeof(acl) - 1, 0) <
	    0)
		skip();
	append_and_save(file);
	removexattr(dir, "system.posix_acl_default");
	assert_int_equal(mode_of(file), 0640);
	assert_int_equal(getxattr(file, ACL, now, sizeof(now)), -1);
}

/* Somebody has taken care that it stays as it is. */
static void
test_read_only(void **state)
{
	enum { NOBODY = 65534 };
	uid_t me = geteuid(), user = me != 0 ? me : NOBODY;
	struct conf_edit ed;
	enum err e;

	(void)state;
	write_file(file, "# x\n");
	assert_int_equal(chmod(file, 0400), 0);
	assert_int_equal(chown(file, user, (gid_t)-1), 0);
	assert_int_equal(chown(dir, user, (gid_t)-1), 0);
	assert_int_equal(seteuid(user), 0);
	e = conf_edit_open(&ed, file, &eb);
	conf_edit_close(&ed);
	assert_int_equal(seteuid(me), 0);
	assert_int_equal(chown(dir, me, (gid_t)-1), 0);
	assert_int_equal(e, E_DENIED);
	unlink(file);
}

/* What else has the name of the new file is not written to. */
static void
test_another_file(void **state)
{
	char other[80], theirs[80];
	struct conf_edit ed;

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	write_file(other, "# other\n");
	assert_int_equal(link(other, new), 0);
	open_text(&ed, "# x\n");
	assert_int_equal(conf_edit_save(&ed, &eb), E_DENIED);
	conf_edit_close(&ed);
	expect_file(other, "# other\n");
	unlink(other);

	snprintf(theirs, sizeof(theirs), "%s.new", file);
	write_file(theirs, "# mine\n");
	append_and_save(file);
	expect_file(theirs, "# mine\n");
	unlink(theirs);
}

static void
test_not_saved(void **state)
{
	struct conf_edit ed;

	(void)state;
	open_text(&ed, "# x\n");
	assert_int_equal(conf_edit_append(&ed, "account z {}\n", &eb), E_OK);
	conf_edit_close(&ed);
	expect_file(file, "# x\n");
	assert_int_equal(access(new, F_OK), -1);
}

/* What an editor has saved meanwhile is the person's last word. */
static void
test_changed_meanwhile(void **state)
{
	struct conf_edit ed;

	(void)state;
	open_text(&ed, "# x\n");
	write_file(file, "# by hand\n");
	assert_int_equal(conf_edit_append(&ed, "account z {}\n", &eb), E_OK);
	assert_int_equal(conf_edit_save(&ed, &eb), E_BUSY);
	conf_edit_close(&ed);
	expect_file(file, "# by hand\n");

	unlink(file);
	assert_int_equal(conf_edit_open(&ed, file, &eb), E_OK);
	write_file(file, "# by hand\n");
	assert_int_equal(conf_edit_save(&ed, &eb), E_BUSY);
	conf_edit_close(&ed);
	expect_file(file, "# by hand\n");
}

static void
test_one_at_a_time(void **state)
{
	struct conf_edit ed, other;

	(void)state;
	open_text(&ed, "# x\n");
	assert_int_equal(conf_edit_open(&other, file, &eb), E_BUSY);
	conf_edit_close(&other);
	assert_int_equal(access(new, F_OK), 0); /* still ours */
	conf_edit_close(&ed);
	append_and_save(file);
	expect_file(file, "# x\n\naccount z {}\n");
}

/* Who died over it has left a new file, with whatever is in it. */
static void
test_left_behind(void **state)
{
	(void)state;
	write_file(file, "# x\n");
	write_file(new, "account half {\n much more than what will be written");
	append_and_save(file);
	expect_file(file, "# x\n\naccount z {}\n");
	assert_int_equal(access(new, F_OK), -1);
}

/* ---- values ---- */

static void
overlook(void *arg, bool is_error, const char *words)
{
	(void)arg;
	(void)is_error;
	(void)words;
}

static void
expect_quoted(const char *value, const char *quoted)
{
	struct client_conf conf;
	char out[128], text[256];

	assert_true(conf_edit_quote(out, sizeof(out), value));
	assert_string_equal(out, quoted);
	snprintf(text, sizeof(text),
	    "account a { email = \"a@b\" server = pop password = %s }", out);
	write_file(file, text);
	assert_int_equal(chmod(file, 0600), 0);
	assert_int_equal(client_conf_load(&conf, file, overlook, NULL), E_OK);
	assert_string_equal(conf.v[0].password, value);
	client_conf_free(&conf);
}

static void
test_quote(void **state)
{
	char small[8];

	(void)state;
	expect_quoted("secret", "\"secret\"");
	expect_quoted("it's # so // {", "\"it's # so // {\"");
	expect_quoted(
	    "a\"b\\c\\x0'${HOME}\\", "'a\"b\\\\c\\\\x0\\'${HOME}\\\\'");
	expect_quoted("\xc3\xa9 \xe2\x80\x9c", "\"\xc3\xa9 \xe2\x80\x9c\"");
	assert_false(conf_edit_quote(small, sizeof(small), "12345678"));
	assert_false(conf_edit_quote(small, sizeof(small), "a\nb"));
	assert_true(conf_edit_quote(small, sizeof(small), "1234"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_no_block),
		cmocka_unit_test(test_blocks_cannot_be_told_apart),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_remove_beside_others),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_bad_block),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_first_file),
		cmocka_unit_test(test_symbolic_link),
		cmocka_unit_test(test_access_list),
		cmocka_unit_test(test_no_access_list),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_another_file),
		cmocka_unit_test(test_not_saved),
		cmocka_unit_test(test_changed_meanwhile),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_left_behind),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
