/*
 * control_client.h - who has connected to the control socket, and how they are
 * answered.
 *
 * A client says one thing and is told something; it has few seconds for the
 * first and a bounded time for all, whether it reads or not.  When there are
 * many, one goes for each that comes: of the user who has most, and root last.
 */
#ifndef SERVER_PARENT_CONTROL_CLIENT_H
#define SERVER_PARENT_CONTROL_CLIENT_H

#include "server/ipc/control.h"
#include "server/parent/parent_state.h"

struct control_client {
	TAILQ_ENTRY(control_client) link;
	struct parent *parent;
	struct ipc_chan *chan;
	ev_timer deadline;
	uint32_t pid, uid;
	bool asked;     /* it has said its command */
	ev_timer wait;  /* control_status.c: for the processes' answers */
	uint64_t token; /* of the question that others answer; 0: none */
	/* control_inquiry.c: */
	enum inquiry_kind what;
	struct child *store; /* that was asked; NULL: none was yet */
	/* control_maildrop.c: of which user; which message, or where the next piece
	 * begins; how much its store has said of this piece. */
	struct {
		char user[NAME_MAX_OCTETS + 1];
		uint32_t number, next, said;
		ev_timer room;
	} mail;
	bool facts; /* control_auth.c: it is auth that tells */
	/* control_sessions.c: which ones, and whom it has asked about them; NULL:
	 * nobody is to answer now. */
	struct {
		struct control_which which;
		bool wanted, end;
		struct child *asked;
		uint16_t worker; /* the next one to be asked, */
		uint32_t from;   /* and from where on */
		ev_timer room;
	} sessions;
	uint32_t reload; /* reload.c: the one that it waits for; 0: none */
};

/* Takes fd.  Its channel's rules get it as their `arg`. */
void control_client_new(struct parent *p, int fd, const struct ipc_rules *rules,
    uint32_t pid, uint32_t uid);
void control_client_free(struct control_client *k);

/* Nobody else is taken at the socket; who has asked already is answered. */
void control_leave(struct parent *p);

/* For the function of a command: what is named, or E_FORMAT.  It has said its
 * command then, which must be answered.  *to was all zeroes. */
enum err control_begin(struct control_client *k, struct ipc_in *in,
    const struct ipc_fields *fields, void *to) NODISCARD;

/* What only root may ask.  False: this is another one, and has been answered. */
bool control_is_root(struct control_client *k);

/* Auth, which is to be asked with k->token; NULL: it is not there, and the client
 * has been answered. */
struct child *control_ask(struct control_client *k);
/* Who has asked; NULL: it has not waited. */
struct control_client *control_find(const struct parent *p, uint64_t token);

/* Logs a command that changes something, and who wants it. */
void control_log(
    const struct control_client *k, const char *command, const char *about);

/* Tells it a struct.  Failures end the connection at its deadline. */
void control_tell(struct control_client *k, enum control_type type,
    const struct ipc_fields *fields, const void *from);

/* The end of an answer. */
void control_done(
    struct control_client *k, enum control_outcome outcome, const char *words);

#endif
