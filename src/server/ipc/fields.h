/*
 * fields.h - a struct as the fields of a message, described by a table.
 *
 * The same table puts the struct into a message and gets it out of one, so
 * what one process says and what the other understands cannot differ.
 *
 *	static const struct ipc_field field[] = {
 *		FIELD(struct point, x),
 *		FIELD_STR(struct point, name),
 *	};
 *	const struct ipc_fields point_fields = FIELDS(field);
 */
#ifndef SERVER_IPC_FIELDS_H
#define SERVER_IPC_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/ipc/ipc.h"

enum ipc_field_kind {
	FIELD_IS_BOOL,
	FIELD_IS_U16,
	FIELD_IS_U32,
	FIELD_IS_U64,
	FIELD_IS_ENUM,
	FIELD_IS_STR,  /* an array of char with a NUL */
	FIELD_IS_TEXT, /* a char *, on the heap; NULL is the empty one */
	FIELD_IS_FD,
	FIELD_IS_ROWS, /* an array of structs, and how many of it are used */
};

struct ipc_fields {
	const struct ipc_field *field;
	size_t n;
};

struct ipc_field {
	enum ipc_field_kind kind;
	size_t at; /* its place in the struct */
	/* The largest value of an enum, the size of an array of char, the
	 * longest text in octets, the most rows. */
	uint32_t max;
	/* Of rows: the size of one, the place of the uint16_t that counts
	 * them, and what one consists of. */
	size_t row_size, count_at;
	const struct ipc_fields *row;
};

/* clang-format off */
#define FIELD_KIND(v) \
	_Generic((v), \
	    bool: FIELD_IS_BOOL, uint16_t: FIELD_IS_U16, \
	    uint32_t: FIELD_IS_U32, uint64_t: FIELD_IS_U64)
/* clang-format on */
#define FIELD_OF(T, m) (((T *)0)->m)

/* A bool, or an unsigned number of a size that has its name. */
#define FIELD(T, m) \
	{ \
		.kind = FIELD_KIND(FIELD_OF(T, m)), .at = offsetof(T, m) \
	}
#define FIELD_ENUM(T, m, last) \
	{ \
		.kind = FIELD_IS_ENUM, .at = offsetof(T, m), .max = (last) \
	}
#define FIELD_STR(T, m) \
	{ \
		.kind = FIELD_IS_STR, .at = offsetof(T, m), \
		.max = sizeof(FIELD_OF(T, m)) \
	}
#define FIELD_TEXT(T, m, most) \
	{ \
		.kind = FIELD_IS_TEXT, .at = offsetof(T, m), .max = (most) \
	}
/* Putting it takes nothing; who gets it owns it. */
#define FIELD_FD(T, m) \
	{ \
		.kind = FIELD_IS_FD, .at = offsetof(T, m) \
	}
#define FIELD_ROWS(T, m, count, of) \
	{ \
		.kind = FIELD_IS_ROWS, .at = offsetof(T, m), \
		.max = sizeof(FIELD_OF(T, m)) / sizeof(FIELD_OF(T, m)[0]), \
		.row_size = sizeof(FIELD_OF(T, m)[0]), \
		.count_at = offsetof(T, count), .row = (of) \
	}
#define FIELDS(array) \
	{ \
		.field = (array), .n = sizeof(array) / sizeof((array)[0]) \
	}

/* Between ipc_begin() and ipc_end(). */
void ipc_put_fields(
    struct ipc_chan *c, const struct ipc_fields *t, const void *from);

/* Do both say the same? */
bool ipc_fields_same(const struct ipc_fields *t, const void *a, const void *b);

/* Before ipc_get_end(), which says whether all was right: what is out of
 * range, or too long, or finds no memory makes the message a bad one.  *to
 * was all zeroes; texts and descriptors in it are the caller's. */
void ipc_get_fields(struct ipc_in *in, const struct ipc_fields *t, void *to);

#endif
