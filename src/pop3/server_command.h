/*
 * server_command.h - the command table of the server's side: it reads a line
 * and decides what that asks for; server.c carries it out.
 */
#ifndef POP3_SERVER_COMMAND_H
#define POP3_SERVER_COMMAND_H

#include "pop3/server.h"
#include "pop3/server_text.h"

enum pop3_verb_flags {
	POP3_VERB_REST = 1,   /* its argument is all behind the first SP */
	POP3_VERB_SECRET = 2, /* the last argument that it takes is secret */
	POP3_VERB_NAMED = 4,  /* goes on with the name of USER */
	POP3_VERB_MARKS = 8,  /* marks the message that it looks up */
	POP3_VERB_SASL = 16,  /* its capability lists the mechanisms */
	POP3_VERB_NAMES = 32, /* takes the name of a user: UTF-8 */
};

struct pop3_call;

struct pop3_verb {
	char name[5];
	uint8_t states;   /* enum pop3_state, or-ed */
	uint8_t min, max; /* arguments */
	uint8_t flags;
	const char *capability;
	/* Why it is not to be had on this connection now: the reply, or
	 * POP3_NO_TEXT if it is. */
	enum pop3_text (*refusal)(const struct pop3_server *s);
	struct pop3_next (*run)(struct pop3_call *c);
};

enum { POP3_ARGS = 2 };

struct pop3_call {
	struct pop3_server *server;
	struct buf *out;
	const struct pop3_verb *verb;
	struct slice arg[POP3_ARGS];
	size_t n_args; /* may be more than POP3_ARGS */
};

/* What comes after a command. */
struct pop3_next {
	enum pop3_text text; /* POP3_NO_TEXT: written already, or not yet */
	enum pop3_want want; /* POP3_WANT_INPUT: the next command */
};

/* A whole line; its octets may be changed.  Fills s->request. */
struct pop3_next pop3_command_run(
    struct pop3_server *s, struct slice line, struct buf *out);

/* The same for a line within a SASL exchange. */
struct pop3_next pop3_command_respond(struct pop3_server *s, struct slice line);

#endif
