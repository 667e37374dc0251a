/* For the targets of both lists: lines in, unique-ids out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/maildir/foreign.h"
#include "server/store/maildir/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int
fuzz_foreign(enum store_uidl kind, const uint8_t *data, size_t n)
{
	struct slice rest = { (const char *)data, n }, line;
	struct foreign f;
	struct uid u, own;

	foreign_init(&f, kind);
	while (lines_word(&rest, '\n', &line))
		if (foreign_line(&f, line) != E_OK)
			break;
	for (size_t i = 0; i < f.by_base.used; i++) {
		struct slice base = { f.by_base.v[i].p, f.by_base.v[i].n };

		if (!foreign_uid(&f, base, "%08Xu%08Xv.%f.%g", &u))
			continue;
		if (!uid_set(&own, uid_slice(&u)))
			abort();
	}
	foreign_free(&f);
	return 0;
}
