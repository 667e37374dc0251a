/*
 * ldap_link.h - a connection to a directory (LDAP): where it is, TLS, and that
 * nothing of it is waited for longer than until a deadline.
 */
#ifndef SERVER_HELPER_LDAP_LINK_H
#define SERVER_HELPER_LDAP_LINK_H

#include <ldap.h>
#include <sys/time.h>

#include "server/helper/db_driver.h"
#include "server/helper/db_words.h"

/* What `connection` says. */
struct ldap_place {
	char uri[DB_WORD_MAX], base[DB_WORD_MAX];
	char user[DB_WORD_MAX], password[DB_WORD_MAX];
	struct db_tls tls;
};

/* E_CONFIG with words.  It has a password: to be wiped. */
enum err ldap_place_read(
    struct ldap_place *p, const char *words, struct errbuf *eb) NODISCARD;

/* The ports of all its servers. */
void ldap_place_reach(const struct ldap_place *p, struct db_reach *r);

/* What this thread asks from now on has time until then: clock_ms(). */
void ldap_link_deadline(uint64_t until);

/* What is left of that, for the library. */
struct timeval ldap_link_span(uint64_t until);

/* Nobody is bound yet.  If it fails *ld_r is NULL: nothing must be said there
 * without TLS. */
enum err ldap_link_dial(LDAP **ld_r, const struct ldap_place *p,
    const struct db_conf *conf, uint64_t until, struct errbuf *eb) NODISCARD;

/* A result of the library. */
int ldap_link_bind(LDAP *ld, const char *dn, const char *password);

/* What such a result means, with words: that of a server which was waited for as
 * long as may be (E_AGAIN) is another than that of one which is gone (E_CLOSED). */
enum err ldap_link_fail(
    LDAP *ld, int r, uint64_t until, struct errbuf *eb) NODISCARD;

#endif
