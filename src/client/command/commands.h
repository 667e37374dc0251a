/*
 * commands.h - the commands of malote: a row of the table in commands.c and a
 * function, in a file of its own.
 */
#ifndef CLIENT_COMMAND_COMMANDS_H
#define CLIENT_COMMAND_COMMANDS_H

#include <limits.h>
#include <stdint.h>

struct call;
struct options;

/* What is there before a command runs, and what it is. */
enum {
	NEEDS_CONF = 1 << 0,   /* call->set */
	NEEDS_RECORD = 1 << 1, /* made, or mended, if it has to be */
	NEEDS_LOCK = 1 << 2,   /* no other malote is at the chosen accounts */
	IS_WARNED = 1 << 3,    /* of what the configuration permits */
	IS_DAEMON = 1 << 4,
};

#define ANY_NUMBER INT_MAX

struct command {
	const char *word;
	const char *form; /* of its arguments, for the help */
	const char *help;
	int least, most; /* arguments */
	int accounts;    /* so many of them, the first ones, name accounts */
	unsigned needs;
	uint64_t options;              /* of its own: TAKES() */
	int (*run)(struct call *call); /* the exit code */
};

/* Runs the command argv[0], or collects if there is none; the exit code. */
int commands_run(const struct options *o, int argc, char **argv);
void commands_help(void);

/* What can be typed, for the completions of shells: commands, options and the
 * names of the accounts, a line for each; nothing that is configured is an
 * error. */
void commands_words(const struct options *o);

/* cmd_rename.c, cmd_forget.c */
int cmd_rename(struct call *call);
int cmd_forget(struct call *call);
/* cmd_add.c */
int cmd_add(struct call *call);
/* cmd_collect.c */
int cmd_collect(struct call *call);
int cmd_daemon(struct call *call);
/* cmd_delete.c */
int cmd_delete(struct call *call);
/* cmd_dry_run.c: collect --dry-run */
int cmd_dry_run(struct call *call);
/* cmd_fetch.c */
int cmd_fetch(struct call *call);
/* cmd_list.c */
int cmd_list(struct call *call);
/* cmd_test.c */
int cmd_test(struct call *call);
/* cmd_login.c */
int cmd_login(struct call *call);
/* cmd_serve.c */
int cmd_serve(struct call *call);
/* cmd_send.c */
int cmd_send(struct call *call);
/* sendmail.c */
int cmd_sendmail(struct call *call);
/* cmd_outbox.c */
int cmd_outbox(struct call *call);
/* cmd_status.c */
int cmd_status(struct call *call);
int cmd_accounts(struct call *call);

#endif
