#include "server/parent/traces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/conf/state_folder.h"
#include "server/parent/child_tell.h"
#include "server/parent/handover.h"

enum {
	LONGEST = 3600, /* seconds */
	SIZE_MAX_OCTETS = 16 * 1024 * 1024,
	LINE_OCTETS = 4 * TRACE_LINE_MAX + 128, /* escaped, with its head */
	NAME_SHOWN = 64, /* of a user, in a file's name */
};

struct trace {
	LIST_ENTRY(trace) link;
	struct parent *parent;
	uint32_t number;
	bool octets;
	char user[NAME_MAX_OCTETS + 1], path[PATH_MAX];
	int fd;
	uint64_t size, until; /* clock_ms() */
	ev_timer end;
};

static const char says[TRACE_SAYS] = {
	[TRACE_SERVER] = 'S', [TRACE_CLIENT] = 'C', [TRACE_NOTE] = '*'
};

static struct trace *
find(const struct parent *p, const char *user)
{
	struct trace *t;

	LIST_FOREACH (t, &p->traces, link)
		if (strcmp(t->user, user) == 0)
			return t;
	return NULL;
}

static struct trace *
find_number(const struct parent *p, uint32_t number)
{
	struct trace *t;

	LIST_FOREACH (t, &p->traces, link)
		if (t->number == number)
			return t;
	return NULL;
}

static void
tell(struct child *worker, const struct trace *t, bool on)
{
	child_tell_trace(worker, t->number, on, t->octets, t->user);
}

static void
tell_workers(struct trace *t, bool on)
{
	struct child *c;

	TAILQ_FOREACH (c, &t->parent->children, link)
		if (c->role == ROLE_WORKER && c->chan != NULL)
			tell(c, t, on);
}

void
traces_tell(struct child *worker)
{
	const struct trace *t;

	LIST_FOREACH (t, &worker->parent->traces, link)
		tell(worker, t, true);
}

/* The maloted at the other end of the channel has sessions of that user, too. */
static void
tell_maloted(const struct trace *t, int channel, bool on)
{
	struct handover_message m = { .kind = HANDOVER_TRACE,
		.number = (on ? HANDOVER_TRACE_ON : 0) |
			  (t->octets ? HANDOVER_TRACE_OCTETS : 0),
		.size = (uint32_t)strlen(t->user) };

	if (on && t->until > clock_ms())
		m.more = (uint32_t)((t->until - clock_ms()) / 1000);
	memcpy(m.octets, t->user, m.size);
	(void)handover_pass(channel, &m, on ? t->fd : -1);
}

static void
tell_elder(const struct trace *t, bool on)
{
	if (!t->parent->succession.held)
		tell_maloted(t, t->parent->succession.elder, on);
}

static void
end(struct trace *t, const char *why)
{
	char user[256];

	log_line(LOG_EVENT, "ev=traced user=%s octets=%llu why=%s",
	    str_escape(user, sizeof(user), t->user, strlen(t->user)),
	    (unsigned long long)t->size, why);
	tell_workers(t, false);
	tell_elder(t, false);
	ev_timer_stop(t->parent->loop, &t->end);
	LIST_REMOVE(t, link);
	close(t->fd);
	free(t);
}

static void
on_end(struct ev_loop *loop, ev_timer *w, int revents)
{
	end(w->data, "hour");
}

/* ---- the file ---- */

/* Only letters, digits and what means nothing to a shell or a file system. */
static void
name_of(char *out, size_t size, const char *user, uint64_t now)
{
	char shown[NAME_SHOWN + 1], stamp[CLOCK_STAMP];
	size_t n = 0, k = 0;

	for (; user[n] != '\0' && n < NAME_SHOWN; n++) {
		bool plain = (user[n] >= 'a' && user[n] <= 'z') ||
			     (user[n] >= 'A' && user[n] <= 'Z') ||
			     (user[n] >= '0' && user[n] <= '9') ||
			     (n != 0 && strchr("@._-", user[n]) != NULL);

		shown[n] = plain ? user[n] : '_';
	}
	shown[n] = '\0';
	clock_stamp(stamp, now);
	for (const char *p = stamp; *p != '\0'; p++)
		if (*p != ':' && *p != '-')
			stamp[k++] = *p;
	stamp[k] = '\0';
	snprintf(out, size, "%s-%s.trace", shown, stamp);
}

