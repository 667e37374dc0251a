#include "client/command/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/i18n.h"
#include "client/command/failure.h"
#include "client/report/columns.h"
#include "conf/text.h"

enum { LONG = 256 }; /* getopt_long() says this and the id */

/* In the order of the help.  value: what it is called there; NULL: it takes
 * none.  help: NULL, or what it does, for people. */
static const struct {
	enum option_id id;
	const char *name;
	char letter;
	bool own; /* of the commands that take it; else of all */
	const char *value, *help;
} rows[] = {
	{ OPT_ACCEPT, "accept", 0, false, NULL,
	    N_("accepts what has changed on the server") },
	{ OPT_CONFIG, "config", 0, false, N_("FILE"),
	    N_("instead of ~/.config/malote/malote.conf") },
	{ OPT_STATE, "state", 0, false, N_("FOLDER"),
	    N_("instead of ~/.local/state/malote") },
	{ OPT_JSON, "json", 0, false, NULL, N_("prints JSON") },
	{ OPT_QUIET, "quiet", 'q', false, NULL, N_("shows only what failed") },
	{ OPT_CHANGES, "changes", 0, false, NULL,
	    N_("shows only what has changed") },
	{ OPT_VERBOSE, "verbose", 'v', false, NULL,
	    N_("shows the dialogue with the server, without passwords") },
	/* Of some commands, in the order of these. */
	{ OPT_DRY_RUN, "dry-run", 0, true, NULL,
	    N_("collect: says what would be done, and does nothing") },
	{ OPT_YES, "yes", 'y', true, NULL,
	    N_("add, delete, forget: asks nothing") },
	{ OPT_SHARE, "share", 0, true, NULL,
	    N_("test: shows all that a helpdesk needs, without secrets") },
	{ OPT_BROWSER, "browser", 0, true, NULL,
	    N_("login: by a browser on this computer") },
	{ OPT_DEVICE, "device", 0, true, NULL,
	    N_("login: by a code, in a browser anywhere") },
	{ OPT_SHOW, "show", 0, true, NULL,
	    N_("serve: says what to type in a mail program") },
	{ OPT_BLOCK, "block", 0, true, NULL,
	    N_("forget: its block in the configuration, too") },
	{ OPT_PASSWORD, "password", 0, true, NULL,
	    N_("forget: its password in the keyring, too") },
	/* Of malote add: its manual explains them. */
	{ OPT_SERVER, "server", 0, true, "NAME", NULL },
	{ OPT_PORT, "port", 0, true, N_("NUMBER"), N_("add, serve: the port") },
	{ OPT_SECURITY, "security", 0, true, "KIND", NULL },
	{ OPT_USER, "user", 0, true, "NAME", NULL },
	{ OPT_FINGERPRINT, "fingerprint", 0, true, "SHA256", NULL },
	{ OPT_CA_FILE, "ca-file", 0, true, "FILE", NULL },
	{ OPT_NAME, "name", 0, true, "NAME", NULL },
	{ OPT_PASSWORD_COMMAND, "password-command", 0, true, "COMMAND", NULL },
	{ OPT_TOKEN_COMMAND, "token-command", 0, true, "COMMAND", NULL },
	{ OPT_OAUTH, "oauth", 0, true, "NAME", NULL },
	{ OPT_KEYRING, "keyring", 0, true, NULL, NULL },
	{ OPT_KEEP_PASSWORD, "keep-password", 0, true, "PLACE", NULL },
	{ OPT_KEEP, "keep", 0, true, "TIME", NULL },
	{ OPT_DELIVER, "deliver", 0, true, "PLACE", NULL },
	{ OPT_NO_COLLECT, "no-collect", 0, true, NULL, NULL },
	{ OPT_VERSION, "version", 0, false, NULL, NULL },
	{ OPT_HELP, "help", 'h', false, NULL, NULL },
	{ OPT_WORDS, "words", 0, false, NULL, NULL },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), FORM_WIDTH = 17 };

void
options_print_line(const char *form, int width, const char *help)
{
	printf("  ");
	columns_print(form, width);
	if (columns_of(form) > width)
		printf("\n%*s", width + 2, "");
	printf(" %s\n", help);
}

void
options_print(void)
{
	char left[80];
	int n;

	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].help == NULL)
			continue;
		n = rows[i].letter != 0
			? snprintf(left, sizeof(left), "-%c, ", rows[i].letter)
			: 0;
		snprintf(left + n, sizeof(left) - (size_t)n, "--%s %s",
		    rows[i].name,
		    rows[i].value != NULL ? _(rows[i].value) : "");
		options_print_line(left, FORM_WIDTH, _(rows[i].help));
	}
	fputs("  --version, --help\n", stdout);
	puts(_("\nmalote add has options that answer its questions: man "
	       "malote"));
}

