#include "server/conf/catalogue.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slurp.h"

enum {
	FILE_MAX = 1024 * 1024,
	MAGIC = 0x950412de, /* by a machine of our own order of octets */
	HEADER = 20,        /* magic, version, count, from, to */
	PLACE = 8,          /* a length, where it begins */
};

static uint32_t
number_at(const struct catalogue *c, size_t at)
{
	uint32_t v;

	memcpy(&v, c->text + at, sizeof(v));
	return v;
}

/* A table of `count` places is within the file. */
static bool
has_table(const struct catalogue *c, uint32_t at)
{
	return at <= c->n && c->count <= (c->n - at) / PLACE;
}

static enum err
read_file(struct catalogue *c, int fd, size_t n, struct errbuf *eb)
{
	ssize_t got;

	if (n > FILE_MAX)
		return err_set(eb, E_FULL, "it is too large");
	if ((c->text = malloc(n + 1)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if ((got = read(fd, c->text, n)) < 0)
		return err_sys(eb, E_IO, "read");
	c->n = (size_t)got;
	return E_OK;
}

static enum err
check_header(struct catalogue *c, struct errbuf *eb)
{
	if (c->n < HEADER || number_at(c, 0) != MAGIC)
		return err_set(eb, E_FORMAT,
		    "it is not a catalogue that msgfmt made on such a machine");
	c->count = number_at(c, 8);
	c->from = number_at(c, 12);
	c->to = number_at(c, 16);
	if (!has_table(c, c->from) || !has_table(c, c->to))
		return err_set(eb, E_FORMAT, "it is damaged");
	return E_OK;
}

enum err
catalogue_read(struct catalogue *c, const char *path, struct errbuf *eb)
{
	struct stat st;
	enum err e;
	int fd;

	*c = (struct catalogue){ 0 };
	if ((e = slurp_open(path, &fd, &st, eb)) != E_OK)
		return e;
	e = read_file(c, fd, (size_t)st.st_size, eb);
	close(fd);
	if (e == E_OK)
		e = check_header(c, eb);
	if (e != E_OK)
		catalogue_free(c);
	return e;
}

void
catalogue_free(struct catalogue *c)
{
	free(c->text);
	*c = (struct catalogue){ 0 };
}

/* NULL: it is not within the file. */
static const char *
string_at(const struct catalogue *c, size_t place)
{
	uint32_t n = number_at(c, place), at = number_at(c, place + 4);

	return at < c->n && n < c->n - at && c->text[at + n] == '\0'
		   ? c->text + at
		   : NULL;
}

const char *
catalogue_find(const struct catalogue *c, const char *text)
{
	for (size_t i = 0; i < c->count; i++) {
		const char *id = string_at(c, c->from + i * PLACE);

		if (id != NULL && strcmp(id, text) == 0)
			return string_at(c, c->to + i * PLACE);
	}
	return NULL;
}
