/* A stub of any header: it is a message of its own, whose header ends where its text
 * begins, and has one Message-ID and one type. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/message/fields.h"
#include "client/message/stub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check(bool right)
{
	if (!right)
		abort();
}

static size_t
count(struct slice text, const char *name)
{
	struct slice value;
	size_t k = 0;

	while (field_next(&text, name, &value))
		k++;
	return k;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct stub s = { "ana's", "pop.example.org", 1, n, { { 0 } } };
	char *copy = malloc(n + 1); /* ends where the header ends */
	struct slice made;
	struct buf out;

	check(copy != NULL);
	if (n != 0)
		memcpy(copy, data, n);
	copy = realloc(copy, n != 0 ? n : 1);
	buf_init(&out, 16 << 20, false);
	check(stub_make(&out, &s, (struct slice){ copy, n }) == E_OK);
	made = (struct slice){ buf_data(&out), out.len };
	check(count(made, "Message-ID") == 1);
	check(count(made, "Content-Type") == 1);
	check(count(made, "X-Malote-Size") == 1);
	buf_free(&out);
	free(copy);
	return 0;
}
