/*
 * check.h - does what the configuration says make sense on this machine?
 */
#ifndef SERVER_CONF_CHECK_H
#define SERVER_CONF_CHECK_H

#include "server/conf/conf.h"

/* Each fills in what follows from the settings and complains. */
void conf_check(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l);
/* Of these only who the users are and where their mail is. */
void conf_check_accounts(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l);
/* Users and groups: ids.c. */
void conf_check_ids(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l);
/* Kerberos, when the listeners have their mechanisms: kerberos_check.c. */
void conf_check_kerberos(struct conf *c, const struct conf_lines *l);
/* Where users are known, first of all: users_check.c. */
void conf_check_known(struct conf *c, const struct conf_lines *l);
/* Where mail is, for auth.place and c->root: mail_check.c. */
void conf_check_mail(struct conf *c, const struct conf_lines *l);
/* The roots of c get the numbers that they have in `now`, or new ones.  False: the
 * stores that run are in another root than those that c would start. */
bool conf_number_roots(struct conf *c, const struct conf *now);
/* Blocks `sasl`, when it is known which mechanisms there are: sasl_check.c. */
void conf_check_services(struct conf *c, const struct conf_lines *l);
/* Blocks `oauth`: oauth_check.c. */
void conf_check_issuers(struct conf *c, const struct conf_lines *l);
/* What is shown to clients of TLS: certificates.c. */
void conf_check_certificates(struct conf *c, const struct conf_lines *l);
/* Listeners, when the certificates are known: listeners.c. */
void conf_check_listeners(struct conf *c, const struct conf_lines *l);

#endif
