#include "server/store/maildrop.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "server/store/mounts.h"

static size_t
maildrop_bucket(const struct location *where)
{
	return XXH3_64bits(where->path, strlen(where->path)) % MAILDROP_BUCKETS;
}

struct maildrop *
maildrop_find(const struct store *st, const struct location *where)
{
	struct maildrop *md;

	LIST_FOREACH (md, &st->maildrops[maildrop_bucket(where)], by_path)
		if (md->kind == where->kind &&
		    strcmp(md->path, where->path) == 0)
			return md;
	return NULL;
}

struct maildrop *
maildrop_get(struct store *st, const struct location *where)
{
	struct maildrop *md = maildrop_find(st, where);
	size_t n = strlen(where->path) + 1;

	if (md != NULL || (md = malloc(sizeof(*md) + n)) == NULL)
		return md;
	TAILQ_INIT(&md->sessions);
	job_line_init(&md->line);
	md->n_sessions = md->waiting = md->readers = 0;
	md->file_system = mounts_number(where->path);
	md->kind = where->kind;
	memcpy(md->path, where->path, n);
	LIST_INSERT_HEAD(&st->maildrops[maildrop_bucket(where)], md, by_path);
	return md;
}

void
maildrop_put(struct maildrop *md)
{
	if (!TAILQ_EMPTY(&md->sessions) || md->readers != 0 ||
	    md->line.pending != 0)
		return;
	LIST_REMOVE(md, by_path);
	free(md);
}
