/*
 * Login names: what is refused, case, domains, and where the mail is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/conf/spelling.h"
#include "server/users/name.h"

static const struct name_rule lower = { true, "", "", "" };
static const struct name_rule keep = { false, "", "", "" };
static const struct name_rule odd = { true, "", "'\\.!#%", "" };
static const struct name_rule parted = { true, "d.org", "", "%#/" };
static const struct name_rule plus = { true, "", "", "+" };
static const struct name_rule domain = { true, "example.org", "", "" };

/* S-6856-07 */
static void
test_taken(void **state)
{
	static const struct {
		const struct name_rule *rule;
		const char *in, *out;
	} v[] = {
		{ &lower, "anna", "anna" },
		{ &lower, "Anna", "anna" },
		{ &keep, "Anna", "Anna" },
		{ &lower, "Anna@Example.ORG", "anna@example.org" },
		{ &keep, "Anna@Example.ORG", "Anna@Example.ORG" },
		{ &domain, "Anna", "anna@example.org" },
		{ &domain, "anna@other", "anna@other" },
		{ &lower, "a.b-c_d+e=f&g", "a.b-c_d+e=f&g" },
		{ &lower, "1", "1" },
		{ &lower, "a.", "a." },
		{ &lower, "-a", "-a" },
		/* Only ASCII is folded. */
		{ &lower, "\xc3\x89va", "\xc3\x89va" },
		{ &lower, "\xe6\x97\xa5@\xe6\x9c\xac.jp",
		    "\xe6\x97\xa5@\xe6\x9c\xac.jp" },
		/* An accent typed behind its letter, and wide letters. */
		{ &lower, "jose\xcc\x81@a", "jos\xc3\xa9@a" },
		{ &lower, "H\xcc\xb1@a", "\xe1\xba\x96@a" }, /* no such H */
		{ &lower, "\xef\xbc\xa1na\xef\xbc\xa0x", "ana@x" },
		{ &domain, "jose\xcc\x81", "jos\xc3\xa9@example.org" },
		/* Soft hyphen, joiner, byte order mark: as if they were not
		 * there (RFC 3454 B.1). */
		{ &lower, "a\xc2\xad", "a" },
		{ &lower,
		    "a\xe2\x80\x8d"
		    "b",
		    "ab" },
		{ &lower,
		    "\xef\xbb\xbf"
		    "ana@\xef\xbb\xbfx",
		    "ana@x" },
		{ &domain, "\xe2\x85\xa8", "ix@example.org" },
		/* Right to left before a domain that is not. */
		{ &lower, "\xd7\x90\xd7\x91\x31@x", "\xd7\x90\xd7\x91\x31@x" },
	};
	char out[NAME_MAX_OCTETS + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct slice in = { v[i].in, strlen(v[i].in) };

		assert_int_equal(
		    name_normalize(v[i].rule, in, out, NULL), E_OK);
		assert_string_equal(out, v[i].out);
		/* What came out stays as it is. */
		in = (struct slice){ v[i].out, strlen(v[i].out) };
		assert_int_equal(
		    name_normalize(v[i].rule, in, out, NULL), E_OK);
		assert_string_equal(out, v[i].out);
	}
}

