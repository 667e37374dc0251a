#include "client/oauth/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/slurp.h"
#include "client/oauth/token_keyring.h"

enum { PAUSE = 20 }; /* milliseconds between two tries of the lock */

struct vault {
	const struct oauth_party *party;
	int lock;
	char *file, *fresh; /* fresh: what is written before it gets the name */
	int fd;             /* of `fresh`; or -1 */
};

/* ---- the lock ---- */

static void
pause_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE * 1000000L }, NULL);
}

static enum err
take_lock(struct vault *v, double seconds, struct errbuf *eb)
{
	uint64_t end = clock_ms() + (uint64_t)(seconds * 1000);

	while (flock(v->lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(eb, E_IO, "%s", _("cannot lock tokens"));
		if (clock_ms() >= end)
			return err_set(eb, E_AGAIN, "%s",
			    _("another malote has been renewing this token "
			      "for long"));
		pause_a_little();
	}
	return E_OK;
}

static enum err
open_lock(struct vault *v, struct errbuf *eb)
{
	const struct oauth_party *p = v->party;
	char *path;

	if (mkdir(p->lock_in, 0700) != 0 && errno != EEXIST)
		return err_sys(eb, E_IO, "%s", p->lock_in);
	if (asprintf(&path, "%s/%s.lock", p->lock_in, p->key) < 0)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	v->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (v->lock < 0)
		err_sys(eb, E_IO, "%s", path);
	free(path);
	return v->lock >= 0 ? E_OK : E_IO;
}

static bool
make_names(struct vault *v)
{
	const struct oauth_party *p = v->party;

	if (p->keep_in == NULL)
		return true;
	if (asprintf(&v->file, "%s/%s", p->keep_in, p->key) < 0)
		v->file = NULL;
	if (asprintf(&v->fresh, "%s/%s.new", p->keep_in, p->key) < 0)
		v->fresh = NULL;
	return v->file != NULL && v->fresh != NULL;
}

enum err
vault_open(struct vault **v_r, const struct oauth_party *p, double seconds,
    struct errbuf *eb)
{
	struct vault *v = malloc(sizeof(*v));
	enum err e = E_NOMEM;

	if (v != NULL) {
		*v = (struct vault){ .party = p, .lock = -1, .fd = -1 };
		if (make_names(v))
			e = E_OK;
	}
	if (e != E_OK)
		err_set(eb, e, "%s", _("out of memory"));
	else if ((e = open_lock(v, eb)) == E_OK)
		e = take_lock(v, seconds, eb);
	if (e == E_OK)
		*v_r = v;
	else
		vault_close(v);
	return e;
}

void
vault_close(struct vault *v)
{
	if (v == NULL)
		return;
	if (v->fd >= 0) {
		unlink(v->fresh);
		close(v->fd);
	}
	if (v->lock >= 0)
		close(v->lock);
	free(v->file);
	free(v->fresh);
	free(v);
}

/* ---- a file ---- */

static enum err
damaged(const struct vault *v, struct errbuf *eb)
{
	return err_set(eb, E_FORMAT,
	    _("the tokens of account %s are damaged; sign in again: %s"),
	    v->party->account, v->party->login);
}

static enum err
load_file(struct vault *v, struct oauth_tokens *t, struct errbuf *eb)
{
	struct errbuf why;
	struct slurp in;
	enum err e = slurp(v->file, TOKENS_TEXT_MAX, &in, &why);

	if (e == E_NOENT)
		return e;
	if (e == E_FULL || e == E_FORMAT)
		return damaged(v, eb);
	if (e != E_OK)
		return err_set(eb, e, "%.150s: %.90s", v->file, why.text);
	e = oauth_tokens_parse(t, (struct slice){ in.text, in.n });
	explicit_bzero(in.text, in.n);
	free(in.text);
	return e == E_FORMAT ? damaged(v, eb) : e;
}

static enum err
sync_folder(const char *path, struct errbuf *eb)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = E_OK;

	if (fd < 0 || fsync(fd) != 0)
		e = err_sys(eb, E_IO, "%s", path);
	if (fd >= 0)
		close(fd);
	return e;
}

/* Takes the name of what was kept before. */
static enum err
save_file(struct vault *v, struct slice text, struct errbuf *eb)
{
	int fd = v->fd;

	if (pwrite(fd, text.p, text.n, 0) != (ssize_t)text.n ||
	    ftruncate(fd, (off_t)text.n) != 0 || fsync(fd) != 0 ||
	    rename(v->fresh, v->file) != 0)
		return err_sys(eb, E_IO, "%s", v->fresh);
	v->fd = -1; /* its name is another one now */
	close(fd);
	return sync_folder(v->party->keep_in, eb);
}

enum err
vault_prepare(struct vault *v, struct errbuf *eb)
{
	if (v->file == NULL)
		return E_OK;
	unlink(v->fresh); /* of one who was killed */
	v->fd = open(
	    v->fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (v->fd < 0)
		return err_sys(eb, E_IO, "%s", v->fresh);
	errno = posix_fallocate(v->fd, 0, TOKENS_TEXT_MAX);
	return errno == 0 ? E_OK : err_sys(eb, E_IO, "%s", v->fresh);
}

/* ---- both ---- */

enum err
vault_load(struct vault *v, struct oauth_tokens *t, struct errbuf *eb)
{
	struct buf text;
	enum err e;

	memset(t, 0, sizeof(*t));
	if (v->file != NULL)
		return load_file(v, t, eb);
	buf_init(&text, TOKENS_TEXT_MAX, true);
	e = token_keyring_load(v->party, &text, eb);
	if (e == E_OK)
		e = oauth_tokens_parse(
		    t, (struct slice){ buf_data(&text), text.len });
	buf_free(&text);
	return e == E_FORMAT ? damaged(v, eb) : e;
}

enum err
vault_save(struct vault *v, const struct oauth_tokens *t, struct errbuf *eb)
{
	struct buf text;
	enum err e;

	buf_init(&text, TOKENS_TEXT_MAX, true);
	e = oauth_tokens_write(t, &text);
	if (e == E_OK && v->file == NULL)
		e = buf_put(&text, "", 1);
	if (e != E_OK)
		err_set(eb, e, "%s", _("out of memory"));
	else if (v->file == NULL)
		e = token_keyring_save(v->party, buf_data(&text), eb);
	else
		e = save_file(
		    v, (struct slice){ buf_data(&text), text.len }, eb);
	buf_free(&text);
	return e;
}
