#include "server/users/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "server/users/scheme.h"

/* What is found, one column after the other. */
struct row {
	const char *name;
	const struct name_rule *rule;
	struct slice field[PASSWD_FIELDS];
	struct extra extra;
	struct errbuf *eb;
};

/* Columns that are fields of a line of the users file. */
static const struct {
	const char *name;
	enum passwd_field field;
} fields[] = {
	{ "password", PASSWD_HASH },
	{ "uid", PASSWD_UID },
	{ "gid", PASSWD_GID },
	{ "home", PASSWD_HOME },
};

static enum err
refuse(const struct row *r, struct slice column, const char *what)
{
	char shown[64];

	return err_set(r->eb, E_CONFIG, "column %s %s",
	    str_escape(shown, sizeof(shown), column.p, column.n), what);
}

static bool
is_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

/* As databases write truth. */
static struct slice
truth(struct slice v)
{
	if (slice_eq(v, "t") || slice_eq(v, "true"))
		return (struct slice){ "yes", 3 };
	if (slice_eq(v, "f") || slice_eq(v, "false") || v.n == 0)
		return (struct slice){ "no", 2 };
	return v;
}

static enum err
take_switch(struct row *r, struct slice name, struct slice value)
{
	struct slice v = truth(value);

	if (!slice_eq(name, "nologin"))
		return extra_take(&r->extra, name, v, r->eb);
	/* In the users file the word alone is enough; a column is there for
	 * everybody. */
	r->extra.permits.no_login = !slice_eq(v, "no") && !slice_eq(v, "0");
	return E_OK;
}

static enum err
take_extra(struct row *r, struct slice name, struct slice value)
{
	static const struct slice mail = { "userdb_mail", 11 };

	if (slice_eq(name, "malote_host"))
		return refuse(r, name, "is for the users file only");
	if (slice_eq(name, "mail"))
		return extra_take(&r->extra, mail, value, r->eb);
	if (slice_eq(name, "nologin") ||
	    (name.n > 7 && memcmp(name.p, "malote_", 7) == 0))
		return take_switch(r, name, value);
	return extra_take(&r->extra, name, value, r->eb);
}

/* Some databases find "ANN" where "ann" was asked for, which is the same to the
 * rule for names; another one would be somebody else's row. */
static enum err
take_name(struct row *r, struct slice column, struct slice value)
{
	char name[NAME_MAX_OCTETS + 1];

	if (name_normalize(r->rule, value, name, NULL) == E_OK &&
	    strcmp(name, r->name) == 0)
		return E_OK;
	return refuse(r, column, "is another name than was asked for");
}

/* Without Dovecot's prefix. */
static struct slice
plain_name(struct slice column)
{
	static const char prefix[] = "userdb_";
	size_t n = sizeof(prefix) - 1;

	if (column.n > n && memcmp(column.p, prefix, n) == 0)
		column = (struct slice){ column.p + n, column.n - n };
	return column;
}

/* Of two the second one could take back what the first one forbids. */
static bool
is_there_twice(const struct column *c, size_t i)
{
	struct slice name = plain_name(c[i].name), other;

	while (i-- > 0) {
		other = plain_name(c[i].name);
		if (other.n == name.n && memcmp(other.p, name.p, name.n) == 0)
			return true;
	}
	return false;
}

static enum err
unknown(const struct row *r, struct slice column)
{
	return refuse(r, column,
	    "means nothing: leave it out, or name it by AS in the query");
}

static enum err
take_column(struct row *r, struct slice column, struct slice value)
{
	struct slice name = plain_name(column);
	enum err e;

	if (!is_text(value))
		return refuse(r, column, "has a control character in it");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!slice_eq(name, fields[i].name))
			continue;
		r->field[fields[i].field] = value;
		return E_OK;
	}
	if (slice_eq(name, "user"))
		return take_name(r, column, value);
	e = take_extra(r, name, value);
	return e == E_NOENT ? unknown(r, column) : e;
}

