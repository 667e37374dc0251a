#include "server/users/hashes_seen.h"

#include <string.h>

#include "server/users/scheme.h"

void
hashes_seen_note(struct hashes_seen *s, const char *hash)
{
	static const char *const names[] = { "SCRAM-SHA-1", "SCRAM-SHA-256" };
	struct sasl_keys keys;
	unsigned uses = scheme_uses(hash);

	s->uses |= uses;
	if (uses != SCHEME_SCRAM_SHA_1 && uses != SCHEME_SCRAM_SHA_256)
		return;
	for (size_t i = 0; i < 2; i++)
		if (s->iterations[i] == 0 &&
		    scheme_keys(hash,
			sasl_find((struct slice){ names[i], strlen(names[i]) }),
			&keys) == E_OK)
			s->iterations[i] = keys.iterations;
}

uint32_t
hashes_seen_iterations(
    const struct hashes_seen *s, const struct sasl_mechanism *m)
{
	uint32_t n = s->iterations[scheme_use_of(m) == SCHEME_SCRAM_SHA_256];

	return n != 0 ? n : SASL_ITERATIONS_MIN;
}
