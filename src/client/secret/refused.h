/*
 * refused.h - a sign-in that was refused where mail goes: by a destination, or by
 * the server that sends.
 *
 * As with the server that mail is collected from (session/refusal.h) it is not
 * offered again until something of it has changed, as servers lock out whoever
 * comes again and again with a wrong password.  It is on record by the server, and
 * not by what was to go there: a file of the state folder for each place and user,
 * which says when, what (16 bits of a digest, which tell no secret), and the
 * server's words.
 */
#ifndef CLIENT_SECRET_REFUSED_H
#define CLIENT_SECRET_REFUSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;

enum { REFUSED_WORDS = 600 };

/* What is about to be offered; `at` makes each refusal's mark another.  secret NULL:
 * there is none. */
unsigned refused_mark(const struct account *a, const char *secret, int64_t at);

/* That was refused, and what it was, as refused_mark() has said at that time.  What
 * cannot be put on record is tried once more. */
void refused_note(const char *state_dir, const struct account *login,
    int64_t at, unsigned mark, const char *words);
/* It was let in. */
void refused_forget(const char *state_dir, const struct account *login);

/* Was just that refused?  Then why_r has the words. */
bool refused_before(const char *state_dir, const struct account *login,
    const char *secret, char why_r[REFUSED_WORDS]);
/* Was something refused, and nothing let in since? */
bool refused_is_noted(const char *state_dir, const struct account *login,
    char why_r[REFUSED_WORDS]);

/* `why`, and until when it is not tried again; account: that the person is to
 * name. */
void refused_say(char *out, size_t size, const char *why, const char *account);

#endif
