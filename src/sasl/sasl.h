/*
 * sasl.h - SASL mechanisms without I/O, both ends (RFC 4422).
 *
 * A mechanism is a small machine: a message of the peer goes in, a message
 * for the peer comes out.  A server's end that needs something looked up says
 * what, and goes on when it has been told.  Base64 and lines are the
 * protocol's business, not ours; so is who may act for whom.
 *
 * PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195), SCRAM-SHA-1 and -256 with and
 * without -PLUS (RFC 5802, 7677), OAUTHBEARER (RFC 7628), XOAUTH2, EXTERNAL
 * (RFC 4422 appendix A), GSSAPI (RFC 4752), ANONYMOUS (RFC 4505); and APOP's digest, which is not SASL (RFC 1939 s7).
 */
#ifndef SASL_SASL_H
#define SASL_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum sasl_flags {
	SASL_PLAINTEXT = 1,    /* a password or token travels readable: only
	                     * inside TLS */
	SASL_SERVER_FIRST = 2, /* no initial response (RFC 5034 s4) */
	SASL_NEEDS_PASSWORD = 4,
	SASL_NEEDS_TOKEN = 8,
	SASL_NEEDS_CERTIFICATE = 16, /* the connection bears the client's */
	SASL_NEEDS_BINDING = 32,     /* both ends have the channel's binding */
	SASL_NEEDS_TICKET = 256,
	SASL_MUTUAL = 64,      /* the server proves itself, too */
	SASL_ASKS_FIRST = 128, /* a client awaits the first question, though
	                        * our server takes an initial response */
};

enum sasl_result {
	SASL_MORE, /* `out` is for the peer; another message is expected */
	SASL_DONE, /* client: what it had to say is said (`out` may hold it);
	            * the server's word is awaited.  Server: the client is who
	            * it says it is; may it be authzid? */

	/* What a server's end asks about its claim. */
	SASL_PASSWORD, /* is the password right? It was the last message */
	SASL_LOOKUP,   /* what is known of authcid?  sasl_server_keys() for
	                * SCRAM, sasl_server_cram_key() for CRAM-MD5 */
	SASL_TOKEN,    /* is the token good, and for authzid?  It was the last
	                * message, or sasl_server_refuse_token() */
	SASL_EXTERNAL, /* may the connection's credentials be authzid?  It was
	                * the last message */

	SASL_TICKET,  /* what does this message, the claim's token, come to?  It
	              * is borrowed from the step; the next one is another */
	SASL_ANYBODY, /* may it be nobody?  authcid is what it calls itself, or
	                * empty.  It was the last message */

	SASL_DENIED, /* server: the client is not who it says it is */
	SASL_FAILED, /* the peer's message makes no sense, or was refused; a
	              * client cancels: sasl_client_error() */
	SASL_NOMEM,
};

struct sasl_server;
struct sasl_client;

struct sasl_mechanism {
	const char *name; /* upper case */
	unsigned flags;
	enum sasl_result asks; /* by a server's end */
	/* The higher the stronger; 0: never chosen unless it is named. */
	unsigned rank;
	const char *hash; /* the mechanism's own */
	/* What an exchange keeps for the mechanism: octets, zero at first, wiped
	 * at last.  begin and end (or NULL) do what that leaves undone. */
	size_t state_n;
	void (*begin)(void *state);
	void (*end)(void *state);
	enum sasl_result (*server_step)(
	    struct sasl_server *s, const struct slice *in, struct buf *out);
	enum sasl_result (*client_step)(
	    struct sasl_client *c, struct slice in, struct buf *out);
};

/* All mechanisms there are, strongest first; ends with a NULL name. */
extern const struct sasl_mechanism *const sasl_mechanisms[];
const struct sasl_mechanism *sasl_find(struct slice name); /* or NULL */
/* The enum sasl_flags of a mechanism; 0: there is none of that name. */
unsigned sasl_flags(const char *name);
/* For a server that can answer only this question. */
const struct sasl_mechanism *sasl_find_asking(
    struct slice name, enum sasl_result asks);

