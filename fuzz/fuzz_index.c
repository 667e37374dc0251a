/*
 * The index as pop3 and the store read it: whatever the octets are, every
 * place that is named is inside, and what passes is fit for POP3.
 *
 * The checks would keep the fuzzer out, so they are put right first; the
 * numbers below are the format's, as src/index/index.c draws it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "index/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
put_sum(uint8_t *to, const uint8_t *p, size_t n, uint64_t seed, size_t octets)
{
	uint64_t sum = XXH3_64bits_withSeed(p, n, seed);

	memcpy(to, &sum, octets);
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void
mend_header(uint8_t *p, size_t left, uint32_t first)
{
	uint64_t at = INDEX_HEADER + (uint64_t)get32(p + 12) * INDEX_RECORD;

	memcpy(p, "MALOTEI1", 8);
	memcpy(p + 8, &first, 4);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t len = get32(p + 16 + 4 * i);

		if (at <= left && len <= left - at)
			put_sum(p + 32 + 8 * i, p + at, len, 0, 8);
		at += len;
	}
	put_sum(p + 88, p, 88, 0, 8);
}

static void
mend_record(uint8_t *p, const struct index_block *b, uint32_t msgno)
{
	uint8_t *r = p + index_record_place(b, msgno);
	const struct index_section *const s[] = { &b->uidl, &b->names };

	for (unsigned i = 0; i < 2; i++) {
		uint32_t off = get32(r + 16 + 4 * i);
		uint32_t len = get32(r + 24) >> 16 * i & 0xffff;

		if (off <= s[i]->len && len <= s[i]->len - off)
			put_sum(r + 28 + 4 * i, p + s[i]->off + off, len, 0, 4);
	}
	put_sum(r + 36, r, 36, msgno, 4);
}

static void
read_block(uint8_t *p, const struct index_block *b)
{
	struct index_trailer t;
	struct index_record r;

	(void)!index_check_section(p + b->list.off, &b->list);
	(void)!index_check_section(p + b->uidl.off, &b->uidl);
	(void)!index_check_section(p + b->names.off, &b->names);
	for (uint32_t i = b->first; i < b->first + b->n; i++) {
		mend_record(p, b, i);
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
	(void)!index_get_trailer(p + b->next - INDEX_TRAILER, &t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *p = malloc(n + 1);
	struct index_block b;
	uint64_t off = 0;
	uint32_t first = 1;

	if (p == NULL)
		return 0;
	memcpy(p, data, n);
	while (n - off >= INDEX_HEADER) {
		mend_header(p + off, n - off, first);
		if (index_get_block(p + off, off, n, first, &b) != E_OK)
			break;
		read_block(p, &b);
		off = b.next;
		first += b.n;
	}
	free(p);
	return 0;
}
