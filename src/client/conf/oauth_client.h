/*
 * oauth_client.h - what malote is to a provider that gives out tokens: a block
 * "oauth" of the configuration.
 */
#ifndef CLIENT_CONF_OAUTH_CLIENT_H
#define CLIENT_CONF_OAUTH_CLIENT_H

#include "client/conf/value.h"
#include "conf/text.h"

/* How a person allows it. */
enum oauth_flow {
	OAUTH_ANY,     /* by a browser here, or anywhere if there is none */
	OAUTH_BROWSER, /* here: authorisation code (RFC 6749 s4.1, 7636, 8252) */
	OAUTH_DEVICE,  /* anywhere: device code (RFC 8628) */
	OAUTH_CLIENT,  /* nobody does: client credentials (RFC 6749 s4.4) */
};

struct oauth_client {
	char *name;     /* of the block */
	char *provider; /* whose settings it has by default; or NULL */
	enum oauth_flow flow;
	char *client_id;
	char *client_secret;                  /* or NULL; wiped */
	char *authorization_url, *device_url; /* NULL: there is none */
	char *token_url, *scope;
	char *redirect_url; /* "http://HOST[:PORT][/PATH]" of this computer */
	char *ca_file;      /* or NULL */
	unsigned line;      /* of the file, for messages */
};

value_parse value_flow;     /* enum oauth_flow */
value_parse value_web;      /* char *: https://... */
value_parse value_redirect; /* char * */
value_parse value_provider; /* char * */

/* Fills in what the provider is known to want, and complains of what is missing.
 * E_NOMEM. */
enum err oauth_client_check(
    struct oauth_client *c, const struct conf_lines *l) NODISCARD;

/* Is that one of those whose settings are known?  "google" */
bool oauth_provider_is_known(const char *name);

#endif