/* "{SCHEME}" before a password that does not say what it is. */
static enum err
put_scheme(struct row *r, const char *scheme, char **whole_r)
{
	struct slice *hash = &r->field[PASSWD_HASH];
	int n;

	if (scheme[0] == '\0' || hash->n == 0 || hash->p[0] == '{')
		return E_OK;
	n = asprintf(whole_r, "{%s}%.*s", scheme, (int)hash->n, hash->p);
	if (n < 0) {
		*whole_r = NULL;
		return err_set(r->eb, E_NOMEM, "out of memory");
	}
	*hash = (struct slice){ *whole_r, (size_t)n };
	return E_OK;
}

/* It changes with anything in the row. */
static uint64_t
digest(const struct column *c, size_t n)
{
	uint64_t sum = n;

	for (size_t i = 0; i < n; i++) {
		sum = XXH3_64bits_withSeed(c[i].name.p, c[i].name.n, sum);
		sum = XXH3_64bits_withSeed(c[i].value.p, c[i].value.n, sum);
	}
	return sum;
}

size_t
row_get(struct ipc_in *in, struct column c[ROW_COLUMNS_MAX])
{
	size_t n = ipc_get_u8_to(in, ROW_COLUMNS_MAX), octets = 0;

	for (size_t i = 0; i < n; i++) {
		c[i].name = ipc_get_slice(in);
		c[i].value = ipc_get_slice(in);
		octets += c[i].name.n + c[i].value.n;
	}
	in->bad = in->bad || octets > ROW_OCTETS_MAX;
	return n;
}

enum err
row_user(struct user **u_r, const char *name, const struct column *c, size_t n,
    const char *scheme, const struct name_rule *rule, struct errbuf *eb)
{
	struct row r = {
		.name = name, .rule = rule, .extra = extra_none, .eb = eb
	};
	char *whole = NULL;
	enum err e = E_OK;

	for (size_t i = 0; i < n && e == E_OK; i++)
		e = is_there_twice(c, i)
			? refuse(&r, c[i].name, "is there twice")
			: take_column(&r, c[i].name, c[i].value);
	if (e == E_OK && r.field[PASSWD_HASH].p == NULL)
		r.field[PASSWD_HASH] = (struct slice){ "", 0 };
	if (e == E_OK)
		e = put_scheme(&r, scheme, &whole);
	if (e == E_OK)
		e = user_new(u_r, name, r.field, &r.extra, rule, eb);
	if (whole != NULL)
		explicit_bzero(whole, strlen(whole));
	free(whole);
	if (e == E_OK)
		(*u_r)->row = digest(c, n);
	return e;
}

enum err
row_listed(char name[NAME_MAX_OCTETS + 1], const struct column *c, size_t n,
    const struct name_rule *rule, struct errbuf *eb)
{
	char text[NAME_MAX_OCTETS + 1];
	size_t k = 0;

	if (n == 0 || n > 2)
		return err_set(eb, E_CONFIG,
		    "list_query must give one column, the name, or two: what "
		    "is before its @ and what is behind");
	for (size_t i = 0; i < n; i++) {
		if (k + 1 + c[i].value.n > sizeof(text))
			return E_FORMAT;
		if (i != 0)
			text[k++] = '@';
		memcpy(text + k, c[i].value.p, c[i].value.n);
		k += c[i].value.n;
	}
	return name_normalize(rule, (struct slice){ text, k }, name, NULL) ==
		       E_OK
		   ? E_OK
		   : E_FORMAT;
}

enum err
row_column(struct slice column, struct errbuf *eb)
{
	/* Such a value may stand in any of those that are left. */
	static const struct slice one = { "1", 1 };
	struct row r = { .extra = extra_none, .eb = eb };
	struct slice name = plain_name(column);
	enum err e;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (slice_eq(name, fields[i].name))
			return E_OK;
	if (slice_eq(name, "user") || slice_eq(name, "allow_nets"))
		return E_OK;
	e = take_extra(&r, name, one);
	return e == E_NOENT ? unknown(&r, column) : e;
}
