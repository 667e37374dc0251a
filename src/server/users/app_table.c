#include "server/users/app_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "net/cidr.h"

struct app_table {
	struct app_password *v; /* by digest */
	size_t n, room;
	uint8_t salt[APP_SALT];
};

/* ---- reading ---- */

struct reading {
	struct app_table *table;
	const struct name_rule *rule;
	unsigned bad;
};

/* One piece of memory for all of them. */
static bool
keep_texts(struct app_password *p, const char *user, const struct app_row *row)
{
	size_t a = strlen(user) + 1, b = strlen(row->label) + 1;
	size_t c = strlen(row->networks) + 1, d = strlen(row->protocol) + 1;

	if ((p->texts = malloc(a + b + c + d)) == NULL)
		return false;
	p->user = memcpy(p->texts, user, a);
	p->label = memcpy(p->texts + a, row->label, b);
	p->networks = memcpy(p->texts + a + b, row->networks, c);
	p->protocol = memcpy(p->texts + a + b + c, row->protocol, d);
	return true;
}

static enum err
take(void *arg, const struct app_row *row)
{
	struct reading *r = arg;
	struct app_table *t = r->table;
	struct slice name = { row->user, strlen(row->user) };
	struct app_password *v = array_room(t->v, t->n, &t->room, sizeof(*v));
	char user[NAME_MAX_OCTETS + 1];
	enum err e;

	if (v == NULL)
		return E_NOMEM;
	t->v = v;
	if ((e = name_normalize(r->rule, name, user, NULL)) == E_FORMAT) {
		r->bad++;
		return E_OK;
	}
	if (e != E_OK || !keep_texts(&v[t->n], user, row))
		return E_NOMEM;
	v[t->n].until = row->until;
	memcpy(v[t->n].digest, row->digest, APP_DIGEST);
	t->n++;
	return E_OK;
}

static int
by_digest(const void *a, const void *b)
{
	return memcmp(((const struct app_password *)a)->digest,
	    ((const struct app_password *)b)->digest, APP_DIGEST);
}

enum err
app_table_read(struct app_table **t_r, struct slice image,
    const struct name_rule *rule, unsigned *bad_r, struct errbuf *eb)
{
	struct reading r = { calloc(1, sizeof(*r.table)), rule, 0 };
	struct app_database *db = NULL;
	enum err e = E_NOMEM;

	*t_r = NULL;
	if (r.table != NULL &&
	    (e = app_database_open(&db, image, eb)) == E_OK) {
		memcpy(r.table->salt, app_database_salt(db), APP_SALT);
		e = app_database_each(db, take, &r, bad_r, eb);
	}
	app_database_close(db);
	if (e != E_OK) {
		app_table_free(r.table);
		return e == E_NOMEM ? err_set(eb, e, "out of memory") : e;
	}
	*bad_r += r.bad;
	if (r.table->n != 0)
		qsort(r.table->v, r.table->n, sizeof(*r.table->v), by_digest);
	*t_r = r.table;
	return E_OK;
}

void
app_table_free(struct app_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].texts);
	free(t->v);
	free(t);
}

size_t
app_table_count(const struct app_table *t)
{
	return t->n;
}

/* ---- asking ---- */

const struct app_password *
app_table_find(const struct app_table *t, const char *user, struct slice typed)
{
	struct app_password *p, key;
	char secret[APP_SECRET];

	if (!app_secret_read(secret, typed))
		return NULL;
	app_secret_digest(key.digest, t->salt, secret);
	explicit_bzero(secret, sizeof(secret));
	p = t->n != 0 ? bsearch(&key, t->v, t->n, sizeof(*p), by_digest) : NULL;
	return p != NULL && strcmp(p->user, user) == 0 ? p : NULL;
}

bool
app_password_is_for(const struct app_password *p, const char *protocol)
{
	return p->protocol[0] == '\0' || strcmp(p->protocol, protocol) == 0;
}

bool
app_password_is_over(const struct app_password *p, uint64_t unix_seconds)
{
	return p->until != 0 && unix_seconds >= p->until;
}

const char *
app_password_refuses(const struct app_password *p, const char *protocol,
    const char *address, uint64_t unix_seconds)
{
	if (!app_password_is_for(p, protocol))
		return "app-password-protocol";
	if (app_password_is_over(p, unix_seconds))
		return "app-password-expired";
	if (p->networks[0] != '\0' &&
	    !cidr_list_has(
		(struct slice){ p->networks, strlen(p->networks) }, address))
		return "app-password-network";
	return NULL;
}
