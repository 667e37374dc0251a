/*
 * rule.h - where mail goes that is from a list, from or to somebody, or about
 * something: a block "rule" of the configuration.
 */
#ifndef CLIENT_CONF_RULE_H
#define CLIENT_CONF_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/conf/value.h"
#include "conf/text.h"

struct rule {
	char *name;       /* of the block */
	char *match;      /* "list:debian-user.lists.debian.org"; or NULL */
	struct dest dest; /* the setting `deliver` */
	unsigned line;    /* of the file, for messages */
};

value_parse value_match; /* char * */
/* char **: names of rules, with spaces or commas between, in their order; an
 * empty one for "none". */
value_parse value_rules;

/* Complains of what is missing, and not of what could not be taken: that was
 * complained of. */
void rule_check(const struct rule *r, bool says_match, bool says_place,
    const struct conf_lines *l);

/* The rules of an account: those that it names, in that order, or if it names none
 * all, in the order of the file.  Complains of names that no rule has.  E_NOMEM. */
enum err rules_assign(struct account *a, const struct rule *v, size_t n,
    const struct conf_text *text) NODISCARD;

/* Is it a rule for a message with that header?  It may be the beginning of the
 * message, or of the header; its lines end in LF or CRLF. */
bool rule_fits(const struct rule *r, struct slice header);

/* Of rules that end with a NULL: the place of the first one that fits; SIZE_MAX:
 * none does. */
size_t rule_find(const struct rule *const *rules, struct slice header);

/* The place of the first one that has mail go where rule i has it. */
size_t rule_place(const struct rule *const *rules, size_t i);

#endif
