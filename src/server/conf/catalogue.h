/*
 * catalogue.h - a file of translations as msgfmt(1) makes it.  gettext itself
 * would have the whole process in one language.
 */
#ifndef SERVER_CONF_CATALOGUE_H
#define SERVER_CONF_CATALOGUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct catalogue {
	char *text; /* the file */
	size_t n;
	uint32_t count, from, to; /* messages, and where their places stand */
};

enum err catalogue_read(
    struct catalogue *c, const char *path, struct errbuf *eb) NODISCARD;
void catalogue_free(struct catalogue *c);

/* The translation of what is `text` in English; NULL: there is none. */
const char *catalogue_find(const struct catalogue *c, const char *text);

#endif
