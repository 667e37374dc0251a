/*
 * scheme_stored.h - what is stored for a password, taken apart.
 *
 * For the files scheme*.c alone: what others may know of a stored hash is in
 * scheme.h.
 */
#ifndef SERVER_USERS_SCHEME_STORED_H
#define SERVER_USERS_SCHEME_STORED_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "server/users/scheme.h"

enum kind {
	KIND_PLAIN,
	KIND_CRYPT,
	KIND_ARGON2,
	KIND_DIGEST, /* of the password, and of salt behind it */
	KIND_PBKDF2,
	KIND_SCRAM,
	KIND_CRAM,
};

enum form { FORM_TEXT, FORM_HEX, FORM_B64 };

struct scheme {
	const char *name;
	enum kind kind;
	enum form form;     /* unless .b64 or .hex stands behind the name */
	const char *head;   /* every hash begins so */
	const char *digest; /* its name, OpenSSL's or a mechanism's */
	bool salted;
};

enum { SECRET_MAX = 2048 };

/* What is stored, decoded.  To be wiped. */
struct secret {
	const struct scheme *scheme;
	size_t n;
	char text[SECRET_MAX + 1]; /* n octets and a NUL */
};

struct pbkdf2 {
	struct slice salt;
	uint32_t rounds;
	uint8_t key[20];
};

/* The scheme, the form in which its hash stands, and what stands behind the
 * name.  Errors as of scheme_check(). */
enum err scheme_split(const char *stored, const struct scheme **s_r,
    enum form *form_r, const char **hash_r, struct errbuf *eb) NODISCARD;

/* The digest of a scheme that names one.  NULL: a policy forbids it. */
const EVP_MD *scheme_digest(const struct scheme *s);

/* The octets of its digest, which a hash of it has at least; 0: it has none. */
size_t scheme_digest_size(const struct scheme *s);

/* E_OK, and *out is to be wiped; otherwise as scheme_check(). */
enum err secret_read(
    const char *stored, struct secret *out, struct errbuf *eb) NODISCARD;
void secret_wipe(struct secret *v);

/* The fields of a hash of SCRAM, and of PBKDF2.  E_CONFIG: it is none. */
enum err secret_keys(const struct secret *v, struct sasl_keys *keys) NODISCARD;
enum err secret_pbkdf2(const struct secret *v, struct pbkdf2 *out) NODISCARD;

/* See scheme_cost.h. */
bool secret_takes_too_long(const struct secret *v);

#endif
