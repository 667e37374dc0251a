/* A message, in one piece and in many: what is made is the same, and needs nothing
 * any more; it is the message if that needs nothing.  The first octet chooses
 * how. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/surrogate/surrogate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err
take(void *out, const void *p, size_t n, struct errbuf *eb)
{
	return buf_put(out, p, n);
}

static bool
run(struct buf *out, enum surrogate_how how, const char *p, size_t n,
    size_t piece)
{
	struct surrogate s;
	struct errbuf eb;
	enum err e = E_OK;

	buf_init(out, 64 << 20, false);
	surrogate_begin(&s, how, take, out);
	for (size_t at = 0; at < n && e == E_OK; at += piece)
		e = surrogate_put(
		    &s, p + at, n - at < piece ? n - at : piece, &eb);
	if (surrogate_end(&s, e, &eb) != E_OK)
		abort();
	return s.needed;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1;
	struct buf a, b;
	bool needed;

	if (size < 2)
		return 0;
	size--;
	needed = run(&a, data[0] % 3, p, size, size);
	if (run(&b, data[0] % 3, p, size, 1 + data[0] / 3) != needed ||
	    a.len != b.len ||
	    (a.len != 0 && memcmp(buf_data(&a), buf_data(&b), a.len) != 0))
		abort();
	if (!needed || data[0] % 3 == SURROGATE_NONE) {
		if (a.len != size || memcmp(buf_data(&a), p, size) != 0)
			abort();
	} else {
		buf_free(&b);
		if (run(&b, SURROGATE_NONE, buf_data(&a), a.len, size))
			abort();
	}
	buf_free(&a);
	buf_free(&b);
	return 0;
}
