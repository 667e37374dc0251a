/*
 * malote - collects mail from POP3 servers into this computer.
 */
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/sandbox.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/command/options.h"
#include "client/command/sendmail.h"

/* 0, 1 and 2 are nothing else: what is said must not get into a message. */
static void
fill_standard(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd >= 0)
		close(fd);
}

/* What was written may have got lost, as on a disk that is full. */
static int
end(int code)
{
	bool lost = ferror(stdout) != 0;

	if (fclose(stdout) == 0 && !lost)
		return code;
	say_error(_("the report could not be written to standard output"));
	return code == EX_OK ? EX_TEMPFAIL : code;
}

/* What was parsed may have been tokens. */
static void
wipe_and_free(void *p)
{
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static int
malote(int argc, char **argv)
{
	static struct options o;
	int code, at;

	if (sendmail_is_meant(argc, argv, &at)) {
		if ((code = options_parse(&o, at, argv)) == -1 &&
		    (code = options_default(&o)) == -1)
			code = sendmail_run(&o, argc - at, argv + at);
		return code;
	}
	if ((code = options_parse(&o, argc, argv)) == -1 &&
	    (code = options_default(&o)) == -1)
		code = commands_run(&o, argc - optind, argv + optind);
	else if (option_is_given(&o, OPT_HELP))
		commands_help();
	else if (option_is_given(&o, OPT_WORDS) && options_default(&o) == -1)
		commands_words(&o);
	return code;
}

int
main(int argc, char **argv)
{
	const char *locales = getenv("MALOTE_LOCALEDIR");

	fill_standard();
	sandbox_no_core();
	json_set_alloc_funcs(malloc, wipe_and_free);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* write() tells */
	setlocale(LC_ALL, "");
	bindtextdomain("malote", locales != NULL ? locales : LOCALEDIR);
	textdomain("malote");
	return end(malote(argc, argv));
}
