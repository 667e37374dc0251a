/*
 * tls_pin.h - SHA-256 fingerprints of certificates and their public keys.
 */
#ifndef NET_TLS_PIN_H
#define NET_TLS_PIN_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "base/err.h"

enum { TLS_PIN = 32, TLS_PIN_HEX = 65, TLS_PIN_B64 = 52 };

/* 64 hexadecimal digits, colons between pairs allowed, or "sha256/" and
 * base64.  E_CONFIG with words. */
enum err tls_pin_parse(
    unsigned char pin[TLS_PIN], const char *text, struct errbuf *eb) NODISCARD;

/* Is it that of the certificate, or of its key (SubjectPublicKeyInfo)? */
bool tls_pin_is(const unsigned char pin[TLS_PIN], const X509 *x);

/* In print, as tls_pin_parse() takes them; returns out. */
char *tls_pin_hex(char out[TLS_PIN_HEX], const X509 *x);
char *tls_pin_key(char out[TLS_PIN_B64], const X509 *x);

#endif
