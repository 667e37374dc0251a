#include "server/store/drop.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

void
drop_holder_set(struct drop_holder *h, uint64_t since, const char *from)
{
	h->since = since;
	str_escape(h->from, sizeof(h->from), from, strlen(from));
}

char *
drop_holder_text(const struct drop_holder *h, char out[DROP_TEXT_MAX])
{
	char when[CLOCK_LOCAL];

	snprintf(out, DROP_TEXT_MAX, "open since %s from %s",
	    clock_local(when, h->since), h->from);
	return out;
}