/* A folder that others can look into, or change, is none for that. */
static enum err
open_folder(const char *path, int *fd_r, struct errbuf *eb)
{
	struct stat st;
	int fd = state_folder_open(path);

	if (fd < 0)
		return err_sys(eb, E_IO, "%s", path);
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0) {
		close(fd);
		return err_set(eb, E_CONFIG,
		    "%s is to be the server's own, with mode 0700", path);
	}
	*fd_r = fd;
	return E_OK;
}

static enum err
open_file(struct trace *t, struct errbuf *eb)
{
	char folder[PATH_MAX], name[NAME_SHOWN + CLOCK_STAMP + 16];
	enum err e = state_folder_file(folder, TRACES_FOLDER, eb);
	int dir = -1;

	if (e != E_OK || (e = open_folder(folder, &dir, eb)) != E_OK)
		return e;
	name_of(name, sizeof(name), t->user, clock_unix_ms());
	t->fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	close(dir);
	if (t->fd < 0)
		return err_sys(eb, E_IO, "%s/%s", folder, name);
	if (strlen(folder) + strlen(name) + 2 > sizeof(t->path))
		return err_set(eb, E_CONFIG, "the path is too long");
	strcat(strcat(strcpy(t->path, folder), "/"), name);
	return E_OK;
}

/* False: it has ended. */
static bool
write_line(struct trace *t, const char *text, size_t n)
{
	struct stat st;
	ssize_t done;

	if (fstat(t->fd, &st) == 0)
		t->size = (uint64_t)st.st_size; /* of others' lines, too */
	if (t->size + n > SIZE_MAX_OCTETS) {
		end(t, "full");
		return false;
	}
	done = write(t->fd, text, n);
	if (done != (ssize_t)n) {
		log_line(LOG_FAULT, "ev=trace file=\"%s\" error=\"%s\"",
		    t->path, done < 0 ? strerror(errno) : "the disk is full");
		end(t, "disk");
		return false;
	}
	t->size += n;
	return true;
}

static bool
write_head(struct trace *t, const struct trace_wish *w)
{
	char line[LINE_OCTETS], stamp[CLOCK_STAMP], user[600];
	int n = snprintf(line, sizeof(line),
	    "%s * trace of %s, for uid %u (pid %u); C: the client, S: the "
	    "server%s\n",
	    clock_stamp(stamp, clock_unix_ms()),
	    str_quote(user, sizeof(user), t->user, strlen(t->user)), w->uid,
	    w->pid, w->octets ? ", mail too" : "");

	return write_line(t, line, (size_t)n);
}

void
traces_line(struct child *worker, uint32_t number, uint64_t sid,
    enum trace_says who, uint32_t lost, struct slice line)
{
	struct trace *t = find_number(worker->parent, number);
	char text[LINE_OCTETS], words[4 * TRACE_LINE_MAX + 1];
	char stamp[CLOCK_STAMP];
	int n;

	if (t == NULL)
		return; /* it has ended by now */
	clock_stamp(stamp, clock_unix_ms());
	if (lost != 0) {
		n = snprintf(text, sizeof(text),
		    "%s %u.%llx * %u lines are missing: they came too fast\n",
		    stamp, worker->index, (unsigned long long)sid, lost);
		if (!write_line(t, text, (size_t)n))
			return;
	}
	n = snprintf(text, sizeof(text), "%s %u.%llx %c %s\n", stamp,
	    worker->index, (unsigned long long)sid, says[who],
	    str_quote(words, sizeof(words), line.p, line.n));
	(void)write_line(t, text, (size_t)n);
}

