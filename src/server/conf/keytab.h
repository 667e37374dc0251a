/*
 * keytab.h - the file with the service's keys of Kerberos, as far as root looks
 * at it: what is in it is read by the process that has the keys.
 */
#ifndef SERVER_CONF_KEYTAB_H
#define SERVER_CONF_KEYTAB_H

#include <sys/stat.h>

#include "base/err.h"

/* Is it there, and a keytab at all?  E_NOENT, E_IO, ..., E_FORMAT, with words
 * that do not name the file. */
enum err keytab_look(
    const char *path, struct stat *st, struct errbuf *eb) NODISCARD;

#endif
