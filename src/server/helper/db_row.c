/*
 * What drivers have in common: see db_driver.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/helper/db_driver.h"

enum err
db_row_put(struct db_row *r, const char *name, const char *value, size_t n,
    struct errbuf *eb)
{
	size_t name_n = strlen(name);
	char *copy;

	if (value == NULL)
		return E_OK;
	if (r->n == ROW_COLUMNS_MAX || r->octets + name_n + n > ROW_OCTETS_MAX)
		return err_set(eb, E_FULL,
		    "the row has more than %d columns, or %d octets",
		    ROW_COLUMNS_MAX, ROW_OCTETS_MAX);
	if ((copy = malloc(name_n + 1 + n + 1)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	memcpy(copy, name, name_n + 1);
	r->column[r->n].name = copy;
	r->column[r->n].value = copy + name_n + 1;
	memcpy(copy + name_n + 1, value, n);
	copy[name_n + 1 + n] = '\0';
	r->column[r->n++].value_n = n;
	r->octets += name_n + n;
	return E_OK;
}

void
db_row_clear(struct db_row *r)
{
	for (size_t i = 0; i < r->n; i++) {
		explicit_bzero(r->column[i].value, r->column[i].value_n);
		free(r->column[i].name);
	}
	*r = (struct db_row){ .n = 0 };
}

void
db_reach_path(struct db_reach *r, const char *path)
{
	if (r->n < sizeof(r->path) / sizeof(r->path[0]))
		r->path[r->n++] = path;
}

/* Which of them stand in the query, and how many are needed for that. */
static void
look_for_parameters(struct db_parameters *p, const char *query)
{
	for (const char *q = query; (q = strchr(q, '$')) != NULL; q++) {
		size_t i = (size_t)(q[1] - '1');

		if (q[1] < '1' || i >= DB_PARAMETERS)
			continue;
		p->stands[i] = true;
		if (i >= p->n)
			p->n = i + 1;
	}
}

void
db_reach_port(struct db_reach *r, uint32_t port)
{
	if (port == 0 || port > UINT16_MAX ||
	    r->n_ports == sizeof(r->port) / sizeof(r->port[0]))
		r->any_port = true;
	else
		r->port[r->n_ports++] = (uint16_t)port;
}

void
db_parameters(struct db_parameters *p, const char *query, const char *name)
{
	const char *at = strrchr(name, '@');
	size_t n = at != NULL ? (size_t)(at - name) : strlen(name);

	*p = (struct db_parameters){ .n = 0 };
	memcpy(p->local, name, n);
	p->value[0] = name;
	p->value[1] = p->local;
	p->value[2] = at != NULL ? at + 1 : "";
	look_for_parameters(p, query);
}

void
db_parameters_of(struct db_parameters *p, const struct db_command *cmd)
{
	const char *const more[] = { cmd->hash, cmd->uid, cmd->gid, cmd->home,
		cmd->mail };

	db_parameters(p, cmd->query, cmd->name);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		p->value[3 + i] = more[i][0] != '\0' ? more[i] : NULL;
}

enum err
db_result_row(struct db_result *to, struct db_row *row, struct errbuf *eb)
{
	enum err e = to->take(to, row, eb);

	db_row_clear(row);
	return e;
}

enum err
db_result_check(const struct db_result *r, struct errbuf *eb)
{
	return r->changed <= 1
		   ? E_OK
		   : err_set(eb, E_CONFIG,
			 "it would have changed %llu rows, so nothing was "
			 "changed; let it name one, by WHERE",
			 (unsigned long long)r->changed);
}

const char *
db_authorities(void)
{
	static const char *const bundles[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"
	};

	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++)
		if (access(bundles[i], R_OK) == 0)
			return bundles[i];
	return "";
}
