/*
 * App passwords: their form, their database, and which of them opens what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "server/users/app_table.h"

static const struct name_rule lower = {
	.lower = true,
	.domain = "d.org",
	.more = "",
	.separators = "",
};

static struct slice
text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

/* ---- secrets ---- */

static void
test_form(void **state)
{
	char shown[APP_SHOWN], other[APP_SHOWN], a[APP_SECRET], b[APP_SECRET];

	(void)state;
	app_secret_make(shown);
	app_secret_make(other);
	assert_int_equal(strlen(shown), APP_SECRET + 6);
	assert_string_not_equal(shown, other);
	for (size_t i = 0; shown[i] != '\0'; i++)
		assert_true(i % 5 == 4 ? shown[i] == '-'
				       : strchr("abcdefghijkmnpqrstuvwxyz"
						"23456789",
					     shown[i]) != NULL);
	assert_true(app_secret_read(a, text(shown)));
	assert_true(app_secret_read(b, text(other)));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void
test_typed(void **state)
{
	static const char *const same[] = {
		"abcd-efgh-ijkm-npqr-stuv-wxyz-2345",
		"abcdefghijkmnpqrstuvwxyz2345",
		"ABCD EFGH IJKM NPQR STUV WXYZ 2345",
		" abcd-efgh- ijkm npqrstuv-wxyz-2345-",
	};
	static const char *const none[] = { "", "-", "secret",
		"abcd-efgh-ijkm-npqr-stuv-wxyz-234",
		"abcd-efgh-ijkm-npqr-stuv-wxyz-23456",
		"abcd-efgh-ijkl-npqr-stuv-wxyz-2345",
		"abcd_efgh-ijkm-npqr-stuv-wxyz-2345",
		"abcd-efgh-ijkm-npqr-stuv-wxyz-2340",
		"abcd-efgh-ijkm-npqr-stuv-wxyz-234\xc3" };
	char out[APP_SECRET];

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_true(app_secret_read(out, text(same[i])));
		assert_memory_equal(
		    out, "abcdefghijkmnpqrstuvwxyz2345", APP_SECRET);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (app_secret_read(out, text(none[i])))
			fail_msg("\"%s\" is one", none[i]);
	assert_false(app_secret_read(
	    out, (struct slice){ "abcdefghijkmnpqrstuvwxyz234\0", 28 }));
}

/* By sha256sum. */
static void
test_digest(void **state)
{
	static const uint8_t salt[APP_SALT] = "0123456789abcdef";
	static const uint8_t sum[APP_DIGEST] = { 0x19, 0xe1, 0x9e, 0xcb, 0x17,
		0x9b, 0x83, 0x29, 0x78, 0x51, 0xe6, 0x22, 0x67, 0x45, 0x94,
		0xee, 0x21, 0xe4, 0x0c, 0xd0, 0x19, 0x65, 0x3f, 0xbb, 0x68,
		0xf8, 0x5c, 0x4e, 0xd3, 0x2a, 0x75, 0xad };
	uint8_t out[APP_DIGEST];

	(void)state;
	app_secret_digest(out, salt, "abcdefghijkmnpqrstuvwxyz2345");
	assert_memory_equal(out, sum, APP_DIGEST);
}

/* ---- the database ---- */

struct image {
	char *p;
	size_t n;
};

static struct app_database *
opened(struct slice image)
{
	struct app_database *db;
	struct errbuf eb;

	if (app_database_open(&db, image, &eb) != E_OK)
		fail_msg("%s", eb.text);
	return db;
}

/* Closes it. */
static struct image
taken(struct app_database *db)
{
	struct image i;

	assert_int_equal(app_database_image(db, &i.p, &i.n, NULL), E_OK);
	app_database_close(db);
	return i;
}

static struct slice
octets(const struct image *i)
{
	return (struct slice){ i->p, i->n };
}

static enum err
put(struct app_database *db, const char *user, const char *label,
    const char *secret, const char *networks, uint64_t until,
    const char *protocol)
{
	uint8_t digest[APP_DIGEST];
	char bare[APP_SECRET];

	assert_true(app_secret_read(bare, text(secret)));
	app_secret_digest(digest, app_database_salt(db), bare);
	return app_database_add(db,
	    &(struct app_row){
		user, label, protocol, networks, 1000, until, digest },
	    NULL);
}

#define ONE   "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"
#define TWO   "bbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbb"
#define THREE "cccc-cccc-cccc-cccc-cccc-cccc-cccc"
#define FOUR  "dddd-dddd-dddd-dddd-dddd-dddd-dddd"
#define FIVE  "eeee-eeee-eeee-eeee-eeee-eeee-eeee"

static struct image
example(void)
{
	struct app_database *db = opened((struct slice){ NULL, 0 });

	assert_int_equal(put(db, "ana", "phone", ONE, "", 0, ""), E_OK);
	assert_int_equal(
	    put(db, "Ana@d.org", "laptop", TWO, "", 5000, "pop3"), E_OK);
	assert_int_equal(
	    put(db, "bob", "phone", THREE, "10.0.0.0/8,::1", 0, ""), E_OK);
	assert_int_equal(put(db, "bob", "imap", FOUR, "", 0, "imap"), E_OK);
	assert_int_equal(put(db, "../x", "odd", FIVE, "", 0, ""), E_OK);
	return taken(db);
}

static enum err
write_down(void *arg, const struct app_row *row)
{
	char *out = arg;
	size_t n = strlen(out);

	snprintf(out + n, 512 - n, "%s/%s/%s/%s/%u/%u ", row->user, row->label,
	    row->protocol, row->networks, (unsigned)row->created,
	    (unsigned)row->until);
	return E_OK;
}

static void
assert_rows(struct slice image, const char *expected)
{
	struct app_database *db = opened(image);
	char is[512] = "";
	unsigned bad;

	assert_int_equal(
	    app_database_each(db, write_down, is, &bad, NULL), E_OK);
	assert_string_equal(is, expected);
	assert_int_equal(bad, 0);
	app_database_close(db);
}

static void
test_kept(void **state)
{
	struct image i = example(), less;
	struct app_database *db;
	unsigned n;

	(void)state;
	assert_rows(octets(&i),
	    "../x/odd///1000/0 Ana@d.org/laptop/pop3//1000/5000 "
	    "ana/phone///1000/0 bob/imap/imap//1000/0 "
	    "bob/phone//10.0.0.0/8,::1/1000/0 ");
	db = opened(octets(&i));
	/* One of a label. */
	assert_int_equal(put(db, "ana", "phone", FOUR, "", 0, ""), E_BUSY);
	assert_int_equal(app_database_remove(db, "bob", NULL, &n, NULL), E_OK);
	assert_int_equal(n, 2);
	assert_int_equal(
	    app_database_remove(db, "ana", "phon", &n, NULL), E_OK);
	assert_int_equal(n, 0);
	assert_int_equal(
	    app_database_remove(db, "ana", "phone", &n, NULL), E_OK);
	assert_int_equal(n, 1);
	less = taken(db);
	assert_rows(octets(&less), "../x/odd///1000/0 "
				   "Ana@d.org/laptop/pop3//1000/5000 ");
	free(i.p);
	free(less.p);
}

/* Each database has a salt of its own. */
static void
test_salts(void **state)
{
	struct image a = example(), b = example();
	struct app_database *one = opened(octets(&a)),
			    *two = opened(octets(&b));

	(void)state;
	assert_memory_not_equal(
	    app_database_salt(one), app_database_salt(two), APP_SALT);
	app_database_close(one);
	app_database_close(two);
	free(a.p);
	free(b.p);
}

/* ---- who is let in ---- */

static struct app_table *
table(const struct image *i, unsigned *bad_r)
{
	struct app_table *t;
	struct errbuf eb;

	if (app_table_read(&t, octets(i), &lower, bad_r, &eb) != E_OK)
		fail_msg("%s", eb.text);
	return t;
}

static void
assert_found(const struct app_table *t, const char *user, const char *typed,
    const char *label)
{
	const struct app_password *p = app_table_find(t, user, text(typed));

	if (label == NULL) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_string_equal(p->user, user);
	assert_string_equal(p->label, label);
}

static void
test_found(void **state)
{
	struct image i = example();
	unsigned bad;
	struct app_table *t = table(&i, &bad);

	(void)state;
	free(i.p);
	assert_int_equal(bad, 1); /* ../x */
	assert_int_equal(app_table_count(t), 4);
	assert_found(t, "ana@d.org", ONE, "phone");
	assert_found(t, "ana@d.org", TWO, "laptop");
	assert_found(t, "bob@d.org", THREE, "phone");
	assert_found(t, "bob@d.org", FOUR, "imap");
	/* Another's, no user's, none at all. */
	assert_found(t, "bob@d.org", ONE, NULL);
	assert_found(t, "ana@d.org", THREE, NULL);
	assert_found(t, "../x", FIVE, NULL);
	assert_found(t, "ana", ONE, NULL);
	assert_found(t, "", ONE, NULL);
	assert_found(t, "ana@d.org", "secret", NULL);
	assert_found(t, "ana@d.org", "", NULL);
	app_table_free(t);
}

static void
test_refuses(void **state)
{
	struct image i = example();
	const struct app_password *p;
	unsigned bad;
	struct app_table *t = table(&i, &bad);

	(void)state;
	free(i.p);
	p = app_table_find(t, "ana@d.org", text(ONE));
	assert_null(app_password_refuses(p, "pop3", "192.0.2.1", UINT64_MAX));
	p = app_table_find(t, "ana@d.org", text(TWO));
	assert_null(app_password_refuses(p, "pop3", "192.0.2.1", 4999));
	assert_string_equal(app_password_refuses(p, "smtp", "192.0.2.1", 4999),
	    "app-password-protocol");
	assert_string_equal(app_password_refuses(p, "pop3", "192.0.2.1", 5000),
	    "app-password-expired");
	p = app_table_find(t, "bob@d.org", text(THREE));
	assert_null(app_password_refuses(p, "pop3", "10.1.2.3", 0));
	assert_null(app_password_refuses(p, "smtp", "::1", 0));
	assert_string_equal(app_password_refuses(p, "pop3", "192.0.2.1", 0),
	    "app-password-network");
	app_table_free(t);
}

/* ---- what is no database, or a damaged one ---- */

static void
assert_refused(struct slice image)
{
	struct app_table *t;
	struct errbuf eb = { "" };
	unsigned bad;

	assert_int_equal(
	    app_table_read(&t, image, &lower, &bad, &eb), E_CONFIG);
	assert_null(t);
	assert_true(eb.text[0] != '\0');
}

static void
test_foreign(void **state)
{
	struct image i = example();

	(void)state;
	assert_refused(text("this is no database, but a text that is long "
			    "enough to have a header of a hundred octets: "
			    "so it goes on and on."));
	i.p[68] ^= 1; /* application_id */
	assert_refused(octets(&i));
	i.p[68] ^= 1;
	i.p[63] ^= 2; /* user_version */
	assert_refused(octets(&i));
	i.p[63] ^= 2;
	/* Write-ahead logging: what counts may be in another file. */
	i.p[18] = i.p[19] = 2;
	assert_refused(octets(&i));
	free(i.p);
}

/* Cut anywhere, or with any octet another: an error, or fewer rows; never a
 * password of somebody else's. */
static void
test_damaged(void **state)
{
	struct image i = example();
	size_t step = 37;

	(void)state;
	for (size_t at = 1; at < i.n; at += step) {
		char *copy = malloc(i.n);
		struct app_table *t = NULL;
		unsigned bad;

		memcpy(copy, i.p, i.n);
		copy[at] ^= 0x55;
		if (app_table_read(&t, (struct slice){ copy, i.n }, &lower,
			&bad, NULL) == E_OK)
			assert_true(app_table_count(t) <= 5);
		app_table_free(t);
		t = NULL;
		if (app_table_read(&t, (struct slice){ copy, at }, &lower, &bad,
			NULL) == E_OK)
			assert_null(app_table_find(t, "bob@d.org", text(ONE)));
		app_table_free(t);
		free(copy);
	}
	free(i.p);
}

static int
init(void **state)
{
	(void)state;
	return app_database_init() == E_OK ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_typed),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_salts),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
