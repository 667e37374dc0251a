/*
 * look.h - one account, looked at by the person's own hand: its lock, its record,
 * and a session that shows, or deletes what was chosen (session/hand.h).
 *
 * The record stays as it is, but for the numbers by which messages are called, and
 * for what has been deleted.
 */
#ifndef CLIENT_LOOK_H
#define CLIENT_LOOK_H

#include "client/session/visit.h"
#include "client/state/state.h"

struct client_conf;
struct dialer;
struct ev_loop;
struct look;

struct look_conf {
	struct ev_loop *loop;
	struct dialer *dialer;
	const struct client_conf *conf;
	size_t index; /* of the account */
	const char *state_dir;
	bool terminal; /* a person can be asked for a password */
	enum hand hand;
	const struct chosen *chosen; /* HAND_DELETE */
	size_t n_chosen;
	void (*trace)(void *arg, bool received, const char *line); /* or NULL */
	/* A password was mistyped, and is asked for again. */
	void (*mistyped)(void *arg, const char *words);
	void *arg;
};

/* Runs the loop until it is over.  NULL: memory. */
struct look *look_run(const struct look_conf *conf) NODISCARD;
void look_free(struct look *l); /* NULL is a no-op */

/* How it ended, and in words for people; empty if OK. */
enum outcome look_outcome(const struct look *l);
const char *look_words(const struct look *l);
const struct hand_items *look_items(const struct look *l);
/* The number of an item: HAND_SHOW gives one to each that has none, and 0 to one
 * that nothing tells from others. */
uint32_t look_number(const struct look *l, size_t i);

/* What the record says of numbers, for HAND_DELETE.  *v_r is the caller's
 * (free); E_NOENT: none of them, or not all, are on record, with words. */
enum err look_chosen(const struct client_conf *conf, size_t index,
    const char *state_dir, const uint32_t *numbers, size_t n,
    struct numbered **v_r, struct errbuf *eb) NODISCARD;

#endif
