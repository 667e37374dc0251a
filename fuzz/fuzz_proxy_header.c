/*
 * What a proxy says of its client: read whole and with one octet more each time
 * it comes to the same.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
judge(const struct proxy_header *h, enum proxy_result r, size_t used, size_t n)
{
	if (r == PROXY_READ &&
	    (used == 0 || used > n || used > PROXY_HEADER_MAX))
		abort();
	if (r == PROXY_BAD && h->why == NULL)
		abort();
	if (r == PROXY_MORE && n >= PROXY_HEADER_MAX)
		abort();
	for (const char *p = h->tls_version; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p))
			abort();
	if (h->client.ss_family != AF_UNSPEC &&
	    h->client.ss_family != AF_INET && h->client.ss_family != AF_INET6)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	enum proxy_result r, of_part = PROXY_MORE;
	size_t used, part_used = 0, n = 0;

	if (size > 2 * PROXY_HEADER_MAX)
		return 0;
	r = proxy_header_read(&whole, guard_copy(0, data, size), size, &used);
	judge(&whole, r, used, size);
	while (of_part == PROXY_MORE && n < size) {
		n++;
		of_part = proxy_header_read(
		    &part, guard_copy(0, data, n), n, &part_used);
	}
	if (of_part != r)
		abort();
	if (r == PROXY_READ && (used != part_used || n != used ||
				   memcmp(&whole, &part, sizeof(whole)) != 0))
		abort();
	return 0;
}
