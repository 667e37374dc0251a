/*
 * A user of a row of a database: what its columns are taken for, and which rows
 * give nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/users/row.h"
#include "server/users/scheme.h"

static const struct name_rule lower = { true, "", "", "" };

static struct slice
text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

/* Up to a NULL: name, value, name, value ... */
static enum err
row(struct user **u_r, const char *scheme, struct errbuf *eb,
    const char *const *words)
{
	struct column c[ROW_COLUMNS_MAX];
	size_t n = 0;

	for (; words[2 * n] != NULL; n++)
		c[n] = (struct column){ text(words[2 * n]),
			text(words[2 * n + 1]) };
	eb->text[0] = '\0';
	*u_r = NULL;
	return row_user(u_r, "ann", c, n, scheme, &lower, eb);
}

#define ROW(u, scheme, eb, ...) \
	row(u, scheme, eb, (const char *const[]){ __VA_ARGS__, NULL })

static void
test_all_columns(void **state)
{
	struct errbuf eb;
	struct user *u;

	assert_int_equal(
	    ROW(&u, "", &eb, "user", "Ann", "password", "{PLAIN}x", "uid",
		"1000", "userdb_gid", "1001", "home", "/home/ann", "mail",
		"maildir:/srv/a mail", "allow_nets", "192.0.2.0/24",
		"malote_pop3", "f", "malote_tls", "t", "nologin", "f",
		"malote_expire", "30", "malote_login_delay", "60"),
	    E_OK);
	assert_string_equal(u->name, "ann");
	assert_string_equal(u->hash, "{PLAIN}x");
	assert_int_equal(u->uid, 1000);
	assert_int_equal(u->gid, 1001);
	assert_string_equal(u->home, "/home/ann");
	/* A space begins no other word here. */
	assert_string_equal(u->mail, "maildir:/srv/a mail");
	assert_string_equal(u->nets, "192.0.2.0/24");
	assert_true(u->permits.no_pop3);
	assert_true(u->permits.tls_only);
	assert_false(u->permits.no_login);
	assert_false(u->permits.master);
	assert_int_equal(u->retention, 30);
	assert_int_equal(user_login_delay(u, 5), 60);
	user_free(u);
}

/* Nothing is taken for a column that is not there: above all, no mail goes. */
static void
test_no_columns(void **state)
{
	struct errbuf eb;
	struct user *u;

	assert_int_equal(ROW(&u, "", &eb, "password", "{PLAIN}x"), E_OK);
	assert_int_equal(u->retention, RETENTION_UNSET);
	assert_int_equal(user_login_delay(u, 5), 5);
	user_free(u);
}

/* A column that is there for everybody says who it is meant for. */
static void
test_nologin(void **state)
{
	static const struct {
		const char *value;
		bool is;
	} v[] = { { "t", true }, { "1", true }, { "yes", true },
		{ "until Monday", true }, { "0", false }, { "f", false },
		{ "no", false }, { "", false } };
	struct errbuf eb;
	struct user *u;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(ROW(&u, "", &eb, "nologin", v[i].value), E_OK);
		assert_int_equal(u->permits.no_login, v[i].is);
		user_free(u);
	}
}

static void
test_scheme(void **state)
{
	static const char *const v[][3] = { { "PLAIN", "x", "{PLAIN}x" },
		{ "PLAIN", "{MD5}x", "{MD5}x" }, { "", "x", "x" },
		{ "CRYPT", "$6$x", "{CRYPT}$6$x" }, { "PLAIN", "", "" } };
	struct errbuf eb;
	struct user *u;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(
		    ROW(&u, v[i][0], &eb, "password", v[i][1]), E_OK);
		assert_string_equal(u->hash, v[i][2]);
		user_free(u);
	}
	/* Without a password nothing can be right. */
	assert_int_equal(ROW(&u, "PLAIN", &eb, "home", "/h"), E_OK);
	assert_int_equal(scheme_check(u->hash, NULL), E_DENIED);
	user_free(u);
}

