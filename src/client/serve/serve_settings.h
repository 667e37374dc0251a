/*
 * serve_settings.h - the settings and the users of the maloted that `malote serve`
 * runs, made anew at each start.
 */
#ifndef CLIENT_SERVE_SERVE_SETTINGS_H
#define CLIENT_SERVE_SERVE_SETTINGS_H

#include "client/serve/serve_drops.h"
#include "client/serve/serve_place.h"

#define SERVE_SETTINGS_FILE "maloted.conf"

enum err serve_settings_write(const struct serve_place *p,
    const struct serve_drops *d, struct errbuf *eb) NODISCARD;

/* Would they be the same users, with the same password, as at the last start? */
bool serve_settings_are_current(
    const struct serve_place *p, const struct serve_drops *d);

#endif
