/*
 * The languages of the server's replies: how one is chosen, what is said then,
 * the catalogues and what is wrong with some of them.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive.h"
#include "server/conf/catalogue.h"
#include "server/conf/languages.h"
#include "server/ipc/sealed.h"

/* ---- which one ---- */

static const struct pop3_language *
find(const struct pop3_languages *all, const char *range)
{
	return pop3_language_find(all, (struct slice){ range, strlen(range) });
}

/* S-6856-08, S-6856-10 */
static void
test_ranges(void **state)
{
	static struct pop3_language other[] = { { .tag = "pt-BR" },
		{ .tag = "zh-Hant-TW" }, { .tag = "sv" }, { .tag = "sv-FI" } };
	static const struct pop3_languages all = { &other[2], other, 4 };
	static const struct {
		const char *range, *tag; /* NULL: none */
	} row[] = {
		{ "en", "en" },
		{ "EN", "en" },
		{ "en-GB", "en" },
		{ "pt-BR", "pt-BR" },
		{ "PT-br", "pt-BR" },
		{ "pt", "pt-BR" },
		{ "pt-PT", "pt-BR" },
		{ "pt-BR-abl1943", "pt-BR" },
		{ "zh", "zh-Hant-TW" },
		{ "zh-Hant", "zh-Hant-TW" },
		{ "sv", "sv" },
		{ "sv-SE", "sv" },
		{ "sv-fi", "sv-FI" },
		{ "*", "sv" },
		{ "p", NULL },
		{ "ptt", NULL },
		{ "MUL", NULL },
		{ "uga", NULL },
		{ "i-default", NULL },
		{ "", NULL },
		{ "-", NULL },
		{ "pt-", NULL },
		{ "-pt", NULL },
		{ "pt--BR", NULL },
		{ "pt_BR", NULL },
		{ "pt-BR;q=1", NULL },
		{ "en-*", NULL },
		{ "e1", NULL },
		{ "englishes", NULL },
		{ "en-123456789", NULL },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct pop3_language *l = find(&all, row[i].range);

		if ((l == NULL) != (row[i].tag == NULL) ||
		    (l != NULL && strcmp(l->tag, row[i].tag) != 0)) {
			print_error("%s -> %s\n", row[i].range,
			    l != NULL ? l->tag : "none");
			fail();
		}
	}
	assert_ptr_equal(find(NULL, "*"), &pop3_english);
	assert_ptr_equal(find(NULL, "en"), &pop3_english);
	assert_null(find(NULL, "pt-BR"));
}

/* ---- as they travel ---- */

static void
write_language(struct buf *b, const char *tag, const char *itself,
    enum pop3_text only, const char *words)
{
	assert_int_equal(buf_put(b, tag, strlen(tag) + 1), E_OK);
	assert_int_equal(buf_put(b, itself, strlen(itself) + 1), E_OK);
	for (unsigned t = POP3_NO_TEXT + 1; t < POP3_TEXTS_END; t++) {
		const char *w = t == only ? words : "";

		assert_int_equal(buf_put(b, w, strlen(w) + 1), E_OK);
	}
}

static void
test_read(void **state)
{
	struct pop3_languages all;
	struct buf b;

	buf_init(&b, 65536, false);
	write_language(&b, "pt-BR", "Português", POP3_TEXT_BYE, "até logo");
	write_language(&b, "sv", "\xff", POP3_TEXT_BYE, "a\r\n+OK b");
	assert_int_equal(
	    pop3_languages_read(&all, buf_data(&b), b.len, "sv"), E_OK);
	assert_int_equal(all.n, 2);
	assert_ptr_equal(all.preferred, &all.other[1]);
	assert_string_equal(all.other[0].itself, "Português");
	assert_string_equal(all.other[0].words[POP3_TEXT_BYE], "até logo");
	assert_string_equal(
	    all.other[0].words[POP3_TEXT_NOTHING], "nothing done");
	assert_string_equal(all.other[1].itself, "");
	assert_string_equal(all.other[1].words[POP3_TEXT_BYE], "bye");
	free(all.other);
	assert_int_equal(
	    pop3_languages_read(&all, buf_data(&b), b.len - 1, ""), E_FORMAT);
	buf_consume(&b, b.len);
	write_language(&b, "pt_BR", "", POP3_NO_TEXT, "");
	assert_int_equal(
	    pop3_languages_read(&all, buf_data(&b), b.len, ""), E_FORMAT);
	buf_free(&b);
	assert_int_equal(pop3_languages_read(&all, "", 0, "sv"), E_OK);
	assert_true(all.n == 0 && all.preferred == NULL);
}

