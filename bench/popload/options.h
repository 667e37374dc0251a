/*
 * options.h - what popload was told on its command line.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STEPS_MAX = 32 };

enum kind {
	KIND_ONCE,  /* one command */
	KIND_EACH,  /* one for each message */
	KIND_LOGIN, /* USER and PASS */
	KIND_PLAIN, /* AUTH, by one of two mechanisms */
	KIND_SCRAM,
	KIND_STLS,
	KIND_HOLD,
	KIND_STALL,
};

struct word {
	const char *name, *verb;
	enum kind kind;
	bool lines; /* the reply has many */
};

/* A word of the command line. */
struct step {
	const struct word *word;
	uint32_t limit; /* of messages */
};

struct options {
	unsigned connections, users, first_user, depth, top_lines;
	unsigned long sessions;
	const char *password;
	uint16_t port;
	bool tls, resume;
	struct step steps[STEPS_MAX];
	size_t n_steps;
};

/* Does not change after options_take(). */
extern struct options opt;

/* Ends the program if it cannot be done as it is asked for. */
void options_take(int argc, char **argv);

/* Whether a step of this kind is among those asked for. */
bool options_have(enum kind kind);

#endif
