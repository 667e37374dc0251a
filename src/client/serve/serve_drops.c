#include "client/serve/serve_drops.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/i18n.h"

/* ---- which ---- */

/* Has somebody other than root mounted that FUSE file system?  maloted believes
 * none such, as it answers when its program likes (store/mounts.h). */
static bool
is_fuse_of_a_person(dev_t dev)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;
	unsigned at, on;
	bool found = false;

	while (f != NULL && !found && getline(&line, &room, f) > 0)
		found = sscanf(line, "%*u %*u %u:%u", &at, &on) == 2 &&
			makedev(at, on) == dev &&
			strstr(line, " - fuse") != NULL &&
			strstr(line, "user_id=0,") == NULL;
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

/* Why maloted would not serve a folder; NULL: it would. */
static const char *
why_not_folder(const char *path)
{
	char new[PATH_MAX + 8];
	struct stat st;

	if (stat(path, &st) == 0 && is_fuse_of_a_person(st.st_dev))
		return _("it is on a file system that a person has mounted "
			 "(FUSE), as gocryptfs or sshfs, which cannot be "
			 "served");
	snprintf(new, sizeof(new), "%s/new", path);
	if (stat(new, &st) < 0 || !S_ISDIR(st.st_mode))
		return _("nothing has been collected there yet: collect, and "
			 "then start this again");
	if (st.st_uid != geteuid())
		return _("the Maildir belongs to somebody else");
	for (const char *p = path; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f || *p == ':')
			return _("a Maildir with a colon or a control "
				 "character in its path cannot be served");
	return NULL;
}

static const char *
why_not(const struct account *a)
{
	switch (a->dest.kind) {
	case DEST_MAILDIR: return NULL;
	case DEST_MBOX:
		return _("an mbox cannot be served, only a Maildir: deliver = "
			 "\"maildir:PATH\"");
	default:
		return _("its mail is handed on, and does not stay in a "
			 "Maildir of this computer");
	}
}

static enum err
find_one(struct serve_drop *v, const struct account *a)
{
	char real[PATH_MAX];

	if ((v->why = why_not(a)) != NULL)
		return E_OK;
	if (realpath(a->dest.path, real) == NULL)
		snprintf(real, sizeof(real), "%s", a->dest.path);
	if ((v->why = why_not_folder(real)) != NULL)
		return E_OK;
	return (v->path = strdup(real)) != NULL ? E_OK : E_NOMEM;
}

/* ---- their names ---- */

/* What maloted takes in a name, beside one @. */
static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c != '\0' && strchr("._-+=&", c));
}

/* The account's name with a "-" in place of what maloted does not take. */
static void
make_user(char user[SERVE_USER_MAX + 1], const char *name)
{
	char last = '.'; /* no part begins with a dot, no two stand together */
	bool at = false;
	size_t n = 0;

	for (; *name != '\0' && n < SERVE_USER_MAX - 8; name++) {
		char c = *name;

		if ((c & 0xc0) == 0x80)
			continue; /* within a character of UTF-8 */
		if (c == '@' && !at && n > 0 && name[1] != '\0')
			at = true;
		else if (!is_plain(c) || (c == '.' && strchr(".@", last)))
			c = '-';
		user[n++] = last = c;
	}
	user[n] = '\0';
}

static bool
is_taken(const struct serve_drops *d, size_t i)
{
	for (size_t k = 0; k < d->n; k++)
		if (k != i && strcmp(d->v[k].user, d->v[i].user) == 0)
			return true;
	return false;
}

/* Two accounts' names may come to the same: then they are numbered. */
static void
name_one(struct serve_drops *d, size_t i, const char *name)
{
	char *user = d->v[i].user;
	size_t n;

	make_user(user, name);
	n = strlen(user);
	for (unsigned k = 2; is_taken(d, i); k++)
		snprintf(user + n, SERVE_USER_MAX + 1 - n, "-%u", k);
}

/* Those that maloted takes as they are go first: nobody's name is taken away. */
static void
name_all(struct serve_drops *d, const struct client_conf *conf)
{
	for (size_t i = 0; i < d->n; i++) {
		make_user(d->v[i].user, conf->v[i].name);
		if (d->v[i].path == NULL ||
		    strcmp(d->v[i].user, conf->v[i].name) != 0)
			d->v[i].user[0] = '\0';
	}
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].path != NULL && d->v[i].user[0] == '\0')
			name_one(d, i, conf->v[i].name);
}

/* ---- where they are ---- */

static bool
is_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	return root[1] == '\0' ||
	       (strncmp(path, root, n) == 0 && path[n] == '/');
}

/* Takes the last part off; "/" is left in the end. */
static void
go_up(char *path)
{
	char *last = strrchr(path, '/');

	last[last == path] = '\0';
}

static enum err
find_root(struct serve_drops *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const char *path = d->v[i].path;

		if (path == NULL)
			continue;
		if (d->root == NULL && (d->root = strdup(path)) == NULL)
			return E_NOMEM;
		while (!is_below(path, d->root))
			go_up(d->root);
	}
	return E_OK;
}

static void
find_same(struct serve_drops *d, size_t i)
{
	size_t k = 0;

	while (d->v[k].path == NULL || strcmp(d->v[k].path, d->v[i].path) != 0)
		k++;
	d->v[i].same = k;
	d->served += k == i;
}

enum err
serve_drops_find(struct serve_drops *d, const struct client_conf *conf,
    const bool *chosen, struct errbuf *eb)
{
	enum err e = E_OK;

	*d = (struct serve_drops){ .v = calloc(conf->n + 1, sizeof(*d->v)),
		.n = conf->n };
	if (d->v == NULL)
		e = E_NOMEM;
	for (size_t i = 0; i < d->n && e == E_OK; i++) {
		if (!chosen[i])
			continue;
		e = find_one(&d->v[i], &conf->v[i]);
		if (d->v[i].path != NULL)
			find_same(d, i);
	}
	if (e == E_OK)
		e = find_root(d);
	if (e != E_OK)
		return err_set(eb, e, "%s", _("out of memory"));
	name_all(d, conf);
	return E_OK;
}

void
serve_drops_free(struct serve_drops *d)
{
	for (size_t i = 0; d->v != NULL && i < d->n; i++)
		free(d->v[i].path);
	free(d->v);
	free(d->root);
	memset(d, 0, sizeof(*d));
}
