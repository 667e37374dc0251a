/*
 * tls_text.h - what certificates say, in print.  All of it is escaped: whoever
 * made the certificate wrote it.
 */
#ifndef NET_TLS_TEXT_H
#define NET_TLS_TEXT_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	TLS_TEXT_NAME = 48,
	TLS_TEXT_NAMES = 4, /* that are shown at most */
	TLS_TEXT_DATE = 32,
};

/* The common name or the organisation, which is what a person knows it by. */
void tls_text_name(char out[TLS_TEXT_NAME], const X509_NAME *name);

/* "2026-01-02 03:04 UTC" */
void tls_text_time(char out[TLS_TEXT_DATE], const ASN1_TIME *t);
void tls_text_now(char out[TLS_TEXT_DATE]);

/* Writes "a.example.org, b.example.org", or nothing if there are no names of
 * hosts; returns how many more there are. */
unsigned tls_text_names(char *out, size_t size, const X509 *x);

/* The name, in whole and no pattern, by which the server is most likely called
 * there.  False: there is none. */
bool tls_text_best_name(char out[TLS_TEXT_NAME], const X509 *x);

#endif
