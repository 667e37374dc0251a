#include "server/store/maildir/uidl_check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "server/store/maildir/foreign.h"

/* Folders on the way to a Maildir, as in /srv/mail/example.org/ana/Maildir. */
enum { DEPTH = 4 };

struct check {
	const struct store_conf *conf;
	uidl_check_say say;
	void *arg;
};

static bool
has(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The list that would be asked; UIDL_FILENAME: none. */
static enum store_uidl
asked(const struct check *c, int maildir)
{
	if (c->conf->uidl != UIDL_AUTO)
		return c->conf->uidl;
	return has(maildir, foreign_name(UIDL_DOVECOT))   ? UIDL_DOVECOT
	       : has(maildir, foreign_name(UIDL_COURIER)) ? UIDL_COURIER
							  : UIDL_FILENAME;
}

/* As the owner of the Maildir would find it, whoever asks. */
static enum err
try_list(int maildir, enum store_uidl kind, struct errbuf *eb)
{
	struct stat dir, list;
	struct foreign f;
	enum err e;

	if (fstat(maildir, &dir) < 0)
		return err_sys(eb, E_IO, "directory");
	if (fstatat(maildir, foreign_name(kind), &list, AT_SYMLINK_NOFOLLOW) ==
		0 &&
	    S_ISREG(list.st_mode) && list.st_uid == dir.st_uid &&
	    (list.st_mode & S_IRUSR) == 0)
		return err_set(eb, E_IO, "its owner may not read it");
	foreign_init(&f, kind);
	e = foreign_read(&f, maildir, dir.st_uid, eb);
	foreign_free(&f);
	return e;
}

static void
check_maildir(const struct check *c, int maildir, const char *path)
{
	enum store_uidl kind = asked(c, maildir);
	char text[1024], shown[512];
	struct errbuf eb;
	enum err e;

	if (kind == UIDL_FILENAME || has(maildir, "malote-uidl"))
		return;
	e = try_list(maildir, kind, &eb);
	if (e == E_OK || e == E_NOENT)
		return;
	snprintf(text, sizeof(text),
	    "%s/%s cannot be used: %s; mend it, or move it away if its "
	    "unique-ids are not wanted: until then nobody signs in to this "
	    "maildrop",
	    str_quote(shown, sizeof(shown), path, strlen(path)),
	    foreign_name(kind), eb.text);
	c->say(c->arg, text);
}

static void
check_folder(const struct check *c, const char *path, unsigned depth)
{
	char below[MAIL_PATH_MAX];
	const struct dirent *de;
	DIR *d;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	if (has(fd, "cur") && has(fd, "new"))
		check_maildir(c, fd, path);
	else
		while (depth > 0 && (de = readdir(d)) != NULL)
			if (de->d_name[0] != '.' &&
			    (size_t)snprintf(below, sizeof(below), "%s/%s",
				path, de->d_name) < sizeof(below))
				check_folder(c, below, depth - 1);
	closedir(d);
}

void
uidl_check(const struct store_conf *conf, uidl_check_say say, void *arg)
{
	struct check c = { conf, say, arg };

	if (conf->uidl != UIDL_FILENAME)
		check_folder(&c, conf->root, DEPTH);
}
