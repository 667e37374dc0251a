/*
 * user_driver.h - the kinds of databases that users can be in, and what each can
 * do: the rows of USER_DRIVERS.
 *
 * Of a row are made its number, its name in a block `users` of the
 * configuration, and what --check, CAPA and malotectl say of it.  What asks a
 * database is, for DRIVER_ASKS_DB, a struct db_driver
 * (src/server/helper/db_driver.h) called db_NAME, in a file of its own there; for
 * DRIVER_ASKS_PAM a struct verify_driver (src/server/helper/verify_driver.h) called
 * verify_NAME.
 */
#ifndef SERVER_CONF_USER_DRIVER_H
#define SERVER_CONF_USER_DRIVER_H

#include <stdbool.h>

/* What is known of a user, or can be done about them. */
enum user_driver_can {
	DRIVER_GIVES_HASH = 1, /* a password can be verified */
	DRIVER_GIVES_KEYS = 2, /* a hash may be the keys of SCRAM */
	DRIVER_GIVES_PLAIN =
	    4, /* a hash may be {PLAIN}, {CRAM-MD5}: a secret */
	/* It gives no password away: it is handed what was typed, and says
	 * whether that is right. */
	DRIVER_VERIFIES = 8,
	DRIVER_NAMES = 16, /* without a password, too, it knows who there is */
	DRIVER_GIVES_ANY = DRIVER_NAMES | DRIVER_GIVES_HASH |
			   DRIVER_GIVES_KEYS | DRIVER_GIVES_PLAIN,
};

/* The settings of a block that it has: those it must have, and may have. */
enum user_driver_setting {
	DRIVER_FILE = 1,
	DRIVER_CONNECTION = 2,
	DRIVER_QUERY = 4,
	DRIVER_SCHEME = 8,
	DRIVER_TIMEOUT = 16,
	DRIVER_CONNECTIONS = 32,
	DRIVER_ATTRIBUTES = 64,
	DRIVER_SERVICE = 128,
	DRIVER_PROGRAM = 256,
	DRIVER_QUESTIONS = 512,
	/* Of every driver. */
	DRIVER_MAIL = 1024,
	DRIVER_MAIL_ROOT = 2048,
	DRIVER_PLACE = DRIVER_MAIL | DRIVER_MAIL_ROOT,
	/* An admin's, by malotectl. */
	DRIVER_LIST_QUERY = 1 << 16,
	DRIVER_ADD_QUERY = 1 << 17,
	DRIVER_PASSWD_QUERY = 1 << 18,
	DRIVER_DELETE_QUERY = 1 << 19,
	DRIVER_ADMIN_CONNECTION = 1 << 20,
	DRIVER_CHANGED = DRIVER_LIST_QUERY | DRIVER_ADD_QUERY |
			 DRIVER_PASSWD_QUERY | DRIVER_DELETE_QUERY,
	DRIVER_BOUNDS = DRIVER_TIMEOUT | DRIVER_CONNECTIONS,
	DRIVER_ASKED = DRIVER_SCHEME | DRIVER_TIMEOUT | DRIVER_CONNECTIONS,
};

/* Who asks it: auth has a users file itself. */
enum user_driver_asker { DRIVER_IS_FILE, DRIVER_ASKS_DB, DRIVER_ASKS_PAM };

#ifdef HAVE_POSTGRESQL
enum { DRIVER_HAS_POSTGRESQL = 1 };
#else
enum { DRIVER_HAS_POSTGRESQL = 0 };
#endif

#ifdef HAVE_MYSQL
enum { DRIVER_HAS_MYSQL = 1 };
#else
enum { DRIVER_HAS_MYSQL = 0 };
#endif

#ifdef HAVE_LDAP
enum { DRIVER_HAS_LDAP = 1 };
#else
enum { DRIVER_HAS_LDAP = 0 };
#endif

#ifdef HAVE_PAM
enum { DRIVER_HAS_PAM = 1 };
#else
enum { DRIVER_HAS_PAM = 0 };
#endif

