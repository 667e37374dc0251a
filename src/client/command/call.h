/*
 * call.h - a command as it was typed: its arguments, and the accounts that are
 * meant, read from the configuration.
 */
#ifndef CLIENT_COMMAND_CALL_H
#define CLIENT_COMMAND_CALL_H

#include "client/collect.h"
#include "client/command/options.h"

struct command;

struct call {
	const struct options *o;
	const struct command *command;
	char **argument; /* borrowed of argv */
	int n;
	/* Of a command that needs the configuration; the chosen are those whose
	 * names were given, or all.  Whoever puts another one there frees this
	 * one. */
	struct collect_set *set;
};

/* Reads the configuration anew.  -1: go on; else the exit code, what is wrong is
 * said, and *set_r is NULL. */
int call_load(const struct call *c, struct collect_set **set_r);

#endif
