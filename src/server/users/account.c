#include "server/users/account.h"

static enum err
find_owner(struct account *out, const struct auth_conf *conf,
    const struct user *u, const char **why_r, struct errbuf *eb)
{
	if (u->uid == AUTH_NO_UID || u->uid == conf->mail_uid) {
		out->uid = conf->mail_uid;
		out->gid = conf->mail_gid;
		*why_r = "no-uid";
		return out->uid != AUTH_NO_UID
			   ? E_OK
			   : err_set(eb, E_CONFIG,
				 "the user has no uid of its own; give it one, "
				 "or set mail_user");
	}
	out->uid = u->uid;
	out->gid = u->gid;
	*why_r = "uid-out-of-range";
	if (u->uid == 0)
		return err_set(
		    eb, E_CONFIG, "uid 0 is root's, who never owns mail");
	if (u->uid < conf->first_uid || u->uid > conf->last_uid)
		return err_set(eb, E_CONFIG,
		    "uid %u is not between first_uid = %u and last_uid = %u",
		    u->uid, conf->first_uid, conf->last_uid);
	return E_OK;
}

/* Where the users of its block have their mail. */
static const struct known_place *
place_of(const struct auth_conf *conf, const struct user *u)
{
	if (user_is_of_row(u))
		return &conf->place[u->by];
	for (size_t i = 0; i < conf->n_known; i++)
		if (user_drivers[conf->known[i].driver].asker == DRIVER_IS_FILE)
			return &conf->place[i];
	return &conf->place[0];
}

static bool
is_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	while (n > 0 && root[n - 1] == '/')
		n--;
	return strncmp(path, root, n) == 0 && path[n] == '/';
}

/* A mail root within that one is a place for its own users alone. */
static enum err
check_others(const struct auth_conf *conf, const struct known_place *place,
    const char *path, struct errbuf *eb)
{
	for (size_t i = 0; i < conf->n_places; i++) {
		const struct known_place *other = &conf->place[i];

		if (other->number != place->number &&
		    is_below(other->root, place->root) &&
		    (is_below(path, other->root) ||
			strcmp(path, other->root) == 0))
			return err_set(eb, E_CONFIG,
			    "below another mail_root, %s", other->root);
	}
	return E_OK;
}

enum err
account_find(struct account *out, const struct auth_conf *conf,
    const struct user *u, const char **why_r, struct errbuf *eb)
{
	const struct known_place *place = place_of(conf, u);

	*why_r = "mail-location";
	if (name_mail(out->mail, u->mail[0] != '\0' ? u->mail : place->mail,
		place->root, u->name, u->home, eb) != E_OK ||
	    check_others(conf, place, strchr(out->mail, '/'), eb) != E_OK)
		return E_CONFIG;
	out->root = place->number;
	return find_owner(out, conf, u, why_r, eb);
}
