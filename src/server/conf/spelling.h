/*
 * spelling.h - the one rule for what a name and a password may be made of.
 *
 * It holds for the users file, malotectl, USER and PASS, APOP and AUTH alike:
 * what one of them takes all others take.
 */
#ifndef SERVER_CONF_SPELLING_H
#define SERVER_CONF_SPELLING_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "server/ipc/proto.h"

/* The name prepared by SASLprep (SASL_PREP_NAME), so that a letter is the same
 * whether its accent was typed with it or behind it.  E_FORMAT with words: not
 * UTF-8, too long (NAME_MAX_OCTETS), or with a character that SASLprep
 * prohibits or that nobody sees: a control, a space, a mark of direction.
 * E_NOMEM. */
enum err text_name(struct slice in, char out[NAME_MAX_OCTETS + 1],
    struct errbuf *eb) NODISCARD;

/* A local part or a domain: what text_name() gives, without @, with dots only
 * between other characters.  more: characters that may be in it beside letters,
 * digits and .-_+=&; a dot: several may stand together. */
bool text_is_part(const char *p, size_t n, const char *more);

/* May names end in it, behind an @? */
bool text_is_domain(const char *domain);

/* The first character that a setting must not allow in names (it would lead out
 * of a path, a field of the users file or a part of the name), or must not make
 * a separator of name and domain, as domains have it; 0: there is none. */
unsigned char text_refuses_in_names(const char *marks);
unsigned char text_refuses_as_separator(const char *marks);

/* Is it a password that every way of signing in carries: 1 to PASSWORD_MAX
 * octets of UTF-8 without control characters?  E_FORMAT with words. */
enum err text_password(struct slice in, struct errbuf *eb) NODISCARD;

/* What is compared with a hash that another program has made may be no text
 * at all; it only has to be of a length that we take, and without a NUL. */
bool text_is_secret(struct slice in);

/* May a service be called so: "pop3", "smtp"?  Lower-case letters, digits and
 * hyphens, fewer than SERVICE_MAX. */
bool text_is_service(const char *name);

#endif