void
options_words(const char *word, uint64_t own)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].own != (word != NULL) ||
		    (word != NULL && (own & TAKES(rows[i].id)) == 0) ||
		    rows[i].id == OPT_WORDS)
			continue;
		printf("option\t--%s\t%s\t%s\t%s\n", rows[i].name,
		    rows[i].value != NULL ? rows[i].value : "-",
		    rows[i].help != NULL ? _(rows[i].help) : "-",
		    word != NULL ? word : "-");
	}
}

/* ---- reading ---- */

static size_t
row_of(int opt)
{
	for (size_t i = 0; i < ROWS; i++)
		if (opt == LONG + (int)rows[i].id ||
		    (rows[i].letter != 0 && opt == rows[i].letter))
			return i;
	return ROWS;
}

/* getopt_long() has stopped behind it, or within a word of several letters. */
static const char *
nearest_option(const char *word)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strncmp(word, "--", 2) == 0 && rows[i].id != OPT_WORDS &&
		    conf_distance(word + 2, rows[i].name) <= 2)
			return rows[i].name;
	return NULL;
}

static int
wrong_option(const struct options *o, int opt, const char *word)
{
	char letter[] = { '-', (char)optopt, '\0' };
	const char *near;

	if (optopt != 0 && optopt < LONG)
		return mistyped(o, _("there is no option %s"), letter);
	if (opt == ':')
		return mistyped(o, _("option %s needs a value"), word);
	if (optopt != 0)
		return mistyped(o, _("option %s takes no value"), word);
	near = nearest_option(word);
	if (near == NULL)
		return mistyped(o, _("there is no option %s"), word);
	return mistyped(
	    o, _("there is no option %s; did you mean --%s?"), word, near);
}

/* -1: go on; else the exit code. */
static int
take_path(const struct options *o, char out[OPTIONS_PATH], enum option_id id)
{
	if (!option_is_given(o, id) ||
	    snprintf(out, OPTIONS_PATH, "%s", o->value[id]) < OPTIONS_PATH)
		return -1;
	return mistyped(o, "%s", _("that path is too long"));
}

static int
take_option(struct options *o, int opt, const char *word)
{
	size_t i = row_of(opt);
	int code;

	if (i == ROWS)
		return wrong_option(o, opt, word);
	o->value[rows[i].id] = rows[i].value != NULL ? optarg : "";
	switch (rows[i].id) {
	case OPT_VERSION: printf("malote %s\n", MALOTE_VERSION); return EX_OK;
	case OPT_HELP:
	case OPT_WORDS: return EX_OK;
	case OPT_CHANGES: o->value[OPT_QUIET] = ""; return -1;
	default: break;
	}
	code = take_path(o, o->conf, OPT_CONFIG);
	return code != -1 ? code : take_path(o, o->state, OPT_STATE);
}

int
options_parse(struct options *o, int argc, char **argv)
{
	struct option longs[ROWS + 1] = { 0 };
	char letters[2 * ROWS + 2] = ":";
	size_t n = 1;
	int opt, code = -1;

	for (size_t i = 0; i < ROWS; i++) {
		bool valued = rows[i].value != NULL;

		longs[i] = (struct option){ rows[i].name,
			valued ? required_argument : no_argument, NULL,
			LONG + (int)rows[i].id };
		if (rows[i].letter != 0)
			letters[n++] = rows[i].letter;
	}
	while (code == -1 &&
	       (opt = getopt_long(argc, argv, letters, longs, NULL)) != -1)
		code = take_option(o, opt, argv[optind - 1]);
	return code;
}

int
options_fit(const struct options *o, const char *word, uint64_t own)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].own && option_is_given(o, rows[i].id) &&
		    (own & TAKES(rows[i].id)) == 0)
			return mistyped(o, _("malote %s has no option --%s"),
			    word, rows[i].name);
	return -1;
}

/* ---- where things are ---- */

static bool
default_path(char out[OPTIONS_PATH], const char *variable,
    const char *below_home, const char *name)
{
	const char *base = getenv(variable), *home = getenv("HOME");
	int n;

	if (base != NULL && base[0] == '/')
		n = snprintf(out, OPTIONS_PATH, "%s/%s", base, name);
	else if (home != NULL && home[0] == '/')
		n = snprintf(
		    out, OPTIONS_PATH, "%s/%s/%s", home, below_home, name);
	else
		return false;
	return n > 0 && n < OPTIONS_PATH;
}

int
options_default(struct options *o)
{
	if ((o->conf[0] != '\0' || default_path(o->conf, "XDG_CONFIG_HOME",
				       ".config", "malote/malote.conf")) &&
	    (o->state[0] != '\0' || default_path(o->state, "XDG_STATE_HOME",
					".local/state", "malote")))
		return -1;
	return failed_by(o, EX_USAGE, "%s",
	    _("HOME is not set: say where things are, by --config and "
	      "--state"));
}
