#include "server/ipc/index.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#ifdef XXHASH_DISPATCH
#include <xxh_x86dispatch.h> /* takes the place of the functions below */
#endif

/*
 * Header                          Record                 Trailer
 *   0  magic                        0  u48 wire, u16 seen  0  magic
 *   8  u32 first                    8  stamp               8  u32 count
 *  12  u32 n                       16  u32 uid, in uidl   12  u32 blocks
 *  16  u32 list, uidl, names       20  u32 name, in names 16  u64 octets
 *      (their lengths)             24  u16 uid length     24  i64 new, cur
 *  28  u32 0                       26  u16 name length        (seconds)
 *  32  u64 list, uidl, names       28  u32 uid sum        40  u32 new, cur
 *      (their sums)                32  u32 name sum           (nanoseconds)
 *  56  0                           36  u32 sum of this    48  u32 expires
 *  88  u64 sum of this                                    88  u64 sum of this
 */
enum {
	HEAD_SUM = INDEX_HEADER - 8,
	RECORD_SUM = INDEX_RECORD - 4,
	TRAILER_SUM = INDEX_TRAILER - 8,
	LIST_MAX = INDEX_BLOCK * (10 + 1 + STR_U64_MAX + 2),
	UIDL_MAX = INDEX_SECTION_MAX,
	NAMES_MAX = INDEX_BLOCK * INDEX_NAME_MAX,
};

static const uint64_t WIRE_MAX = (1ULL << 48) - 1;

static const char head_magic[8] = "MALOTEI3";
static const char trailer_magic[8] = "MALOTET3";

/* What had 64 bits for a size, and no day, is read as it is: the upper bits of
 * all sizes are 0.  Who knows only that does not take our days for sizes. */
static const char head_before[8] = "MALOTEI2";
static const char trailer_before[8] = "MALOTET2";

static bool
has_magic(const void *p, const char now[8], const char before[8])
{
	return memcmp(p, now, 8) == 0 || memcmp(p, before, 8) == 0;
}

