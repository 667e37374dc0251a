#include "server/auth/userfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	COMPLAINTS = 20, /* lines of log for one file */
	TICK_MS = 20,
	LONG_TICK_MS = 2000, /* where times are of whole seconds */
};

void
userfile_init(struct userfile *u, const struct name_rule *rule,
    struct ev_loop *loop, struct ipc_chan *ctl)
{
	memset(u, 0, sizeof(*u));
	u->rule = rule;
	u->loop = loop;
	u->ctl = ctl;
	u->from.fd = u->apps_from.fd = -1;
	TAILQ_INIT(&u->waiting);
}

/* ---- reading ---- */

static void
complain(void *arg, enum users_fault fault, unsigned line, const char *what)
{
	unsigned *n = arg;

	if ((*n)++ < COMPLAINTS)
		log_line(LOG_WARNING, "ev=users-line line=%u error=\"%s\"",
		    line, what);
}

/* Reads up to n octets from the start; returns how many, or -1. */
static ssize_t
read_all(int fd, char *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t r = pread(fd, p + at, n - at, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		at += (size_t)r;
	}
	return (ssize_t)at;
}

/* The clock that stamps files has ticks. */
static bool
is_fresh(const struct stat *st)
{
	uint64_t tick_ms = st->st_ctim.tv_nsec != 0 ? TICK_MS : LONG_TICK_MS;

	return (uint64_t)st->st_ctim.tv_sec * 1000 +
		   (uint64_t)st->st_ctim.tv_nsec / 1000000 + tick_ms >=
	       clock_unix_ms();
}

/* Reads a file anew, whole.  The times are taken first: what changes meanwhile is
 * seen as a change.  *text_r is the caller's, of to->st.st_size octets at least. */
static enum err
read_source(struct userfile_source *to, size_t max, char **text_r, size_t *n_r)
{
	char *text;
	ssize_t n;

	*text_r = NULL;
	if (fstat(to->fd, &to->st) < 0)
		return E_IO;
	if (!S_ISREG(to->st.st_mode) || (size_t)to->st.st_size > max)
		return E_FORMAT;
	if ((text = malloc((size_t)to->st.st_size + 1)) == NULL)
		return E_NOMEM;
	*text_r = text;
	n = read_all(to->fd, text, (size_t)to->st.st_size);
	*n_r = n > 0 ? (size_t)n : 0;
	to->content = XXH3_64bits(text, *n_r);
	to->fresh = is_fresh(&to->st);
	return n >= 0 ? E_OK : E_IO;
}

static void
forget_text(char *text, size_t n)
{
	if (text != NULL)
		explicit_bzero(text, n);
	free(text);
}

/* Takes the place of what there was, which is closed. */
static void
replace_source(struct userfile_source *old, const struct userfile_source *new)
{
	if (old->fd >= 0 && old->fd != new->fd)
		close(old->fd);
	*old = *new;
}

/* The users anew; those that there were stay if that fails. */
static void
load_users(struct userfile *u, int fd)
{
	struct userfile_source from = { .fd = fd };
	struct users *new = NULL;
	unsigned complaints = 0;
	size_t n = 0;
	char *text;
	enum err e;

	e = read_source(&from, USERFILE_MAX, &text, &n);
	if (e == E_OK && memchr(text, '\0', n) != NULL)
		e = E_FORMAT; /* no text: a disk that has lost what was written */
	if (e == E_OK)
		e = users_parse(&new, (struct slice){ text, n }, u->rule,
		    complain, &complaints);
	forget_text(text, n);
	if (complaints > COMPLAINTS)
		log_line(LOG_WARNING, "ev=users-line more=%u",
		    complaints - COMPLAINTS);
	if (e != E_OK) {
		log_line(LOG_FAULT, "ev=users-unread why=%s", err_str(e));
		if (fd != u->from.fd)
			close(fd);
		return;
	}
	replace_source(&u->from, &from);
	users_free(u->users);
	u->users = new;
	u->generation++;
	log_line(LOG_EVENT, "ev=users count=%zu", users_count(new));
}

/* The app passwords anew.  If that fails there are none: one that was taken away
 * must not open anything for longer. */
static void
load_apps(struct userfile *u, int fd)
{
	struct userfile_source from = { .fd = fd };
	struct app_table *new = NULL;
	struct errbuf eb = { "" };
	unsigned bad = 0;
	size_t n = 0;
	char *text;
	enum err e;

	e = read_source(&from, APP_DATABASE_MAX, &text, &n);
	if (e == E_OK && n == 0)
		e = E_FORMAT; /* it would be that of a new one */
	if (e == E_OK)
		e = app_table_read(
		    &new, (struct slice){ text, n }, u->rule, &bad, &eb);
	forget_text(text, n);
	replace_source(&u->apps_from, &from);
	app_table_free(u->apps);
	u->apps = new;
	u->apps_unread = e != E_OK;
	u->generation++;
	if (e != E_OK)
		log_line(LOG_FAULT,
		    "ev=app-passwords-unread why=%s error=\"%s\"", err_str(e),
		    eb.text);
	else
		log_line(bad != 0 ? LOG_WARNING : LOG_EVENT,
		    "ev=app-passwords count=%zu bad=%u", app_table_count(new),
		    bad);
}

