/*
 * malote-expire, whose check is put right, so that the rest of it is read.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "server/store/maildir/expire_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Whatever is believed is within bounds, and can be reckoned with. */
static void
use(const struct expire_state *s)
{
	const struct expire_clock c = { s->looked + 1, s->boot };

	if (!retention_is_days(s->days) || s->days > RETENTION_DAYS_MAX ||
	    s->held >= EXPIRE_HELDS ||
	    strnlen(s->user, sizeof(s->user)) == sizeof(s->user))
		abort();
	(void)!expire_has_jumped(s, &c);
	if (expire_due_at(s, 0, 0) < s->since)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice raw = { (const char *)data, n };
	char text[EXPIREFILE_MAX];
	struct expire_state s;
	int k;

	if (expire_parse(&s, raw, 1) == E_OK)
		use(&s);
	if (n > sizeof(text) - 64)
		return 0;
	k = snprintf(text, sizeof(text), "malote-expire 1\n%08x ",
	    (unsigned)XXH3_64bits(data, n));
	memcpy(text + k, data, n);
	text[(size_t)k + n] = '\n';
	if (expire_parse(&s, (struct slice){ text, (size_t)k + n + 1 }, 1) ==
	    E_OK)
		use(&s);
	return 0;
}
