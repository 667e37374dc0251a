/* Where tokens are kept: by one at a time, and never half. */
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
#include <unistd.h>

#include <cmocka.h>

#include "client/oauth/vault.h"

static char dir[] = "/tmp/test_vault.XXXXXX";
static struct oauth_party *party;
static struct errbuf eb;

/* ---- a disk that is full, or fails ---- */

static bool is_full, cannot_sync;
int __real_posix_fallocate64(int fd, off_t at, off_t n);
int __wrap_posix_fallocate64(int fd, off_t at, off_t n);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
static unsigned synced;

int
__wrap_posix_fallocate64(int fd, off_t at, off_t n)
{
	return is_full ? ENOSPC : __real_posix_fallocate64(fd, at, n);
}

int
__wrap_fsync(int fd)
{
	synced++;
	errno = EIO;
	return cannot_sync ? -1 : __real_fsync(fd);
}

/* ---- trying ---- */

static struct vault *
open_it(void)
{
	struct vault *v;

	if (vault_open(&v, party, 10, &eb) != E_OK)
		fail_msg("%s", eb.text);
	return v;
}

static void
path_of(char out[128], const char *end)
{
	snprintf(out, 128, "%s/tokens/%s%s", dir, party->key, end);
}

static struct oauth_tokens
tokens(const char *access, const char *refresh)
{
	return (struct oauth_tokens){ (char *)access, (char *)refresh, 1000 };
}

static void
save(const char *access, const char *refresh, enum err prepared, enum err saved)
{
	const struct oauth_tokens t = tokens(access, refresh);
	struct vault *v = open_it();

	assert_int_equal(vault_prepare(v, &eb), prepared);
	if (prepared == E_OK)
		assert_int_equal(vault_save(v, &t, &eb), saved);
	vault_close(v);
}

static void
expect(const char *access, const char *refresh)
{
	struct vault *v = open_it();
	struct oauth_tokens t;

	assert_int_equal(vault_load(v, &t, &eb), E_OK);
	assert_string_equal(t.access, access);
	assert_string_equal(t.refresh, refresh);
	assert_int_equal(t.expires, 1000);
	oauth_tokens_clear(&t);
	vault_close(v);
}

static void
expect_nothing_left(void)
{
	char path[128];

	path_of(path, ".new");
	assert_int_equal(access(path, F_OK), -1);
}

/* ---- the guarantees ---- */

static void
tokens_are_kept(void **state)
{
	struct vault *v = open_it();
	struct oauth_tokens t;
	struct stat st;
	char path[128];

	assert_int_equal(vault_load(v, &t, &eb), E_NOENT);
	vault_close(v);
	synced = 0;
	save("a", "r", E_OK, E_OK);
	assert_int_equal(synced, 2); /* the file, then its folder */
	expect("a", "r");
	save("a2", "r2", E_OK, E_OK);
	expect("a2", "r2");
	path_of(path, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(st.st_size < 100);
	expect_nothing_left();
}

static void
a_full_disk_is_seen_before(void **state)
{
	save("a", "r", E_OK, E_OK);
	is_full = true;
	save("b", "s", E_IO, E_OK);
	is_full = false;
	expect("a", "r");
	expect_nothing_left();
}

static void
what_was_kept_stays_until_the_new_is_on_the_disk(void **state)
{
	save("a", "r", E_OK, E_OK);
	cannot_sync = true;
	save("b", "s", E_OK, E_IO);
	cannot_sync = false;
	expect("a", "r");
	expect_nothing_left();
}

/* Killed between the two. */
static void
what_somebody_left_is_replaced(void **state)
{
	char path[128];
	FILE *f;

	save("a", "r", E_OK, E_OK);
	path_of(path, ".new");
	f = fopen(path, "w");
	fputs("1\nhalf", f);
	fclose(f);
	expect("a", "r");
	save("b", "s", E_OK, E_OK);
	expect("b", "s");
	expect_nothing_left();
}

static void
one_at_a_time_has_it(void **state)
{
	struct vault *v = open_it(), *other;

	assert_int_equal(vault_open(&other, party, 0.1, &eb), E_AGAIN);
	assert_non_null(strstr(eb.text, "another malote"));
	vault_close(v);
	assert_int_equal(vault_open(&other, party, 0.1, &eb), E_OK);
	vault_close(other);
}

static void
damage_is_said(void **state)
{
	static const char *const texts[] = { "", "1\na\n", "x\na\nb\n",
		"1\na b\nc\n" };
	struct oauth_tokens t;
	struct vault *v;
	char path[128];
	FILE *f;

	path_of(path, "");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		f = fopen(path, "w");
		fputs(texts[i], f);
		fclose(f);
		v = open_it();
		assert_int_equal(vault_load(v, &t, &eb), E_FORMAT);
		assert_non_null(strstr(eb.text, "malote login casa"));
		vault_close(v);
	}
	save("a", "r", E_OK, E_OK);
	expect("a", "r");
}

static void
others_have_tokens_of_their_own(void **state)
{
	struct oauth_client c = { .name = (char *)"work",
		.client_id = (char *)"id",
		.token_url = (char *)"https://example.org/t" };
	struct account a = {
		.name = (char *)"x", .user = (char *)"ana", .client = &c
	};
	char first[DIGEST_TEXT];
	struct oauth_party *p = oauth_party_new(&a, dir);

	strcpy(first, p->key);
	oauth_party_free(p);
	a.name = (char *)"y"; /* another name is no other account */
	p = oauth_party_new(&a, dir);
	assert_string_equal(first, p->key);
	oauth_party_free(p);
	for (int i = 0; i < 3; i++) {
		c.client_id = (char *)(i == 0 ? "other" : "id");
		c.token_url = (char *)(i == 1 ? "https://example.com/t"
					      : "https://example.org/t");
		a.user = (char *)(i == 2 ? "bia" : "ana");
		p = oauth_party_new(&a, dir);
		assert_string_not_equal(first, p->key);
		oauth_party_free(p);
	}
}

static int
make_party(void **state)
{
	static struct oauth_client c = { .name = (char *)"work",
		.client_id = (char *)"id",
		.token_url = (char *)"https://example.org/t" };
	const struct account a = {
		.name = (char *)"casa", .user = (char *)"ana", .client = &c
	};

	if (mkdtemp(dir) == NULL)
		return -1;
	party = oauth_party_new(&a, dir);
	return party != NULL ? 0 : -1;
}

static int
remove_all(void **state)
{
	static const char *const ends[] = { "", ".lock" };
	char path[128];

	for (size_t i = 0; i < 2; i++) {
		path_of(path, ends[i]);
		unlink(path);
	}
	oauth_party_free(party);
	snprintf(path, sizeof(path), "%s/tokens", dir);
	return rmdir(path) + rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_are_kept),
		cmocka_unit_test(a_full_disk_is_seen_before),
		cmocka_unit_test(
		    what_was_kept_stays_until_the_new_is_on_the_disk),
		cmocka_unit_test(what_somebody_left_is_replaced),
		cmocka_unit_test(one_at_a_time_has_it),
		cmocka_unit_test(damage_is_said),
		cmocka_unit_test(others_have_tokens_of_their_own),
	};

	return cmocka_run_group_tests(tests, make_party, remove_all);
}