static uint64_t
get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static void
put(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint64_t
sum64(const void *p, size_t n)
{
	return XXH3_64bits(p, n);
}

static uint32_t
sum32(const void *p, size_t n)
{
	return (uint32_t)XXH3_64bits(p, n);
}

/* A record that is read in another's place does not match. */
static uint32_t
record_sum(const void *p, uint32_t msgno)
{
	return (uint32_t)XXH3_64bits_withSeed(p, RECORD_SUM, msgno);
}

/* ---- reading ---- */

enum err
index_get_block(const void *p, const struct index_block *before, uint64_t end,
    uint32_t count, struct index_block *b_r)
{
	const uint8_t *h = p;
	struct index_section *const s[] = { &b_r->list, &b_r->uidl,
		&b_r->names };
	static const uint32_t max[] = { LIST_MAX, UIDL_MAX, NAMES_MAX };
	uint64_t off = before->next, at;
	uint32_t done = before->first - 1 + before->n;

	if (!has_magic(h, head_magic, head_before) ||
	    get(h + HEAD_SUM, 8) != sum64(h, HEAD_SUM))
		return E_FORMAT;
	b_r->off = off;
	b_r->nth = before->nth + 1;
	b_r->first = (uint32_t)get(h + 8, 4);
	b_r->n = (uint32_t)get(h + 12, 4);
	if (b_r->nth > index_blocks_full(count) + 1 || done > count ||
	    b_r->first != done + 1 || b_r->n > INDEX_BLOCK ||
	    b_r->n > count - done)
		return E_FORMAT;
	b_r->records = off + INDEX_HEADER;
	at = b_r->records + (uint64_t)b_r->n * INDEX_RECORD;
	for (unsigned i = 0; i < 3; i++) {
		s[i]->off = at;
		s[i]->len = (uint32_t)get(h + 16 + 4 * i, 4);
		s[i]->sum = get(h + 32 + 8 * i, 8);
		if (s[i]->len > max[i])
			return E_FORMAT;
		at += s[i]->len;
	}
	b_r->next = at + INDEX_TRAILER;
	return off <= end && b_r->next > off && b_r->next <= end ? E_OK
								 : E_FORMAT;
}

uint64_t
index_record_place(const struct index_block *b, uint32_t msgno)
{
	return b->records + (uint64_t)(msgno - b->first) * INDEX_RECORD;
}

static bool
is_inside(const struct index_section *s, uint64_t off, uint32_t len)
{
	return off <= s->len && len <= s->len - off;
}

enum err
index_get_record(const void *p, const struct index_block *b, uint32_t msgno,
    struct index_record *r_r)
{
	const uint8_t *q = p;

	if (msgno < b->first || msgno - b->first >= b->n ||
	    get(q + RECORD_SUM, 4) != record_sum(q, msgno))
		return E_FORMAT;
	r_r->wire = get(q, 6);
	r_r->seen = (uint16_t)get(q + 6, 2);
	r_r->stamp = get(q + 8, 8);
	r_r->uid_off = get(q + 16, 4);
	r_r->name_off = get(q + 20, 4);
	r_r->uid_len = (uint16_t)get(q + 24, 2);
	r_r->name_len = (uint16_t)get(q + 26, 2);
	r_r->uid_sum = (uint32_t)get(q + 28, 4);
	r_r->name_sum = (uint32_t)get(q + 32, 4);
	if (r_r->uid_len == 0 || r_r->uid_len > INDEX_UID_MAX ||
	    r_r->name_len < 2 || r_r->name_len > INDEX_NAME_MAX ||
	    !is_inside(&b->uidl, r_r->uid_off, r_r->uid_len) ||
	    !is_inside(&b->names, r_r->name_off, r_r->name_len))
		return E_FORMAT;
	r_r->uid_off += b->uidl.off;
	r_r->name_off += b->names.off;
	return E_OK;
}

enum err
index_check_section(const void *p, const struct index_section *s)
{
	return sum64(p, s->len) == s->sum ? E_OK : E_FORMAT;
}

static bool
is_uid(struct slice uid)
{
	if (uid.n == 0 || uid.n > INDEX_UID_MAX)
		return false;
	for (size_t i = 0; i < uid.n; i++)
		if (uid.p[i] < 0x21 || uid.p[i] > 0x7e)
			return false;
	return true;
}

/* The directory's letter, and a file name that does not begin with a dot. */
static bool
is_name(struct slice name)
{
	return name.n >= 2 && name.n <= INDEX_NAME_MAX &&
	       (name.p[0] == 'n' || name.p[0] == 'c') && name.p[1] != '.' &&
	       memchr(name.p, '/', name.n) == NULL &&
	       memchr(name.p, '\0', name.n) == NULL;
}

enum err
index_check_uid(const void *p, const struct index_record *r)
{
	struct slice uid = { p, r->uid_len };

	return sum32(p, uid.n) == r->uid_sum && is_uid(uid) ? E_OK : E_FORMAT;
}

enum err
index_check_name(const void *p, const struct index_record *r)
{
	struct slice name = { p, r->name_len };

	return sum32(p, name.n) == r->name_sum && is_name(name) ? E_OK
								: E_FORMAT;
}

/* Takes n octets off the front of *rest, which must be those at p. */
static bool
cut(struct slice *rest, const char *p, size_t n)
{
	if (rest->n < n || memcmp(rest->p, p, n) != 0)
		return false;
	rest->p += n;
	rest->n -= n;
	return true;
}

static struct slice
octets_of(
    const char *p, const struct index_block *b, const struct index_section *s)
{
	return (struct slice){ p + (s->off - b->off), s->len };
}

enum err
index_check_lines(const void *p, const struct index_block *b)
{
	struct slice list = octets_of(p, b, &b->list);
	struct slice uidl = octets_of(p, b, &b->uidl);
	struct slice names = octets_of(p, b, &b->names);
	char no[STR_U64_MAX + 1], size[STR_U64_MAX];
	const char *q = p;
	struct index_record r;

	for (uint32_t i = b->first; i - b->first < b->n; i++) {
		size_t k = str_from_u64(no, i);

		no[k++] = ' ';
		if (index_get_record(q + (index_record_place(b, i) - b->off), b,
			i, &r) != E_OK ||
		    !cut(&list, no, k) ||
		    !cut(&list, size, str_from_u64(size, r.wire)) ||
		    !cut(&list, "\r\n", 2) || !cut(&uidl, no, k) ||
		    !cut(&uidl, q + (r.uid_off - b->off), r.uid_len) ||
		    !cut(&uidl, "\r\n", 2) ||
		    !cut(&names, q + (r.name_off - b->off), r.name_len))
			return E_FORMAT;
	}
	return list.n == 0 && uidl.n == 0 && names.n == 0 ? E_OK : E_FORMAT;
}

enum err
index_get_trailer(const void *p, struct index_trailer *t_r)
{
	const uint8_t *q = p;

	if (!has_magic(q, trailer_magic, trailer_before) ||
	    get(q + TRAILER_SUM, 8) != sum64(q, TRAILER_SUM))
		return E_FORMAT;
	t_r->count = (uint32_t)get(q + 8, 4);
	t_r->blocks = (uint32_t)get(q + 12, 4);
	t_r->octets = get(q + 16, 8);
	t_r->new_time.sec = (int64_t)get(q + 24, 8);
	t_r->cur_time.sec = (int64_t)get(q + 32, 8);
	t_r->new_time.nsec = (uint32_t)get(q + 40, 4);
	t_r->cur_time.nsec = (uint32_t)get(q + 44, 4);
	t_r->expires = get(q + 48, 4) != 0;
	return t_r->count <= INDEX_MESSAGES_MAX && t_r->blocks != 0 &&
		       t_r->blocks <= index_blocks_full(t_r->count) + 1
		   ? E_OK
		   : E_FORMAT;
}

/* ---- writing ---- */

struct index_writer {
	struct index_trailer done; /* of the blocks that are finished */
	uint64_t octets;           /* of the open block */
	uint32_t n;                /* messages in it */
	struct buf records, list, uidl, names;
};

struct index_writer *
index_writer_new(const struct index_trailer *have)
{
	struct index_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->done = *have;
	buf_init(&w->records, INDEX_BLOCK * INDEX_RECORD, false);
	buf_init(&w->list, LIST_MAX, false);
	buf_init(&w->uidl, UIDL_MAX, false);
	buf_init(&w->names, NAMES_MAX, false);
	return w;
}

void
index_writer_free(struct index_writer *w)
{
	if (w == NULL)
		return;
	buf_free(&w->records);
	buf_free(&w->list);
	buf_free(&w->uidl);
	buf_free(&w->names);
	free(w);
}

/* "MSGNO WORD\r\n" */
static enum err
put_line(struct buf *b, uint32_t msgno, const char *word, size_t n)
{
	char no[STR_U64_MAX + 1];
	size_t k = str_from_u64(no, msgno);
	enum err e;

	no[k++] = ' ';
	e = buf_put(b, no, k);
	if (e == E_OK)
		e = buf_put(b, word, n);
	if (e == E_OK)
		e = buf_put(b, "\r\n", 2);
	return e;
}

static enum err
put_header(const struct index_writer *w, struct buf *out)
{
	const struct buf *const s[] = { &w->list, &w->uidl, &w->names };
	uint8_t h[INDEX_HEADER] = { 0 };

	memcpy(h, head_magic, sizeof(head_magic));
	put(h + 8, w->done.count + 1, 4);
	put(h + 12, w->n, 4);
	for (unsigned i = 0; i < 3; i++) {
		put(h + 16 + 4 * i, s[i]->len, 4);
		put(h + 32 + 8 * i,
		    sum64(s[i]->len != 0 ? buf_data(s[i]) : "", s[i]->len), 8);
	}
	put(h + HEAD_SUM, sum64(h, HEAD_SUM), 8);
	return buf_put(out, h, sizeof(h));
}

static enum err
put_trailer(const struct index_trailer *t, struct buf *out)
{
	uint8_t q[INDEX_TRAILER] = { 0 };

	memcpy(q, trailer_magic, sizeof(trailer_magic));
	put(q + 8, t->count, 4);
	put(q + 12, t->blocks, 4);
	put(q + 16, t->octets, 8);
	put(q + 24, (uint64_t)t->new_time.sec, 8);
	put(q + 32, (uint64_t)t->cur_time.sec, 8);
	put(q + 40, t->new_time.nsec, 4);
	put(q + 44, t->cur_time.nsec, 4);
	put(q + 48, t->expires, 4);
	put(q + TRAILER_SUM, sum64(q, TRAILER_SUM), 8);
	return buf_put(out, q, sizeof(q));
}

/* Puts the open block into `out` and opens the next. */
static enum err
finish_block(struct index_writer *w, struct buf *out,
    struct index_time new_time, struct index_time cur_time)
{
	struct buf *const part[] = { &w->records, &w->list, &w->uidl,
		&w->names };
	enum err e = put_header(w, out);

	for (unsigned i = 0; i < 4 && e == E_OK; i++)
		if (part[i]->len != 0)
			e = buf_put(out, buf_data(part[i]), part[i]->len);
	if (e != E_OK)
		return e;
	w->done.count += w->n;
	w->done.blocks++;
	w->done.octets += w->octets;
	w->done.new_time = new_time;
	w->done.cur_time = cur_time;
	w->n = 0;
	w->octets = 0;
	for (unsigned i = 0; i < 4; i++)
		buf_consume(part[i], part[i]->len);
	return put_trailer(&w->done, out);
}

enum err
index_writer_add(struct index_writer *w, struct buf *out, uint64_t wire,
    uint64_t stamp, uint16_t seen, struct slice uid, struct slice name)
{
	static const struct index_time unknown = { 0, INDEX_TIME_UNKNOWN };
	uint32_t msgno = w->done.count + w->n + 1;
	uint8_t r[INDEX_RECORD] = { 0 };
	char size[STR_U64_MAX];
	enum err e;

	if (!is_uid(uid) || !is_name(name))
		return E_FORMAT;
	if (msgno > INDEX_MESSAGES_MAX || wire > WIRE_MAX)
		return E_FULL;
	if ((e = put_line(&w->list, msgno, size, str_from_u64(size, wire))) !=
		E_OK ||
	    (e = put_line(&w->uidl, msgno, uid.p, uid.n)) != E_OK)
		return e;
	put(r, wire, 6);
	put(r + 6, seen, 2);
	put(r + 8, stamp, 8);
	put(r + 16, w->uidl.len - 2 - uid.n, 4);
	put(r + 20, w->names.len, 4);
	put(r + 24, uid.n, 2);
	put(r + 26, name.n, 2);
	put(r + 28, sum32(uid.p, uid.n), 4);
	put(r + 32, sum32(name.p, name.n), 4);
	put(r + RECORD_SUM, record_sum(r, msgno), 4);
	if ((e = buf_put(&w->names, name.p, name.n)) != E_OK ||
	    (e = buf_put(&w->records, r, sizeof(r))) != E_OK)
		return e;
	w->n++;
	w->octets += wire;
	return w->n == INDEX_BLOCK ? finish_block(w, out, unknown, unknown)
				   : E_OK;
}

enum err
index_writer_end(struct index_writer *w, struct buf *out,
    struct index_time new_time, struct index_time cur_time, bool expires,
    struct index_trailer *t_r)
{
	enum err e;

	w->done.expires = expires;
	e = finish_block(w, out, new_time, cur_time);
	*t_r = w->done;
	return e;
}
