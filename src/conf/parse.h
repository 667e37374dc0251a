/*
 * parse.h - parses a text with libconfuse, and reports its errors in our words.
 */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include <confuse.h>

#include "conf/text.h"

/* What other programs, and people, call a setting. */
struct conf_synonym {
	const char *word; /* lower case */
	const char *name;
};

/* What the errors speak of. */
struct conf_grammar {
	const char *section; /* what one of them is called: "account" */
	const char *manual;  /* "maloted.conf(5)" */
	/* The line of the last secret, or NULL: nothing of it is repeated. */
	const unsigned *secret_line;
	const struct conf_synonym *synonyms; /* up to a NULL; or NULL */
	bool *has_unknown; /* set where a setting is not known; or NULL */
};

enum { CONF_SECTIONS_MAX = 8 }; /* kinds of sections */

/* A setting may have the name of a section, as `users = FILE` beside
 * `users "NAME" { ... }`.  To libconfuse it ends in this letter instead of its
 * last one, which conf_parse() changes in the text. */
#define CONF_SHORT "\1"

/* Parses a text that conf_text_prepare() has prepared; it is borrowed.  Calls
 * back as the options say.  Complains about what is not understood, and reads
 * on behind an unknown setting; where one is written alike, it is named.  One
 * text at a time. */
void conf_parse(const struct conf_text *t, char *text, cfg_opt_t *opt,
    const struct conf_grammar *g);

#endif
