/*
 * parse.h - parses a text with libconfuse, and reports its errors in our words.
 */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include <confuse.h>

#include "conf/text.h"

/* What the errors speak of. */
struct conf_grammar {
	const char *section; /* the one kind of them: "listener" */
	const char *manual;  /* "maloted.conf(5)" */
	/* The line of the last secret, or NULL: nothing of it is repeated. */
	const unsigned *secret_line;
};

/* Parses a text that conf_text_prepare() has prepared; it is borrowed.  Calls
 * back as the options say.  Complains about what is not understood; for an
 * unknown setting it names one that is written alike.  One text at a time. */
void conf_parse(const struct conf_text *t, char *text, cfg_opt_t *opt,
    const struct conf_grammar *g);

#endif
