/*
 * krb_words.h - what an error of Kerberos means to the person.
 */
#ifndef CLIENT_SECRET_KRB_WORDS_H
#define CLIENT_SECRET_KRB_WORDS_H

#include <krb5.h>

#include "client/secret/exchange.h"

/* Puts into x->words what to do, and the library's text. */
enum err krb_failed(struct exchange *x, krb5_error_code code, const char *text);

#endif
