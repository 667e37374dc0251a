/*
 * state_folder.h - where the parent keeps what it must know after a restart:
 * $STATE_DIRECTORY (systemd's StateDirectory=); without that /var/lib/malote, or
 * an ordinary user's ~/.local/state/malote.
 */
#ifndef SERVER_CONF_STATE_FOLDER_H
#define SERVER_CONF_STATE_FOLDER_H

#include <limits.h>

#include "base/err.h"

#define STATE_APP_PASSWORDS "app-passwords.sqlite" /* users/app_database.h */

void state_folder_path(char out[PATH_MAX]);

/* The path of a file in it; E_CONFIG: it is too long for one. */
enum err state_folder_file(
    char out[PATH_MAX], const char *name, struct errbuf *eb) NODISCARD;

/* Makes it if it is not there; -1, and errno. */
int state_folder_open(const char *path);

#endif
