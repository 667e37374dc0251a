/*
 * passwd.h - the users file: user:{SCHEME}hash:uid:gid:gecos:home:shell:extra
 *
 * As Dovecot's passwd-files: fields at the end may be missing, `extra` is the
 * rest of the line, words of extra.h.
 * Empty lines and those that begin with # are comments.
 */
#ifndef SERVER_USERS_PASSWD_H
#define SERVER_USERS_PASSWD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "server/users/extra.h"
#include "server/users/name.h"

struct user {
	const char *name;     /* by the rule for names */
	const char *hash;     /* see scheme.h; may be empty */
	const char *home;     /* or "" */
	const char *mail;     /* userdb_mail, or "" */
	const char *nets;     /* allow_nets, or "": from anywhere */
	const char *host;     /* whose users' mail is read as a whole, or "" */
	uint32_t retention;   /* RETENTION_, or RETENTION_UNSET */
	uint32_t login_delay; /* seconds, or LOGIN_DELAY_UNSET */
	struct permits permits;
	/* By who knows it: what is stored is given to nobody, and hash is
	 * empty. */
	bool is_verified_there;
	uint32_t uid, gid; /* AUTH_NO_UID: none of their own */
	unsigned line;     /* of the users file; 0: it is a row elsewhere */
	unsigned by;       /* of a row: by auth_conf.known[by] */
	uint64_t row; /* a digest of the line: it changes with anything there */
};

struct sasl_mechanism;
struct users;

enum users_fault {
	USERS_LINE,  /* it is not what it must be */
	USERS_TWICE, /* its user has one already, which counts */
};

/* What is said of a line that gives no user. */
typedef void users_complain(
    void *arg, enum users_fault fault, unsigned line, const char *what);

/* Reads a whole file.  E_NOMEM only: bad lines are complained of. */
enum err users_parse(struct users **users_r, struct slice text,
    const struct name_rule *rule, users_complain *complain,
    void *arg) NODISCARD;
void users_free(struct users *u); /* wipes; NULL is a no-op */

size_t users_count(const struct users *u);
/* Borrowed from u; NULL: there is no such user. */
const struct user *users_find(const struct users *u, const char *name);

/* All users, in no order: *at is 0 first.  Borrowed from u; NULL: that was the
 * last. */
const struct user *users_next(const struct users *u, size_t *at);

/* Why the line of that name, *line_r, gives no user, as it was complained of.
 * Borrowed from u; NULL: it does, or there is no such line. */
const char *users_refused(
    const struct users *u, const char *name, unsigned *line_r);

/* The users of a host, in the order of their names, without those who read that
 * of a whole one: up to max of them into v.  Returns how many there are.
 * *refused_r: a line that gives no user of it, see users_refused(); 0: none. */
size_t users_of_host(const struct users *u, const char *host,
    const struct user **v, size_t max, unsigned *refused_r);

/* May this user sign in from there? */
bool user_is_allowed_from(const struct user *u, const char *address);

/* Is it known by a row of a database, not by the users file? */
bool user_is_of_row(const struct user *u);

/* Is no password right, as what is stored says so? */
bool user_is_locked(const struct user *u);

/* What the user's line has against any sign-in; NULL: nothing. */
const char *user_never(const struct user *u);

/* LOGIN-DELAY, in seconds; usual: of users without one of their own. */
uint32_t user_login_delay(const struct user *u, uint32_t usual);

/* The first hash that is costly to check, or NULL: what a name that is not
 * there is checked against, so that it takes as long.  Borrowed from u. */
const char *users_costly(const struct users *u);

/* What the hashes of some users serve for: enum scheme_use, or-ed. */
unsigned users_uses(const struct users *u);
/* The iterations of the first user who has keys of this mechanism, or the least
 * number: what is said of a name that is not there, or has none. */
uint32_t users_iterations(
    const struct users *u, const struct sasl_mechanism *m);

/* ---- lines, also for malotectl ---- */

enum passwd_field {
	PASSWD_NAME,
	PASSWD_HASH,
	PASSWD_UID,
	PASSWD_GID,
	PASSWD_GECOS,
	PASSWD_HOME,
	PASSWD_SHELL,
	PASSWD_EXTRA,
	PASSWD_FIELDS
};

/* Cuts the next line, without its LF, off *rest; false at the end. */
bool passwd_line(struct slice *rest, struct slice *line_r);

/* One user, who is in no table, of such fields; name: by the rule.  E_CONFIG with
 * words: they make none; E_NOMEM.  The texts are copied. */
enum err user_new(struct user **u_r, const char *name,
    const struct slice field[PASSWD_FIELDS], const struct extra *x,
    const struct name_rule *rule, struct errbuf *eb) NODISCARD;
void user_free(struct user *u); /* wipes; NULL is a no-op */

/* Splits a line; false if it is a comment.  Missing fields are empty; a line
 * without any colon has no hash (p is NULL). */
bool passwd_split(struct slice line, struct slice field[PASSWD_FIELDS]);

#endif
