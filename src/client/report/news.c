#include "client/report/news.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/pool.h"
#include "client/conf/account.h"
#include "client/deliver/execute.h"
#include "client/report/columns.h"

enum {
	LINE = 512,
	COLUMNS = 60, /* of a sender, and of a subject */
	WHY = 320,
};

struct news {
	struct pool *pool; /* of one thread */
	struct pool_job job;
	const struct account *account;
	struct news_hooks hooks;
	char **environment;
	char title[LINE];
	char body[2 * ARRIVALS_MAX * LINE];
	/* What they failed by; empty: they have not. */
	char on_new[WHY], notify[WHY];
};

bool
news_is_wanted(const struct account *a)
{
	return a->on_new != NULL || a->notify;
}

/* ---- what the desktop shows ---- */

/* A stranger's text, on one line, for a place where < and & mean something.
 * Returns how much was put. */
static size_t
put_text(char *out, size_t size, const char *utf8)
{
	char safe[LINE], cut[LINE];
	size_t n = 0;

	columns_cut(
	    cut, sizeof(cut), columns_safe(safe, sizeof(safe), utf8), COLUMNS);
	for (const char *p = cut; *p != '\0' && n + 6 < size; p++) {
		const char *as = *p == '<'   ? "&lt;"
				 : *p == '>' ? "&gt;"
				 : *p == '&' ? "&amp;"
					     : NULL;

		if (as == NULL)
			out[n++] = *p;
		else
			n += (size_t)sprintf(out + n, "%s", as);
	}
	out[n] = '\0';
	return n;
}

static void
write_notice(struct news *w, unsigned n, const struct arrivals *all)
{
	size_t size = sizeof(w->body), at = 0;

	snprintf(w->title, sizeof(w->title),
	    ngettext("%u new message: %s", "%u new messages: %s", n), n,
	    w->account->name);
	/* Of many their number says enough. */
	for (unsigned i = 0; n <= ARRIVALS_MAX && i < all->n; i++) {
		if (at != 0)
			w->body[at++] = '\n';
		at += put_text(w->body + at, size - at, all->v[i].from);
		at += (size_t)sprintf(w->body + at, ": ");
		at += put_text(w->body + at, size - at, all->v[i].subject);
	}
}

/* ---- on the thread ---- */

static void
say_why(char why[WHY], const char *who, const struct run_result *r,
    unsigned timeout)
{
	char words[WHY / 2] = "";
	const char *end = memchr(r->words, '\n', r->n);

	str_quote(words, sizeof(words), r->words,
	    end != NULL ? (size_t)(end - r->words) : r->n);
	switch (r->how) {
	case RUN_NO_EXEC:
		snprintf(why, WHY, _("%s cannot be run: %s"), who,
		    strerror(r->value));
		break;
	case RUN_TIMEOUT:
		snprintf(why, WHY, _("%s took more than %u s, and was ended"),
		    who, timeout);
		break;
	case RUN_SIGNALED:
		snprintf(why, WHY, _("%s died of signal %d"), who, r->value);
		break;
	case RUN_EXITED:
		if (r->value != 0)
			snprintf(why, WHY,
			    words[0] != '\0' ? _("%s ended with status %d: %s")
					     : _("%s ended with status %d"),
			    who, r->value, words);
		break;
	}
}

static void
tell(struct news *w, char *const argv[], const char *who, char why[WHY])
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	unsigned timeout = w->account->timeout;
	struct run_result r;
	struct errbuf eb;
	enum err e = null >= 0 ? run_command(argv, w->environment, null,
				     timeout, &r, &eb)
			       : err_sys(&eb, E_IO, "/dev/null");

	if (null >= 0)
		close(null);
	if (e == E_OK)
		say_why(why, who, &r, timeout);
	else
		snprintf(why, WHY, "%s: %s", who, eb.text);
}

static void
news_run(struct pool_job *job)
{
	struct news *w =
	    (struct news *)((char *)job - offsetof(struct news, job));
	char *command[] = { "/bin/sh", "-c", w->account->on_new, NULL };
	/* Behind "--" nothing is an option, whatever a subject begins with. */
	char *notice[] = { "notify-send", "-a", "malote", "-i", "mail-unread",
		"-c", "email.arrived", "--", w->title, w->body, NULL };

	if (w->account->on_new != NULL)
		tell(w, command, "on_new", w->on_new);
	if (w->account->notify)
		tell(w, notice, "notify-send", w->notify);
}

/* ---- on the loop ---- */

static void
news_done(struct pool_job *job)
{
	struct news *w =
	    (struct news *)((char *)job - offsetof(struct news, job));

	if (w->on_new[0] != '\0')
		w->hooks.failed(w->hooks.arg, w->on_new);
	if (w->notify[0] != '\0')
		w->hooks.failed(w->hooks.arg, w->notify);
	w->hooks.over(w->hooks.arg);
}

struct news *
news_start(struct ev_loop *loop, const struct account *a, unsigned n,
    const struct arrivals *arrivals, const struct news_hooks *hooks)
{
	struct news *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->job = (struct pool_job){ .run = news_run, .done = news_done };
	w->account = a;
	w->hooks = *hooks;
	w->environment = account_environment(a->name, a->email, n);
	if (w->environment == NULL ||
	    pool_new(&w->pool, loop, 1, NULL) != E_OK) {
		free(w->environment);
		free(w);
		return NULL;
	}
	write_notice(w, n, arrivals);
	pool_add(w->pool, &w->job);
	return w;
}

void
news_free(struct news *w)
{
	if (w == NULL)
		return;
	pool_free(w->pool);
	free(w->environment);
	free(w);
}
