#include "client/setup/trial_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/pool.h"
#include "client/conf/rule.h"
#include "client/deliver/delivery.h"
#include "client/secret/asker.h"

enum { PATH = 4096 };

struct trial_place {
	struct pool *pool;
	struct pool_job job;
	const struct account *account;
	const char *state_dir;
	struct asker *asker;
	trial_place_done *done;
	void *arg;
	enum err e;
	struct errbuf eb;
	bool is_new;
	uint64_t space;
};

/* ---- on the thread ---- */

/* Can a folder be made in this one? */
static enum err
try_folder(const char *path, uint64_t *space_r, struct errbuf *eb)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statvfs st;
	enum err e = E_OK;

	if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, 0) != 0 ||
	    fstatvfs(fd, &st) != 0)
		e = err_sys(eb, E_DENIED, "%s", path);
	else
		*space_r = (uint64_t)st.f_bavail * st.f_frsize;
	if (fd >= 0)
		close(fd);
	return e;
}

/* Of what is above it the last part that is there already. */
static enum err
try_to_make(struct trial_place *p, const struct dest *dest)
{
	char path[PATH], *slash;

	if (snprintf(path, sizeof(path), "%s", dest->path) >= PATH)
		return err_set(&p->eb, E_CONFIG, "%s", strerror(ENAMETOOLONG));
	do {
		slash = strrchr(path, '/');
		slash[slash == path] = '\0';
	} while (slash != path && access(path, F_OK) != 0);
	return try_folder(path, &p->space, &p->eb);
}

static enum err
ask_for_place(void *arg, const struct account *login, bool anew, char *secret,
    size_t size, struct errbuf *eb)
{
	return asker_ask(arg, login, anew, secret, size, eb);
}

static void
judged(void *arg, const struct account *login, const char *refused)
{
	asker_judged(arg, login, refused);
}

static enum err
try_delivery(struct trial_place *p, const struct dest *dest)
{
	const struct account *a = p->account;
	char spool[PATH];
	struct delivery_env env = {
		.account = a->name,
		.email = a->email,
		.spool = spool,
		.timeout = a->timeout,
		.ask = ask_for_place,
		.judged = judged,
		.ask_arg = p->asker,
	};
	struct delivery *d = NULL;
	enum err e;

	snprintf(spool, sizeof(spool), "%s/spool", p->state_dir);
	if ((e = delivery_open(&d, dest, &env, &p->eb)) == E_OK &&
	    (e = delivery_try(d, &p->eb)) == E_OK)
		e = delivery_space(d, &p->space, &p->eb);
	delivery_close(d);
	return e;
}

/* A file where a folder should be is for delivery_open() to refuse.  True: it is not
 * there yet. */
static bool
try_dest(struct trial_place *p, const struct dest *dest)
{
	bool is_new = delivery_has_gone(dest) && access(dest->path, F_OK) != 0;

	p->e = is_new ? try_to_make(p, dest) : try_delivery(p, dest);
	return is_new;
}

/* The places of rules, up to the first that cannot be. */
static void
try_rules(struct trial_place *p)
{
	const struct rule *const *r = p->account->rules;
	struct errbuf why;

	for (; *r != NULL && p->e == E_OK; r++) {
		try_dest(p, &(*r)->dest);
		if (p->e == E_OK)
			continue;
		why = p->eb;
		err_set(&p->eb, p->e, _("%s (rule %s)"), why.text, (*r)->name);
	}
}

static void
run(struct pool_job *job)
{
	struct trial_place *p =
	    (struct trial_place *)((char *)job -
				   offsetof(struct trial_place, job));

	uint64_t space;

	p->is_new = try_dest(p, &p->account->dest);
	space = p->space;
	try_rules(p);
	p->space = space;
}

/* ---- on the loop ---- */

static void
done(struct pool_job *job)
{
	struct trial_place *p =
	    (struct trial_place *)((char *)job -
				   offsetof(struct trial_place, job));

	p->done(p->arg, p->e, p->e != E_OK ? p->eb.text : "");
}

struct trial_place *
trial_place_start(struct ev_loop *loop, const struct account *a,
    const char *state_dir, bool terminal, trial_place_done *on_done, void *arg)
{
	struct trial_place *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	*p = (struct trial_place){
		.job = { .run = run, .done = done },
		.account = a,
		.state_dir = state_dir,
		.asker = asker_new(loop, state_dir, terminal, true),
		.done = on_done,
		.arg = arg,
	};
	if (p->asker == NULL || pool_new(&p->pool, loop, 1, NULL) != E_OK) {
		asker_free(p->asker);
		free(p);
		return NULL;
	}
	pool_add(p->pool, &p->job);
	return p;
}

void
trial_place_free(struct trial_place *p)
{
	if (p == NULL)
		return;
	asker_close(p->asker);
	pool_free(p->pool);
	asker_free(p->asker);
	free(p);
}

uint64_t
trial_place_space(const struct trial_place *p)
{
	return p->space;
}

bool
trial_place_is_new(const struct trial_place *p)
{
	return p->is_new;
}
