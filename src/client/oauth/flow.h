/*
 * flow.h - the ways in which a person allows it.
 */
#ifndef CLIENT_OAUTH_FLOW_H
#define CLIENT_OAUTH_FLOW_H

#include <stdlib.h>

#include "client/oauth/answer.h"
#include "client/oauth/consent.h"

/* The results of oauth_login(); E_OK: *g is set. */
enum err oauth_by_browser(const struct oauth_login *l, struct oauth_grant *g,
    struct errbuf *eb) NODISCARD;
enum err oauth_by_device(const struct oauth_login *l, struct oauth_grant *g,
    struct errbuf *eb) NODISCARD;

/* Could a browser be seen? */
static inline bool
oauth_login_has_display(void)
{
	return getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL;
}

#endif
