/*
 * A stored hash, a NUL, a password.  Costly schemes are only looked at: what
 * they would cost is the administrator's choice.
 */
#include <stdlib.h>
#include <string.h>

#include "server/users/scheme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *stored = malloc(size + 2);
	struct errbuf eb = { "" };
	const char *password;
	enum err e;

	if (stored == NULL)
		return 0;
	memcpy(stored, data, size);
	stored[size] = stored[size + 1] = '\0';
	password = stored + strlen(stored) + (strlen(stored) < size);
	e = scheme_check(stored, &eb);
	if ((e == E_CONFIG) != (eb.text[0] != '\0'))
		abort();
	if (!scheme_is_costly(stored)) {
		enum err v = scheme_verify(stored, password);

		if (e != E_OK ? v != e : v != E_OK && v != E_DENIED)
			abort();
	}
	free(stored);
	return 0;
}
