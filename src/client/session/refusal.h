/*
 * refusal.h - a sign-in that was refused.
 *
 * Servers lock out whoever comes again and again with a wrong password.  So what
 * was refused is not offered again, neither by the daemon at its next round nor
 * by a timer that starts malote anew, until something of it has changed: the
 * secret, wherever it comes from, or a setting that says to whom it is given and
 * how.
 *
 * The record must not tell the secret.  It has 16 bits of a digest of all that:
 * of 65,536 other passwords one is taken for the refused one, and so many that
 * could be it remain for whoever reads the record.
 */
#ifndef CLIENT_SESSION_REFUSAL_H
#define CLIENT_SESSION_REFUSAL_H

#include <stdbool.h>

struct visit;

/* The server has refused to sign us in with this secret (NULL: there is none),
 * and the result says so. */
void visit_note_refusal(struct visit *v, const char *secret);
/* Would the server be given what it has refused?  Then the result is that, and
 * the server is not to be asked.  False if the person insists. */
bool visit_is_refused(struct visit *v, const char *secret);

#endif
