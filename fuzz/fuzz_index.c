/*
 * The index as pop3 and the store read it: whatever the octets are, every
 * place that is named is inside, and what passes is fit for POP3.
 *
 * The checks would keep the fuzzer out, so they are put right first.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/unit/forge.h"
#include "server/ipc/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What passed says one thing of each message: its line ends in what its record
 * says, unless that is no unique-id at all. */
static void
check_lines(const char *p, const struct index_block *b)
{
	const char *end = p + b->uidl.off + b->uidl.len;
	const char *line = p + b->uidl.off;
	struct index_record r;

	for (uint32_t i = b->first; i < b->first + b->n; i++) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));

		if (index_get_record(p + index_record_place(b, i), b, i, &r) !=
		    E_OK)
			abort();
		if (index_check_uid(p + r.uid_off, &r) != E_OK)
			return;
		if (lf == NULL || lf - line < r.uid_len + 1 ||
		    memcmp(lf - 1 - r.uid_len, p + r.uid_off, r.uid_len) != 0)
			abort();
		line = lf + 1;
	}
}

static void
read_block(const char *p, const struct index_block *b)
{
	struct index_trailer t;
	struct index_record r;

	(void)!index_check_section(p + b->list.off, &b->list);
	(void)!index_check_section(p + b->uidl.off, &b->uidl);
	(void)!index_check_section(p + b->names.off, &b->names);
	for (uint32_t i = b->first; i < b->first + b->n; i++) {
		if (index_get_record(p + index_record_place(b, i), b, i, &r) !=
		    E_OK)
			continue;
		if (index_check_uid(p + r.uid_off, &r) == E_OK)
			for (unsigned k = 0; k < r.uid_len; k++)
				if (p[r.uid_off + k] < 0x21 ||
				    p[r.uid_off + k] > 0x7e)
					abort();
		if (index_check_name(p + r.name_off, &r) == E_OK &&
		    memchr(p + r.name_off, '/', r.name_len) != NULL)
			abort();
	}
	if (index_get_trailer(p + b->next - INDEX_TRAILER, &t) == E_OK &&
	    t.count > INDEX_MESSAGES_MAX)
		abort();
	if (index_check_lines(p + b->off, b) == E_OK)
		check_lines(p, b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *p = malloc(n + 1);
	struct index_block b = index_start, next;
	uint32_t count;

	if (p == NULL)
		return 0;
	memcpy(p, data, n);
	forge_mend(p, n);
	count = n >= 4 ? forge_get32(p + n - 4) : 0;
	while (n - b.next >= INDEX_HEADER) {
		if (index_get_block(p + b.next, &b, n, count, &next) != E_OK)
			break;
		if (next.n != 0 && next.first + next.n - 1 > count)
			abort();
		b = next;
		read_block(p, &b);
	}
	free(p);
	return 0;
}