/* A %1 that programs read stays in front. */
static void
test_fits(void **state)
{
	assert_true(pop3_language_fits(POP3_TEXT_BYE, "até logo"));
	assert_true(pop3_language_fits(POP3_TEXT_MESSAGES, "%1 de %2"));
	assert_true(pop3_language_fits(POP3_TEXT_DELETED, "apagada: %1"));
	assert_false(pop3_language_fits(POP3_TEXT_MESSAGES, "há %1"));
	assert_false(pop3_language_fits(POP3_TEXT_DELETED, "%1 apagada"));
	assert_false(pop3_language_fits(POP3_TEXT_BYE, ""));
	assert_false(pop3_language_fits(POP3_TEXT_BYE, "a\nb"));
	assert_false(pop3_language_fits(POP3_TEXT_BYE, "a\x7f"));
	assert_false(pop3_language_fits(POP3_TEXT_BYE, "at\xe9"));
}

/* ---- what is said ---- */

static struct pop3_languages
one_language(struct buf *b, enum pop3_text t, const char *words)
{
	struct pop3_languages all;

	buf_init(b, 65536, false);
	write_language(b, "pt-BR", "Português", t, words);
	assert_int_equal(
	    pop3_languages_read(&all, buf_data(b), b->len, "pt-BR"), E_OK);
	return all;
}

static void
says(struct drive *d, const char *command, const char *reply)
{
	assert_string_equal(drive_say(d, command), reply);
}

/* S-6856-08, S-6856-09: from its own reply on, until another is chosen. */
static void
test_session(void **state)
{
	struct buf b;
	struct pop3_languages all =
	    one_language(&b, POP3_TEXT_UNKNOWN, "não existe");
	struct drive d;

	drive_init(&d);
	d.policy.languages = &all;
	d.policy.plain_passwords = d.policy.stls = true;
	drive_start(&d, false);
	says(&d, "LANG\r\n",
	    "+OK languages follow\r\nen English\r\npt-BR Português\r\n.\r\n");
	says(&d, "FOO\r\n", "-ERR unknown command\r\n");
	says(&d, "LANG uga\r\n", "-ERR that language is not offered\r\n");
	says(&d, "LANG *\r\n", "+OK pt-BR language chosen\r\n");
	says(&d, "FOO\r\n", "-ERR não existe\r\n");
	says(&d, "LANG pt_BR\r\n", "-ERR that language is not offered\r\n");
	says(&d, "FOO\r\n", "-ERR não existe\r\n");
	/* What was said before TLS is forgotten (RFC 2595 s4). */
	says(&d, "STLS\r\n", "+OK begin TLS\r\n");
	says(&d, "FOO\r\n", "-ERR unknown command\r\n");
	says(&d, "lang pt\r\n", "+OK pt-BR language chosen\r\n");
	drive_say(&d, "USER tim\r\nPASS tanstaaftanstaaf\r\n");
	assert_int_equal(d.server.state, POP3_TRANSACTION);
	says(&d, "FOO\r\nSTAT\r\n", "-ERR não existe\r\n+OK 0 0\r\n");
	says(&d, "LANG en\r\nFOO\r\n",
	    "+OK en language chosen\r\n-ERR unknown command\r\n");
	drive_clear(&d);
	free(all.other);
	buf_free(&b);
}

/* S-1939-06 in characters of several octets: cut between two of them. */
static void
test_long(void **state)
{
	char words[3 * 300 + 4];
	struct pop3_languages all;
	struct drive d;
	struct buf b;
	const char *reply;
	size_t n;

	for (unsigned shift = 0; shift < 3; shift++) {
		memset(words, 'x', shift);
		for (unsigned i = 0; i < 300; i++)
			memcpy(words + shift + 3 * i, "\u20ac", 3);
		words[shift + 900] = '\0';
		all = one_language(&b, POP3_TEXT_UNKNOWN, words);
		drive_init(&d);
		d.policy.languages = &all;
		drive_start(&d, false);
		drive_say(&d, "LANG pt\r\n");
		reply = drive_say(&d, "FOO\r\n");
		n = strlen(reply);
		assert_true(n <= 512 && n > 512 - 3);
		assert_true(str_is_utf8(reply, n));
		assert_memory_equal(reply + n - 2, "\r\n", 2);
		assert_null(memchr(reply, '?', n));
		drive_clear(&d);
		free(all.other);
		buf_free(&b);
	}
}

/* ---- catalogues ---- */

static char dir[] = "/tmp/malote-language-XXXXXX";
static char warned[4096];

static void
on_warning(void *arg, const char *text)
{
	strncat(warned, text, sizeof(warned) - strlen(warned) - 1);
}