static void
test_refused(void **state)
{
	/* S-ENG-31 */
	static const char *const v[] = { "", "@", "a@", "@b", "a@b@c", ".a",
		"a@.b", "..", ".", "a..b", "a@b..c", "../x", "a/b", "a\\b",
		" a", "a ", "a b", "a\tb", "a\nb", "a\rb", "a\x7f", "\x01",
		"a:b", "a%b", "%u", "a*b", "a?b", "a\"b", "a'b", "a<b", "a>b",
		"a|b", "a`b", "a$b", "a;b", "a(b", "a)b", "a[b", "a]b", "a{b",
		"a}b", "a,b", "a!b", "a#b", "~a", "a~b", "a^b", "\xff",
		"\xc0\xaf", "\xc3", "a\xed\xa0\x80", "a\xc2\x85", "a\xc2\x9f@b",
		/* What nobody sees: no-break space, zero width space, marks of
		 * direction, tag; and what SASLprep lets pass. */
		"\xc2\xa0x", "a\xe2\x80\x8b", "a\xe2\x80\x8f", "a\xe2\x80\xae",
		"a\xe2\x81\xa6", "a\xf3\xa0\x80\xa1", "a\xf3\xa0\x84\x80",
		"a\xd8\x9c", "a\xe1\x85\x9f", "a\xe3\x85\xa4", "a\xef\xbe\xa0",
		"a\xe2\xa0\x80", "a\xef\xbf\xb0",
		/* SASLprep prohibits it: private use, replacement. */
		"a\xee\x80\x80", "a\xef\xbf\xbd",
		/* Nothing is left: soft hyphen. */
		"\xc2\xad", "a@\xc2\xad", "\xef\xbb\xbf@b",
		/* What NFKC makes of others: a slash, two dots, a space, an @
		 * too many. */
		"a\xef\xbc\x8f"
		"b",
		"a\xe2\x80\xa5"
		"b",
		"\xef\xbc\x8e\xef\xbc\x8e", "a\xe3\x80\x80", "a\xc2\xb4",
		"a@b\xef\xbc\xa0x",
		/* Prepared once more it would be another one. */
		"\xef\xbe\xb1\xcc\xbe\xe3\x85\x9a\xcc\xbc" };
	char out[NAME_MAX_OCTETS + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct slice in = { v[i], strlen(v[i]) };

		if (name_normalize(&lower, in, out, NULL) != E_FORMAT)
			fail_msg("taken: %s", v[i]);
		if (name_normalize(&domain, in, out, NULL) != E_FORMAT)
			fail_msg("taken with a domain: %s", v[i]);
	}
	for (int c = 0; c < 256; c++) {
		char in[3] = { 'a', (char)c, 'b' };
		enum err e =
		    name_normalize(&lower, (struct slice){ in, 3 }, out, NULL);

		if (c <= 0x20 || c >= 0x7f)
			assert_int_equal(e, E_FORMAT);
	}
}

/* What settings add. */
static void
test_more(void **state)
{
	static const struct {
		const struct name_rule *rule;
		const char *in, *out; /* NULL: refused */
	} v[] = {
		{ &odd, "O'Brien@x", "o'brien@x" },
		{ &odd, "DOM\\User", "dom\\user" },
		{ &odd, "first..last@x", "first..last@x" },
		{ &odd, "a...@x", "a...@x" },
		{ &odd, "a#b!", "a#b!" },
		{ &odd, "a%b", "a%b" },
		/* The width that Japanese typing gives them. */
		{ &odd, "o\xef\xbc\x87x", "o'x" },
		/* A comment, in a users file. */
		{ &odd, "#a", NULL },
		{ &odd, ".", NULL },
		{ &odd, "..", NULL },
		{ &odd, ".a@x", NULL },
		{ &odd, "..@x", NULL },
		{ &odd, "a@..", NULL },
		{ &odd, "a@b..c", NULL },
		{ &odd, "a@b'c", NULL },
		{ &odd, "a@b@c", NULL },
		{ &odd, "a/b", NULL },
		{ &odd, "a:b", NULL },
		{ &odd, "a b", NULL },
		{ &odd, "a\"b", NULL },
		/* What stands for the @. */
		{ &parted, "Ana%X.org", "ana@x.org" },
		{ &parted, "ana#x.org", "ana@x.org" },
		{ &parted, "ana/x.org", "ana@x.org" },
		{ &parted, "ana\xef\xbc\x85x.org", "ana@x.org" },
		{ &parted, "ana@x.org", "ana@x.org" },
		{ &parted, "ana", "ana@d.org" },
		/* The last one; and only where there is none. */
		{ &plus, "ana+box+x.org", "ana+box@x.org" },
		{ &parted, "ana%b%x.org", NULL },
		{ &parted, "ana%b@x.org", NULL },
		{ &parted, "%x.org", NULL },
		{ &parted, "ana%", NULL },
		{ &parted, "ana/../x", NULL },
		{ &parted, "ana%..", NULL },
	};
	char out[NAME_MAX_OCTETS + 1];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct slice in = { v[i].in, strlen(v[i].in) };

		if (name_normalize(v[i].rule, in, out, NULL) !=
		    (v[i].out != NULL ? E_OK : E_FORMAT))
			fail_msg("%s", v[i].in);
		if (v[i].out == NULL)
			continue;
		assert_string_equal(out, v[i].out);
		in = (struct slice){ v[i].out, strlen(v[i].out) };
		assert_int_equal(
		    name_normalize(v[i].rule, in, out, NULL), E_OK);
		assert_string_equal(out, v[i].out);
	}
}

