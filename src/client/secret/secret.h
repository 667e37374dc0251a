/*
 * secret.h - passwords and tokens: from a command, the keyring, the terminal.
 *
 * They are never on a command line, in a log or in a core dump, and wiped when
 * they are done with.
 */
#ifndef CLIENT_SECRET_SECRET_H
#define CLIENT_SECRET_SECRET_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "client/conf/account.h"

struct ev_loop;
struct secret;

enum secret_kind { SECRET_PASSWORD, SECRET_TOKEN };

/* Called once, never from within secret_ask(), not at all after
 * secret_cancel().  E_OK: value, ends with a NUL, is the callee's only during
 * the call (it is wiped then).  Else value is NULL and `words` say why, for
 * people, translated, with what a command wrote to its standard error, cleaned.
 * E_NOENT: no source is configured and nobody can be asked; E_DENIED: there is
 * no secret; E_IO: it may be there another time; E_AGAIN: it will be, by itself;
 * E_CONFIG and others: a person must mend something. */
typedef void secret_done(
    void *arg, enum err e, const char *value, const char *words);

struct secret_question {
	struct ev_loop *loop; /* the default one (SIGCHLD) */
	const struct account *account;
	enum secret_kind kind;
	bool terminal;         /* a person is there to be asked */
	double timeout;        /* seconds, for a command or the keyring */
	const char *state_dir; /* of tokens; borrowed until it is over */
	bool anew; /* the server has refused the token that is kept */
	secret_done *done;
	void *arg;
};

/* Commands run under /bin/sh -c in a session of their own, standard input
 * empty, all other descriptors closed, and are ended after `timeout` seconds;
 * the first line of what they print is the secret.  The keyring (libsecret) is
 * asked on a thread, for as long, and so is who gives out tokens, for three
 * times as long.  A person is given five minutes; two accounts
 * are asked one after the other.  Borrows the account until it is over.
 * E_CONFIG: there is no libsecret. */
enum err secret_ask(struct secret **s_r, const struct secret_question *q,
    struct errbuf *eb) NODISCARD;
void secret_cancel(struct secret *s); /* NULL is a no-op */

/* Is it asked for at the terminal, if a person is there? */
bool secret_is_typed(const struct account *a, enum secret_kind kind);

/* The account's password will be asked for soon: people are asked in the order
 * of the accounts' lines, so those behind it wait until it has been, or until
 * secret_expect_not(), which may be called in any case. */
void secret_expect(const struct account *a);
void secret_expect_not(const struct account *a, struct ev_loop *loop);

/* A password that was typed and is right, for whoever asks the person whether it
 * is to be kept: secret_right() gives it, or NULL; secret_right_clear() wipes all
 * of them. */
void secret_is_right(const struct account *a, const char *password);
const char *secret_right(const struct account *a);
void secret_right_clear(void);

/* Is there a keyring that answers? */
bool secret_can_keep(const struct account *a);

/* Puts the account's password into the keyring, where `keyring = yes` finds it;
 * NULL: takes it out.  Waits, for the account's timeout at most.  E_DENIED: there
 * was none to take out; E_IO: it cannot be reached, or did not answer; E_CONFIG:
 * there is no libsecret. */
enum err secret_keep(
    const struct account *a, const char *password, struct errbuf *eb) NODISCARD;

/* Puts *** where a secret of the person stands in words that may quote a server
 * (see str_quote()), which may have repeated what it was sent: also as base64, in
 * other case, or cut. */
void secret_mask(char *text, struct slice secret);

/* Tells whoever draws on the terminal that somebody is being asked there, and
 * that it is over.  One for the process. */
void secret_on_terminal(void (*asking)(void *arg, bool now), void *arg);

/* Gives the terminal its echo back, if it is being asked.  For a process that
 * ends by a signal; safe in a handler. */
void secret_restore_terminal(void);

#endif
