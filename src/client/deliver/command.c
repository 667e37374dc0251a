/*
 * A command that takes the message on its standard input (sysexits.h).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/execute.h"
#include "client/deliver/kind.h"

enum {
	SHOWN = 120,
	SLOWEST = 256 * 1024, /* octets a second that a command must take */
};

struct command {
	char **argv;
};

static enum err
copy_argv(struct command *c, char *const argv[])
{
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	if ((c->argv = calloc(n + 1, sizeof(*c->argv))) == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		if ((c->argv[i] = strdup(argv[i])) == NULL)
			return E_NOMEM;
	return E_OK;
}

static enum err
open_command(struct delivery *d, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb)
{
	struct command *c = calloc(1, sizeof(*c));

	(void)env;
	d->own = c;
	if (c == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if (dest->argv == NULL || dest->argv[0] == NULL)
		return err_set(eb, E_CONFIG, _("there is no command"));
	if (copy_argv(c, dest->argv) != E_OK)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return E_OK;
}

static void
close_command(struct delivery *d)
{
	struct command *c = d->own;

	for (size_t i = 0; c->argv != NULL && c->argv[i] != NULL; i++)
		free(c->argv[i]);
	free(c->argv);
	free(c);
}

/* Its first line, safe to be seen. */
static void
show_words(char out[SHOWN], const struct run_result *r)
{
	const char *end = memchr(r->words, '\n', r->n);
	size_t n = end != NULL ? (size_t)(end - r->words) : r->n;

	str_quote(out, SHOWN, r->words, n);
}

static void
judge(struct delivery *d, struct parcel *p, const struct run_result *r,
    unsigned timeout)
{
	const char *name = ((struct command *)d->own)->argv[0];
	char words[SHOWN];

	show_words(words, r);
	switch (r->how) {
	case RUN_NO_EXEC:
		parcel_fail(p, E_AGAIN, _("cannot run %.80s: %s"), name,
		    strerror(r->value));
		break;
	case RUN_TIMEOUT:
		parcel_fail(p, E_AGAIN,
		    _("the command took more than %u s: %s"), timeout, words);
		break;
	case RUN_SIGNALED:
		parcel_fail(p, E_AGAIN, _("the command died of signal %d: %s"),
		    r->value, words);
		break;
	case RUN_EXITED:
		if (r->value == EX_OK)
			parcel_stored(d, p);
		else
			parcel_fail(p,
			    r->value == EX_TEMPFAIL ? E_AGAIN : E_DENIED,
			    _("the command ended with status %d: %s"), r->value,
			    words);
		break;
	}
}

static void
hand_over(struct delivery *d, struct parcel *p)
{
	struct command *c = d->own;
	struct run_result r;
	struct errbuf eb;
	unsigned timeout = d->timeout + (unsigned)(p->octets / SLOWEST);
	enum err e;
	int fd;

	if (parcel_open(d, p, &fd, &eb) != E_OK) {
		parcel_fail(p, E_AGAIN, "%s", eb.text);
		return;
	}
	e = run_command(c->argv, fd, timeout, &r, &eb);
	close(fd);
	if (e == E_OK)
		judge(d, p, &r, timeout);
	else
		parcel_fail(p, E_AGAIN, "%s", eb.text);
}

static void
publish_command(struct delivery *d, struct parcel **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!parcel_is_late(d, v[i]))
			hand_over(d, v[i]);
}

const struct kind kind_command = {
	.open = open_command,
	.close = close_command,
	.publish = publish_command,
	.recover = files_recover,
};
