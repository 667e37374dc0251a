#include "client/deliver/delivery.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/deliver/kind.h"

enum { DAY = 24 * 60 * 60 };

#define ROW(KIND, name, form) [DEST_##KIND] = &kind_##name,
static const struct kind *const kinds[] = { DEST_KINDS(ROW) };
#undef ROW

/* Others may neither read what is there nor put something there. */
static enum err
open_spool(struct delivery *d, const char *path, struct errbuf *eb)
{
	struct stat st;
	enum err e;

	path_shown(d->where, path);
	if ((e = folder_make(path, &d->files, eb)) != E_OK)
		return e;
	if (fstat(d->files, &st) != 0)
		return err_sys(eb, disk_err(), "%s", d->where);
	if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return err_set(eb, E_DENIED,
		    _("%s belongs to somebody else, or others may write to it"),
		    d->where);
	return E_OK;
}

enum err
delivery_open(struct delivery **d_r, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb)
{
	struct delivery *d = calloc(1, sizeof(*d));
	enum err e = E_OK;

	*d_r = NULL;
	if (d == NULL || (d->text = strdup(dest->text)) == NULL) {
		free(d);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	d->kind = kinds[dest->kind];
	d->files = d->spool = -1;
	d->timeout = env->timeout;
	d->account =
	    digest_of((struct slice){ env->account, strlen(env->account) });
	name_host(d->host);
	if (d->kind->has_folder)
		d->spool = folder_open_at(AT_FDCWD, env->spool);
	else
		e = open_spool(d, env->spool, eb);
	if (e == E_OK)
		e = d->kind->open(d, dest, env, eb);
	if (e == E_OK)
		*d_r = d;
	else
		delivery_close(d);
	return e;
}

void
delivery_close(struct delivery *d)
{
	if (d == NULL)
		return;
	if (d->own != NULL)
		d->kind->close(d);
	if (d->files >= 0)
		close(d->files);
	if (d->spool >= 0)
		close(d->spool);
	free(d->owners);
	free(d->text);
	free(d);
}

const char *
delivery_text(const struct delivery *d)
{
	return d->text;
}

bool
delivery_has_gone(const struct dest *dest)
{
	const struct kind *kind = kinds[dest->kind];

	return kind->has_gone != NULL && kind->has_gone(dest);
}

static enum err
room_in(const struct delivery *d, int fd, uint64_t *octets_r,
    unsigned long *fs_r, struct errbuf *eb)
{
	struct statvfs st;

	if (fstatvfs(fd, &st) != 0)
		return err_sys(eb, disk_err(), "%s", d->where);
	*octets_r = (uint64_t)st.f_bavail * st.f_frsize;
	*fs_r = st.f_fsid;
	return E_OK;
}

/* What goes through the spool to the same disk is there twice. */
enum err
delivery_space(struct delivery *d, uint64_t *octets_r, struct errbuf *eb)
{
	unsigned long fs = 0, other_fs = 0;
	uint64_t other = 0;
	enum err e;

	if ((e = room_in(d, d->files, octets_r, &fs, eb)) != E_OK ||
	    d->kind->room == NULL)
		return e;
	e = room_in(d, d->kind->room(d), &other, &other_fs, eb);
	if (e != E_OK)
		return e;
	if (other_fs == fs)
		*octets_r /= 2;
	else if (other < *octets_r)
		*octets_r = other;
	return E_OK;
}

enum err
delivery_try(struct delivery *d, struct errbuf *eb)
{
	return d->kind->try(d, eb);
}

enum err
delivery_failed(const struct delivery *d, struct errbuf *eb)
{
	return d->failed == E_OK ? E_OK
				 : err_set(eb, d->failed, "%s", d->why.text);
}

unsigned
delivery_untold(struct delivery *d)
{
	unsigned n = d != NULL ? d->n_untold : 0;

	if (d != NULL)
		d->n_untold = 0;
	return n;
}

enum err
delivery_prepare(
    struct delivery *d, struct parcel **v, size_t n, struct errbuf *eb)
{
	enum err e;

	if ((e = files_sync(d, v, n, eb)) != E_OK || d->kind->prepare == NULL)
		return e;
	return d->kind->prepare(d, v, n, eb);
}

void
delivery_publish(struct delivery *d, struct parcel **v, size_t n)
{
	if (n > 0)
		d->kind->publish(d, v, n);
}

bool
delivery_goes_ahead(const struct delivery *d)
{
	return d->kind->settle != NULL;
}

void
delivery_give(struct delivery *d, struct parcel **v, size_t n)
{
	if (n > 0)
		d->kind->give(d, v, n);
}

bool
delivery_settle(
    struct delivery *d, struct parcel **v, size_t n, const atomic_uint *hurry)
{
	return n == 0 || d->kind->settle(d, v, n, hurry);
}

void
delivery_nudge(struct delivery *d)
{
	if (d->kind->nudge != NULL)
		d->kind->nudge(d);
}

void
delivery_stop(struct delivery *d)
{
	d->stopping = true;
}

void
delivery_release(struct delivery *d, struct parcel **v, size_t n)
{
	if (d->kind->release != NULL)
		d->kind->release(d);
}

enum err
delivery_recover(struct delivery *d, const struct parcel *intent,
    int64_t intended_at, bool *stored_r, struct errbuf *eb)
{
	int64_t now = (int64_t)(clock_unix_ms() / 1000);

	*stored_r = false;
	return d->kind->recover(
	    d, intent, intended_at > now - DAY, stored_r, eb);
}

enum err
delivery_sweep(struct delivery *d, struct errbuf *eb)
{
	enum err e = files_sweep(d, d->files, eb);

	if (e == E_OK && d->spool >= 0)
		e = files_sweep(d, d->spool, eb);
	return e;
}

enum err
delivery_scan(struct delivery *d,
    enum err (*found)(void *arg, const struct delivery_found *f), void *arg,
    struct errbuf *eb)
{
	if (d->kind->scan == NULL)
		return E_OK;
	return d->kind->scan(d, found, arg, eb);
}

enum err
delivery_files(struct delivery *d, char *const *trash,
    enum err (*found)(void *arg, const struct delivery_file *f), void *arg,
    struct errbuf *eb)
{
	if (d->kind->files == NULL)
		return E_OK;
	return d->kind->files(d, trash, found, arg, eb);
}
