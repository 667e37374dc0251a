#include "server/parent/roots.h"

#include <stdio.h>
#include <string.h>

#include "server/parent/child.h"

const struct conf_root *
roots_conf(const struct parent *p, uint32_t number)
{
	const struct conf *c = p->conf;

	for (unsigned i = 0; i < c->n_roots; i++)
		if (c->root[i].number == number && c->root[i].is_used)
			return &c->root[i];
	return NULL;
}

static unsigned
place_of(const struct parent *p, uint32_t number)
{
	unsigned i = 0;

	while (i < p->conf->n_roots && p->conf->root[i].number != number)
		i++;
	return i;
}

void
roots_look(struct parent *p)
{
	const struct conf *c = p->conf;

	for (unsigned i = 0; i < c->n_roots; i++)
		if (c->root[i].is_used)
			mail_root_look(&p->roots[i].is, c->root[i].path);
}

void
roots_follow(struct parent *p)
{
	struct found_root was[MAIL_ROOTS_MAX];
	const struct conf *c = p->conf;

	memcpy(was, p->roots, sizeof(was));
	memset(p->roots, 0, sizeof(p->roots));
	for (unsigned i = 0; i < c->n_roots; i++) {
		p->roots[i].number = c->root[i].number;
		for (unsigned k = 0; k < p->n_roots; k++)
			if (was[k].number == c->root[i].number)
				p->roots[i] = was[k];
	}
	p->n_roots = c->n_roots;
	roots_look(p);
}

bool
roots_fit(struct child *store)
{
	struct parent *p = store->parent;
	struct store_conf *to = &p->conf->store;
	unsigned i = place_of(p, store->owner.root);
	struct mail_root *found;

	if (i == p->conf->n_roots)
		return false;
	found = &p->roots[i].is;
	memcpy(to->root, p->conf->root[i].path, sizeof(to->root));
	mail_root_look(found, to->root);
	to->absent = found->absent;
	mail_root_mounts(to->root, to->mounts, sizeof(to->mounts));
	store->root = found->serial;
	return true;
}

bool
roots_is_other(const struct child *store)
{
	const struct parent *p = store->parent;
	unsigned i = place_of(p, store->owner.root);

	return i < p->conf->n_roots && p->roots[i].is.serial != store->root;
}

/* ---- the admin's word ---- */

/* But for slashes at the end. */
static bool
is_same_path(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	while (n > 1 && a[n - 1] == '/')
		n--;
	while (m > 1 && b[m - 1] == '/')
		m--;
	return n == m && memcmp(a, b, n) == 0;
}

/* MAIL_ROOTS_MAX: it is none of them. */
static unsigned
find_path(const struct parent *p, const char *path)
{
	const struct conf *c = p->conf;

	for (unsigned i = 0; i < c->n_roots; i++)
		if (c->root[i].is_used && is_same_path(path, c->root[i].path))
			return i;
	return MAIL_ROOTS_MAX;
}

/* The one that there is, or that is missed. */
static enum err
find_missed(const struct parent *p, unsigned *i_r, struct errbuf *eb)
{
	unsigned used = 0, missed = 0;

	for (unsigned i = 0; i < p->n_roots; i++) {
		bool absent = p->roots[i].is.absent;

		if (!p->conf->root[i].is_used)
			continue;
		if (used++ == 0 || absent)
			*i_r = i;
		missed += absent;
	}
	if (used == 1 || missed == 1)
		return E_OK;
	return err_set(eb, E_BUSY, "%s",
	    missed == 0 ? "all mail roots are served already"
			: "several mail roots are not served: name one of "
			  "them, as malotectl status does");
}

static enum err
accept_mount(const struct parent *p, const char *path, struct errbuf *eb)
{
	enum err e = err_set(eb, E_NOENT, "this is no mail root of ours");

	for (unsigned i = 0; i < p->conf->n_roots && e == E_NOENT; i++)
		if (p->conf->root[i].is_used)
			e = mail_root_accept_mount(
			    p->conf->root[i].path, path, eb);
	return e;
}

static enum err
accept_root(
    struct parent *p, unsigned i, char *path, size_t size, struct errbuf *eb)
{
	snprintf(path, size, "%s", p->conf->root[i].path);
	return mail_root_accept(&p->roots[i].is, path, eb);
}

/* A path is compared with those of the settings, and nothing else is done with
 * it. */
enum err
roots_accept(struct parent *p, char *path, size_t size, struct errbuf *eb)
{
	unsigned i = 0;
	enum err e;

	roots_look(p);
	if (path[0] == '\0') {
		e = find_missed(p, &i, eb);
		return e == E_OK ? accept_root(p, i, path, size, eb) : e;
	}
	i = find_path(p, path);
	return i < MAIL_ROOTS_MAX ? accept_root(p, i, path, size, eb)
				  : accept_mount(p, path, eb);
}
