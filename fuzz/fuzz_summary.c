/* A header as it is shown in a list: decoded and made safe. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/message/summary.h"
#include "client/report/columns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
show(const char *text)
{
	char safe[256], cut[256];

	if (text == NULL)
		return;
	columns_safe(safe, sizeof(safe), text);
	for (const char *p = safe; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
	if (columns_of(columns_cut(cut, sizeof(cut), safe, 20)) > 20)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *copy = malloc(n + 1); /* ends where the header ends */
	struct summary s = { .from = NULL };

	if (copy == NULL)
		return 0;
	memcpy(copy, data, n);
	copy = realloc(copy, n != 0 ? n : 1);
	summary_read(&s, copy, n);
	show(s.from);
	show(s.subject);
	summary_clear(&s);
	free(copy);
	return 0;
}
