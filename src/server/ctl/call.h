/*
 * call.h - a command to the server that runs, over its control socket.
 *
 * Believed is only a socket behind which is root, or the user who asks.  What is
 * said there may come from a process that was broken into: it is taken by table
 * (ipc/control.h), and shown by show.h only.
 */
#ifndef SERVER_CTL_CALL_H
#define SERVER_CTL_CALL_H

#include "server/ctl/commands.h"
#include "server/ipc/control.h"

/* The first member of the command's own struct, which is the `arg` of the
 * functions in `tells`. */
struct call {
	/* What may be told, before the end of the answer. */
	const struct ipc_rule *tells;
	size_t n_tells;

	struct control_done done; /* E_OK: the words are escaped */
	/* Who tells: 0, or the process of a maloted before the one that serves. */
	uint32_t elder;

	/* call.c's */
	struct {
		uint32_t pid;
		int fd; /* -1: there is none */
	} next;
	bool is_over;
	enum err why;
	unsigned told;
	struct ev_loop *loop;
};

enum { CALL_TELLS_MAX = 8 };

/* Says a command with a struct, or with nothing: NULL.  E_CLOSED: no server is
 * running there, or it has gone.  E_NOENT, E_BUSY, E_AGAIN, E_CONFIG, E_DENIED:
 * the outcome. */
enum err call_server(const struct options *o, struct call *c,
    enum control_type command, const struct ipc_fields *fields,
    const void *from, struct errbuf *eb) NODISCARD;

/* For a command that is about sessions, a rule of its table: those before the one
 * that serves are asked, too, one after the other. */
#define CALL_ELDER \
	{ \
		CONTROL_ELDER, 1, 1, 4, call_take_elder \
	}
enum err call_take_elder(void *arg, struct ipc_in *in);

/* What a command names; E_FORMAT: it is too long. */
enum err call_about(
    struct control_about *about, const char *what, struct errbuf *eb) NODISCARD;
/* Says a command with that. */
enum err call_server_about(const struct options *o, struct call *c,
    enum control_type command, const char *what, struct errbuf *eb) NODISCARD;

#endif
