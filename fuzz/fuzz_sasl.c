/*
 * The first octet chooses the mechanism and whether there is an initial
 * response; then messages, each behind an octet that is its length.
 */
#include <stdlib.h>
#include <string.h>

#include "sasl/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum sasl_result r = SASL_MORE;
	struct sasl_server *s;
	struct buf out;

	if (size == 0 ||
	    (s = sasl_server_new(sasl_mechanisms[data[0] & 1])) == NULL)
		return 0;
	buf_init(&out, 4096, true);
	if (data[0] & 2)
		r = sasl_server_step(s, NULL, &out);
	for (data++, size--; r == SASL_MORE && size > 0;) {
		size_t n = data[0] < size - 1 ? data[0] : size - 1;
		struct slice in = { (const char *)data + 1, n };

		r = sasl_server_step(s, &in, &out);
		data += 1 + n;
		size -= 1 + n;
	}
	if (r == SASL_PASSWORD) {
		const struct sasl_claim *c = sasl_server_claim(s);

		if (c->authcid.n == 0 || c->password.n == 0 ||
		    memchr(c->authcid.p, 0, c->authcid.n) != NULL ||
		    memchr(c->password.p, 0, c->password.n) != NULL ||
		    !str_is_utf8(c->password.p, c->password.n))
			abort();
	}
	sasl_server_free(s);
	buf_free(&out);
	return 0;
}
