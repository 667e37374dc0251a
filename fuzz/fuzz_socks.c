/*
 * A proxy as configured up to the first LF, then what the proxy says: taken
 * whole and octet by octet, with the same end.
 */
#include <stdlib.h>
#include <string.h>

#include "net/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err
talk(const struct socks_proxy *proxy, const uint8_t *p, size_t n, size_t step,
    size_t *used_r)
{
	enum err e = E_AGAIN;
	struct errbuf eb;
	struct socks s;
	size_t part;

	*used_r = 0;
	socks_start(&s, proxy, "pop.example.org", 995);
	while (e == E_AGAIN && *used_r < n) {
		if (s.out_n == 0 && s.in_n == 0 && s.phase != SOCKS_TYPE &&
		    s.phase != SOCKS_BOUND)
			abort(); /* both ends would wait */
		if (s.in_n == 0)
			s.out_n = 0;
		part = socks_wants(&s);
		if (part == 0)
			abort();
		part = part < step ? part : step;
		part = part < n - *used_r ? part : n - *used_r;
		e = socks_take(&s, p + *used_r, part, &eb);
		*used_r += part;
	}
	if (e != E_OK && e != E_AGAIN &&
	    memchr(eb.text, 0, sizeof(eb.text)) == NULL)
		abort();
	return e;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *lf = memchr(data, '\n', size);
	struct socks_proxy proxy;
	size_t n, whole, single;
	char text[700];
	enum err e;

	n = lf != NULL ? (size_t)(lf - data) : size;
	if (n >= sizeof(text))
		return 0;
	memcpy(text, data, n);
	text[n] = '\0';
	if (socks_proxy_parse(&proxy, text, NULL) != E_OK || lf == NULL)
		return 0;
	data = lf + 1;
	size -= n + 1;
	e = talk(&proxy, data, size, 300, &whole);
	if (talk(&proxy, data, size, 1, &single) != e)
		abort();
	if (e == E_OK && whole != single)
		abort();
	return 0;
}
