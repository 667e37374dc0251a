/*
 * Where mail is: mail and mail_root of the settings, and of the blocks `users` that
 * say other ones.  See check.h.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "server/conf/check.h"

/* mail and mail_root that stand together, and where. */
struct said {
	const struct conf_lines *l;
	char *mail, *root;
	unsigned mail_line, root_line;
	char of[DB_NAME_MAX + 16]; /* before complaints: "users "NAME": " */
};

#define COMPLAIN_OF(s, at, fmt, ...) \
	conf_error(&(s)->l->text, at, "%s" fmt, (s)->of, __VA_ARGS__)
#define WARN_OF(s, at, fmt, ...) \
	conf_warn(&(s)->l->text, at, "%s" fmt, (s)->of, __VA_ARGS__)

/* ---- one template and one root ---- */

/* The octets of the template before what differs between users, cut at the
 * last slash. */
static void
root_of(const char *path, char out[MAIL_PATH_MAX])
{
	size_t n = strcspn(path, "%");

	while (n > 1 && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	snprintf(out, MAIL_PATH_MAX, "%.*s", (int)n, path);
}

static const char *
template_fault(const char *path)
{
	if (path[0] != '/' && path[0] != '~' && strncmp(path, "%h", 2) != 0)
		return "the path must begin with /, ~ or %h";
	if (path[0] == '~' && path[1] != '/' && path[1] != '\0')
		return "~ means the user's home only before a /";
	if (strchr(path, ':') != NULL)
		return "there are no options after a :, only the path";
	for (const char *p = path; (p = strchr(p, '%')) != NULL; p += 2)
		if (p[1] == '\0' || strchr("undh", p[1]) == NULL)
			return "there are %u, %n, %d and %h";
	return NULL;
}

/* Fills the root in, if none is said. */
static void
check_template(const struct said *s)
{
	const char *mail = s->mail, *path = mail + strlen("maildir:"), *fault;

	if (strncmp(mail, "mbox:", 5) == 0) {
		COMPLAIN_OF(s, s->mail_line,
		    "mail = \"%s\": only Maildir is served yet; write "
		    "\"maildir:PATH\"",
		    mail);
		return;
	}
	if (strncmp(mail, "maildir:", strlen("maildir:")) != 0) {
		COMPLAIN_OF(s, s->mail_line,
		    "mail = \"%s\" does not say what kind it is; write "
		    "\"maildir:PATH\"",
		    mail);
		return;
	}
	if ((fault = template_fault(path)) != NULL) {
		COMPLAIN_OF(s, s->mail_line,
		    "mail = \"%s\": %s; write for example "
		    "\"maildir:/srv/mail/%%d/%%n\"",
		    mail, fault);
		return;
	}
	if (strchr(path, '%') == NULL && path[0] != '~')
		WARN_OF(s, s->mail_line,
		    "mail = \"%s\" is the same maildrop for every user who has "
		    "none of their own in the users file; %%u stands for the "
		    "user's name",
		    mail);
	if (s->root[0] == '\0' && path[0] == '/')
		root_of(path, s->root);
	else if (s->root[0] == '\0')
		memcpy(s->root, "/home", sizeof("/home"));
}

/* A component that is . or .. */
static bool
has_dots(const char *path)
{
	for (const char *p = path; (p = strchr(p, '/')) != NULL; p++) {
		size_t dots = strspn(p + 1, ".");

		if ((dots == 1 || dots == 2) &&
		    (p[1 + dots] == '/' || p[1 + dots] == '\0'))
			return true;
	}
	return false;
}

static void
check_root(const struct said *s, const struct conf *c)
{
	unsigned at = s->root_line != 0 ? s->root_line : s->mail_line;
	const char *root = s->root;
	struct stat st;

	if (root[0] == '\0')
		return; /* mail does not say it, and was complained about */
	str_squeeze_slashes(s->root);
	if (root[0] != '/')
		COMPLAIN_OF(s, at,
		    "mail_root \"%s\" is not absolute; begin it with /", root);
	else if (has_dots(root))
		COMPLAIN_OF(s, at,
		    "mail_root %s has a . or .. in it, which no maildrop's "
		    "path has; write the folder without",
		    root);
	else if (root[1] == '\0')
		WARN_OF(s, at,
		    "mail_root %s confines the mail to nothing; write "
		    "mail_root = \"FOLDER\" that all maildrops are in",
		    root);
	else if (stat(root, &st) < 0 || !S_ISDIR(st.st_mode))
		COMPLAIN_OF(s, at,
		    "mail_root %s is not a folder; mount or make it (install "
		    "-d -o %s -m 700 %s), or write mail_root = \"FOLDER\" "
		    "that all maildrops are in",
		    root, c->mail_user[0] != '\0' ? c->mail_user : "USER",
		    root);
}

/* ---- the settings, and the blocks ---- */

/* What is empty is not said. */
static void
forget_empty(struct conf_users *u)
{
	if (u->mail[0] == '\0')
		u->says &= ~(unsigned)DRIVER_MAIL;
	if (u->mail_root[0] == '\0')
		u->says &= ~(unsigned)DRIVER_MAIL_ROOT;
}

/* Has some block no root of its own? */
static bool
is_root_used(const struct conf *c)
{
	for (unsigned i = 0; i < c->n_known; i++)
		if ((c->known[i].says & DRIVER_PLACE) == 0)
			return true;
	return false;
}

static void
check_settings(struct conf *c, const struct conf_lines *l)
{
	const struct said s = { .l = l,
		.mail = c->mail,
		.root = c->mail_root,
		.mail_line = l->line(l, "mail"),
		.root_line = l->line(l, "mail_root") };

	check_template(&s);
	if (is_root_used(c))
		check_root(&s, c);
}

/* Who says where the mail is says so anew: of the settings' root nothing is
 * left. */
static void
check_block(
    const struct conf *c, struct conf_users *u, const struct conf_lines *l)
{
	struct said s = { .l = l,
		.mail = u->mail,
		.root = u->mail_root,
		.mail_line = u->mail_line,
		.root_line = u->mail_root_line };

	if ((u->says & DRIVER_PLACE) == 0)
		return;
	snprintf(s.of, sizeof(s.of), "users \"%s\": ", u->db.name);
	if ((u->says & DRIVER_MAIL) != 0)
		check_template(&s);
	else
		memcpy(u->mail, c->mail, sizeof(u->mail));
	u->says |= DRIVER_PLACE;
	check_root(&s, c);
}

/* ---- the roots ---- */

static struct conf_root *
find_root(struct conf *c, const char *path)
{
	for (unsigned i = 0; i < c->n_roots; i++)
		if (strcmp(c->root[i].path, path) == 0)
			return &c->root[i];
	return NULL;
}

/* Where users of block i have mail. */
static uint32_t
add_root(struct conf *c, unsigned i, const struct conf_lines *l)
{
	const struct conf_users *u = &c->known[i];
	bool own = (u->says & DRIVER_PLACE) != 0;
	unsigned line = own ? u->mail_root_line : l->line(l, "mail_root");
	const char *path = own ? u->mail_root : c->mail_root;
	struct conf_root *r = find_root(c, path);

	if (r != NULL)
		return r->number;
	if (line == 0)
		line = own ? u->mail_line : l->line(l, "mail");
	r = &c->root[c->n_roots];
	*r = (struct conf_root){
		.number = c->n_roots, .is_used = true, .line = line
	};
	memcpy(r->path, path, sizeof(r->path));
	c->last_root = c->n_roots++;
	return r->number;
}

/* The stores that run all the time are of mail_user, so they are where users are
 * that may have no uid of their own. */
static unsigned
first_block(const struct conf *c)
{
	for (unsigned i = 0; i < c->n_known; i++)
		if (user_drivers[c->auth.known[i].driver].asker !=
		    DRIVER_ASKS_PAM)
			return i;
	return 0;
}

static void
tell_auth(struct conf *c, const struct conf_lines *l)
{
	c->n_roots = 0;
	add_root(c, first_block(c), l);
	for (unsigned i = 0; i < c->n_known; i++) {
		const struct conf_users *u = &c->known[i];
		struct known_place *to = &c->auth.place[i];
		bool own = (u->says & DRIVER_PLACE) != 0;

		memcpy(to->mail, own ? u->mail : c->mail, sizeof(to->mail));
		memcpy(to->root, own ? u->mail_root : c->mail_root,
		    sizeof(to->root));
		to->number = add_root(c, i, l);
	}
	c->auth.n_places = (uint16_t)c->n_known;
	memcpy(c->store.root, c->root[0].path, sizeof(c->store.root));
}

static bool
is_within(const char *path, const char *root)
{
	size_t n = strlen(root);

	return n > 1 && strncmp(path, root, n) == 0 && path[n] == '/';
}

/* Landlock cannot take a folder out of another one. */
static void
warn_of_roots_within(const struct conf *c, const struct conf_lines *l)
{
	for (unsigned i = 0; i < c->n_roots; i++)
		for (unsigned j = 0; j < c->n_roots; j++)
			if (is_within(c->root[i].path, c->root[j].path))
				conf_warn(&l->text, c->root[i].line,
				    "mail_root %s is within mail_root %s: who "
				    "breaks into a store there reaches this "
				    "one as far as the owners of files let "
				    "them; have the two beside each other",
				    c->root[i].path, c->root[j].path);
}

/* By their names they lie beside each other, so nobody would keep the users of the
 * one out of the other. */
static void
complain_of_links(const struct conf *c, const struct conf_lines *l)
{
	char real[PATH_MAX], other[PATH_MAX];

	for (unsigned i = 0; i < c->n_roots; i++)
		for (unsigned j = 0; j < c->n_roots; j++) {
			const struct conf_root *r = &c->root[i];
			const char *in = c->root[j].path;

			if (i == j || is_within(r->path, in) ||
			    realpath(r->path, real) == NULL ||
			    realpath(in, other) == NULL)
				continue;
			if (is_within(real, other) ||
			    (i > j && strcmp(real, other) == 0))
				conf_error(&l->text, r->line,
				    "mail_root %s leads to %s, which is that "
				    "of mail_root %s or within it; write both "
				    "as they are without symbolic links",
				    r->path, real, in);
		}
}

void
conf_check_mail(struct conf *c, const struct conf_lines *l)
{
	for (unsigned i = 0; i < c->n_known; i++)
		forget_empty(&c->known[i]);
	check_settings(c, l);
	for (unsigned i = 0; i < c->n_known; i++)
		check_block(c, &c->known[i], l);
	tell_auth(c, l);
	warn_of_roots_within(c, l);
	if (l->text.report->errors == 0)
		complain_of_links(c, l);
}

/* ---- reading again ---- */

bool
conf_number_roots(struct conf *c, const struct conf *now)
{
	struct conf_root was[MAIL_ROOTS_MAX], *r;
	unsigned n = c->n_roots;
	uint32_t number[MAIL_ROOTS_MAX];
	bool same = strcmp(c->root[0].path, now->root[0].path) == 0;

	memcpy(was, c->root, sizeof(was));
	c->root[0] = now->root[0];
	c->root[0].is_used = false;
	c->n_roots = 1;
	c->last_root = now->last_root;
	for (unsigned i = 0; i < n; i++) {
		uint32_t known = c->last_root + 1;

		for (unsigned k = 0; k < now->n_roots; k++)
			if (strcmp(was[i].path, now->root[k].path) == 0)
				known = now->root[k].number;
		number[i] = known;
		if (known > c->last_root)
			c->last_root = known;
		r = known == MAIL_ROOT_OF_POOL ? &c->root[0]
					       : &c->root[c->n_roots++];
		*r = was[i];
		r->number = known;
	}
	for (unsigned i = 0; i < c->n_known; i++)
		c->auth.place[i].number = number[c->auth.place[i].number];
	memcpy(c->store.root, c->root[0].path, sizeof(c->store.root));
	return same;
}