/* ---- the server's end ---- */

struct sasl_binding {
	const char *name; /* "tls-exporter", ... */
	struct slice data;
};

/* What a server's end knows of the connection. */
struct sasl_channel {
	const char *host;                    /* ours, or NULL */
	uint16_t port;                       /* ours, or 0: any */
	const struct sasl_binding *bindings; /* that it can verify */
	size_t n_bindings;
	bool plus_offered; /* SCRAM-...-PLUS was announced on it */
};

/* What the client claims.  Wiped by sasl_server_free(). */
struct sasl_claim {
	struct slice authzid; /* empty: derive it from authcid, token,
	                       * certificate */
	struct slice authcid;
	struct slice password; /* SASL_PASSWORD */
	struct slice token;    /* SASL_TOKEN */
	/* SCRAM: the key that the proof was made with, right or wrong; for one
	 * password it is the same each time. */
	struct slice key;
};

enum {
	SASL_KEY_MAX = 32,
	SASL_SALT_MAX = 64,
	SASL_ITERATIONS_MIN = 4096, /* RFC 5802 s5.1 */
	SASL_ITERATIONS_MAX = 10000000,
	SASL_ITERATIONS_CLIENT = 600000, /* that a client does: it waits */
};

/* What a server keeps for SCRAM: as many octets of a key as the hash has. */
struct sasl_keys {
	uint8_t salt[SASL_SALT_MAX];
	size_t salt_n;
	uint32_t iterations;
	uint8_t stored[SASL_KEY_MAX], server[SASL_KEY_MAX];
};

struct sasl_server *sasl_server_new(const struct sasl_mechanism *m);
void sasl_server_free(struct sasl_server *s);

/* Before the first step; borrowed until freed.  Without it nothing can be
 * bound and nobody's host is known. */
void sasl_server_channel(struct sasl_server *s, const struct sasl_channel *ch);

/* in: the client's message, NULL at the start when there is no initial
 * response.  out: appended to; a challenge, with SASL_MORE. */
enum sasl_result sasl_server_step(
    struct sasl_server *s, const struct slice *in, struct buf *out);
/* After the questions and SASL_DONE; borrowed from s.  Names are as the client
 * sent them: whose they are is for the caller's rule, which prepares them. */
const struct sasl_claim *sasl_server_claim(const struct sasl_server *s);

/* After SASL_LOOKUP of SCRAM: goes on, SASL_MORE.  keys are borrowed during
 * the call; for a name that is not known: sasl_keys_fake(). */
enum sasl_result sasl_server_keys(
    struct sasl_server *s, const struct sasl_keys *keys, struct buf *out);
/* Before SCRAM's last message: keys that took time to make, of the salt and
 * iterations that were said.  They take the place of the others. */
void sasl_server_keys_made(struct sasl_server *s, const struct sasl_keys *keys);
/* After SASL_LOOKUP of CRAM-MD5: SASL_DONE if the answer was made with either
 * of two keys of SASL_CRAM_KEY octets, SASL_DENIED.  key NULL: the name is not
 * known; other NULL: there is only one. */
enum sasl_result sasl_server_cram_key(
    struct sasl_server *s, const uint8_t *key, const uint8_t *other);
/* Why a token is not good, for the client: words of JSON's strings as they are,
 * empty: not said. */
struct sasl_token_refusal {
	bool is_narrow; /* its scope is less than is asked for */
	const char *scope, *openid_configuration;
};
/* After SASL_TOKEN: SASL_MORE, says so; the client's answer is SASL_DENIED.  What was
 * kept of the claim is wiped. */
enum sasl_result sasl_server_refuse_token(struct sasl_server *s,
    const struct sasl_token_refusal *why, struct buf *out);

/* The keys of a password that has been prepared (sasl_prep()); keys->salt and
 * ->iterations are given.  E_FORMAT: m is not SCRAM, or the numbers are out of
 * bounds.  Takes as long as there are iterations. */
