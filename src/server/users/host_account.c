#include "server/users/host_account.h"

#include <stdlib.h>
#include <string.h>

/* What is found, one user after the other. */
struct search {
	struct host_account *out;
	const struct auth_conf *conf;
	size_t n; /* octets of mail so far */
	const char *why;
	struct errbuf *eb;
};

static enum err
refuse(struct search *s, const char *why, const char *text)
{
	s->why = why;
	return err_set(s->eb, E_CONFIG, "%s", text);
}

/* Two users may share a maildrop. */
static bool
is_there(const char *mail, const char *path)
{
	size_t n = strlen(path);

	for (const char *p = strchr(mail, ':'); p != NULL;
	     p = strchr(p + 1, ':'))
		if (strncmp(p + 1, path, n) == 0 &&
		    (p[1 + n] == ':' || p[1 + n] == '\0'))
			return true;
	return false;
}

static enum err
add_path(struct search *s, const char *path)
{
	size_t n = strlen(path);

	if (is_there(s->out->mail, path))
		return E_OK;
	if (s->n + 1 + n >= MAIL_MAX)
		return refuse(s, "host-paths",
		    "the paths of all its users' mail are too long together");
	if (s->out->mail[s->n - 1] != ':')
		s->out->mail[s->n++] = ':';
	memcpy(s->out->mail + s->n, path, n + 1);
	s->n += n;
	return E_OK;
}

static enum err
add_user(struct search *s, const struct user *u, bool first)
{
	struct host_account *out = s->out;
	struct account at;
	struct errbuf why;

	if (account_find(&at, s->conf, u, &s->why, &why) != E_OK)
		return err_set(
		    s->eb, E_CONFIG, "its user %s: %s", u->name, why.text);
	if (first) {
		out->uid = at.uid;
		out->gid = at.gid;
		out->root = at.root;
	} else if (out->uid != at.uid || out->gid != at.gid) {
		s->why = "host-uids";
		return err_set(s->eb, E_CONFIG,
		    "the mail of its user %s is of uid %u, that of others of "
		    "uid %u: a host is read as a whole where all its mail is "
		    "mail_user's",
		    u->name, at.uid, out->uid);
	}
	out->read_only |= u->permits.read_only;
	out->tls_only |= u->permits.tls_only;
	return add_path(s, strchr(at.mail, ':') + 1);
}

static enum err
add_users(struct search *s, const struct users *users, const char *host)
{
	const struct user *v[HOST_USERS_MAX];
	unsigned refused;
	size_t n = users_of_host(users, host, v, HOST_USERS_MAX, &refused);
	enum err e = E_OK;

	if (refused != 0) {
		s->why = "host-line";
		return err_set(s->eb, E_CONFIG,
		    "line %u of the users file, of one of its users, is "
		    "refused: mend it first",
		    refused);
	}
	if (n > HOST_USERS_MAX)
		return refuse(s, "host-users",
		    "it has too many users to be read as a whole: at most 256");
	if (n == 0)
		return refuse(s, "host-empty",
		    "there is no user whose name ends in @ and this host");
	memcpy(s->out->mail, "host:", sizeof("host:"));
	s->n = sizeof("host:") - 1;
	for (size_t i = 0; i < n && e == E_OK; i++)
		e = add_user(s, v[i], i == 0);
	return e;
}

enum err
host_account_find(struct host_account *out, const struct auth_conf *conf,
    const struct users *users, const struct user *u, const char **why_r,
    struct errbuf *eb)
{
	struct search s = { .out = out, .conf = conf, .eb = eb };
	enum err e;

	*out = (struct host_account){ .mail = malloc(MAIL_MAX) };
	if (out->mail == NULL) {
		*why_r = "memory";
		return err_set(eb, E_NOMEM, "out of memory");
	}
	e = conf->sdps ? add_users(&s, users, u->host)
		       : refuse(&s, "sdps-off",
			     "malote_host needs the setting sdps = yes");
	*why_r = s.why;
	if (e == E_OK)
		return E_OK;
	free(out->mail);
	out->mail = NULL;
	return e;
}