static void
drop_apps(struct userfile *u)
{
	const struct userfile_source none = { .fd = -1 };

	if (u->apps_from.fd < 0)
		return;
	replace_source(&u->apps_from, &none);
	app_table_free(u->apps);
	u->apps = NULL;
	u->apps_unread = false;
	u->generation++;
	log_line(LOG_EVENT, "ev=app-passwords count=0 bad=0");
}

static bool
is_changed(const struct userfile_source *from)
{
	const struct stat *a = &from->st;
	struct stat b;

	/* A replaced file changes its ctime as it loses its last name. */
	return fstat(from->fd, &b) < 0 || b.st_nlink == 0 ||
	       a->st_size != b.st_size ||
	       a->st_mtim.tv_sec != b.st_mtim.tv_sec ||
	       a->st_mtim.tv_nsec != b.st_mtim.tv_nsec ||
	       a->st_ctim.tv_sec != b.st_ctim.tv_sec ||
	       a->st_ctim.tv_nsec != b.st_ctim.tv_nsec;
}

/* One that was fresh is read once more when it is not any more: from then on the
 * times tell of all changes.  True: it is another by now. */
static bool
was_changed(struct userfile_source *from, size_t max)
{
	struct userfile_source again = { .fd = from->fd };
	size_t n = 0;
	char *text;
	enum err e;

	if (from->fd < 0 || !from->fresh || is_fresh(&from->st))
		return false;
	e = read_source(&again, max, &text, &n);
	forget_text(text, n);
	if (e != E_OK || again.content != from->content)
		return true;
	*from = again;
	return false;
}

/* The settings name none: so there is one, without a line. */
static void
have_no_file(struct userfile *u)
{
	if (u->users == NULL && users_parse(&u->users, (struct slice){ "", 0 },
				    u->rule, complain, NULL) != E_OK)
		return;
	u->is_empty = true;
	u->generation++;
}

bool
userfile_is_stale(struct userfile *u)
{
	if (was_changed(&u->from, USERFILE_MAX))
		load_users(u, u->from.fd);
	if (was_changed(&u->apps_from, APP_DATABASE_MAX))
		load_apps(u, u->apps_from.fd);
	return (!u->is_empty && (u->from.fd < 0 || is_changed(&u->from))) ||
	       (u->apps_from.fd >= 0 && is_changed(&u->apps_from));
}

enum control_outcome
userfile_no_user(const struct userfile *u, const char *name, struct errbuf *eb)
{
	unsigned line;
	const char *why = users_refused(u->users, name, &line);

	eb->text[0] = '\0';
	if (why == NULL)
		return CONTROL_NO_USER;
	err_set(eb, E_CONFIG,
	    "nobody can sign in by line %u of the users file: %s", line, why);
	return CONTROL_CANNOT;
}

/* ---- asking ---- */

/* Wakes those for whom enough has been answered. */
static void
wake(struct userfile *u, enum err e)
{
	struct userfile_wait *w;
	uint64_t answered = u->answered;

	/* One that is woken may wait again, at the end and for more. */
	while ((w = TAILQ_FIRST(&u->waiting)) != NULL && w->need <= answered) {
		TAILQ_REMOVE(&u->waiting, w, entry);
		w->done(w, e);
	}
}

static void userfile_ask(struct userfile *u);

static void
settle(struct userfile *u, enum err e)
{
	u->answered = u->asked;
	ev_timer_stop(u->loop, &u->deadline);
	wake(u, e);
	if (!TAILQ_EMPTY(&u->waiting) && u->asked == u->answered)
		userfile_ask(u);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	log_line(LOG_FAULT, "ev=users-check why=\"no answer\"");
	settle(t->data, E_AGAIN);
}

static void
userfile_ask(struct userfile *u)
{
	u->asked++;
	ev_timer_init(&u->deadline, on_deadline, USERFILE_CHECK_MS / 1e3, 0);
	u->deadline.data = u;
	ev_timer_start(u->loop, &u->deadline);
	/* If it cannot be sent, the deadline says so. */
	ipc_begin(u->ctl, IPC_USERS_CHECK);
	if (ipc_end(u->ctl) != E_OK)
		log_line(LOG_FAULT, "ev=users-check why=\"not sent\"");
}

void
userfile_check(struct userfile *u, struct userfile_wait *w)
{
	w->need = u->asked + 1;
	TAILQ_INSERT_TAIL(&u->waiting, w, entry);
	if (u->asked == u->answered)
		userfile_ask(u);
}

void
userfile_cancel(struct userfile *u, struct userfile_wait *w)
{
	TAILQ_REMOVE(&u->waiting, w, entry);
}

void
userfile_told(
    struct userfile *u, struct userfile_news users, struct userfile_news apps)
{
	if (users.news == USERS_NEW)
		load_users(u, users.fd);
	else if (users.news == USERS_NONE && !u->is_empty)
		have_no_file(u);
	else if (u->from.fd >= 0 && is_changed(&u->from))
		load_users(u, u->from.fd);
	if (apps.news == USERS_NEW)
		load_apps(u, apps.fd);
	else if (apps.news == USERS_NONE)
		drop_apps(u);
	else if (u->apps_from.fd >= 0 && is_changed(&u->apps_from))
		load_apps(u, u->apps_from.fd);
	if (u->asked != u->answered)
		settle(u, E_OK);
}
