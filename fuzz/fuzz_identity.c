/*
 * The digest of a header: the same in whatever pieces it comes, and with CRs
 * before its LFs.  The first octet says how long the pieces are.
 */
#include <stdint.h>
#include <stdlib.h>

#include "client/message/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct identity
read_it(
    struct identity_reader *r, const char *p, size_t n, size_t step, bool cr)
{
	identity_reader_reset(r);
	for (size_t i = 0; i < n && !identity_reader_done(r); i += step) {
		size_t m = n - i < step ? n - i : step;

		for (size_t k = 0; cr && k < m; k++) {
			if (p[i + k] == '\n')
				identity_reader_add(r, "\r", 1);
			identity_reader_add(r, p + i + k, 1);
		}
		if (!cr)
			identity_reader_add(r, p + i, m);
	}
	return identity_reader_end(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct identity_reader *r = identity_reader_new();
	struct identity a, b;
	char text[DIGEST_TEXT];
	struct digest back;

	if (n == 0 || r == NULL) {
		identity_reader_free(r);
		return 0;
	}
	a = read_it(r, (const char *)data + 1, n - 1, n, false);
	for (int cr = 0; cr < 2; cr++) {
		b = read_it(
		    r, (const char *)data + 1, n - 1, 1 + data[0] % 64, cr);
		if (!digest_eq(a.header, b.header) || a.strong != b.strong)
			abort();
	}
	digest_text(text, a.header);
	if (!digest_parse((struct slice){ text, DIGEST_TEXT - 1 }, &back) ||
	    !digest_eq(a.header, back))
		abort();
	identity_reader_free(r);
	return 0;
}