/* ---- beginning and end ---- */

static unsigned
how_many(const struct parent *p)
{
	const struct trace *t;
	unsigned n = 0;

	LIST_FOREACH (t, &p->traces, link)
		n++;
	return n;
}

static struct trace *
new_trace(struct parent *p, const char *user, bool octets)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->parent = p;
	t->fd = -1;
	t->octets = octets;
	t->number = ++p->last_trace;
	snprintf(t->user, sizeof(t->user), "%s", user);
	return t;
}

/* With its file. */
static void
start(struct trace *t, uint32_t seconds)
{
	struct parent *p = t->parent;

	LIST_INSERT_HEAD(&p->traces, t, link);
	t->until = clock_ms() + seconds * 1000ull;
	ev_timer_init(&t->end, on_end, seconds, 0.);
	t->end.data = t;
	ev_timer_start(p->loop, &t->end);
	tell_workers(t, true);
	tell_elder(t, true);
}

static enum err
open_trace(struct parent *p, const struct trace_wish *w, struct trace **t_r,
    struct errbuf *eb)
{
	struct trace *t = new_trace(p, w->user, w->octets);
	enum err e;

	if (t == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if ((e = open_file(t, eb)) != E_OK) {
		if (t->fd >= 0)
			close(t->fd);
		free(t);
		return e;
	}
	*t_r = t;
	return E_OK;
}

enum err
traces_begin(struct parent *p, const struct trace_wish *w, char path[PATH_MAX],
    struct errbuf *eb)
{
	struct trace *t = find(p, w->user);
	enum err e;

	if (t != NULL) {
		memcpy(path, t->path, PATH_MAX);
		return err_set(eb, E_BUSY, "the user is traced already");
	}
	if (how_many(p) >= TRACES_MAX)
		return err_set(eb, E_FULL,
		    "there are %d traces, which is as many as there may be",
		    TRACES_MAX);
	if ((e = open_trace(p, w, &t, eb)) != E_OK)
		return e;
	memcpy(path, t->path, PATH_MAX);
	start(t, LONGEST);
	if (!write_head(t, w))
		return err_set(eb, E_IO, "%s: it cannot be written", path);
	return E_OK;
}

bool
traces_end(struct parent *p, const char *user)
{
	struct trace *t = find(p, user);

	if (t != NULL)
		end(t, "off");
	return t != NULL;
}

void
traces_close(struct parent *p)
{
	struct trace *t;

	while ((t = LIST_FIRST(&p->traces)) != NULL)
		end(t, "stop");
}

/* ---- another maloted ---- */

void
traces_hand_over(const struct parent *p, int heir)
{
	const struct trace *t;

	LIST_FOREACH (t, &p->traces, link)
		tell_maloted(t, heir, true);
}

/* The name of a file that is open. */
static void
path_of(int fd, char path[PATH_MAX])
{
	char link[48];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
}

/* Takes fd. */
static void
go_on(struct parent *p, const struct handover_message *m, const char *user,
    int fd)
{
	struct trace *t = NULL;

	if (find(p, user) == NULL && how_many(p) < TRACES_MAX)
		t = new_trace(
		    p, user, (m->number & HANDOVER_TRACE_OCTETS) != 0);
	if (t == NULL) {
		close(fd);
		return;
	}
	t->fd = fd;
	path_of(fd, t->path);
	start(t, m->more < LONGEST ? m->more : LONGEST);
}

void
traces_told(struct parent *p, const struct handover_message *m, int fd)
{
	char user[NAME_MAX_OCTETS + 1];
	bool on = (m->number & HANDOVER_TRACE_ON) != 0;

	if (m->size < sizeof(user)) {
		memcpy(user, m->octets, m->size);
		user[m->size] = '\0';
		if (on && fd >= 0) {
			go_on(p, m, user, fd);
			return;
		}
		if (!on)
			(void)traces_end(p, user);
	}
	if (fd >= 0)
		close(fd);
}
