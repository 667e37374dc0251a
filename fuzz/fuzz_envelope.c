/* The envelope of a header, read at once and in pieces: the same, and nothing
 * in it that could break a line.  The first octet cuts the pieces. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "pop3/server_envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const char *address)
{
	size_t n = strlen(address);

	if (n > POP3_ADDRESS_MAX || !str_is_utf8(address, n))
		abort();
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)address[i] < ' ' || address[i] == 0x7f)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1;
	struct pop3_envelope whole, parts;
	bool enough = false;
	unsigned seed;

	if (size < 1)
		return 0;
	size--;
	seed = data[0];
	pop3_envelope_init(&whole);
	pop3_envelope_init(&parts);
	(void)pop3_envelope_add(&whole, p, size);
	for (size_t at = 0, n; at < size && !enough; at += n) {
		char *piece;

		n = 1 + (size_t)rand_r(&seed) % (1 + data[0] % 50);
		n = n < size - at ? n : size - at;
		if ((piece = malloc(n)) == NULL)
			abort();
		memcpy(piece, p + at, n);
		enough = pop3_envelope_add(&parts, piece, n);
		free(piece);
	}
	pop3_envelope_end(&whole);
	pop3_envelope_end(&parts);
	check(whole.sender);
	check(whole.recipient);
	if (strcmp(whole.sender, parts.sender) != 0 ||
	    strcmp(whole.recipient, parts.recipient) != 0)
		abort();
	return 0;
}
