/* A header as rules look at it: the first line of the input is what is looked for,
 * the rest the message.  Nothing is read beyond it, and what is told of an address
 * holds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/conf/rule.h"
#include "client/message/address.h"
#include "client/message/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check(bool right)
{
	if (!right)
		abort();
}

static void
check_addresses(struct slice header)
{
	struct slice value;
	struct address a;

	while (field_next(&header, "From", &value)) {
		check(value.p + value.n <= header.p);
		while (address_next(&value, &a))
			check(strlen(a.text) <= ADDRESS_MAX &&
			      a.domain > a.text && a.domain[-1] == '@');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *end = memchr(data, '\n', n);
	size_t first = end != NULL ? (size_t)(end - data) : n;
	struct rule r = { .match = strndup((const char *)data, first) };
	size_t rest = end != NULL ? n - first - 1 : 0;
	char *copy = malloc(rest + 1); /* ends where the header ends */

	check(r.match != NULL && copy != NULL);
	if (rest != 0)
		memcpy(copy, end + 1, rest);
	copy = realloc(copy, rest != 0 ? rest : 1);
	check_addresses((struct slice){ copy, rest });
	rule_fits(&r, (struct slice){ copy, rest });
	free(copy);
	free(r.match);
	return 0;
}
