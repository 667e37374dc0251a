#include "server/store/maildir/scan_left.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/sandbox.h"

enum { SHOWN = 10 /* messages that are logged one by one */ };

const char *
scan_left_remedy(enum err e, const struct stat *st, char *out, size_t size)
{
	if (st->st_uid != sandbox_uid())
		snprintf(out, size, "chown %u", (unsigned)sandbox_uid());
	else if ((st->st_mode & S_IRUSR) == 0)
		snprintf(out, size, "chmod u+r");
	else if (e == E_FORMAT)
		snprintf(out, size, "restore it, or move it elsewhere");
	else
		snprintf(out, size, "see what ails the disk");
	return out;
}

static void
log_message(const struct scan *s, const struct name *m, enum err e,
    const struct stat *st)
{
	char name[300], path[300], what[40];
	const char *file = m->s + 1;

	log_line(LOG_WARNING,
	    "ev=message-left-out %s path=\"%s/%s/%s/%s\" error=\"%s\" "
	    "remedy=\"%s\"",
	    s->m->hold.tag, s->m->hold.conf->root,
	    str_quote(path, sizeof(path), s->m->path, strlen(s->m->path)),
	    NAME_SUB(m->s) == SUB_NEW ? "new" : "cur",
	    str_quote(name, sizeof(name), file, strlen(file)), s->eb->text,
	    scan_left_remedy(e, st, what, sizeof(what)));
}

void
scan_leave_out(struct scan *s, const struct name *m, enum err e)
{
	char name[80];
	struct stat st = { .st_mode = S_IFREG };

	if (fstatat(s->d->sub[NAME_SUB(m->s)], m->s + 1, &st,
		AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISREG(st.st_mode)) {
		/* To be a message it has to be replaced, which changes the
		 * directory. */
		if (s->odd++ == 0)
			log_line(LOG_WARNING,
			    "ev=not-a-message %s file=%s error=\"%s\"",
			    s->m->hold.tag,
			    str_escape(name, sizeof(name), m->s, m->len),
			    s->eb->text);
		return;
	}
	s->unsure = true;
	if (s->m->left_out++ < SHOWN && !s->m->left_told)
		log_message(s, m, e, &st);
}

void
scan_left_begin(struct scan *s)
{
	s->m->left_out = 0;
}

void
scan_left_end(struct scan *s)
{
	if (s->m->left_out != 0 && !s->m->left_told)
		log_line(LOG_WARNING,
		    "ev=messages-left-out %s messages=%u remedy=\"see the "
		    "first of them above; they are listed from the next "
		    "sign-in on once they can be read\"",
		    s->m->hold.tag, s->m->left_out);
	s->m->left_told = true;
}
