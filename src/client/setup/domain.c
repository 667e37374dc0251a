#include "client/setup/domain.h"

#include <string.h>

#ifdef HAVE_PSL
#include <libpsl.h>

const char *
domain_registrable(const char *name)
{
	return psl_registrable_domain(psl_builtin(), name);
}
#else
const char *
domain_registrable(const char *name)
{
	return NULL;
}
#endif

static bool
is_below(const char *domain, const char *name)
{
	size_t d = strlen(domain), n = strlen(name);

	return n >= d && strcmp(name + n - d, domain) == 0 &&
	       (n == d || name[n - d - 1] == '.');
}

bool
domain_has(const char *domain, const char *server)
{
	const char *mine = domain_registrable(domain);

	return is_below(mine != NULL ? mine : domain, server);
}
