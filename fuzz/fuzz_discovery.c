/* A document that a domain may have sent: as autoconfig and as Autodiscover. */
#include <stdlib.h>
#include <string.h>

#include "client/setup/autoconfig.h"
#include "client/setup/autodiscover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct offer *v, size_t n)
{
	char ascii[HOST_MAX];

	if (n > OFFERS_MAX)
		abort();
	for (size_t i = 0; i < n; i++)
		if (host_ascii(ascii, v[i].server, NULL) != E_OK ||
		    v[i].port == 0 || strpbrk(v[i].user, "\r\n") != NULL ||
		    (v[i].security != SECURITY_TLS &&
			v[i].security != SECURITY_STARTTLS))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice xml = { (const char *)data, size };
	struct autoconfig a;
	struct autodiscover d;

	if (autoconfig_parse(&a, xml, "ana@example.org"))
		check(a.v, a.n);
	if (autodiscover_parse(&d, xml))
		check(d.v, d.n);
	return 0;
}
