/*
 * A row of a database, as the process that asks one says it, who may have been
 * broken into.  What user comes out keeps the rules; what a row is refused for by
 * its columns alone, maloted --check finds.
 */
#include <stdlib.h>
#include <string.h>

#include "server/users/account.h"
#include "server/users/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct auth_conf conf = {
	.place = { { .mail = "maildir:~/%d/%n", .root = "/srv/mail" },
	    { .mail = "maildir:~", .root = "/srv/mail/in", .number = 1 } },
	.n_places = 2,
	.first_uid = 500,
	.last_uid = 60000,
	.mail_uid = 1000,
	.mail_gid = 1000,
};

struct fuzz {
	struct name_rule rule;
	const char *scheme;
};

static void
look(const struct user *u)
{
	struct account at;
	struct errbuf eb;
	const char *why;

	if (strcmp(u->name, "ann@d.org") != 0)
		abort();
	user_is_allowed_from(u, "192.0.2.1");
	if (account_find(&at, &conf, u, &why, &eb) == E_OK &&
	    (strncmp(at.mail, "maildir:/srv/mail", 17) != 0 ||
		strncmp(at.mail, "maildir:/srv/mail/in/", 21) == 0 ||
		strstr(at.mail, "/../") != NULL || at.uid < 500 ||
		at.uid > 60000))
		abort();
}

static void
list(const struct column *c, size_t n, const struct name_rule *rule)
{
	char name[NAME_MAX_OCTETS + 1], again[NAME_MAX_OCTETS + 1];

	if (row_listed(name, c, n, rule, NULL) == E_OK &&
	    (name_normalize(rule, (struct slice){ name, strlen(name) }, again,
		 NULL) != E_OK ||
		strcmp(name, again) != 0))
		abort();
}

static enum err
take(void *arg, struct ipc_in *in)
{
	const struct fuzz *f = arg;
	struct column c[ROW_COLUMNS_MAX];
	size_t n = row_get(in, c);
	struct user *u = NULL;

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	list(c, n, &f->rule);
	if (row_user(&u, "ann@d.org", c, n, f->scheme, &f->rule, NULL) != E_OK)
		return E_OK;
	look(u);
	for (size_t i = 0; i < n; i++)
		if (row_column(c[i].name, NULL) != E_OK)
			abort();
	user_free(u);
	return E_OK;
}

static const struct ipc_rule rule = { IPC_DB_ROW, 1, 0, IPC_MSG_MAX, take };
static const struct ipc_rules rules = { &rule, 1, NULL };

/* The first octet chooses the rule for names, and the scheme. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t message[IPC_MSG_MAX];
	static const uint16_t type = IPC_DB_ROW;
	struct fuzz f = { { true, "", "", "" }, "" };

	if (size == 0 || size > sizeof(message) - sizeof(type))
		return 0;
	f.rule.lower = data[0] & 1;
	f.rule.domain = data[0] & 2 ? "d.org" : "";
	f.rule.separators = data[0] & 4 ? "%" : "";
	f.scheme = data[0] & 8 ? "SHA256" : "";
	memcpy(message, &type, sizeof(type));
	memcpy(message + sizeof(type), data + 1, size - 1);
	(void)!ipc_handle(
	    &rules, 1, &f, message, sizeof(type) + size - 1, NULL, 0);
	return 0;
}
