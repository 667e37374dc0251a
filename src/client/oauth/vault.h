/*
 * vault.h - where the tokens of an account are kept: a file that only its owner
 * can read, or the keyring.
 *
 * One at a time has it open, in whichever process: a refresh token may be good
 * for one use only, and a provider that sees it used twice may withdraw all.
 * Everything here may wait.
 */
#ifndef CLIENT_OAUTH_VAULT_H
#define CLIENT_OAUTH_VAULT_H

#include "base/err.h"
#include "client/oauth/party.h"
#include "client/oauth/tokens.h"

struct vault;

/* Borrows the party.  E_AGAIN: somebody else has had it for so many seconds;
 * E_IO, E_NOMEM; with words. */
enum err vault_open(struct vault **v_r, const struct oauth_party *p,
    double seconds, struct errbuf *eb) NODISCARD;
void vault_close(struct vault *v); /* NULL is a no-op */

/* E_NOENT: there are none, and no words.  E_FORMAT: what is there is damaged. */
enum err vault_load(
    struct vault *v, struct oauth_tokens *t, struct errbuf *eb) NODISCARD;

/* Takes the room for vault_save(), so that a full disk is seen before what is
 * kept has lost its worth.  vault_close() gives it back. */
enum err vault_prepare(struct vault *v, struct errbuf *eb) NODISCARD;

/* After vault_prepare().  They are on the disk when it returns E_OK; else what
 * was kept before is still there. */
enum err vault_save(
    struct vault *v, const struct oauth_tokens *t, struct errbuf *eb) NODISCARD;

#endif
