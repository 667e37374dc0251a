/*
 * A database of app passwords, as somebody may have damaged or forged it.  What
 * can be read of it keeps the rules for rows, and can be written and read again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/cidr.h"
#include "server/users/app_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err
take(void *arg, const struct app_row *row)
{
	unsigned *n = arg;

	(*n)++;
	if (strlen(row->label) > APP_LABEL_MAX ||
	    strlen(row->user) > NAME_MAX_OCTETS || row->digest == NULL ||
	    (row->networks[0] != '\0' &&
		!cidr_list_is_good(
		    (struct slice){ row->networks, strlen(row->networks) })))
		abort();
	return E_OK;
}

/* As malotectl: read, changed, written.  The server must be able to read it. */
static void
change(struct slice image)
{
	static const uint8_t digest[APP_DIGEST] = { 1 };
	const struct app_row row = { "fuzz", "l", "", "", 1, 0, digest };
	struct app_database *db;
	unsigned n = 0, bad, removed;
	char *again;

	if (app_database_open(&db, image, NULL) != E_OK)
		return;
	if (app_database_each(db, take, &n, &bad, NULL) == E_OK &&
	    app_database_remove(db, "fuzz", NULL, &removed, NULL) == E_OK &&
	    app_database_add(db, &row, NULL) == E_OK &&
	    app_database_image(db, &again, &image.n, NULL) == E_OK)
		free(again);
	app_database_close(db);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct name_rule rule = { true, "d.org", "", "" };
	static const char typed[] = "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa";
	struct slice image = { (const char *)data, size };
	const struct app_password *p;
	struct app_table *t;
	unsigned bad;

	if (size == 0 || app_database_init() != E_OK)
		return 0;
	change(image);
	if (app_table_read(&t, image, &rule, &bad, NULL) != E_OK)
		return 0;
	p = app_table_find(
	    t, "ana@d.org", (struct slice){ typed, sizeof(typed) - 1 });
	if (p != NULL) {
		app_password_refuses(p, "pop3", "192.0.2.1", 4999);
		if (strcmp(p->user, "ana@d.org") != 0)
			abort();
	}
	app_table_free(t);
	return 0;
}
