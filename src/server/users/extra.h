/*
 * extra.h - the words at the end of a line of the users file, and what they
 * permit.
 *
 * Dovecot's: userdb_mail=LOCATION, allow_nets=NETWORK,..., nologin.  Ours, which
 * Dovecot passes over: malote_pop3=no, malote_tls=yes, malote_read_only=yes,
 * malote_master=yes, malote_host=HOST, malote_expire=DAYS,
 * malote_login_delay=SECONDS.
 * Other words are passed over, but for those that restrict a user in a way that
 * is not known here.
 */
#ifndef SERVER_USERS_EXTRA_H
#define SERVER_USERS_EXTRA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* What a user may do once the password is right. */
struct permits {
	bool no_login; /* nothing, with any protocol */
	bool no_pop3;
	bool tls_only;
	bool read_only; /* removes nothing */
	bool master;    /* signs in for others, if the settings let anybody */
};

/* That of the settings. */
#define RETENTION_UNSET   UINT32_MAX
#define LOGIN_DELAY_UNSET UINT32_MAX

/* Texts are within what was parsed; p is NULL if there is none. */
struct extra {
	struct slice mail, nets, host;
	uint32_t retention;   /* RETENTION_, or RETENTION_UNSET */
	uint32_t login_delay; /* seconds, or LOGIN_DELAY_UNSET */
	struct permits permits;
};

/* What it is before the first word. */
extern const struct extra extra_none;

/* One word, which is put to what *out has.  value.p is NULL if there is no "=".
 * E_NOENT: it is none of these; E_CONFIG as extra_parse(). */
enum err extra_take(struct extra *out, struct slice key, struct slice value,
    struct errbuf *eb) NODISCARD;

/* A whole line's.  E_CONFIG, with words: somebody is restricted, but it cannot be told how. */
enum err extra_parse(
    struct extra *out, struct slice text, struct errbuf *eb) NODISCARD;

#endif