static struct pop3_languages
load(const char *folder, const char *preferred)
{
	static const char *p;
	struct worker_conf w = { 0 };
	struct pop3_languages all;
	struct errbuf eb;
	size_t n;

	warned[0] = '\0';
	snprintf(w.language, sizeof(w.language), "%s", preferred);
	assert_int_equal(
	    languages_load(folder, &w, on_warning, NULL, &eb), E_OK);
	n = w.languages_octets;
	assert_int_equal(sealed_map(w.languages_fd, n, &p, &eb), E_OK);
	assert_int_equal(write(w.languages_fd, "x", 1), -1);
	close(w.languages_fd);
	assert_int_equal(pop3_languages_read(&all, p, n, preferred), E_OK);
	return all;
}

/* S-6856-09: every text of the server there is. */
static void
test_portuguese(void **state)
{
	struct pop3_languages all = load(CATALOGUES, "pt-BR");
	const struct pop3_language *pt = find(&all, "pt-BR");

	assert_string_equal(warned, "");
	assert_non_null(pt);
	assert_ptr_equal(all.preferred, pt);
	assert_string_equal(pt->itself, "Português do Brasil");
	for (unsigned t = POP3_NO_TEXT + 1; t < POP3_TEXTS_END; t++) {
		const char *en = pop3_english.words[t];

		if (strcmp(pt->words[t], en) == 0) {
			print_error("not in Portuguese: %s\n", en);
			fail();
		}
		for (size_t i = 0; i < 2; i++) {
			const char *arg = i == 0 ? "%1" : "%2";

			assert_true((strstr(en, arg) != NULL) ==
				    (strstr(pt->words[t], arg) != NULL));
		}
		assert_true(strlen(pt->words[t]) < 200);
	}
	free(all.other);
}

static void
in_dir(char *path, const char *name)
{
	snprintf(path, 256, "%s/%s", dir, name);
}

static void
write_file(const char *name, const char *p, size_t n)
{
	char path[256];
	FILE *f;

	in_dir(path, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* A language is added by a file; what is no catalogue is said, and the others
 * are spoken. */
static void
test_folder(void **state)
{
	static const char *const names[] = { "sv.mo", "da.mo", "no_NO.mo",
		"en.mo", "README" };
	static char good[65536], path[256];
	FILE *f = fopen(CATALOGUES "/pt-BR.mo", "r");
	size_t n = fread(good, 1, sizeof(good), f);
	struct pop3_languages all;

	fclose(f);
	assert_non_null(mkdtemp(dir));
	write_file("sv.mo", good, n);
	write_file("da.mo", "junk", 4);
	write_file("no_NO.mo", good, n);
	write_file("en.mo", good, n);
	write_file("README", "text", 4);
	all = load(dir, "de");
	assert_int_equal(all.n, 1);
	assert_string_equal(all.other[0].tag, "sv");
	assert_null(all.preferred);
	assert_non_null(strstr(warned, "da.mo is left out: it is not a cat"));
	assert_non_null(strstr(warned, "no_NO.mo is left out: its name"));
	assert_non_null(strstr(warned, "en.mo is left out: its name"));
	assert_null(strstr(warned, "README"));
	assert_non_null(strstr(warned, "language = \"de\", but there is no"));
	free(all.other);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		in_dir(path, names[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(dir), 0);
	all = load(dir, "en");
	assert_true(all.n == 0 && warned[0] == '\0');
}

/* Cut at any place, and with any octet of its tables wrong, nothing outside of
 * it is read. */
static void
test_damaged(void **state)
{
	char text[65536], path[] = "/tmp/malote-language.mo-XXXXXX";
	int fd = open(CATALOGUES "/pt-BR.mo", O_RDONLY), to = mkstemp(path);
	ssize_t n = read(fd, text, sizeof(text));
	struct catalogue c;
	struct errbuf eb;

	close(fd);
	assert_true(n > 1500 && to >= 0);
	for (ssize_t at = 0; at < 1500; at++) {
		text[at] = (char)~text[at];
		assert_int_equal(pwrite(to, text, (size_t)n, 0), n);
		if (catalogue_read(&c, path, &eb) == E_OK) {
			assert_null(catalogue_find(&c, "no such text"));
			catalogue_free(&c);
		}
		text[at] = (char)~text[at];
	}
	for (ssize_t len = n; len >= 0; len -= 7) {
		assert_int_equal(ftruncate(to, len), 0);
		if (catalogue_read(&c, path, &eb) == E_OK) {
			assert_null(catalogue_find(&c, "no such text"));
			catalogue_free(&c);
		} else {
			assert_true(len < n);
		}
	}
	close(to);
	assert_int_equal(unlink(path), 0);
}

/* Memory that somebody could still change is not taken. */
static void
test_seals(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct errbuf eb;
	const char *p;

	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(sealed_map(fd, 4, &p, &eb), E_FORMAT);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(sealed_map(fd, 4, &p, &eb), E_FORMAT);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_portuguese),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_seals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
