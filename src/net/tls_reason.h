/*
 * tls_reason.h - OpenSSL's reasons in the person's language: those that people
 * meet.
 */
#ifndef NET_TLS_REASON_H
#define NET_TLS_REASON_H

/* Why a certificate is not valid: X509_V_ERR_*.  Others are in OpenSSL's words,
 * which are English. */
const char *tls_reason_certificate(int error);

/* Why a handshake has failed, or the other end refuses a certificate: a code of
 * OpenSSL's queue of errors. */
const char *tls_reason_handshake(unsigned long code);

#endif
