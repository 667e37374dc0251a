/*
 * include.h - the files of a configuration, which may include others, as one
 * text.
 *
 *	include "NAME"
 *
 * stands in a line of its own, outside of blocks.  NAME is relative to the folder
 * of the file that it stands in, and what it names takes the place of the line:
 * of a pattern (glob(7)) all files, in the order of their names, or none; else
 * the one file, which must be there.
 */
#ifndef SERVER_CONF_INCLUDE_H
#define SERVER_CONF_INCLUDE_H

#include "conf/text.h"

struct conf_source {
	char *text; /* prepared; NULL: what there is would be misread */
	struct conf_pieces pieces;
	char **file; /* all of them; the first is the one that was named */
	size_t n_files, room;
};

/* Reads the file of t, and what it includes.  Complains to t's report; *s is to
 * be freed in any case. */
void include_read(struct conf_source *s, const struct conf_text *t);
void include_free(struct conf_source *s);

#endif
