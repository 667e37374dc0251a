/*
 * The record of what was collected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "state_rig.h"

/* ---- opening ---- */

static void
test_open(void **state)
{
	struct state *s = state_open_it(false);
	struct stat st;

	(void)state;
	assert_int_equal(stat(state_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(state_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(
	    state_account_of(s, "a").id, state_account_of(s, "a").id);
	state_close(s);
	/* Another person's umask, an old copy. */
	assert_int_equal(chmod(state_file, 0644), 0);
	s = state_open_it(false);
	assert_int_equal(stat(state_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	state_close(s);
	state_close(NULL);
}

static void
test_open_fails(void **state)
{
	struct errbuf eb = { "" };
	struct state *s;
	bool aside;
	int fd;

	(void)state;
	snprintf(state_dir, sizeof(state_dir), "%s/a", state_home);
	fd = open(state_dir, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(state_open(&s, state_dir, &aside, &eb), E_IO);
	assert_null(s);
	assert_non_null(strstr(eb.text, state_dir));
	unlink(state_dir);
	for (unsigned n = 1; n < 3; n++) {
		alloc_fail(n);
		if (alloc_failed())
			break;
		(void)!state_open(&s, state_dir, &aside, &eb);
		if (alloc_failed())
			assert_null(s);
		state_close(s);
	}
	alloc_fail(0);
}

static void
test_of_another(void **state)
{
	struct errbuf eb = { "" };
	struct state *s;
	bool aside;

	(void)state;
	state_close(state_open_it(false));
	state_sql("PRAGMA user_version = 1000");
	assert_int_equal(state_open(&s, state_dir, &aside, &eb), E_CONFIG);
	assert_non_null(strstr(eb.text, "newer"));
	state_sql("PRAGMA user_version = 1; PRAGMA application_id = 7");
	assert_int_equal(state_open(&s, state_dir, &aside, &eb), E_CONFIG);
	assert_non_null(strstr(eb.text, "another program"));
	unlink(state_file);
	state_sql("CREATE TABLE t (a)");
	assert_int_equal(state_open(&s, state_dir, &aside, &eb), E_CONFIG);
	assert_int_equal(state_count_files("damaged", ""), 0);
}

/* ---- accounts ---- */

static void
test_account(void **state)
{
	struct state *s = state_open_it(false);
	struct state_account a = state_account_of(s, "casa"), b;

	(void)state;
	assert_true(a.fresh);
	assert_int_equal(a.braked, 0);
	assert_string_equal(a.error, "");
	a.braked = (int64_t)1 << 40;
	a.sizes_lie = true;
	a.cut_until = 18;
	a.cut_commands = 19;
	a.cut_octets = 20;
	a.cut_met = true;
	a.no_capa_until = 6;
	a.no_top_until = 8;
	a.no_recapa_until = 9;
	a.no_list_until = 10;
	a.no_uidl_until = 11;
	a.no_utf8_until = 14;
	a.serial_until = 1;
	a.auth_rank = 2;
	a.not_before = 3;
	a.refused_at = 9;
	a.refused_mark = 65535;
	a.auth_below = 20;
	a.auth_below_until = 12;
	a.crowd = 3;
	a.crowd_until = 13;
	strcpy(a.refused_why, "it said \"never\"");
	a.tried_at = 4;
	a.collected_at = 5;
	a.exit_code = 75;
	strcpy(a.error, "it said \"no\" \\xff");
	memset(a.notice, 'x', sizeof(a.notice) - 1);
	a.collected = 6;
	a.collected_octets = 1ull << 40;
	a.deleted = 7;
	a.freed_octets = UINT64_MAX;
	a.left = UINT32_MAX;
	a.left_octets = 8;
	assert_int_equal(state_account_save(s, &a, NULL), E_OK);
	b = state_account_of(s, "casa");
	assert_memory_equal(&a, &b, sizeof(a));
	/* Names are compared as they stand. */
	assert_int_not_equal(state_account_of(s, "Casa").id, a.id);
	state_close(s);
	s = state_open_it(false);
	b = state_account_of(s, "casa");
	assert_memory_equal(&a, &b, sizeof(a));
	/* What this locale has no signs for. */
	strcpy(a.error, "Usu\xc3\xa1rio");
	assert_int_equal(state_account_save(s, &a, NULL), E_OK);
	assert_string_equal(
	    state_account_of(s, "casa").error, "Usu\\xc3\\xa1rio");
	state_close(s);
}

/* A number is never another's, also when all that had one have gone. */
static void
test_numbers(void **state)
{
	struct state *s = state_open_it(false);
	struct state_account a = state_account_of(s, "casa"),
			     b = state_account_of(s, "b");
	struct numbered v[] = {
		{ 1, { { 7 } }, 10, false, { { 0 } }, 100, 0 },
		{ 2, { { 8 } }, 11, true, { { 9 } }, 200, 150 },
	};
	struct numbered *got;
	size_t n;

	(void)state;
	assert_int_equal(state_numbers_save(s, a.id, v, 2, 0, NULL), E_OK);
	assert_int_equal(state_numbers_save(s, b.id, v, 1, 0, NULL), E_OK);
	v[0].seen_at = 300;
	assert_int_equal(state_numbers_save(s, a.id, v, 1, 0, NULL), E_OK);
	state_close(s);
	s = state_open_it(false);
	assert_int_equal(state_numbers(s, a.id, &got, &n, NULL), E_OK);
	assert_int_equal(n, 2);
	assert_int_equal(got[0].seen_at, 300);
	assert_false(got[0].has_header);
	assert_true(got[1].has_header && got[1].header.v[0] == 9);
	assert_int_equal(got[1].size, 11);
	assert_true(got[0].stub_at == 0 && got[1].stub_at == 150);
	free(got);
	assert_int_equal(state_numbers_save(s, a.id, v, 0, 999, NULL), E_OK);
	assert_int_equal(state_numbers(s, a.id, &got, &n, NULL), E_OK);
	assert_int_equal(n, 1);
	assert_int_equal(got[0].number, 2);
	free(got);
	assert_int_equal(state_numbers(s, b.id, &got, &n, NULL), E_OK);
	assert_int_equal(n, 1);
	free(got);
	state_close(s);
}

/* What the first version wrote is still there. */
static void
test_migration(void **state)
{
	struct state *s = state_open_it(false);
	struct state_account a = state_account_of(s, "casa");

	(void)state;
	a.collected = 7;
	assert_int_equal(state_account_save(s, &a, NULL), E_OK);
	state_close(s);
	state_sql("ALTER TABLE account DROP COLUMN maildrop;"
		  "ALTER TABLE account DROP COLUMN language;"
		  "ALTER TABLE account DROP COLUMN no_top_until;"
		  "ALTER TABLE trouble DROP COLUMN msgno;"
		  "ALTER TABLE account DROP COLUMN no_recapa_until;"
		  "ALTER TABLE account DROP COLUMN no_list_until;"
		  "ALTER TABLE account DROP COLUMN no_uidl_until;"
		  "ALTER TABLE account DROP COLUMN refused_at;"
		  "ALTER TABLE account DROP COLUMN refused_mark;"
		  "ALTER TABLE account DROP COLUMN refused_why;"
		  "ALTER TABLE account DROP COLUMN auth_below;"
		  "ALTER TABLE account DROP COLUMN auth_below_until;"
		  "ALTER TABLE account DROP COLUMN crowd;"
		  "ALTER TABLE account DROP COLUMN crowd_until;"
		  "ALTER TABLE account DROP COLUMN cut_until;"
		  "ALTER TABLE account DROP COLUMN cut_commands;"
		  "ALTER TABLE account DROP COLUMN cut_octets;"
		  "ALTER TABLE account DROP COLUMN cut_met;"
		  "ALTER TABLE intent DROP COLUMN folder;"
		  "ALTER TABLE intent DROP COLUMN number;"
		  "ALTER TABLE account DROP COLUMN no_utf8_until;"
		  "ALTER TABLE intent DROP COLUMN epoch;"
		  "DROP TABLE number;"
		  "PRAGMA user_version = 1");
	s = state_open_it(false);
	a = state_account_of(s, "casa");
	assert_int_equal(a.collected, 7);
	assert_int_equal(a.refused_at, 0);
	assert_string_equal(a.refused_why, "");
	state_close(s);
}

/* A run that dies before it has rebuilt the record has to be repeated. */
static void
test_fresh(void **state)
{
	struct state *s = state_open_it(false);
	struct parcel p = { .result = E_OK }, *v = &p;
	struct state_account a;

	(void)state;
	a = state_account_of(s, "a");
	assert_int_equal(state_account_save(s, &a, NULL), E_OK);
	assert_true(state_account_of(s, "a").fresh);
	assert_int_equal(
	    state_intend(s, a.id, "mbox:/m", &v, 1, 9, NULL), E_OK);
	assert_true(state_account_of(s, "a").fresh);
	assert_int_equal(state_messages_save(s, a.id, NULL, 0, NULL), E_OK);
	assert_false(state_account_of(s, "a").fresh);
	a = state_account_of(s, "b");
	assert_true(a.fresh);
	assert_int_equal(state_stored(s, a.id, &v, 1, 9, NULL), E_OK);
	assert_false(state_account_of(s, "b").fresh);
	state_close(s);
}

/* ---- messages ---- */

static void
expect_message(const struct message *v, const struct message *m)
{
	assert_int_equal(v->id, m->id);
	assert_int_equal(v->has_uid, m->has_uid);
	assert_true(digest_eq(v->uid, m->uid));
	assert_int_equal(v->size, m->size);
	assert_int_equal(v->has_identity, m->has_identity);
	assert_int_equal(v->identity.strong, m->identity.strong);
	assert_true(digest_eq(v->identity.header, m->identity.header));
	assert_int_equal(v->where, m->where);
	assert_int_equal(v->stored_at, m->stored_at);
	assert_int_equal(v->gone_at, m->gone_at);
}

/* Those that went before a time, but for the one with the highest id. */
static void
expect_the_old_forgotten(struct state *s, int64_t a, int64_t b)
{
	struct message *v;
	size_t n;

	assert_int_equal(state_messages_forget(s, a, 20, NULL), E_OK);
	assert_int_equal(state_messages(s, a, &v, &n, NULL), E_OK);
	assert_int_equal(n, 3);
	free(v);
	assert_int_equal(state_messages_forget(s, b, 1000, NULL), E_OK);
	assert_int_equal(state_messages_forget(s, a, 21, NULL), E_OK);
	assert_int_equal(state_messages(s, a, &v, &n, NULL), E_OK);
	assert_int_equal(n, 2); /* and that with the highest id */
	assert_int_equal(v[0].where, MESSAGE_DELETING);
	free(v);
}

static void
test_messages(void **state)
{
	struct state *s = state_open_it(false);
	int64_t a = state_account_of(s, "a").id,
		b = state_account_of(s, "b").id;
	struct message m[3] = {
		{ .has_uid = true,
		    .uid = digest_n(1),
		    .size = UINT64_MAX,
		    .identity = { digest_n(2), true },
		    .has_identity = true,
		    .where = MESSAGE_DELETING,
		    .stored_at = 10 },
		{ .size = 0, .where = MESSAGE_THERE, .stored_at = 11 },
		{ .where = MESSAGE_GONE, .stored_at = 12, .gone_at = 20 },
	};
	struct message *v;
	size_t n;

	(void)state;
	assert_int_equal(state_messages(s, a, &v, &n, NULL), E_OK);
	assert_int_equal(n, 0);
	free(v);
	assert_int_equal(state_messages_save(s, a, m, 3, NULL), E_OK);
	assert_int_equal(state_messages(s, b, &v, &n, NULL), E_OK);
	assert_int_equal(n, 0);
	free(v);
	state_close(s);

	s = state_open_it(false);
	assert_int_equal(state_messages(s, a, &v, &n, NULL), E_OK);
	assert_int_equal(n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(m[i].id > 0);
		expect_message(&v[i], &m[i]);
	}
	/* One changed, one new, none of another account. */
	v[1].has_uid = true;
	v[1].uid = digest_n(5);
	v[1].where = MESSAGE_GONE;
	v[1].gone_at = 19;
	v[2].id = 0;
	assert_int_equal(state_messages_save(s, a, v + 1, 2, NULL), E_OK);
	assert_true(v[2].id > m[2].id);
	assert_int_equal(state_messages_save(s, b, m, 1, NULL), E_OK);
	free(v);
	assert_int_equal(state_messages(s, a, &v, &n, NULL), E_OK);
	assert_int_equal(n, 4);
	assert_true(digest_eq(v[1].uid, digest_n(5)));
	assert_int_equal(v[0].size, UINT64_MAX);
	free(v);

	expect_the_old_forgotten(s, a, b);
	/* No such account. */
	m[0].id = 0;
	assert_int_not_equal(state_messages_save(s, 99, m, 1, NULL), E_OK);
	assert_int_equal(m[0].id, 0);
	state_close(s);
}

static void
test_ids_only_grow(void **state)
{
	struct state *s = state_open_it(false);
	struct state_account a = state_account_of(s, "a");
	struct message m[2] = { { .where = MESSAGE_GONE, .gone_at = 1 },
		{ .where = MESSAGE_GONE, .gone_at = 1 } };
	int64_t last;

	(void)state;
	assert_int_equal(state_messages_save(s, a.id, m, 2, NULL), E_OK);
	last = m[1].id;
	assert_int_equal(state_messages_forget(s, a.id, 1000, NULL), E_OK);
	m[0].id = 0;
	assert_int_equal(state_messages_save(s, a.id, m, 1, NULL), E_OK);
	assert_true(m[0].id > last);
	state_close(s);
}

/* ---- intents ---- */

/* Of the first two of four. */
static void
expect_intents(const struct state_intent *t, const struct parcel *p)
{
	assert_int_equal(t[0].at, 1000);
	assert_string_equal(t[0].dest, "maildir:/m");
	assert_int_equal(t[0].parcel.intent, p[0].intent);
	assert_int_equal(t[0].parcel.fd, -1);
	assert_true(t[0].parcel.has_uid);
	assert_true(digest_eq(t[0].parcel.uid, p[0].uid));
	assert_int_equal(t[0].parcel.size, 100);
	assert_true(t[0].parcel.identity.strong);
	assert_true(
	    digest_eq(t[0].parcel.identity.header, p[0].identity.header));
	assert_true(t[0].parcel.to_delete);
	assert_string_equal(t[0].parcel.tmp, p[0].tmp);
	assert_string_equal(t[0].parcel.file, p[0].file);
	assert_int_equal(t[0].parcel.octets, 98);
	assert_string_equal(t[0].parcel.folder, "ana");
	assert_false(t[1].parcel.has_uid);
	assert_false(t[1].parcel.to_delete);
	assert_null(t[1].parcel.file);
	assert_null(t[1].parcel.folder);
	assert_int_equal(t[1].parcel.offset, 1ull << 33);
	assert_int_equal(t[1].parcel.length, 48);
	assert_true(digest_eq(t[1].parcel.content, p[1].content));
}

static void
expect_stored(const struct message *m, const struct parcel *p)
{
	assert_int_equal(m[0].id, p[0].message);
	assert_int_equal(m[0].where, MESSAGE_DELETING);
	assert_true(m[0].has_uid && digest_eq(m[0].uid, p[0].uid));
	assert_true(m[0].has_identity && m[0].identity.strong);
	assert_int_equal(m[0].size, 100);
	assert_int_equal(m[0].stored_at, 2000);
	assert_int_equal(m[1].where, MESSAGE_THERE);
	assert_false(m[1].has_uid);
	assert_int_equal(p[2].message, 0);
}

static void
test_intents(void **state)
{
	struct state *s = state_open_it(false);
	int64_t a = state_account_of(s, "a").id;
	char tmp[] = "1.M2P3.host", new[] = "1.M2P3.host,S=4";
	struct parcel p[4] = {
		{ .has_uid = true,
		    .uid = digest_n(1),
		    .size = 100,
		    .identity = { digest_n(2), true },
		    .to_delete = true,
		    .tmp = tmp,
		    .file = new,
		    .folder = "ana",
		    .octets = 98 },
		{ .size = 50,
		    .tmp = tmp,
		    .offset = 1ull << 33,
		    .length = 48,
		    .content = digest_n(3) },
		{ .size = 51 },
		{ .size = 52 },
	};
	struct parcel *v[4] = { &p[0], &p[1], &p[2], &p[3] };
	struct state_intent *t;
	struct message *m;
	size_t n;

	(void)state;
	assert_int_equal(
	    state_intend(s, a, "maildir:/m", v, 4, 1000, NULL), E_OK);
	state_close(s);
	s = state_open_it(false);
	assert_int_equal(state_intents(s, a, &t, &n, NULL), E_OK);
	assert_int_equal(n, 4);
	expect_intents(t, p);
	state_intents_free(t, n);

	/* Stored, stored, refused; the fourth is still under way. */
	p[2].result = E_DENIED;
	assert_int_equal(state_stored(s, a, v, 3, 2000, NULL), E_OK);
	assert_int_equal(state_intents(s, a, &t, &n, NULL), E_OK);
	assert_int_equal(n, 1);
	assert_int_equal(t[0].parcel.size, 52);
	t[0].parcel.result = E_AGAIN;
	v[0] = &t[0].parcel;
	assert_int_equal(state_stored(s, a, v, 1, 2000, NULL), E_OK);
	assert_int_equal(t[0].parcel.message, 0);
	state_intents_free(t, n);
	assert_int_equal(state_intents(s, a, &t, &n, NULL), E_OK);
	assert_int_equal(n, 0);
	state_intents_free(t, n);

	assert_int_equal(state_messages(s, a, &m, &n, NULL), E_OK);
	assert_int_equal(n, 2);
	expect_stored(m, p);
	free(m);
	state_close(s);
}

/* What fails is not there by half. */
static void
test_whole(void **state)
{
	struct state *s = state_open_it(false);
	int64_t a = state_account_of(s, "a").id;
	struct parcel p[2] = { { .size = 1 }, { .size = 2 } };
	struct parcel *v[2] = { &p[0], &p[1] };
	struct state_intent *t;
	struct message *m;
	size_t n;

	(void)state;
	assert_int_equal(state_intend(s, a, "x", v, 2, 1, NULL), E_OK);
	state_sql(
	    "CREATE TRIGGER two BEFORE INSERT ON message WHEN NEW.size = 2"
	    " BEGIN SELECT RAISE(FAIL, 'two'); END");
	assert_int_not_equal(state_stored(s, a, v, 2, 1, NULL), E_OK);
	assert_int_equal(p[0].message, 0);
	assert_int_equal(state_intents(s, a, &t, &n, NULL), E_OK);
	assert_int_equal(n, 2);
	state_intents_free(t, n);
	assert_int_equal(state_messages(s, a, &m, &n, NULL), E_OK);
	assert_int_equal(n, 0);
	free(m);
	state_sql("DROP TRIGGER two");
	assert_int_equal(state_stored(s, a, v, 2, 1, NULL), E_OK);
	state_close(s);
}

static void
test_troubles(void **state)
{
	struct state *s = state_open_it(false);
	int64_t a = state_account_of(s, "a").id;
	struct trouble t[2] = {
		{ .has_uid = true,
		    .uid = digest_n(1),
		    .size = 100,
		    .tries = 3,
		    .breaks = true,
		    .first_at = 10,
		    .last_at = 20,
		    .why = "too large" },
		{ .size = 5, .tries = 1, .why = "-ERR" },
	};
	struct trouble *v;
	size_t n;

	(void)state;
	assert_int_equal(state_troubles_save(s, a, t, 2, NULL), E_OK);
	assert_int_equal(state_troubles(s, a, &v, &n, NULL), E_OK);
	assert_int_equal(n, 2);
	assert_true(v[0].has_uid && digest_eq(v[0].uid, t[0].uid));
	assert_int_equal(v[0].size, 100);
	assert_int_equal(v[0].tries, 3);
	assert_true(v[0].breaks);
	assert_false(v[1].breaks);
	assert_int_equal(v[0].first_at, 10);
	assert_int_equal(v[0].last_at, 20);
	assert_string_equal(v[0].why, "too large");
	assert_false(v[1].has_uid);
	free(v);
	assert_int_equal(state_troubles_save(s, a, t + 1, 1, NULL), E_OK);
	assert_int_equal(state_troubles(s, a, &v, &n, NULL), E_OK);
	assert_int_equal(n, 1);
	assert_int_equal(v[0].size, 5);
	free(v);
	assert_int_equal(state_troubles_save(s, a, NULL, 0, NULL), E_OK);
	assert_int_equal(state_troubles(s, a, &v, &n, NULL), E_OK);
	assert_int_equal(n, 0);
	free(v);
	state_close(s);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, state_set_up, state_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open),
		TEST(test_open_fails),
		TEST(test_of_another),
		TEST(test_account),
		TEST(test_numbers),
		TEST(test_migration),
		TEST(test_fresh),
		TEST(test_messages),
		TEST(test_ids_only_grow),
		TEST(test_intents),
		TEST(test_whole),
		TEST(test_troubles),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
