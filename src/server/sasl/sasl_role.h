/*
 * sasl_role.h - the process that mail servers and other programs ask who signs in
 * to them.  It reads what they say, and hands it on to auth, which decides.
 */
#ifndef SERVER_SASL_SASL_ROLE_H
#define SERVER_SASL_SASL_ROLE_H

#include "server/conf/sasl_conf.h"

int sasl_main(int ctl);

#endif
