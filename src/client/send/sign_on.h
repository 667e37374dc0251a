/*
 * sign_on.h - signing in where mail is handed in: the mechanism that is used, and
 * what goes to and fro.  No I/O.
 */
#ifndef CLIENT_SEND_SIGN_ON_H
#define CLIENT_SEND_SIGN_ON_H

#include "client/conf/account.h"
#include "client/send/smtp.h"
#include "net/conn.h"
#include "net/tls_binding.h"
#include "sasl/sasl.h"

struct sign_on {
	const struct account *account; /* submission_account() */
	struct sasl_credentials credentials;

	/* The rest is sign_on.c's own. */
	char *secret; /* password or token */
	struct tls_binding binding;
	struct sasl_client *sasl;
	bool first_open;    /* its first message is still to go */
	struct buf message; /* its last one */
};

void sign_on_init(struct sign_on *in, const struct account *a);
void sign_on_clear(struct sign_on *in); /* wipes */

/* The password, or the token.  E_NOMEM. */
enum err sign_on_take_secret(struct sign_on *in, const char *value) NODISCARD;

/* Puts *** where the secret, or what was made of it, stands in words. */
void sign_on_mask(const struct sign_on *in, char *words);

/* The strongest mechanism that both ends have, or NULL.  c: the connection, with
 * TLS, or NULL. */
const struct sasl_mechanism *sign_on_choose(
    struct sign_on *in, const struct smtp *s, const struct conn *c);
enum smtp_event sign_on_begin(struct sign_on *in,
    const struct sasl_mechanism *m, struct smtp *s, struct buf *out);
/* After SMTP_CHALLENGE. */
enum smtp_event sign_on_answer(
    struct sign_on *in, struct smtp *s, struct buf *out);
/* After SMTP_SIGNED_IN: has the server proved that it knows the password, if the
 * mechanism asks for that? */
bool sign_on_is_proved(const struct sign_on *in);

#endif