/* NAME, name, its word, is it built, in which module (NULL: in none), who asks,
 * what it can, must have, may have */
#define USER_DRIVERS(X) \
	X(PASSWD_FILE, passwd_file, "passwd-file", 1, NULL, DRIVER_IS_FILE, \
	    DRIVER_GIVES_ANY, DRIVER_FILE, 0) \
	X(SQLITE, sqlite, "sqlite", 1, NULL, DRIVER_ASKS_DB, DRIVER_GIVES_ANY, \
	    DRIVER_FILE | DRIVER_QUERY, DRIVER_ASKED | DRIVER_CHANGED) \
	X(POSTGRESQL, postgresql, "postgresql", DRIVER_HAS_POSTGRESQL, \
	    "db-postgresql", DRIVER_ASKS_DB, DRIVER_GIVES_ANY, \
	    DRIVER_CONNECTION | DRIVER_QUERY, \
	    DRIVER_ASKED | DRIVER_CHANGED | DRIVER_ADMIN_CONNECTION) \
	X(MYSQL, mysql, "mysql", DRIVER_HAS_MYSQL, "db-mysql", DRIVER_ASKS_DB, \
	    DRIVER_GIVES_ANY, DRIVER_CONNECTION | DRIVER_QUERY, \
	    DRIVER_ASKED | DRIVER_CHANGED | DRIVER_ADMIN_CONNECTION) \
	X(LDAP, ldap, "ldap", DRIVER_HAS_LDAP, "db-ldap", DRIVER_ASKS_DB, \
	    DRIVER_GIVES_ANY, \
	    DRIVER_CONNECTION | DRIVER_QUERY | DRIVER_ATTRIBUTES, \
	    DRIVER_ASKED | DRIVER_LIST_QUERY | DRIVER_PASSWD_QUERY | \
		DRIVER_ADMIN_CONNECTION) \
	X(LDAP_BIND, ldap_bind, "ldap-bind", DRIVER_HAS_LDAP, "db-ldap", \
	    DRIVER_ASKS_DB, DRIVER_VERIFIES | DRIVER_NAMES, \
	    DRIVER_CONNECTION | DRIVER_QUERY, \
	    DRIVER_ATTRIBUTES | DRIVER_BOUNDS) \
	X(PAM, pam, "pam", DRIVER_HAS_PAM, "pam", DRIVER_ASKS_PAM, \
	    DRIVER_VERIFIES | DRIVER_NAMES, 0, \
	    DRIVER_SERVICE | DRIVER_QUERY | DRIVER_BOUNDS | DRIVER_QUESTIONS) \
	X(SYSTEM, system, "system", 1, NULL, DRIVER_ASKS_PAM, \
	    DRIVER_VERIFIES | DRIVER_NAMES, 0, DRIVER_QUERY | DRIVER_BOUNDS) \
	X(CHECKPASSWORD, checkpassword, "checkpassword", 1, NULL, \
	    DRIVER_ASKS_PAM, DRIVER_VERIFIES, DRIVER_PROGRAM, \
	    DRIVER_QUERY | DRIVER_BOUNDS)

#define USER_DRIVER_NUMBER( \
    NAME, name, word, built, module, asker, can, must, may) \
	DRIVER_##NAME,
enum user_driver_kind { USER_DRIVERS(USER_DRIVER_NUMBER) USER_DRIVER_KINDS };

struct user_driver {
	const char *name;
	bool is_built;
	const char *module; /* for module_find(), with `symbol`; or NULL */
	const char *symbol; /* of its struct there */
	enum user_driver_asker asker;
	unsigned can, must, may;
};

/* By enum user_driver_kind. */
extern const struct user_driver user_drivers[USER_DRIVER_KINDS];

/* USER_DRIVER_KINDS: there is none of that name. */
enum user_driver_kind user_driver_find(const char *name);

#endif