static void
test_refused(void **state)
{
	static const char *const v[][5] = {
		{ "user", "bob", NULL },
		{ "pasword", "x", NULL },
		{ "password", "x", "password", "y", NULL },
		{ "nologin", "1", "userdb_nologin", "0", NULL },
		{ "malote_tls", "1", "malote_tls", "0", NULL },
		{ "userdb_malote_pop3", "0", "malote_pop3", "1", NULL },
		{ "mail", "maildir:/a", "userdb_mail", "maildir:/b", NULL },
		{ "allow_nets", "", NULL },
		{ "uid", "0x10", "gid", "1", NULL },
		{ "uid", "-1", "gid", "1", NULL },
		{ "uid", "1000", NULL },
		{ "uid", "4294967295", "gid", "1", NULL },
		{ "home", "home", NULL },
		{ "password", "{PLAIN}a\nb", NULL },
		{ "allow_nets", "everywhere", NULL },
		{ "allow_real_nets", "192.0.2.0/24", NULL },
		{ "nopassword", "y", NULL },
		{ "malote_tls", "perhaps", NULL },
		{ "malote_new", "1", NULL },
		{ "malote_host", "example.org", NULL },
		{ "malote_expire", "soon", NULL },
		{ "malote_expire", "", NULL },
		{ "malote_login_delay", "-1", NULL },
		{ "malote_login_delay", "1", "malote_login_delay", "2", NULL },
	};
	struct errbuf eb;
	struct user *u;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(row(&u, "", &eb, v[i]), E_CONFIG);
		assert_null(u);
		assert_true(eb.text[0] != '\0');
	}
}

/* What maloted --check asks of a column is what a row would be refused for. */
static void
test_columns(void **state)
{
	static const char *const good[] = { "user", "password", "uid", "gid",
		"home", "mail", "userdb_mail", "userdb_home", "allow_nets",
		"nologin", "malote_pop3", "malote_tls", "malote_read_only",
		"malote_master", "malote_expire", "malote_login_delay" };
	static const char *const bad[] = { "name", "quota", "pasword",
		"userdb_quota_rule", "malote_host", "malote_new",
		"allow_real_nets", "nopassword", "" };
	struct errbuf eb;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(row_column(text(good[i]), &eb), E_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(row_column(text(bad[i]), &eb), E_CONFIG);
}

static void
test_listed(void **state)
{
	static const struct {
		const char *value[3];
		size_t n;
		enum err e;
		const char *name;
	} v[] = { { { "Ann" }, 1, E_OK, "ann" },
		{ { "ann@d.org" }, 1, E_OK, "ann@d.org" },
		{ { "ann", "d.org" }, 2, E_OK, "ann@d.org" },
		{ { "ann", "" }, 2, E_FORMAT, "" },
		{ { "a b" }, 1, E_FORMAT, "" }, { { "" }, 1, E_FORMAT, "" },
		{ { "" }, 0, E_CONFIG, "" },
		{ { "a", "b", "c" }, 3, E_CONFIG, "" } };
	char name[NAME_MAX_OCTETS + 1], longer[NAME_MAX_OCTETS + 1];
	struct column c[3];
	struct errbuf eb;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		for (size_t k = 0; k < v[i].n; k++)
			c[k].value = text(v[i].value[k]);
		assert_int_equal(
		    row_listed(name, c, v[i].n, &lower, &eb), v[i].e);
		if (v[i].e == E_OK)
			assert_string_equal(name, v[i].name);
	}
	memset(longer, 'a', sizeof(longer));
	c[0].value = (struct slice){ longer, NAME_MAX_OCTETS };
	assert_int_equal(row_listed(name, c, 1, &lower, &eb), E_OK);
	c[1].value = text("b");
	assert_int_equal(row_listed(name, c, 2, &lower, &eb), E_FORMAT);
	c[0].value.n++;
	assert_int_equal(row_listed(name, c, 1, &lower, &eb), E_FORMAT);
}

static void
test_digest(void **state)
{
	static const char *const v[][5] = {
		{ "password", "x", "home", "/a", NULL },
		{ "password", "x", "home", "/b", NULL },
		{ "password", "x", NULL },
		{ "password", "y", "home", "/a", NULL },
		{ "password", "x", "mail", "/a", NULL },
	};
	uint64_t seen[sizeof(v) / sizeof(v[0])];
	struct errbuf eb;
	struct user *u;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(row(&u, "", &eb, v[i]), E_OK);
		seen[i] = u->row;
		for (size_t k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
		user_free(u);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_columns),
		cmocka_unit_test(test_no_columns),
		cmocka_unit_test(test_nologin),
		cmocka_unit_test(test_scheme),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