static void
test_marks(void **state)
{
	assert_int_equal(text_refuses_in_names("'\\.!#$%&*+-"), 0);
	assert_int_equal(text_refuses_as_separator("%#!/+_:"), 0);
	for (const char *p = "/:@ a0\t\x7f\xe9"; *p != '\0'; p++) {
		char marks[] = { '%', *p, '\0' };

		assert_int_equal(
		    text_refuses_in_names(marks), (unsigned char)*p);
	}
	for (const char *p = "@.- a0\t\x7f\xe9"; *p != '\0'; p++) {
		char marks[] = { '%', *p, '\0' };

		assert_int_equal(
		    text_refuses_as_separator(marks), (unsigned char)*p);
	}
}

static void
test_domain(void **state)
{
	static const char *const good[] = { "example.org", "a", "B.c",
		"\xe6\x9c\xac.jp" };
	static const char *const bad[] = { "", ".a", "a..b", "a@b", "a/b",
		"a b", "a:b", "a%d", "\xef\xbb\xbfx.org", "a\xc2\xa0" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!text_is_domain(good[i]))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (text_is_domain(bad[i]))
			fail_msg("taken: %s", bad[i]);
}

/* What can be stored is what every way of signing in carries. */
static void
test_password(void **state)
{
	static const char *const bad[] = { "", "a\r", "a\nb", "\t", "a\x1b[C",
		"\x7f", "\xff", "\xe7\xe3o" };
	char most[PASSWORD_MAX + 1];
	struct errbuf eb;

	memset(most, 'x', sizeof(most));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		eb.text[0] = '\0';
		assert_int_equal(
		    text_password(
			(struct slice){ bad[i], strlen(bad[i]) }, &eb),
		    E_FORMAT);
		assert_int_not_equal(eb.text[0], '\0');
	}
	assert_int_equal(
	    text_password((struct slice){ " a:b \xc3\xa7", 7 }, &eb), E_OK);
	assert_int_equal(
	    text_password((struct slice){ most, PASSWORD_MAX }, &eb), E_OK);
	assert_int_equal(
	    text_password((struct slice){ most, PASSWORD_MAX + 1 }, &eb),
	    E_FORMAT);
}

static void
test_length(void **state)
{
	char in[NAME_MAX_OCTETS + 1], out[NAME_MAX_OCTETS + 1];
	const size_t room = NAME_MAX_OCTETS - strlen("@example.org");

	(void)state;
	memset(in, 'a', sizeof(in));
	assert_int_equal(name_normalize(&lower,
			     (struct slice){ in, NAME_MAX_OCTETS }, out, NULL),
	    E_OK);
	assert_int_equal(strlen(out), NAME_MAX_OCTETS);
	assert_int_equal(
	    name_normalize(
		&lower, (struct slice){ in, NAME_MAX_OCTETS + 1 }, out, NULL),
	    E_FORMAT);
	assert_int_equal(
	    name_normalize(&domain, (struct slice){ in, room }, out, NULL),
	    E_OK);
	assert_int_equal(strlen(out), NAME_MAX_OCTETS);
	assert_int_equal(
	    name_normalize(&domain, (struct slice){ in, room + 1 }, out, NULL),
	    E_FORMAT);
}