enum err sasl_keys_make(struct sasl_keys *keys, const struct sasl_mechanism *m,
    struct slice password, struct errbuf *eb) NODISCARD;
/* Keys that nothing fits, the same each time for a name (RFC 5802 s7):
 * secret is the server's own and stays the same.  The salt has 16 octets; it
 * and iterations should be as real ones are.  E_FORMAT, E_NOMEM. */
enum err sasl_keys_fake(struct sasl_keys *keys, const struct sasl_mechanism *m,
    struct slice secret, struct slice name, uint32_t iterations) NODISCARD;

/* ---- the client's end ---- */

struct sasl_credentials {
	struct slice authzid, authcid, password;
	struct slice token; /* OAUTHBEARER, XOAUTH2 */
	const char *host;   /* OAUTHBEARER: the server's; NULL: not said */
	uint16_t port;      /* 0: not said */
	/* "tls-exporter", "tls-unique" or "tls-server-end-point", and its
	 * octets; none: unable to bind. */
	const char *binding_name;
	struct slice binding_data;
	bool plus_offered; /* the server offers SCRAM-...-PLUS: else a client
	                    * that is able to bind says that it missed it */
};

/* Borrows cred until freed. */
struct sasl_client *sasl_client_new(
    const struct sasl_mechanism *m, const struct sasl_credentials *cred);
void sasl_client_free(struct sasl_client *c);

/* The first call, with an empty `in`, makes the initial response of a
 * client-first mechanism; later calls answer challenges, also one that comes
 * after SASL_DONE.  LOGIN reads what is asked; an empty question, or one that
 * it does not know, is answered in the usual order.  Of SCRAM, one call takes as long as the server's number
 * of iterations asks for: parts of a second for SASL_ITERATIONS_CLIENT, beyond
 * which it fails. */
enum sasl_result sasl_client_step(
    struct sasl_client *c, struct slice in, struct buf *out);

/* May the server's "yes" be believed?  Not before all was said, not after it
 * has said no, and not without the proof of a SASL_MUTUAL mechanism: close the
 * connection then. */
bool sasl_client_is_verified(const struct sasl_client *c);

/* Why a step failed, or what the server said about its refusal: words for
 * people, escaped; or NULL.  Borrowed from c until the next step. */
const char *sasl_client_error(const struct sasl_client *c);

/* ---- helpers ---- */

enum sasl_prep {
	SASL_PREP_QUERY,  /* what is presented */
	SASL_PREP_STORED, /* no code point that Unicode 3.2 does not assign */
	/* Writing may go both ways, which RFC 4013 s2.4 forbids: a name in
	 * Hebrew may have a domain in Latin letters. */
	SASL_PREP_NAME,
};

/* Appends s prepared by SASLprep (RFC 4013); out should be a secret one.
 * E_FORMAT: not UTF-8, empty before or after, or it holds what is
 * prohibited. */
enum err sasl_prep(struct buf *out, struct slice s, enum sasl_prep kind,
    struct errbuf *eb) NODISCARD;

/* The same for a password that nobody can be asked to change: what cannot be
 * prepared is taken as it is.  E_NOMEM, E_FULL. */
enum err sasl_prep_if_possible(struct buf *out, struct slice s) NODISCARD;

enum { SASL_CRAM_KEY = 32 };
/* What CRAM-MD5 needs of a password, which it cannot be read from: the state
 * of HMAC-MD5 when only the key has been hashed, outside and inside.  Dovecot
 * stores the same octets.  E_NOMEM: the library failed. */
enum err sasl_cram_key(
    uint8_t key_r[SASL_CRAM_KEY], struct slice password) NODISCARD;

enum { SASL_APOP_DIGEST = 32 };
/* The lower-case hexadecimal digits of APOP, and a NUL; timestamp with its
 * angle brackets; the secret is prepared, if that is possible (RFC 6856 s2.2).
 * E_NOMEM: also, the library failed. */
enum err sasl_apop(char hex_r[SASL_APOP_DIGEST + 1], struct slice timestamp,
    struct slice secret) NODISCARD;

#endif
