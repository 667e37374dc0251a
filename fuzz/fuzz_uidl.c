/*
 * malote-uidl, and Dovecot's template.  The first line is the template; the
 * check of each other line is put right, so that the rest of it is read.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "server/store/maildir/lines.h"
#include "server/store/maildir/uidlfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
take(struct uidlfile *u, struct slice line)
{
	char text[LINES_LONGEST];
	int n = snprintf(text, sizeof(text), "%08x %.*s",
	    (unsigned)XXH3_64bits(line.p, line.n), (int)line.n, line.p);

	if (n > 0 && (size_t)n < sizeof(text) &&
	    uidlfile_line(u, (struct slice){ text, (size_t)n }) != E_OK)
		abort();
	(void)!uidlfile_line(u, line);
}

/* The last line of a message and its unique-id is the one that is found. */
static bool
is_found(const struct uidlfile *u, uint32_t i)
{
	const struct uidl_line *l = &u->v[i];

	for (uint32_t k = i + 1; k < u->n; k++)
		if (uid_is(u->v[k].uid, l->uid) && uid_is(u->v[k].key, l->key))
			return uidlfile_find(u, l->key, l->ino) != l;
	return uidlfile_find(u, l->key, l->ino) == l;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice rest = { (const char *)data, n }, line;
	struct uid_vars vars = { 1, 2, { "base", 4 }, { "guid", 4 } };
	struct uidlfile u;
	struct uid uid;
	char format[256];

	uidlfile_init(&u);
	if (lines_word(&rest, '\n', &line)) {
		snprintf(format, sizeof(format), "%.*s", (int)line.n, line.p);
		if (uid_format(&uid, format, &vars) &&
		    !uid_set(&uid, uid_slice(&uid)))
			abort();
	}
	while (lines_word(&rest, '\n', &line))
		take(&u, line);
	for (uint32_t i = 0; i < u.n; i++)
		if (!uid_set(&uid, u.v[i].uid) || !is_found(&u, i))
			abort();
	uidlfile_free(&u);
	return 0;
}