static const struct {
	const char *mail, *root, *name, *home, *out; /* NULL: refused */
} mails[] = {
	{ "maildir:/srv/%d/%n", "/srv", "a@b", "", "maildir:/srv/b/a" },
	{ "maildir:/srv/%u", "/srv", "a@b", "", "maildir:/srv/a@b" },
	{ "maildir:/srv/%d/%n", "/srv", "a..b@c", "", "maildir:/srv/c/a..b" },
	{ "maildir:/srv/%u", "/srv", "d\\o'b", "", "maildir:/srv/d\\o'b" },
	{ "maildir:/srv/%n", "/srv", "a", "", "maildir:/srv/a" },
	{ "maildir:/srv/%u/%%", "/srv", "a", "", "maildir:/srv/a/%" },
	{ "maildir:~/Maildir", "/home", "a", "/home/a",
	    "maildir:/home/a/Maildir" },
	{ "maildir:~", "/home", "a", "/home/a", "maildir:/home/a" },
	{ "maildir:%h/M", "/home", "a", "/home/a/", "maildir:/home/a/M" },
	{ "maildir://srv///%u//", "/srv/", "a", "", "maildir:/srv/a" },
	{ "maildir:/srv/...%u", "/srv", "a", "", "maildir:/srv/...a" },
	{ "maildir:/x", "/", "a", "", "maildir:/x" },
	/* Not below the root. */
	{ "maildir:/srv", "/srv", "a", "", NULL },
	{ "maildir:/srv/", "/srv", "a", "", NULL },
	{ "maildir:/", "/", "a", "", NULL },
	{ "maildir:/srvx/%u", "/srv", "a", "", NULL },
	{ "maildir:/etc/%u", "/srv", "a", "", NULL },
	{ "maildir:%h", "/srv", "a", "/root", NULL },
	{ "maildir:srv/%u", "/srv", "a", "", NULL },
	{ "maildir:", "/srv", "a", "", NULL },
	{ "maildir:~x/y", "/srv", "a", "/srv", NULL },
	/* Ways out of it. */
	{ "maildir:/srv/../%u", "/srv", "a", "", NULL },
	{ "maildir:/srv/x/..", "/srv", "a", "", NULL },
	{ "maildir:/srv/./%u", "/srv", "a", "", NULL },
	{ "maildir:%h/M", "/srv", "a", "/srv/..", NULL },
	{ "maildir:/srv/%n%n", "/srv", "a", "", "maildir:/srv/aa" },
	/* What is not known, not there, or not meant. */
	{ "/srv/%u", "/srv", "a", "", NULL },
	{ "mbox:/srv/%u", "/srv", "a", "", NULL },
	{ "maildir:/srv/%d/%n", "/srv", "a", "", NULL },
	{ "maildir:/srv/%x", "/srv", "a", "", NULL },
	{ "maildir:/srv/%", "/srv", "a", "", NULL },
	{ "maildir:~/M", "/srv", "a", "", NULL },
	{ "maildir:%h/M", "/srv", "a", "", NULL },
	{ "maildir:/srv/%u:LAYOUT=fs", "/srv", "a", "", NULL },
	{ "maildir:/srv/%u\n", "/srv", "a", "", NULL },
};

static void
test_mail(void **state)
{
	char out[MAIL_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		struct errbuf eb = { "" };
		enum err e = name_mail(out, mails[i].mail, mails[i].root,
		    mails[i].name, mails[i].home, &eb);

		if (e != (mails[i].out != NULL ? E_OK : E_CONFIG))
			fail_msg("%s: %s", mails[i].mail, eb.text);
		if (mails[i].out != NULL)
			assert_string_equal(out, mails[i].out);
		else
			assert_int_not_equal(eb.text[0], '\0');
	}
}

static void
test_mail_too_long(void **state)
{
	char mail[MAIL_PATH_MAX * 2] = "maildir:/srv/", out[MAIL_PATH_MAX];
	size_t head = strlen(mail);

	(void)state;
	for (size_t n = head; n < MAIL_PATH_MAX + 8; n++) {
		mail[n] = 'x';
		assert_int_equal(name_mail(out, mail, "/srv", "a", "", NULL),
		    n + 1 < MAIL_PATH_MAX ? E_OK : E_CONFIG);
	}
	strcpy(mail + MAIL_PATH_MAX - 10, "%u%u%u");
	assert_int_equal(
	    name_mail(out, mail, "/srv", "annaanna", "", NULL), E_CONFIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_mail_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
