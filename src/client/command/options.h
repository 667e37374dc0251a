/*
 * options.h - the options of malote's command line.
 *
 * A new one is a name in the list, a row of the table in options.c and, unless
 * it is for all commands, a bit in the rows of those that take it (commands.c).
 */
#ifndef CLIENT_COMMAND_OPTIONS_H
#define CLIENT_COMMAND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_id {
	OPT_ACCEPT,
	OPT_CONFIG,
	OPT_STATE,
	OPT_JSON,
	OPT_QUIET,
	OPT_CHANGES,
	OPT_VERBOSE,
	OPT_SHARE,
	OPT_DRY_RUN,
	OPT_SERVER,
	OPT_PORT,
	OPT_SECURITY,
	OPT_USER,
	OPT_FINGERPRINT,
	OPT_CA_FILE,
	OPT_NAME,
	OPT_PASSWORD_COMMAND,
	OPT_TOKEN_COMMAND,
	OPT_OAUTH,
	OPT_KEYRING,
	OPT_KEEP_PASSWORD,
	OPT_KEEP,
	OPT_DELIVER,
	OPT_NO_COLLECT,
	OPT_BROWSER,
	OPT_DEVICE,
	OPT_SHOW,
	OPT_VERSION,
	OPT_HELP,
	OPT_WORDS,
	OPT_YES,
	OPT_BLOCK,
	OPT_PASSWORD,
	OPTIONS
};

enum { OPTIONS_PATH = 4096 };

/* Of a command's row: options that only some commands take. */
#define TAKES(id) (UINT64_C(1) << (id))

struct options {
	/* NULL: it was not given; "" if it takes no value.  Borrowed of argv. */
	const char *value[OPTIONS];
	/* Where things are, given or not. */
	char conf[OPTIONS_PATH], state[OPTIONS_PATH];
};

static inline bool
option_is_given(const struct options *o, enum option_id id)
{
	return o->value[id] != NULL;
}

/* Reads what is before and between the arguments, which follow at `optind` then.
 * -1: go on; else the exit code: all is said (--version, a typing error), but for
 * what OPT_HELP or OPT_WORDS ask for, if they are given then. */
int options_parse(struct options *o, int argc, char **argv);
/* Is none among them that the command `word`, which takes those of the bits
 * `own`, does not know?  The same. */
int options_fit(const struct options *o, const char *word, uint64_t own);
/* Fills in `conf` and `state` where they were not given.  The same. */
int options_default(struct options *o);
/* The lines of the help; and one line of it, `form` padded to `width` columns. */
void options_print(void);
void options_print_line(const char *form, int width, const char *help);
/* The lines of --words: of the options of all commands (NULL), or of the command
 * `word` which takes those of the bits `own`. */
void options_words(const char *word, uint64_t own);

#endif
