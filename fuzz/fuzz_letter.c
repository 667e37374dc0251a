/* A message that is to be sent: its header and its addresses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/send/letter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* An address goes into a command: it must not end it. */
static void
check_addresses(const struct addresses *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const char *p = a->v[i];

		if (*p == '\0' || strlen(p) >= ADDRESS_SIZE ||
		    !str_is_utf8(p, strlen(p)))
			abort();
		for (; *p != '\0'; p++)
			if (*p == '\r' || *p == '\n' || *p == 0x7f)
				abort();
	}
}

/* Lines that SMTP carries, and nothing that is nobody's business. */
static void
check_text(const struct buf *out)
{
	const char *p = buf_data(out), *end = p + out->len;
	bool in_header = true;

	if (memchr(p, '\r', out->len) != NULL ||
	    memchr(p, '\0', out->len) != NULL || end[-1] != '\n')
		abort();
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		if (lf - p > 998 || (in_header && lf - p > 4 &&
					(strncasecmp(p, "bcc:", 4) == 0 ||
					    strncasecmp(p, "bcc ", 4) == 0)))
			abort();
		in_header &= lf != p;
		p = lf + 1;
	}
	if (in_header)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct letter_signature signature = { .address = "a@b",
		.name = "Jos\xc3\xa9" };
	char *copy = malloc(n + 1); /* ends where the message ends */
	struct letter_needs needs;
	struct letter l;
	struct buf out;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, n);
	copy = realloc(copy, n != 0 ? n : 1);
	buf_init(&out, 4 * n + 65536, false);
	if (letter_read(&l, (struct slice){ copy, n }, true, NULL) == E_OK &&
	    letter_write(&out, &l, &signature, &needs, NULL) == E_OK)
		check_text(&out);
	check_addresses(&l.to);
	check_addresses(&l.from);
	letter_free(&l);
	buf_free(&out);
	free(copy);
	return 0;
}
