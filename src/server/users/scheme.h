/*
 * scheme.h - password schemes: stored hashes, checking them, making them.
 *
 * A stored hash is "{SCHEME}hash", as in Dovecot's passwd-files, or a hash of
 * crypt(5) as such.  Known: PLAIN (CLEAR, CLEARTEXT), CRYPT (whatever
 * crypt(3) knows), BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, MD5-CRYPT, DES-CRYPT,
 * ARGON2ID, ARGON2I (version 19), PBKDF2, SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5
 * (HMAC-MD5), and digests without and with salt: SHA512, SHA256, SHA1 (SHA),
 * LDAP-MD5, PLAIN-MD5, SSHA512, SSHA256, SSHA, SMD5.  Behind each name may
 * stand .b64 (.base64) or .hex: the hash is in that form.  Without "{SCHEME}"
 * a hash must begin with a `$`: so a DES hash is accepted only from somebody
 * who wrote {CRYPT}, and a forgotten {PLAIN} does not turn a password into a
 * hash.
 */
#ifndef SERVER_USERS_SCHEME_H
#define SERVER_USERS_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sasl/sasl.h"
#include "server/ipc/proto.h"

enum { APOP_DIGEST = 16 };

/* Once, before a sandbox closes.  E_IO: no random numbers. */
enum err scheme_init(void) NODISCARD;

/* E_OK; E_DENIED if it locks the user out (empty, or begins with `*` or `!`);
 * E_CONFIG with words if nothing can be checked against it. */
enum err scheme_check(const char *stored, struct errbuf *eb) NODISCARD;

/* Which one it is: "ARGON2ID", static; "" if it locks the user out or makes no
 * sense. */
const char *scheme_name(const char *stored);

/* Does checking take milliseconds and more? */
bool scheme_is_costly(const char *stored);

/* E_OK: it is the password.  E_DENIED: it is not, or nobody's.  E_NOMEM, and
 * E_CONFIG if the hash makes no sense.  Any thread.
 *
 * The form of a password is the one that SASLprep gives it, as long as it can
 * be prepared; only where that is wrong, and not the form that was given, that
 * is tried, too: a hash may have been made of it. */
enum err scheme_verify(const char *stored, const char *password) NODISCARD;

/* Does all of a password that is right count?  With old schemes what stands
 * behind some octets does not matter, so it may be a slip. */
bool scheme_counts_all(const char *stored, const char *password);

/* ---- mechanisms that do not send the password ---- */

/* What a stored hash serves for, or-ed. */
enum scheme_use {
	SCHEME_READABLE = 1, /* the password itself is stored: APOP */
	SCHEME_SCRAM_SHA_1 = 2,
	SCHEME_SCRAM_SHA_256 = 4,
	SCHEME_CRAM_MD5 = 8,
};
unsigned scheme_uses(const char *stored);
/* What a mechanism needs; 0: it sends the password, or needs none. */
unsigned scheme_use_of(const struct sasl_mechanism *m);

/* Each is E_DENIED if the hash does not serve for that.  The password, to be
 * wiped; keys that are stored; the keys of CRAM-MD5, of which either is right:
 * of the password that is stored readable, prepared and as it stands there. */
enum err scheme_password(
    const char *stored, char out[PASSWORD_MAX + 1]) NODISCARD;
enum err scheme_keys(const char *stored, const struct sasl_mechanism *m,
    struct sasl_keys *keys) NODISCARD;
enum err scheme_cram_keys(const char *stored, uint8_t key[SASL_CRAM_KEY],
    uint8_t other[SASL_CRAM_KEY]) NODISCARD;

/* RFC 1939 s7: is digest the MD5 of timestamp and password?  E_DENIED too if
 * the scheme is not PLAIN; E_CONFIG if there is no MD5. */
enum err scheme_verify_apop(const char *stored, const char *timestamp,
    const uint8_t digest[APOP_DIGEST]) NODISCARD;

/* ---- making ---- */

/* What scheme_make() makes, for a usage text. */
extern const char scheme_made[];
bool scheme_is_made(const char *scheme);
/* Are two stored ones the same, though the scheme of one is not written there? */
bool scheme_is_same(const char *a, const char *b);
/* Would it make such a hash, or one that costs less? */
bool scheme_is_as_made(const char *stored, const char *scheme);

/* Makes "{SCHEME}hash" of one of scheme_made (case does not matter).
 * The password is prepared by SASLprep before.  E_FORMAT: not one of them, or a
 * password that the scheme cannot take, or that cannot be prepared. */
enum err scheme_make(const char *scheme, const char *password,
    char out[SCHEME_STORED_MAX], struct errbuf *eb) NODISCARD;

#endif
