/*
 * value.h - the values of the client's settings, one function a kind.
 */
#ifndef CLIENT_CONF_VALUE_H
#define CLIENT_CONF_VALUE_H

#include "base/err.h"
#include "client/conf/account.h"

/* What paths are taken from. */
struct value_place {
	const char *folder; /* of the file; absolute */
	const char *home;   /* absolute, or NULL */
};

/* Sets *field, which has not been set before, from a value that is not empty
 * and holds no CR or LF.  E_CONFIG with words that name the setting, E_NOMEM.
 * What is an array belongs to the account. */
typedef enum err value_parse(const struct value_place *place, const char *name,
    void *field, const char *value, struct errbuf *eb);

/* char *: printable text in UTF-8. */
value_parse value_text;
value_parse value_email;
value_parse value_server;
value_parse value_auth;
value_parse value_fingerprint;
value_parse value_proxy;
/* char *: any octets but control characters. */
value_parse value_secret;
/* char *: absolute. */
value_parse value_path;

/* char **: names of folders, with spaces or commas between; freed by
 * value_names_free(). */
value_parse value_folders;
void value_names_free(char **names);

value_parse value_yes;      /* bool */
value_parse value_port;     /* uint16_t */
value_parse value_security; /* enum security */
value_parse value_keep;     /* int64_t */
value_parse value_size;     /* uint64_t */
value_parse value_count;    /* unsigned, not 0 */
/* unsigned: seconds, from one to a day, a week, a year. */
value_parse value_day;
value_parse value_week;
value_parse value_year;
value_parse value_patience; /* up to a day, or 0 */

value_parse value_dest; /* struct dest; cleared by dest_clear() */

/* *path_r is the caller's. */
enum err value_absolute(const struct value_place *place, const char *name,
    char **path_r, const char *value, struct errbuf *eb) NODISCARD;

/* The octets between quotation marks in an errbuf. */
enum { VALUE_SHOWN = 80 };
const char *value_shown(char out[VALUE_SHOWN], const char *value);

#endif
