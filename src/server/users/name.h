/*
 * name.h - the one rule for login names, and where a name's mail is.
 *
 * A name that came through name_normalize() is safe in a path: no part of it is
 * empty or begins with a dot, and it has no slash, colon, space or control
 * character.  Of ASCII it holds letters, digits and `.-_@+=&`, and what a
 * setting adds; beyond that what text_name() leaves.
 */
#ifndef SERVER_USERS_NAME_H
#define SERVER_USERS_NAME_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "server/conf/auth_conf.h"
#include "server/ipc/proto.h"

struct name_rule {
	bool lower;         /* ASCII letters are folded */
	const char *domain; /* for names without one; "" for none */
	const char *more;   /* that text_is_part() takes before the @ */
	/* Where there is no @, the last of these characters stands for it. */
	const char *separators;
};

/* As it is set; borrows from c. */
struct name_rule name_rule_of(const struct auth_conf *c);

/* The one form of a name, which is its own: the same name comes out of it again.
 * Whatever compares names, or stores one, has it from here.  E_FORMAT with words
 * if it is refused; E_NOMEM. */
enum err name_normalize(const struct name_rule *rule, struct slice in,
    char out[NAME_MAX_OCTETS + 1], struct errbuf *eb) NODISCARD;

/* Expands `mail`, "maildir:" and a path in which %u is the name, %n what is
 * before its @, %d what is behind it, %h and a leading ~ the home directory
 * and %% is %.  `name` has come from name_normalize(); `home` may be empty.
 * The outcome, with its "maildir:", is a path strictly below `root` without
 * empty, "." or ".." components.  E_CONFIG with words otherwise. */
enum err name_mail(char out[MAIL_PATH_MAX], const char *mail, const char *root,
    const char *name, const char *home, struct errbuf *eb) NODISCARD;

#endif
