#include "server/auth/rehash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/auth/hashpool.h"
#include "server/users/scheme.h"

enum { REST_MS = 60 * 60 * 1000 };

struct rehash {
	struct hash_job job;
	struct auth *auth;
	struct upgrade_row row;
	char password[PASSWORD_MAX + 1], scheme[SCHEME_NAME_MAX];
};

static void
forget(struct rehash *r)
{
	r->auth->rehashing = false;
	explicit_bzero(r, sizeof(*r));
	free(r);
}

static void
hand_on(const struct rehash *r)
{
	struct ipc_chan *parent = r->auth->role.parent;

	ipc_begin(parent, IPC_UPGRADE);
	ipc_put_fields(parent, &upgrade_row_fields, &r->row);
	if (ipc_end(parent) != E_OK)
		log_line(LOG_WARNING, "ev=upgrade error=\"not sent\"");
}

static void
on_made(struct hash_job *job)
{
	struct rehash *r = (struct rehash *)job; /* its first member */

	/* E_FORMAT: the scheme cannot take such a password. */
	if (job->result == E_OK)
		hand_on(r);
	forget(r);
}

/* A hash of a password that fits only because its end does not count would shut
 * the user out. */
static bool
is_due(const struct auth *a, const char *stored, const char *password)
{
	return scheme_is_made(a->conf.upgrade_scheme) && !a->rehashing &&
	       clock_ms() >= a->rehash_again &&
	       strlen(stored) < SCHEME_STORED_MAX &&
	       !scheme_is_as_made(stored, a->conf.upgrade_scheme) &&
	       scheme_counts_all(stored, password);
}

void
rehash_offer(
    struct auth *a, const char *user, const char *stored, const char *password)
{
	struct rehash *r;

	if (!is_due(a, stored, password) || (r = calloc(1, sizeof(*r))) == NULL)
		return;
	a->rehashing = true;
	r->auth = a;
	snprintf(r->row.user, sizeof(r->row.user), "%s", user);
	snprintf(r->row.was, sizeof(r->row.was), "%s", stored);
	snprintf(r->password, sizeof(r->password), "%s", password);
	memcpy(r->scheme, a->conf.upgrade_scheme, sizeof(r->scheme));
	r->job.scheme = r->scheme;
	r->job.password = r->password;
	r->job.made = r->row.hash;
	r->job.done = on_made;
	if (hashpool_add(a->hashes, &r->job) != E_OK)
		forget(r);
}

void
rehash_rest(struct auth *a)
{
	a->rehash_again = clock_ms() + REST_MS;
}
