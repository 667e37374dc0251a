/* An answer of a name server, read as MX and as SRV records. */
#include <stdlib.h>
#include <string.h>

#include "net/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record v[RECORDS_MAX];
	char ascii[HOST_MAX];
	size_t n;

	if (size > 65535)
		return 0;
	for (int kind = RECORDS_MX; kind <= RECORDS_SRV; kind++) {
		n = records_parse(v, (enum records_kind)kind, data, (int)size);
		if (n > RECORDS_MAX)
			abort();
		for (size_t i = 0; i < n; i++)
			if (v[i].host[0] == '\0' ||
			    host_ascii(ascii, v[i].host, NULL) != E_OK ||
			    (i > 0 && v[i].priority < v[i - 1].priority))
				abort();
	}
	return 0;
}
