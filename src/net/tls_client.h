/*
 * tls_client.h - TLS as a client: whom to trust, and what was found.
 *
 * TLS 1.2 and 1.3.  The chain, its purpose and the name are verified (RFC 5280,
 * 9525: subject alternative names only, a wildcard is one whole leftmost label,
 * an address matches only an address).  A pin takes the place of the chain and
 * the name: the person has said which certificate it is.
 */
#ifndef NET_TLS_CLIENT_H
#define NET_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/conn.h"
#include "net/tls_binding.h"

struct tls_client_conf {
	const char *ca_file;     /* PEM; NULL: the system's */
	const char *fingerprint; /* SHA-256 of certificate or public key (SPKI):
	                          * 64 hexadecimal digits, colons allowed, or
	                          * "sha256/" and base64; NULL */
	const char
	    *certificate; /* PEM of ours and its key, in one file; NULL */
	const char *key;  /* PEM; NULL: it is in `certificate` */
};

/* *ctx_r is the caller's.  E_CONFIG: what cannot be read or does not fit. */
enum err tls_client_context_new(SSL_CTX **ctx_r,
    const struct tls_client_conf *conf, struct errbuf *eb) NODISCARD;

/* Is `fingerprint` well formed? */
enum err tls_client_check_fingerprint(
    const char *fingerprint, struct errbuf *eb) NODISCARD;

/* Begins TLS as a client; then conn_handshake() until it is E_OK.  host: as
 * the person configured it, for SNI and for the check of the name.  E_CONFIG:
 * it is no name. */
enum err tls_client_start(
    struct conn *c, SSL_CTX *ctx, const char *host) NODISCARD;

/* At once after a handshake (or the first read behind it) that failed: for
 * people, translated, with what they need to mend it: which names the
 * certificate has, who issued it, since when it is expired, its fingerprint.
 * What the certificate says is escaped.
 * False: only the connection was lost, which says nothing of the server. */
bool tls_client_why(const struct conn *c, const char *host, struct errbuf *eb);

/* What is wrong with a handshake that failed, for programs. */
enum tls_fault {
	TLS_FAULT_NONE,
	TLS_FAULT_OTHER,
	TLS_FAULT_NAME,
	TLS_FAULT_EXPIRED,
	TLS_FAULT_NOT_YET,
	TLS_FAULT_ISSUER,      /* unknown, or signed by itself */
	TLS_FAULT_INTERCEPTED, /* the issuer is one that reads along */
	TLS_FAULT_PIN,
	TLS_FAULT_POP3,   /* it speaks POP3 without TLS */
	TLS_FAULT_NO_TLS, /* it speaks something else, not TLS */
};

/* What was found; texts are escaped, and empty where it is not known. */
struct tls_found {
	enum tls_fault fault;
	char version[16], cipher[48];
	char names[256]; /* of the certificate: "a.example, b.example" */
	char subject[48], issuer[48];
	char fingerprint[65];     /* SHA-256, as the setting wants it */
	char from[32], until[32]; /* "2026-01-02 03:04 UTC" */
};

/* Of a handshake that has ended, well or not. */
void tls_client_found(const struct conn *c, struct tls_found *f);

/* What has come so far is TLS, whatever became of the handshake. */
bool tls_client_heard(const struct conn *c);

/* The binding that a client uses: "tls-exporter" for TLS 1.3, "tls-unique" for
 * TLS 1.2 (RFC 9266 s3), else "tls-server-end-point".  E_NOENT: none. */
enum err tls_client_binding(
    const struct conn *c, struct tls_binding *b) NODISCARD;

#endif
