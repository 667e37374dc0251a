#include "server/store/holder.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

void
holder_set(struct holder *h, uint64_t since, const char *peer)
{
	h->since = since;
	str_escape(h->peer, sizeof(h->peer), peer, strlen(peer));
}

char *
holder_text(const struct holder *h, char out[HOLDER_TEXT_MAX])
{
	char when[CLOCK_LOCAL];

	snprintf(out, HOLDER_TEXT_MAX, "open since %s from %s",
	    clock_local(when, h->since), h->peer);
	return out;
}
