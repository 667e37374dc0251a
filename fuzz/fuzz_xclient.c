/* What a proxy says of its client by XCLIENT. */
#include <stdint.h>
#include <stdlib.h>

#include "guard.h"
#include "net/xclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = guard_copy(0, data, size);
	struct xclient x;

	if (!xclient_parse(&x, (struct slice){ p, size }))
		return 0;
	if (x.session.n > XCLIENT_SESSION_MAX ||
	    (x.session.n != 0 &&
		(x.session.p < p || x.session.p + x.session.n > p + size)))
		abort();
	if (x.client.ss_family != AF_UNSPEC && x.client.ss_family != AF_INET &&
	    x.client.ss_family != AF_INET6)
		abort();
	return 0;
}
