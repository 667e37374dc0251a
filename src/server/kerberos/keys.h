/*
 * keys.h - the keys of the service `pop`, out of a keytab, in memory.
 */
#ifndef SERVER_KERBEROS_KEYS_H
#define SERVER_KERBEROS_KEYS_H

#include <gssapi/gssapi.h>
#include <krb5.h>

#include "server/conf/kerberos_conf.h"

/* What was seen already, in the working directory. */
#define KEYS_SEEN "file2:seen"

struct keys {
	krb5_context krb5;
	krb5_keytab keytab;     /* only what is ours, of any host */
	krb5_principal service; /* one of them: in whose name we say no */
	gss_cred_id_t cred;
	char realms[REALMS_MAX]; /* with spaces between them; empty: no key */
};

/* All that the library reads is read now: its configuration, the keytab.
 * E_CONFIG: with the words. */
enum err keys_load(
    struct keys *k, const struct kerberos_conf *c, struct errbuf *eb) NODISCARD;

/* What the library says of an error, as words. */
void keys_why(
    const struct keys *k, krb5_error_code code, char *out, size_t size);

#endif
