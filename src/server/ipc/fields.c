#include "server/ipc/fields.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static void
put_rows(struct ipc_chan *c, const struct ipc_field *f, const char *from)
{
	uint16_t n = *(const uint16_t *)(from + f->count_at);
	const char *row = from + f->at;

	ipc_put_u16(c, n);
	for (; n > 0; n--, row += f->row_size)
		ipc_put_fields(c, f->row, row);
}

static void
put_text(struct ipc_chan *c, const char *text)
{
	ipc_put_str(c, text != NULL ? text : "");
}

/* The message may leave later than the caller closes it. */
static void
put_fd(struct ipc_chan *c, int fd)
{
	ipc_put_fd(c, fcntl(fd, F_DUPFD_CLOEXEC, 0), FD_CLOSED);
}

static void
put_field(struct ipc_chan *c, const struct ipc_field *f, const char *from)
{
	const void *v = from + f->at;

	switch (f->kind) {
	case FIELD_IS_BOOL: ipc_put_u8(c, *(const bool *)v); break;
	case FIELD_IS_U16: ipc_put_u16(c, *(const uint16_t *)v); break;
	case FIELD_IS_U32: ipc_put_u32(c, *(const uint32_t *)v); break;
	case FIELD_IS_U64: ipc_put_u64(c, *(const uint64_t *)v); break;
	case FIELD_IS_ENUM: ipc_put_u32(c, *(const unsigned *)v); break;
	case FIELD_IS_STR: ipc_put_str(c, v); break;
	case FIELD_IS_TEXT: put_text(c, *(char *const *)v); break;
	case FIELD_IS_FD: put_fd(c, *(const int *)v); break;
	case FIELD_IS_ROWS: put_rows(c, f, from); break;
	}
}

void
ipc_put_fields(struct ipc_chan *c, const struct ipc_fields *t, const void *from)
{
	for (size_t i = 0; i < t->n; i++)
		put_field(c, &t->field[i], from);
}

static char *
get_text(struct ipc_in *in, size_t most)
{
	struct slice s = ipc_get_slice(in);
	char *text;

	in->bad = in->bad || s.n > most || memchr(s.p, '\0', s.n) != NULL;
	if (in->bad || s.n == 0)
		return NULL;
	text = strndup(s.p, s.n);
	in->bad = text == NULL;
	return text;
}

static void
get_rows(struct ipc_in *in, const struct ipc_field *f, char *to)
{
	uint16_t n = ipc_get_u16(in);
	char *row = to + f->at;

	in->bad = in->bad || n > f->max;
	n = in->bad ? 0 : n;
	*(uint16_t *)(to + f->count_at) = n;
	for (; n > 0; n--, row += f->row_size)
		ipc_get_fields(in, f->row, row);
}

static void
get_field(struct ipc_in *in, const struct ipc_field *f, char *to)
{
	void *v = to + f->at;

	switch (f->kind) {
	case FIELD_IS_BOOL: *(bool *)v = ipc_get_u8(in) != 0; break;
	case FIELD_IS_U16: *(uint16_t *)v = ipc_get_u16(in); break;
	case FIELD_IS_U32: *(uint32_t *)v = ipc_get_u32(in); break;
	case FIELD_IS_U64: *(uint64_t *)v = ipc_get_u64(in); break;
	case FIELD_IS_ENUM: *(unsigned *)v = ipc_get_u32_to(in, f->max); break;
	case FIELD_IS_STR: ipc_get_str(in, v, f->max); break;
	case FIELD_IS_TEXT: *(char **)v = get_text(in, f->max); break;
	case FIELD_IS_FD: *(int *)v = ipc_get_fd(in); break;
	case FIELD_IS_ROWS: get_rows(in, f, to); break;
	}
}

void
ipc_get_fields(struct ipc_in *in, const struct ipc_fields *t, void *to)
{
	for (size_t i = 0; i < t->n; i++)
		get_field(in, &t->field[i], to);
}

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool
same_rows(const struct ipc_field *f, const char *a, const char *b)
{
	uint16_t n = *(const uint16_t *)(a + f->count_at);

	if (n != *(const uint16_t *)(b + f->count_at))
		return false;
	for (size_t at = f->at; n > 0; n--, at += f->row_size)
		if (!ipc_fields_same(f->row, a + at, b + at))
			return false;
	return true;
}

static bool
same_field(const struct ipc_field *f, const char *a, const char *b)
{
	const void *v = a + f->at, *w = b + f->at;

	switch (f->kind) {
	case FIELD_IS_BOOL: return *(const bool *)v == *(const bool *)w;
	case FIELD_IS_U16: return *(const uint16_t *)v == *(const uint16_t *)w;
	case FIELD_IS_U32: return *(const uint32_t *)v == *(const uint32_t *)w;
	case FIELD_IS_U64: return *(const uint64_t *)v == *(const uint64_t *)w;
	case FIELD_IS_ENUM: return *(const unsigned *)v == *(const unsigned *)w;
	case FIELD_IS_STR: return strcmp(v, w) == 0;
	case FIELD_IS_TEXT:
		return same_text(*(char *const *)v, *(char *const *)w);
	case FIELD_IS_FD: return *(const int *)v == *(const int *)w;
	case FIELD_IS_ROWS: return same_rows(f, a, b);
	}
	return false;
}

bool
ipc_fields_same(const struct ipc_fields *t, const void *a, const void *b)
{
	for (size_t i = 0; i < t->n; i++)
		if (!same_field(&t->field[i], a, b))
			return false;
	return true;
}
