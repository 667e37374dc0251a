/*
 * name.h - the one rule for login names, and where a name's mail is.
 *
 * A name that came through name_normalize() is safe in a path, in a log and
 * in a message: of ASCII it holds letters, digits and `.-_@+=&` only, beyond
 * that what text_name() leaves; no part of it is empty or begins with a dot,
 * and no two dots stand together.
 */
#ifndef SERVER_USERS_NAME_H
#define SERVER_USERS_NAME_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "server/ipc/proto.h"

struct name_rule {
	bool lower;         /* ASCII letters are folded */
	const char *domain; /* for names without one; "" for none */
};

/* E_FORMAT with words if it is refused; E_NOMEM. */
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
