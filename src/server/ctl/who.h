/*
 * who.h - the user whom a command names.
 */
#ifndef SERVER_CTL_WHO_H
#define SERVER_CTL_WHO_H

#include "server/ctl/commands.h"

/* The name by the rule that the server reads the users file by. */
enum err who_called(const struct options *o, const char *given,
    char name[NAME_MAX_OCTETS + 1], struct errbuf *eb) NODISCARD;

/* Does somebody of such a name stand in the users file?  E_NOENT if not. */
enum err who_known(
    const struct options *o, const char *name, struct errbuf *eb) NODISCARD;

/* The same, or may a database know the name?  It is not asked. */
enum err who_may_be_known(
    const struct options *o, const char *name, struct errbuf *eb) NODISCARD;

/* The same; and if no password lets that user in, it says so on standard
 * error. */
enum err who_known_to_sign_in(
    const struct options *o, const char *name, struct errbuf *eb) NODISCARD;

/* E_NOENT and its words. */
enum err who_is_not(
    const struct options *o, const char *name, struct errbuf *eb);

#endif
